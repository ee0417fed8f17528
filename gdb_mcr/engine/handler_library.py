"""Handler libraries (`native/mcr_handlers.h`): C functions that annotations call, loaded into the controller."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path

from gdb_mcr.errors import AnnotationError


def function_addresses(library: Path, names: Sequence[str]) -> list[int]:
    """Loads a library and finds functions of it. It stays loaded.

    Whose file it is has been checked (DESIGN section 17): its code runs with the caller's rights from now on.
    :raises AnnotationError: it cannot be loaded, or lacks a function.
    """
    try:
        loaded = ctypes.CDLL(str(library))
    except OSError as error:
        hint = "build it with: gcc -O2 -shared -fPIC -o handlers.so handlers.c"
        raise AnnotationError(f"cannot load the handler library {library}: {error}", hint=hint) from error
    return [_address(loaded, library, name) for name in names]


def _address(loaded: ctypes.CDLL, library: Path, name: str) -> int:
    try:
        function = loaded[name]
    except AttributeError as error:
        hint = "is it static, or of another name?"
        raise AnnotationError(f"the handler library {library} has no function {name}", hint=hint) from error
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None, "a function that was found has an address"
    return address
