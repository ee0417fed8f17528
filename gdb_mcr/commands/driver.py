"""One verb from its words to its answer: what all front ends do alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from gdb_mcr.commands.context import Context
from gdb_mcr.commands.parsing import HelpText, Invocation, parse
from gdb_mcr.commands.registry import Command
from gdb_mcr.commands.shared import server_of, the_pid, verb
from gdb_mcr.errors import Interrupted, McrError, UsageError, WrongState
from gdb_mcr.model.results import Result
from gdb_mcr.model.steps import SessionState, states_before
from gdb_mcr.render.as_json import error_to_json, json_text, to_json
from gdb_mcr.render.text import lines

Print = Callable[[str], None]
"""Shows one line or a text of several to the user."""

STDOUT = "-"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a verb."""

    exit_status: int
    result: Result | None
    """None where only help was asked for."""


def execute(command: Command, words: Sequence[str], context: Context, out: Print) -> Outcome:
    """Parse, run, show.

    :raises McrError: it failed; the JSON, if wanted, says so as well.
    """
    parsed = parse(command, words, context.front_end)
    if isinstance(parsed, HelpText):
        out(parsed.text)
        return Outcome(0, None)
    with ExitStack() as stack:
        write_json = _json_writer(parsed.json, stack, out)
        try:
            result = _invoke(parsed, context)
        except McrError as error:
            write_json(json_text(error_to_json(error)))
            raise
        if parsed.json != STDOUT:
            for line in lines(result):
                out(line)
            if parsed.command.step is not None and context.session is not None:
                out(_next(context))
        write_json(json_text(to_json(result)))
    return Outcome(result.exit_status, result)


# From here on Ctrl-C is an error like others, so that every front end and the JSON say it alike.
def _invoke(invocation: Invocation, context: Context) -> Result:
    try:
        return invoke(invocation, context)
    except KeyboardInterrupt:
        raise Interrupted("interrupted") from None


def invoke(invocation: Invocation, context: Context) -> Result:
    """Run a verb whose words were parsed.

    :raises McrError: it failed, or is not legal now.
    """
    _check_state(invocation.command, context)
    values = dict(invocation.values)
    serving: int | None = None
    try:
        if invocation.command.traces and context.session is None:
            # Before it is lent: afterwards the front end may know it no more.
            values["pid"] = pid = the_pid(context, _pid(invocation))
            context.services.lend(pid)
        result = invocation.command.function(context, **values)
        serving = server_of(result)
    finally:
        context.forget_ended_session()
        if context.session is None:
            context.services.take_back(serving)
    return result


# All verbs that trace have a PID.
def _pid(invocation: Invocation) -> int | None:
    pid = invocation.values["pid"]
    return pid if isinstance(pid, int) else None


def _check_state(command: Command, context: Context) -> None:
    if command.alone and context.session is not None:
        end = f"{verb(context, 'commit')} or {verb(context, 'rollback')}"
        raise UsageError(f"a step-wise update of {context.session.old_pids[0]} is open", hint=f"end it first: {end}")
    if command.step is None:
        return
    legal = states_before(command.step)
    if context.state not in legal:
        names = [one.value for one in SessionState if one in legal]
        raise WrongState(verb(context, command.name), context.state.value, names, hint=_next(context))


# The file is opened before the verb runs, so that a bad path is told before anything is touched.
def _json_writer(target: str | None, stack: ExitStack, out: Print) -> Print:
    if target is None:
        return lambda text: None
    if target == STDOUT:
        return out
    try:
        stream = Path(target).open("w", encoding="utf-8")  # noqa: SIM115 - the stack closes it
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}") from error

    # A full disk shows again when what is still buffered is written at the end.
    def close() -> None:
        with suppress(OSError):
            stream.close()

    stack.callback(close)

    def write(text: str) -> None:
        try:
            stream.write(f"{text}\n")
            stream.flush()
        except OSError as error:
            out(f"warning: {target} is incomplete: {error.strerror}")

    return write


_NEXT = {
    SessionState.IDLE: ("start", "quiesce"),
    SessionState.STARTED: ("quiesce", "rollback"),
    SessionState.QUIESCED: ("start", "release"),
    SessionState.READY: ("transfer", "rollback"),
    SessionState.TRANSFERRED: ("audit", "rollback"),
    SessionState.AUDITED: ("commit", "rollback"),
    SessionState.COMMITTED: ("status",),
}


def _next(context: Context) -> str:
    return f"next: {' or '.join(verb(context, one) for one in _NEXT[context.state])}"
