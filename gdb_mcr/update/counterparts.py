"""N's threads as they stand at the end of its start-up, and the findings about O's that have no equivalent there."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from gdb_mcr.debugger.base import Debugger, StoppedThread
from gdb_mcr.model.finding import Finding
from gdb_mcr.model.profile import Profile
from gdb_mcr.model.startup_log import ThreadEntry
from gdb_mcr.quiescence.counterparts import Mismatch, PlacedThread
from gdb_mcr.quiescence.profile import ways_out
from gdb_mcr.runtime_abi.tables import read_modules, read_threads
from gdb_mcr.update.code_names import CodeNames
from gdb_mcr.update.profile_stacks import CodeLoops, StackReader, entries_by_tid
from gdb_mcr.update.recorded import RecordedProcess
from gdb_mcr.update.unblocking import unblock_new

_LOOKS, _LOOK_S = 20, 0.02
"""Times that N is looked at until all its threads wait: some may be on their way from start-up to their loops."""


def stand_of(new: RecordedProcess, debugger: Debugger, profile: Profile | None) -> tuple[PlacedThread, ...]:
    """All threads of N, which is held. It is stopped for some milliseconds.

    :param profile: of O: it may say how threads are got out of where they wait in the middle of work.
    :raises TargetError: it has ended.
    """
    names = CodeNames(new.pid, read_modules(new.memory, new.control()))
    reader = StackReader(names, CodeLoops())
    for _ in range(_LOOKS):
        debugger.stop(new.pid)
        try:
            stopped, entries = debugger.threads(), read_threads(new.memory, new.control())
        finally:
            debugger.let_go()
        found = placed_threads(stopped, entries_by_tid(entries), reader)
        ways = ways_out(profile, [one.seen for one in found]) if profile is not None else {}
        unblock_new(new, ways)
        if not ways and all(one.seen.call for one in found):
            break
        time.sleep(_LOOK_S)
    return found


def placed_threads(
    stopped: Sequence[StoppedThread], entries: Mapping[int, ThreadEntry], reader: StackReader
) -> tuple[PlacedThread, ...]:
    """Those threads that libmcr knows."""
    known = [(one, entries[one.tid]) for one in stopped if one.tid in entries]
    return tuple(PlacedThread(entry.key, one.name, reader.seen_thread(one, entry)) for one, entry in known)


def thread_findings(found: Iterable[Mismatch]) -> list[Finding]:
    """R8: threads of O that N lacks; R14: threads that wait elsewhere in N. One for each first function."""
    groups = defaultdict[tuple[str, str], list[Mismatch]](list)
    for one in found:
        groups["R8" if one.counterpart is None else "R14", one.thread.start].append(one)
    return [_finding(kind, start, group) for (kind, start), group in groups.items()]


def _finding(kind: str, start: str, group: Sequence[Mismatch]) -> Finding:
    thread = group[0].thread
    more = f", and {len(group) - 1} more like it" if len(group) > 1 else ""
    text = f"thread {thread.name} ({thread.seen.tid}){more}: {group[0].why}"
    if kind == "R8":
        settle = "wait until it has ended, or give the new build the arguments and the configuration that make it"
    else:
        settle = "try again; a profile (`mcr profile`) that lists both places as quiescent settles it, too"
    return Finding(f"{kind}:thread {start}", kind, True, text, "", settle)
