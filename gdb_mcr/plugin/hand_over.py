"""Gives the server that this GDB traces to mcr and takes it back: a process has one tracer (DESIGN section 2)."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

import gdb

from gdb_mcr.errors import AlreadyTraced, DebuggerError
from gdb_mcr.plugin.points import NotedPoint, note_points, restore_points

PARAMETER = "mcr-hand-over"
QUERY = "This GDB is attached to process {}. Detach from it while mcr works on it? (y or n) "


class Consent(Enum):
    """Whether this GDB gives up a process that it traces. The values are the setting's words."""

    ON = "on"
    OFF = "off"
    ASK = "ask"


class HandOverSetting(gdb.Parameter):
    """If on, this GDB detaches from a server while mcr works on it, and attaches to what serves afterwards.

    If ask, it asks first. If off, verbs that must trace the server are refused instead.
    """

    # GDB shows these and the docstring to the user.
    set_doc = "Set whether this GDB hands a server over to mcr: on, off or ask."
    show_doc = "Show whether this GDB hands a server over to mcr."

    def __init__(self) -> None:
        super().__init__(PARAMETER, gdb.COMMAND_RUNNING, gdb.PARAM_ENUM, [one.value for one in Consent])
        self.value = Consent.ON.value

    def get_show_string(self, value: str) -> str:
        """What `show` prints."""
        return f"Handing a server over to mcr is {value}."


@dataclass(frozen=True, slots=True)
class Lent:
    """What was given up."""

    inferior: int
    """GDB's number of the inferior, which stays and is used again."""
    pid: int
    thread: int
    """The lwp that was selected, 0 if none."""
    points: tuple[NotedPoint, ...]


@dataclass(slots=True)
class HandOver:
    """At most one process is lent at a time, as at most one verb or session is at work."""

    setting: HandOverSetting
    tell: Callable[[str], None]
    lent: Lent | None = None

    def lend(self, pid: int) -> None:
        """Detach from ``pid``, with all breakpoints out of it; nothing if no inferior has it.

        :raises AlreadyTraced: the user wants to keep it, or it runs under this GDB.
        """
        inferior = next((one for one in gdb.inferiors() if one.pid == pid), None)
        if inferior is None:
            return
        self._ask(inferior)
        lent = Lent(inferior.num, pid, _selected_lwp(inferior), tuple(note_points()))
        try:
            gdb.execute(f"detach inferiors {inferior.num}", to_string=True)
        except gdb.error as error:
            raise DebuggerError(f"this GDB cannot detach from process {pid}: {error}") from error
        self.lent = lent
        self.tell(f"detached from process {pid}")

    def take_back(self, pid: int | None) -> None:
        """Attach to ``pid``, None = what was lent; nothing if nothing was. What fails is told, not raised."""
        lent, self.lent = self.lent, None
        if lent is None:
            return
        serving = lent.pid if pid is None else pid
        try:
            with _quietly(), _inferior(lent.inferior):
                self._attach(lent, serving)
        except gdb.error as error:
            self.tell(f"warning: this GDB could not attach to process {serving} again: {error}")

    def _ask(self, inferior: gdb.Inferior) -> None:
        if any(one.is_running() for one in inferior.threads()):
            stop = "interrupt -a" if gdb.parameter("non-stop") else "interrupt"
            hint = f"it runs under it; stop it first (`{stop}`, or Ctrl-C), then type the command again"
            raise AlreadyTraced(inferior.pid, "this GDB", hint=hint)
        if not _is_granted(Consent(self.setting.value), inferior.pid):
            hint = f"type `detach inferiors {inferior.num}`, or `set {PARAMETER} on`, then the command again"
            raise AlreadyTraced(inferior.pid, "this GDB", hint=hint)

    def _attach(self, lent: Lent, serving: int) -> None:
        if serving != lent.pid:
            gdb.execute(f'file "{_program(serving)}"', to_string=True)
        gdb.execute(f"attach {serving}", to_string=True)
        same = serving == lent.pid
        if same:
            _select(lent.thread)
        which = f"{serving} again" if same else f"{serving}, which serves now"
        self.tell(f"attached to process {which}; it is stopped, `continue` lets it run")
        for complaint in restore_points(lent.points, is_same_process=same):
            self.tell(complaint)


# As GDB itself does, nobody is asked where nobody can answer.
def _is_granted(consent: Consent, pid: int) -> bool:
    if consent is Consent.ASK and sys.stdin.isatty() and gdb.parameter("confirm"):
        try:
            return input(QUERY.format(pid)).strip().lower() in ("y", "yes")
        except EOFError:
            return False
    return consent is not Consent.OFF


def _program(pid: int) -> str:
    link = f"/proc/{pid}/exe"
    try:
        path = os.readlink(link)  # noqa: PTH115 - pathlib would normalise it
    except OSError as error:
        raise gdb.error(f"process {pid}: {error.strerror}") from error
    return (link if path.endswith(" (deleted)") else path).replace("\\", "\\\\").replace('"', '\\"')


def _selected_lwp(inferior: gdb.Inferior) -> int:
    thread = gdb.selected_thread()
    return thread.ptid[1] if thread is not None and thread.inferior.num == inferior.num else 0


def _select(lwp: int) -> None:
    for one in gdb.selected_inferior().threads():
        if one.ptid[1] == lwp:
            one.switch()


@contextmanager
def _inferior(number: int) -> Iterator[None]:
    before = gdb.selected_inferior().num
    _choose(number)
    try:
        yield
    finally:
        _choose(before)


def _choose(number: int) -> None:
    if gdb.selected_inferior().num != number:
        gdb.execute(f"inferior {number}", to_string=True)


# The questions that `file` and `attach` ask have been answered by `set mcr-hand-over`; where the process stands shows
# again at its next stop.
@contextmanager
def _quietly() -> Iterator[None]:
    before = {name: gdb.parameter(name) for name in ("confirm", "suppress-cli-notifications")}
    gdb.set_parameter("confirm", False)
    gdb.set_parameter("suppress-cli-notifications", True)
    try:
        yield
    finally:
        for name, value in before.items():
            gdb.set_parameter(name, value)
