"""Names of functions without what compilers append to the symbols of clones and parts (DESIGN section 4)."""

from __future__ import annotations

import re

_CLONE = re.compile(r"(?:\.(?:constprop|isra|part|cold|lto_priv|llvm|localalias|simdclone)(?:\.\d+)*)+$")


def source_name(symbol: str) -> str:
    """`foo` for `foo.constprop.0`, `foo.part.1.isra.0`, `foo.cold`."""
    return _CLONE.sub("", symbol)
