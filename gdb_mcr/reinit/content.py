"""What the bytes of a start-up allocation say of its identity, comparable between O and N (`alignment.Content`).

Words that look like pointers differ between two address spaces, so that only the text that they lead to counts, which
both have: names in .rodata, strings on the heap. An allocation without any text has no identity of its own; numbers in
it (descriptors, counters, times) are equal by chance too often.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gdb_mcr.model.startup_log import Allocation
from gdb_mcr.reinit.alignment import Content
from gdb_mcr.units import WORD, Range

MAX_BYTES = 256
"""Only the first so many bytes of an allocation are looked at."""

MAX_TEXT = 64
"""Only the first so many bytes of a text that a pointer leads to count."""

_LOWEST, _HIGHEST = 1 << 32, 1 << 47  # of words that may be pointers: a non-PIE image lies lower, but is not moved
_TEXT = re.compile(rb"([\x20-\x7e]{2,})(?:\0|\Z)")
_INNER_TEXT = re.compile(rb"([\x20-\x7e]{3,})(?:\0|\Z)|([\x20-\x7e]{6,})")
_LETTER = re.compile(rb"[A-Za-z]")
_PRINTABLE_WORD = re.compile(rb"[\x20-\x7e]+\0*")
_POINTER = b"\0\1\1\1\1\1\1\1"  # nothing that reads as text

ReadBytes = Callable[[int, int], bytes | None]
"""(address, size) to the bytes there, fewer at a mapping's end, None if there are none."""


@dataclass(frozen=True, slots=True)
class TextField:
    """The text by which an allocation of a type with two layouts is known: `size` bytes at `offset`, 0 = none."""

    offset: int
    size: int
    is_pointer: bool = False


class ContentReader:
    """Reads contents of one side.

    :param read: gives its memory at the end of its start-up, as far as texts count there.
    :param mapped: where a word may lead to although no text counts there: code, variables.
    :param text_field: of an allocation whose type has another layout on the other side; None = compare its bytes.
    """

    def __init__(
        self,
        allocations: Iterable[Allocation],
        read: ReadBytes,
        mapped: Sequence[Range] = (),
        text_field: Callable[[Allocation], TextField | None] = lambda _: None,
    ) -> None:
        self._text_field = text_field
        self._sizes = {one.base_address: one.base_size for one in allocations if one.base_size}
        self._read = read
        self._mapped = mapped
        self._texts: dict[int, bytes | None] = {}

    def content(self, allocation: Allocation) -> Content:
        """As `alignment.LogSide.content` wants it."""
        field = self._text_field(allocation)
        if field is not None:
            return Content(None, self._field_text(allocation, field))
        data = self._own_bytes(allocation.base_address)
        if not data:
            return Content()
        text = self._text_of(data)
        if text is not None and len(text) + 1 >= len(data):
            return Content(text, text)
        whole, texts = self._without_pointers(data)
        names = [one for one in (_inner_text(whole), *texts) if one]
        return Content((whole, texts), names[0]) if names else Content()

    def _text_of(self, data: bytes) -> bytes | None:
        return None if self._is_address(data[:WORD]) else _leading_text(data)

    # Where memory is at random addresses, one of them reads as text now and then.
    def _is_address(self, word: bytes) -> bool:
        value = int.from_bytes(word, "little")
        if len(word) != WORD or not _LOWEST <= value < _HIGHEST:
            return False
        return any(value in one for one in self._mapped) or bool(self._read(value, 1))

    def _field_text(self, allocation: Allocation, field: TextField) -> bytes | None:
        data = self._read(allocation.base_address + field.offset, field.size) if field.size else None
        if not data:
            return None
        return self._text_at(int.from_bytes(data, "little")) if field.is_pointer else _leading_text(data)

    def _own_bytes(self, address: int) -> bytes:
        return self._read(address, min(self._sizes.get(address, 0), MAX_BYTES)) or b""

    # The bytes with pointers masked, and the texts that the pointers lead to.
    def _without_pointers(self, data: bytes) -> tuple[bytes, tuple[bytes, ...]]:
        end = len(data) - len(data) % WORD
        words = array("Q", data[:end])
        places = [i for i, word in enumerate(words) if _LOWEST <= word < _HIGHEST]
        masked, texts = bytearray(data), []
        for i in places:
            place = slice(i * WORD, (i + 1) * WORD)
            if _PRINTABLE_WORD.fullmatch(data[place]) and not self._is_address(data[place]):
                continue
            masked[place] = _POINTER
            texts.append(self._text_at(words[i]))
        return bytes(masked), tuple(text for text in texts if text)

    def _text_at(self, address: int) -> bytes | None:
        if address not in self._texts:
            data = self._own_bytes(address) or self._read(address, MAX_TEXT + 1) or b""
            self._texts[address] = self._text_of(data[: MAX_TEXT + 1])
        return self._texts[address]


class PiecewiseMemory:
    """Memory that was copied in pieces, such as a base snapshot."""

    def __init__(self, pieces: Sequence[tuple[Range, bytes | memoryview]]) -> None:
        self._pieces = sorted(pieces, key=lambda one: one[0])
        self._starts = [place.start for place, _ in self._pieces]

    def read(self, address: int, size: int) -> bytes | None:
        """The bytes at `address`, fewer at the end of a piece; None if no piece holds it."""
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address not in self._pieces[index][0]:
            return None
        place, data = self._pieces[index]
        return bytes(data[address - place.start : address - place.start + size])


def _leading_text(data: bytes) -> bytes | None:
    found = _TEXT.match(data)
    return found[1] if found and _LETTER.search(found[1]) else None


def _inner_text(data: bytes) -> bytes | None:
    texts = (found[1] or found[2] for found in _INNER_TEXT.finditer(data))
    return next((text for text in texts if _LETTER.search(text)), None)
