"""What the bytes of a start-up allocation say of its identity."""

from __future__ import annotations

from gdb_mcr.model.startup_log import Allocation
from gdb_mcr.reinit.alignment import Content
from gdb_mcr.reinit.content import ContentReader, PiecewiseMemory
from gdb_mcr.units import Range

HEAP, TEXT = 0x4000_0000_0000, 0x4000_0001_0000


def _content(code: Range, function: int) -> Content:
    """Of a struct that points to a function and to its name."""
    data = function.to_bytes(8, "little") + TEXT.to_bytes(8, "little") + bytes(8)
    memory = PiecewiseMemory([(Range(HEAP, HEAP + len(data)), data), (Range(TEXT, TEXT + 5), b"save\0")])
    row = Allocation(0, 0, 1, 0, 0, HEAP, len(data), len(data), HEAP, len(data), 0, -1)
    return ContentReader([row], memory.read, [code]).content(row)


def test_an_address_of_code_that_reads_as_text_is_no_name() -> None:
    """Where code is mapped differs from start to start: now and then all bytes of its addresses are letters."""
    printable = int.from_bytes(b"Pc6;(V\0\0", "little")
    plain = 0x5555_0000_1350
    contents = [_content(Range(at - 0x350, at + 0x1000), at) for at in (printable, plain)]
    assert contents[0] == contents[1]
    assert contents[0].name == b"save"


def test_a_word_of_letters_that_leads_nowhere_is_text() -> None:
    word = int.from_bytes(b"Pc6;(V\0\0", "little")
    assert _content(Range(1, 2), word).name == b"Pc6;(V"


def test_a_table_of_addresses_behind_a_pointer_is_no_text_either() -> None:
    printable = int.from_bytes(b"q$Bz$D\0\0", "little")
    heap = Range(printable - 0x100_0000, printable + 0x100_0000)
    table, holder = printable - 0x1000, printable - 0x2000
    pieces = [(table, printable.to_bytes(8, "little") * 4), (holder, table.to_bytes(8, "little") + bytes(8))]
    memory = PiecewiseMemory([(Range(at, at + len(data)), data) for at, data in pieces])
    rows = [Allocation(0, 0, 1, 0, 0, at, len(data), len(data), at, len(data), 0, -1) for at, data in pieces]
    reader = ContentReader(rows, memory.read, [heap])
    assert [reader.content(one).name for one in rows] == [None, None]
