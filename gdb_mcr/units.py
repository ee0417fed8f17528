"""Addresses, sizes and half-open ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

Address = NewType("Address", int)
"""A virtual address in some process, in bytes."""

PAGE = 4096
"""Bytes in a page (x86-64)."""

WORD = 8
"""Bytes in a pointer (x86-64)."""


def align_down(value: int, alignment: int) -> int:
    """The largest multiple of ``alignment`` (a power of two) that is not above ``value``."""
    return value & ~(alignment - 1)


def align_up(value: int, alignment: int) -> int:
    """The smallest multiple of ``alignment`` (a power of two) that is not below ``value``."""
    return (value + alignment - 1) & ~(alignment - 1)


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """The half-open byte range [start, end)."""

    start: int
    end: int

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self.end - self.start

    def __contains__(self, address: object) -> bool:
        return isinstance(address, int) and self.start <= address < self.end

    def overlaps(self, other: Range) -> bool:
        """Whether the two ranges share at least one byte."""
        return self.start < other.end and other.start < self.end

    def __repr__(self) -> str:
        return f"[{self.start:#x}, {self.end:#x})"
