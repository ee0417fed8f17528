"""What N's start-up did that does not agree with O's log. Source: seed, "matching"; DESIGN section 11 (R8)."""

from __future__ import annotations

from gdb_mcr.model.finding import Finding
from gdb_mcr.model.startup_log import LoggedOperation, OperationFlag, StartupLog


def conflict_findings(new: StartupLog) -> list[Finding]:
    """R8: operations of N on an immutable object whose arguments are other ones than O's."""
    return [_finding(one) for one in new.operations if one.flags & OperationFlag.CONFLICT]


def _finding(one: LoggedOperation) -> Finding:
    subject = one.socket_address or one.path or f"descriptor {one.args[0]}"
    call = f"{one.kind.name.lower()} {subject}"
    text = f"the new build's start-up: {call} does not agree with what the old start-up did"
    settle = "start the new build with the arguments and the configuration that the old one was started with"
    return Finding(f"R8:{call}", "R8", True, text, "", settle)
