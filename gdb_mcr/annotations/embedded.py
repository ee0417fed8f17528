"""Annotations in the server's own source: `/* @mcr … */` comments."""

from __future__ import annotations

import re
from pathlib import Path

SOURCE_SUFFIXES = frozenset({".c", ".h", ".inc", ".y", ".l"})
"""Files that are read as C source."""

_PIECES = re.compile(
    r"//(?:[^\\\n]|\\.)*|/\*(?P<ours>\s*@mcr\b)?(?P<inside>.*?)\*/|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'",
    re.DOTALL,
)
# The column of stars of a long comment.
_DECORATION = re.compile(r"(?m)^([ \t]*)\*(?=\s|$)")


def is_source(file: Path) -> bool:
    """Whether annotations stand in a file's comments only."""
    return file.suffix in SOURCE_SUFFIXES


def annotations_of(source: str) -> str:
    """What the `/* @mcr … */` comments of a C source say, each character where it was; all else is blank.

    A star that begins a line of such a comment is decoration. `//` comments may stand inside.
    """
    text = [re.sub(r"[^\n]", " ", source)]
    for match in _PIECES.finditer(source):
        if match["ours"] is not None:
            start, end = match.span("inside")
            inside = _DECORATION.sub(r"\1 ", source[start:end])
            text.append(text.pop()[:start] + inside + re.sub(r"[^\n]", " ", source[end:]))
    return "".join(text)
