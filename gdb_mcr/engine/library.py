"""Loads `libmcr_engine.so` once and declares its functions."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from gdb_mcr.paths import native_library

Prototype = tuple[Any, Sequence[Any]]
"""Result type and argument types, as ctypes names them."""


@cache
def load() -> ctypes.CDLL:
    """The engine library. :raises InstallationError: it was not built or not installed."""
    return ctypes.CDLL(str(native_library("libmcr_engine.so")), use_errno=True)


def declare(prototypes: Mapping[str, Prototype]) -> ctypes.CDLL:
    """The engine library with these functions' prototypes set (64-bit results and pointers would be cut otherwise)."""
    library = load()
    for name, (result, arguments) in prototypes.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, list(arguments)
    return library
