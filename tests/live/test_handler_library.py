"""Functions of a handler library on fabricated memory: what they get and make, and that their crashes harm nobody."""

from __future__ import annotations

import signal
import struct
from pathlib import Path

import pytest

from gdb_mcr.engine.handler_library import function_addresses
from gdb_mcr.engine.handler_records import HandlerFailure
from gdb_mcr.engine.records import EventKind
from gdb_mcr.errors import AnnotationError
from gdb_mcr.model.expression import LONG, Call, Cast, Pointer
from gdb_mcr.model.handler import Evaluate, Step
from gdb_mcr.model.place import Side
from gdb_mcr.tracing.policy import Policy
from tests.support.annotated_server import build_library
from tests.support.handler_text import SPAN, Fields, handler, long
from tests.support.transfer_rig import HEAP, Outcome, Rig
from tests.support.type_builder import Types

pytestmark = pytest.mark.live

TEXT = 0x100
N_ADDRESS = Pointer(Side.NEW, -1)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_library(tmp_path_factory.mktemp("library"))


class Scene:
    """A chunk `{char *text; long number;}` of both builds, its text at HEAP + TEXT."""

    def __init__(self, library: Path) -> None:
        self._old, self._new, self._library = Types(), Types(), library
        rows = [("text", 0, types.pointer(types.char)) for types in (self._old, self._new)]
        self.text_types = rows[0][2], rows[1][2]
        self.before = self._old.struct("s", 16, rows[0], ("number", 8, self._old.long))
        self.after = self._new.struct("s", 16, rows[1], ("number", 8, self._new.long))
        self.old = Fields(self._old.table(), self.before, Side.OLD)
        self.new = Fields(self._new.table(), self.after, Side.NEW)

    def run(self, *body: Step, objects: int = 1) -> tuple[Rig, Outcome]:
        rig = self.rig(*body, objects=objects)
        return rig, rig.run()

    def rig(self, *body: Step, objects: int = 1) -> Rig:
        one = handler(self.before, self.after, *body, writes=("text",))
        policy = Policy(handlers=(one,), library=self._library)
        rig = Rig(self._old, self._new, policy, {self.before: self.after})
        pointer = self._old.pointer(self.before), self._new.pointer(self.after)
        for i in range(objects):
            rig.variable(8 * i, pointer[0], 8 * i, pointer[1])
            struct.pack_into("<Q", rig.theirs, 8 * i, rig.chunk(32 * i, 16))
            struct.pack_into("<Qq", rig.heap, 32 * i, rig.chunk(TEXT + 32 * i, 6), 40 + i)
            rig.heap[TEXT + 32 * i : TEXT + 32 * i + 6] = b"text" + bytes((ord("0") + i, 0))
        return rig


def number_from(scene: Scene, function: str, *, of_text: bool = True) -> Step:
    argument = scene.old.load("text") if of_text else scene.old.load("number")
    return scene.new.store("number", Call(function, (argument,), LONG))


def test_arguments_and_result(library: Path) -> None:
    scene = Scene(library)
    call = Call("sum", (scene.old.load("number"), Cast(long(2), LONG), long(-1)), LONG)
    rig, outcome = scene.run(scene.new.store("number", call))
    assert struct.unpack_from("<Qq", outcome.heap) == (0, 41)
    assert (outcome.events, rig.given) == ([], [])


def test_a_function_allocates_in_n_and_frees_what_it_replaces(library: Path) -> None:
    scene = Scene(library)
    step = scene.new.store("text", Call("twice", (scene.old.load("text"),), N_ADDRESS))
    rig, outcome = scene.run(step, objects=3)
    assert len(rig.given) == 3
    assert [struct.unpack_from("<Q", outcome.heap, 32 * i)[0] for i in range(3)] == rig.given
    assert [outcome.moved[one] for one in rig.given] == [b"text%dtext%d\0" % (i, i) for i in range(3)]
    assert outcome.freed == [HEAP + TEXT + 32 * i for i in range(3)]
    assert outcome.events == []


def test_addresses_are_translated_on_request(library: Path) -> None:
    scene = Scene(library)
    _, outcome = scene.run(number_from(scene, "moved"))
    assert struct.unpack_from("<Qq", outcome.heap) == (0, HEAP + TEXT)


def test_memory_is_given_only_inside_one_object(library: Path) -> None:
    scene = Scene(library)
    _, outcome = scene.run(number_from(scene, "reads_too_far"))
    assert struct.unpack_from("<q", outcome.heap, 8) == (2,)


def test_what_is_freed_must_not_be_pointed_to(library: Path) -> None:
    """The text goes, but the handler leaves the pointer to it: told as a lost pointer."""
    scene = Scene(library)
    keep = scene.new.store("text", scene.old.load("text"))
    _, outcome = scene.run(Evaluate(Call("twice", (scene.old.load("text"),), LONG), SPAN), keep)
    assert [event[0] for event in outcome.events] == [EventKind.LOST_POINTER]


def test_what_others_still_point_to_must_not_be_freed(library: Path) -> None:
    scene = Scene(library)
    step = scene.new.store("text", Call("twice", (scene.old.load("text"),), N_ADDRESS))
    rig = scene.rig(step)
    rig.variable(0x700, scene.text_types[0], 0x700, scene.text_types[1])
    struct.pack_into("<Q", rig.theirs, 0x700, HEAP + TEXT)
    assert [event[0] for event in rig.run().events] == [EventKind.LOST_POINTER]


def test_memory_is_freed_once(library: Path) -> None:
    scene = Scene(library)
    _, outcome = scene.run(number_from(scene, "frees_twice"))
    assert outcome.messages == ["it frees the same memory twice, or other memory than when it was called first"]


def test_a_function_may_refuse_and_say_why(library: Path) -> None:
    scene = Scene(library)
    _, outcome = scene.run(number_from(scene, "refuses"))
    assert [value & 0xFF for value in outcome.values] == [HandlerFailure.LIBRARY]
    assert outcome.messages == ["no session has more than a million hits"]


CRASHES = [("crashes", HandlerFailure.CRASH), ("aborts", HandlerFailure.CRASH), ("overflows", HandlerFailure.CRASH)]


@pytest.mark.parametrize(("function", "reason"), [*CRASHES, ("never_ends", HandlerFailure.LONG)])
def test_a_crash_ends_the_call_and_nothing_else(library: Path, function: str, reason: HandlerFailure) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGSEGV, signal.SIGABRT)]
    scene = Scene(library)
    _, outcome = scene.run(number_from(scene, function, of_text=False))
    assert [value & 0xFF for value in outcome.values] == [reason]
    assert [signal.getsignal(number) for number in (signal.SIGSEGV, signal.SIGABRT)] == before
    assert Scene(library).run(number_from(scene, "moved"))[1].events == []  # the next update's engine starts afresh


def test_a_function_that_asks_for_something_else_the_second_time_is_told(library: Path) -> None:
    scene = Scene(library)
    step = scene.new.store("text", Call("changes_its_mind", (), N_ADDRESS))
    _, outcome = scene.run(step)
    assert outcome.messages == ["it asks for other memory than when it was called first"]


def test_a_library_that_is_not_one_and_a_function_that_is_not_there(library: Path, tmp_path: Path) -> None:
    (tmp_path / "text.so").write_text("no library")
    with pytest.raises(AnnotationError, match=r"cannot load the handler library .*text\.so"):
        function_addresses(tmp_path / "text.so", ["sum"])
    with pytest.raises(AnnotationError, match="has no function sums"):
        function_addresses(library, ["sums"])
