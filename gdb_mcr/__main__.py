"""The ``mcr`` program: one verb, then it ends. This is where its errors become messages and exit statuses."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from gdb_mcr import wiring
from gdb_mcr.commands.beside import Beside
from gdb_mcr.commands.context import Context
from gdb_mcr.commands.driver import execute
from gdb_mcr.commands.help import command_help, overview
from gdb_mcr.commands.registry import FrontEnd
from gdb_mcr.commands.table import COMMANDS, find
from gdb_mcr.console.progress import TerminalProgress
from gdb_mcr.errors import Interrupted, McrError
from gdb_mcr.model.results import RunResult, ShellResult
from gdb_mcr.plugin.location import gdbinit_file
from gdb_mcr.render.text import error_text
from gdb_mcr.update.api import LiveUpdater

BUG = 70
"""EX_SOFTWARE of sysexits.h: an error that is none of ours to report, so none of 1, 2 or 3."""

MakeUpdater = Callable[[], LiveUpdater]


def main(words: Sequence[str] | None = None, make_updater: MakeUpdater = wiring.make_updater) -> int:
    """Do what the command line says; the exit status.

    :param make_updater: another `LiveUpdater`'s maker, for tests.
    """
    _be_lenient(sys.stdout)
    _be_lenient(sys.stderr)
    out = _Out()
    try:
        return _answer(list(sys.argv[1:] if words is None else words), make_updater, out)
    except McrError as error:
        _complain(error_text(error))
        return error.exit_status
    except KeyboardInterrupt:
        _complain("interrupted")
        return Interrupted.exit_status
    except Exception:  # noqa: BLE001 - the outermost boundary: a bug must not look like "refused", which 1 would
        _complain(f"this is a bug in gdb_mcr\n{traceback.format_exc()}")
        return BUG
    finally:
        out.finish()


@dataclass(slots=True)
class CliServices:
    """What the program lends to its verb."""

    make_updater: MakeUpdater
    out: Callable[[str], None]
    launch: Callable[[], NoReturn] | None = None
    """Makes this process the server, once everything else is done."""

    def current_pid(self) -> int | None:
        """None: the command line must say which."""
        return None

    def run_server(self, command: Sequence[str], updater: LiveUpdater, profile: Path | None) -> RunResult:
        """Prepare this process to become the server."""
        self.launch = updater.prepare_run(command, profile)
        return RunResult(os.getpid(), tuple(command), is_this_process=True)

    def run_beside(self, command: Sequence[str]) -> RunResult:
        """What it says goes where our own messages go: standard output is for the answer."""
        return Beside(sys.executable, output=sys.__stderr__).start(command)

    def lend(self, pid: int) -> None:
        """This program holds no process."""

    def take_back(self, pid: int | None) -> None:
        """This program holds no process."""

    def shell(self) -> ShellResult:
        """The console, on a terminal or as a script."""
        # Imported here: prompt_toolkit takes longer to load than most verbs take to run.
        from gdb_mcr.console.history import open_history
        from gdb_mcr.console.shell import make_shell

        shell = make_shell(self.make_updater, self.out)
        return shell.interactive(open_history()) if sys.stdin.isatty() else shell.script(sys.stdin)

    def gdbinit(self) -> Path:
        """The file that GDB is to source."""
        return gdbinit_file()


class _Out:
    """Standard output. Whoever reads it may leave early; that changes neither the verb nor its exit status."""

    def __init__(self) -> None:
        self._is_broken = False

    def __call__(self, text: str) -> None:
        if not self._is_broken:
            self._try(lambda: print(text))

    def finish(self) -> None:
        """Write what is buffered."""
        if not self._is_broken:
            self._try(sys.stdout.flush)

    def _try(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError:
            self._is_broken = True
            # Python flushes once more at its end, and would complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _answer(words: list[str], make_updater: MakeUpdater, out: _Out) -> int:
    if not words:
        out(overview(COMMANDS, FrontEnd.CLI))
        return 2
    if words[0] in ("-h", "--help", "help"):
        out(command_help(find(words[1], FrontEnd.CLI), FrontEnd.CLI) if words[1:] else overview(COMMANDS, FrontEnd.CLI))
        return 0
    if words[0] == "--version":
        out(f"mcr {version('gdb_mcr')}")
        return 0
    return _run(words, make_updater, out)


def _run(words: list[str], make_updater: MakeUpdater, out: _Out) -> int:
    services = CliServices(make_updater, out)
    context = Context(make_updater, FrontEnd.CLI, services)
    if sys.stderr.isatty():
        context.progress = TerminalProgress(sys.stderr)
    outcome = execute(find(words[0], FrontEnd.CLI), words[1:], context, out)
    if services.launch is not None:
        out.finish()
        services.launch()
    return outcome.exit_status


def _complain(text: str) -> None:
    print(f"mcr: {text}", file=sys.stderr)


# A terminal that knows no UTF-8 gets escapes instead of an exception.
def _be_lenient(stream: object) -> None:
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
