"""O as a tree of processes: which there are, and which of them an update could not take along."""

from __future__ import annotations

from gdb_mcr.errors import McrError
from gdb_mcr.model.process_tree import ProcessTree, TreeMember, births
from gdb_mcr.runtime_abi.layout import State
from gdb_mcr.update.child_rows import live_children
from gdb_mcr.update.recorded import RecordedProcess, find_recorded


def read_tree(root: RecordedProcess) -> ProcessTree:
    """The server's processes as they are now.

    :raises TargetError: the first process has ended.
    """
    pending = [(root, TreeMember(root.pid, 0, ()))]
    members, strangers, ended = [], [], []
    while pending:
        process, member = pending.pop(0)
        members.append(member)
        living, born = live_children(process.pid), births(process.log().operations)
        ended += [(*member.lineage, key) for pid, key in born.items() if pid not in living]
        for pid in sorted(living):
            child = _followed(pid) if pid in born else None
            if child is None:
                strangers.append(pid)
            else:
                pending.append((child, TreeMember(pid, process.pid, (*member.lineage, born[pid]))))
    return ProcessTree(tuple(members), tuple(strangers), tuple(ended))


# None for a child that execs another program, or whose libmcr is off.
def _followed(pid: int) -> RecordedProcess | None:
    try:
        process = find_recorded(pid)
        control = process.control()
    except McrError:
        return None
    return process if control.state is State.SERVING and control.pid == pid else None
