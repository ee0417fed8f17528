"""Stopped threads as profiles see them: the blocking call, who made it, and the loops around it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, takewhile
from pathlib import Path, PurePath

from gdb_mcr.debugger.base import FrameRow, StoppedThread
from gdb_mcr.dwarf.code_image import CodeImage
from gdb_mcr.errors import AnalysisError
from gdb_mcr.model.startup_log import ModuleEntry, ThreadEntry
from gdb_mcr.model.stop_point import WaitKind
from gdb_mcr.quiescence.function_flow import Flows
from gdb_mcr.quiescence.observations import SeenLoop, SeenStack
from gdb_mcr.quiescence.profile import SeenThread
from gdb_mcr.update.code_names import CodeNames
from gdb_mcr.update.recorded import LIBRARY

_HOOK = "mcr_hook_"
_MOST = 0.9
_LIBC = ("libc.so", "ld-linux", "libpthread.so", "libpthread-")


@dataclass(frozen=True, slots=True)
class _Frame:
    """A function with a stack frame of its own; what was inlined into it has none."""

    pc: int
    is_innermost: bool
    module: str
    """File name of the module, "" outside of all."""
    debugger_name: str

    @property
    def instruction(self) -> int:
        """An address inside the instruction on which it is."""
        return self.pc if self.is_innermost else self.pc - 1


@dataclass
class CodeLoops:
    """The loops of all files that some process has loaded, by build-id."""

    _flows: dict[str, Flows | None] = field(default_factory=dict)

    def flows(self, module: ModuleEntry) -> Flows | None:
        """The functions of a file, None if it cannot be read."""
        if module.build_id not in self._flows:
            try:
                self._flows[module.build_id] = Flows(CodeImage(Path(module.path)))
            except AnalysisError:
                self._flows[module.build_id] = None
        return self._flows[module.build_id]


@dataclass(frozen=True)
class StackReader:
    """For one process."""

    names: CodeNames
    code: CodeLoops
    inherited: tuple[int, ...] = ()
    """Return addresses of the fork that made the process, innermost first: frames that the child found on its stack."""

    def seen_stack(self, thread: StoppedThread, entry: ThreadEntry | None) -> SeenStack:
        """One stack. Its call is empty if the thread is not blocked."""
        wait = WaitKind(entry.wait) if entry is not None else WaitKind.NONE
        call, frames = _call_and_frames(thread, is_held=_is_held(entry))
        wait_pc = entry.wait_pc if entry is not None and wait is not WaitKind.NONE else 0
        return SeenStack(call, wait, wait_pc, self._names(call, frames), tuple(self._loops(frames)))

    def seen_thread(self, thread: StoppedThread, entry: ThreadEntry | None) -> SeenThread:
        """The same for `quiescence.profile.judge`."""
        call, frames = _call_and_frames(thread, is_held=_is_held(entry))
        return SeenThread(thread.tid, entry.creation_id if entry is not None else 0, call, self._names(call, frames))

    def chains(self, thread: StoppedThread) -> tuple[tuple[str, ...], ...]:
        """The inline chains of a thread's frames, innermost first, from the one that makes its call outwards."""
        return tuple(self.names.at(frame.instruction) for frame in _call_and_frames(thread, is_held=False)[1])

    def _names(self, call: str, frames: Sequence[_Frame]) -> tuple[str, ...]:
        names = [name for frame in frames for name in self.names.at(frame.instruction)]
        if names[:1] == [call]:
            del names[0]  # a header's inline function of the same name, which makes the call
        return tuple(name for name, _ in groupby(names))  # a function's .part is called by the function itself

    # The outermost loop of each function, from the outermost function inwards.
    def _loops(self, frames: Sequence[_Frame]) -> list[SeenLoop]:
        found = []
        own = len(frames) - inherited_count(self.inherited, [frame.pc for frame in frames])
        for frame in reversed(frames[:own]):
            module = self.names.module(frame.pc)
            flows = self.code.flows(module) if module is not None else None
            if module is None or flows is None:
                continue
            flow = flows.at(frame.instruction - module.base)
            loops = flow.loops_at(frame.instruction - module.base)
            call = flow.call_before(frame.pc - module.base)
            if loops and call is not None:
                chains = [self.names.at(at + module.base) for at in flow.instructions_of(loops[0])]
                found.append(SeenLoop(common_function(chains), call + module.base))
        return found


def common_function(chains: Sequence[tuple[str, ...]]) -> str:
    """The function in whose source a loop stands: it may be inlined into another, and have others inlined into it.

    A few instructions do not count: compilers move some of the surrounding code in.

    :param chains: the inline chains of the loop's instructions, innermost function first.
    """
    found = ""
    left = [tuple(reversed(one)) for one in chains]
    for depth in range(max(map(len, left), default=0)):
        names = Counter(one[depth] for one in left if len(one) > depth)
        name, count = names.most_common(1)[0]
        if count < _MOST * len(chains):
            break
        found = name
        left = [one for one in left if len(one) > depth and one[depth] == name]
    return found


def inherited_count(fork_returns: Sequence[int], frames: Sequence[int]) -> int:
    """How many of a forked process's outermost frames have not gone on since the fork: their loops are the parent's.

    :param fork_returns: return addresses of the fork, innermost first.
    :param frames: the process's, innermost first; they need not reach as far out.
    """
    if not frames or frames[-1] not in fork_returns:
        return 0
    known = fork_returns[: fork_returns.index(frames[-1]) + 1]
    pairs = zip(reversed(known), reversed(frames), strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))


# A thread that libmcr holds is in its call all the time, though it looks around now and then.
def _is_held(entry: ThreadEntry | None) -> bool:
    return entry is not None and WaitKind(entry.wait) is WaitKind.HELD


# libmcr's wrapper stands where the program made the call. Without one the call is libc's outermost function there.
def _call_and_frames(thread: StoppedThread, *, is_held: bool) -> tuple[str, tuple[_Frame, ...]]:
    frames = _own_end(_frames(thread.frames))
    wrappers = [at for at, one in enumerate(frames) if one.module.startswith(LIBRARY)]
    if wrappers:
        call = frames[wrappers[-1]].debugger_name.removeprefix(_HOOK)
        return call if thread.wait_interrupted or is_held else "", frames[wrappers[-1] + 1 :]
    within = len(list(takewhile(lambda one: _is_libc(one.module), frames)))
    call = frames[within - 1].debugger_name.lstrip("_") if within else ""
    return call if thread.wait_interrupted else "", frames[within:]


def _frames(rows: Sequence[FrameRow]) -> list[_Frame]:
    found = []
    for place, (pc, group) in enumerate(groupby(rows, key=lambda one: one.pc)):
        outermost = list(group)[-1]
        module = PurePath((outermost.module or "").removesuffix(" (deleted)")).name
        found.append(_Frame(pc, place == 0, module, outermost.function or ""))
    return found


# Without what calls main() and a thread's first function.
def _own_end(frames: Sequence[_Frame]) -> tuple[_Frame, ...]:
    end = len(frames)
    while end > 1 and (_is_libc(frames[end - 1].module) or not frames[end - 1].module or _is_start(frames[end - 1])):
        end -= 1
    return tuple(frames[:end])


def _is_start(frame: _Frame) -> bool:
    return frame.debugger_name == "_start"


def _is_libc(module: str) -> bool:
    return module.startswith(_LIBC)


def entries_by_tid(entries: Sequence[ThreadEntry]) -> Mapping[int, ThreadEntry]:
    """libmcr's threads that have not ended."""
    return {one.tid: one for one in entries if not one.exited}
