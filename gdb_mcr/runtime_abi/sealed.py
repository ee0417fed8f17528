"""Sealed memfds: bytes for a server that nobody can change or shorten any more."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Sequence

from gdb_mcr.units import WORD, align_up

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def sealed_memfd(name: str, parts: Iterable[bytes]) -> int:
    """A descriptor (close-on-exec) of a sealed memfd that holds `parts` one after the other.

    Source: memfd_create(2), fcntl(2) "File Sealing".
    """
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        for part in parts:
            _write_all(descriptor, part)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


class Layouter:
    """Lays variable parts behind a head of `head_size` bytes, each at a multiple of eight."""

    def __init__(self, head_size: int) -> None:
        self._end = align_up(head_size, WORD)
        self._padding = self._end - head_size
        self._parts: list[bytes] = []

    @property
    def size(self) -> int:
        """Bytes so far, the head included."""
        return self._end

    def add(self, data: bytes) -> int:
        """Appends a part; its offset from the head's start."""
        offset = self._end
        self._parts.append(data)
        self._end = align_up(offset + len(data), WORD)
        return offset

    def parts(self, head: bytes) -> Sequence[bytes]:
        """Head and parts with the padding between them."""
        padded = [head, bytes(self._padding)]
        for part in self._parts:
            padded += (part, bytes(-len(part) % WORD))
        return padded


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
