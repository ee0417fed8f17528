"""Variable-length integers and strings. Source: DWARF 5, section 7.6."""

from __future__ import annotations


def uleb(data: bytes, at: int) -> tuple[int, int]:
    """The unsigned LEB128 number at offset ``at`` and the offset behind it."""
    byte = data[at]
    at += 1
    if byte < 0x80:
        return byte, at
    value, shift = byte & 0x7F, 7
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def sleb(data: bytes, at: int) -> tuple[int, int]:
    """The signed LEB128 number at offset ``at`` and the offset behind it."""
    value, end = uleb(data, at)
    bits = 7 * (end - at)
    return (value - (1 << bits) if data[end - 1] & 0x40 else value), end


def text(data: bytes, at: int) -> str:
    """The NUL-terminated string at offset ``at``; bytes that are no UTF-8 are escaped."""
    return data[at : data.index(0, at)].decode("utf-8", "backslashreplace")
