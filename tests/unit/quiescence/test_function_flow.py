"""Loops of functions that are assembled here by hand."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from gdb_mcr.quiescence.function_flow import Flows
from gdb_mcr.units import Range

BASE = 0x1000
TABLE = 0x9000
STUB = 0x5000
SLOT = 0x8000


@dataclass
class FakeCode:
    """Functions of bytes; a stub at STUB leads to what stands at SLOT."""

    pieces: dict[int, bytes]
    data: dict[int, bytes] = field(default_factory=dict)
    functions: dict[int, str] = field(default_factory=dict)
    imported: str = ""

    def piece(self, pc: int) -> Range | None:
        found = [Range(start, start + len(code)) for start, code in self.pieces.items()]
        return next((one for one in found if pc in one), None)

    def names(self, pc: int) -> tuple[str, ...]:
        piece = self.piece(pc)
        name = self.functions.get(piece.start, "") if piece is not None else ""
        return (name,) if name else ()

    def read(self, address: int, size: int) -> bytes:
        for start, contents in {**self.pieces, **self.data}.items():
            if start <= address < start + len(contents):
                return contents[address - start : address - start + size]
        return b""

    def import_at(self, slot: int) -> str:
        return self.imported if slot == SLOT else ""


def call(at: int, target: int) -> bytes:
    return b"\xe8" + struct.pack("<i", target - at - 5)


def test_a_function_without_a_jump_back_has_no_loop() -> None:
    flow = Flows(FakeCode({BASE: bytes.fromhex("85ff 7402 31c0 c3")})).at(BASE)  # test; je +2; xor; ret
    assert flow.loops == ()
    assert flow.returns


def test_a_jump_back_makes_a_loop_around_the_call_in_it() -> None:
    # 1000 push rbx; 1001 call 1100; 1006 test eax,eax; 1008 jne 1001; 100a pop rbx; 100b ret
    code = b"\x53" + call(BASE + 1, 0x1100) + bytes.fromhex("85c0 75f7 5b c3")
    flow = Flows(FakeCode({BASE: code})).at(BASE)
    assert [one.header for one in flow.loops_at(BASE + 5)] == [BASE + 1]  # any address inside the call
    assert flow.loops_at(BASE) == ()
    assert flow.loops_at(BASE + 0xB) == ()
    assert flow.call_before(BASE + 6) == BASE + 1
    assert flow.call_before(BASE + 5) is None


def test_an_endless_loop_does_not_return() -> None:
    flow = Flows(FakeCode({BASE: bytes.fromhex("31c0 ebfc")})).at(BASE)
    assert len(flow.loops) == 1
    assert not flow.returns


def test_code_behind_a_call_that_never_returns_belongs_to_something_else() -> None:
    # 1000 test edi,edi; 1002 jne 1009; 1004 call exit; 1009 xor eax,eax; 100b jmp 1000: behind exit() nothing goes on.
    code = bytes.fromhex("85ff 7505") + call(BASE + 4, STUB) + bytes.fromhex("31c0 ebf3")
    stub = {STUB: b"\xf3\x0f\x1e\xfa\xff\x25" + struct.pack("<i", SLOT - STUB - 10)}  # endbr64; jmp *SLOT(%rip)
    around_exit = {}
    for imported in ("exit", "close"):
        flow = Flows(FakeCode({BASE: code}, stub, imported=imported)).at(BASE)
        around_exit[imported] = len(flow.loops_at(BASE + 4))
    assert around_exit == {"exit": 0, "close": 1}


def test_a_call_of_a_function_that_only_calls_exit_never_returns() -> None:
    stub = {STUB: b"\xff\x25" + struct.pack("<i", SLOT - STUB - 6)}
    pieces = {BASE: call(BASE, 0x1100) + b"\xc3", 0x1100: b"\x50" + call(0x1101, STUB) + b"\xc3"}
    assert not Flows(FakeCode(pieces, stub, imported="exit")).at(BASE).returns
    assert Flows(FakeCode(pieces, stub, imported="close")).at(BASE).returns


SWITCH = (
    bytes.fromhex("83ff01 7715 488d15")  # cmp edi,1; ja 101a; lea rdx,[rip+TABLE]
    + struct.pack("<i", TABLE - (BASE + 12))
    + bytes.fromhex("486304ba 4801d0 ffe0")  # movsxd rax,[rdx+rdi*4]; add rax,rdx; jmp rax
    + bytes.fromhex("ffcf ebe7")  # 1015 case 0: dec edi; jmp 1000
    + b"\x90"
    + b"\xc3"  # 101a case 1, default: ret
)


def test_a_switch_leads_where_its_jump_table_says() -> None:
    table = struct.pack("<3i", BASE + 0x15 - TABLE, BASE + 0x1A - TABLE, BASE - TABLE)  # the third is another table's
    flow = Flows(FakeCode({BASE: SWITCH}, {TABLE: table})).at(BASE)
    assert [one.header for one in flow.loops_at(BASE + 0x15)] == [BASE]
    assert flow.loops_at(BASE + 0x1A) == ()


def test_a_switch_without_a_readable_table_keeps_its_cases() -> None:
    flow = Flows(FakeCode({BASE: SWITCH})).at(BASE)
    assert flow.loops == ()
    assert flow.returns


def test_a_part_elsewhere_belongs_to_its_function_and_a_tail_call_does_not() -> None:
    # 1000 test; 1002 je 2000; 1008 ret — 2000 call 1100; 2005 jmp 1000
    hot = bytes.fromhex("85ff 0f84") + struct.pack("<i", 0x2000 - 0x1008) + b"\xc3"
    cold = call(0x2000, 0x1100) + b"\xe9" + struct.pack("<i", BASE - 0x200A)
    pieces = {BASE: hot, 0x2000: cold}
    own = Flows(FakeCode(pieces, functions={BASE: "serve", 0x2000: "serve"})).at(BASE)
    assert [one.header for one in own.loops_at(0x2000)] == [BASE]
    other = Flows(FakeCode(pieces, functions={BASE: "serve", 0x2000: "other"})).at(BASE)
    assert other.loops == ()
    assert other.returns


def test_outside_of_all_code_there_is_nothing() -> None:
    flow = Flows(FakeCode({})).at(BASE)
    assert flow.loops_at(BASE) == ()
    assert flow.call_before(BASE) is None
    assert not flow.returns
