"""O as a tree of processes: which there are, and which of them an update could not take along."""

from __future__ import annotations

from collections.abc import Iterator

from gdb_mcr.errors import McrError
from gdb_mcr.model.inspection import ProcessRow
from gdb_mcr.model.process_tree import ProcessTree, TreeMember, births
from gdb_mcr.proc.status import title
from gdb_mcr.runtime_abi.layout import State
from gdb_mcr.update.child_rows import live_children
from gdb_mcr.update.recorded import RecordedProcess, find_recorded


def read_tree(root: RecordedProcess) -> ProcessTree:
    """The server's processes as they are now.

    :raises TargetError: the first process has ended.
    """
    pending = [(root, TreeMember(root.pid, 0, ()))]
    members, ended = [], []
    strangers: dict[int, int] = {}
    while pending:
        process, member = pending.pop(0)
        members.append(member)
        living, born = live_children(process.pid), births(process.log().operations)
        ended += [(*member.lineage, key) for pid, key in born.items() if pid not in living]
        for pid in sorted(living):
            child = _followed(pid) if pid in born else None
            if child is None:
                strangers[pid] = process.pid
            else:
                pending.append((child, TreeMember(pid, process.pid, (*member.lineage, born[pid]))))
    return ProcessTree(tuple(members), strangers, tuple(ended))


def process_rows(pid: int, tree: ProcessTree, depth: int = 1) -> Iterator[ProcessRow]:
    """The descendants of a member, each behind its parent."""
    for one in tree.members:
        if one.parent == pid:
            yield ProcessRow(one.pid, pid, depth, title(one.pid), True)
            yield from process_rows(one.pid, tree, depth + 1)
    for stranger, parent in tree.strangers.items():
        if parent == pid:
            yield ProcessRow(stranger, pid, depth, title(stranger), False)


# None for a child that execs another program, or whose libmcr is off.
def _followed(pid: int) -> RecordedProcess | None:
    try:
        process = find_recorded(pid)
        control = process.control()
    except McrError:
        return None
    return process if control.state is State.SERVING and control.pid == pid else None
