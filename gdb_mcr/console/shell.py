"""The loop of `mcr shell`: on a terminal a prompt, on anything else a script."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.history import History
from prompt_toolkit.input import Input
from prompt_toolkit.lexers import PygmentsLexer
from prompt_toolkit.output import Output

from gdb_mcr.commands.beside import Beside
from gdb_mcr.commands.context import Context
from gdb_mcr.commands.driver import Print, execute
from gdb_mcr.commands.help import command_help, overview
from gdb_mcr.commands.parsing import split_words
from gdb_mcr.commands.registry import FrontEnd
from gdb_mcr.commands.shared import server_of
from gdb_mcr.commands.table import COMMANDS, find
from gdb_mcr.console.completer import VerbCompleter
from gdb_mcr.console.highlighting import ShellLexer
from gdb_mcr.console.progress import TerminalProgress
from gdb_mcr.errors import Interrupted, McrError, UsageError
from gdb_mcr.model.results import RunResult, ShellResult
from gdb_mcr.render.inspections import session_line
from gdb_mcr.render.text import error_text
from gdb_mcr.update.api import LiveUpdater


@dataclass(slots=True)
class ShellServices:
    """What the shell lends to its verbs."""

    make_updater: Callable[[], LiveUpdater]
    last_pid: int | None = None
    """The server that was named last."""
    beside: Beside = field(default_factory=lambda: Beside(sys.executable))

    def current_pid(self) -> int | None:
        """The server that was named last while it runs, or the only one there is."""
        servers = self.make_updater().servers()
        if self.last_pid in servers:
            return self.last_pid
        return servers[0] if len(servers) == 1 else None

    def run_server(self, command: Sequence[str], updater: LiveUpdater, profile: Path | None) -> RunResult:
        """Beside the shell, whose end does not reach it."""
        return self.beside.start(command, profile)

    def run_beside(self, command: Sequence[str]) -> RunResult:
        """Beside the shell."""
        return self.beside.start(command)

    def lend(self, pid: int) -> None:
        """The shell holds no process."""

    def take_back(self, pid: int | None) -> None:
        """The shell holds no process."""

    def shell(self) -> ShellResult:
        """There is one already."""
        raise UsageError("this is the shell")

    def gdbinit(self) -> Path:
        """Nothing for a shell."""
        raise UsageError("gdbinit works as `mcr gdbinit`")


@dataclass(slots=True)
class Shell:
    """One run of the shell."""

    context: Context
    services: ShellServices
    out: Print
    commands: int = 0
    is_over: bool = False

    def script(self, lines: Iterable[str]) -> ShellResult:
        """Run lines until one fails."""
        status = 0
        with closing(self.context):
            for line in lines:
                status = self.run(line)
                if status or self.is_over:
                    break
            return self._end(status)

    def interactive(self, history: History, source: Input | None = None, sink: Output | None = None) -> ShellResult:
        """Prompt until the user has had enough."""
        prompt: PromptSession[str] = PromptSession(
            "mcr> ",
            history=history,
            completer=VerbCompleter(self.context),
            lexer=PygmentsLexer(ShellLexer),
            complete_while_typing=False,
            bottom_toolbar=self.toolbar,
            input=source,
            output=sink,
        )
        with closing(self.context):
            while not self.is_over:
                try:
                    self.run(prompt.prompt())
                except KeyboardInterrupt:
                    continue
                except EOFError:
                    break
            return self._end(0)

    def run(self, line: str) -> int:
        """One line; its exit status. Errors are shown."""
        self.services.beside.reap()
        try:
            words = split_words(line)
            return self._run(words) if words else 0
        except McrError as error:
            self.out(error_text(error))
            return error.exit_status
        except KeyboardInterrupt:
            self.out("interrupted")
            return Interrupted.exit_status

    def toolbar(self) -> str:
        """The status bar: the current server and how far the open update has come."""
        session = self.context.session_status
        if session is not None:
            return session_line(session)
        return f"server {self.services.last_pid}" if self.services.last_pid is not None else "no server named yet"

    def _run(self, words: list[str]) -> int:
        if words[0] in ("quit", "exit"):
            self.is_over = True
            return 0
        if words[0] == "help":
            self.out(self._help(words[1:]))
            return 0
        self.commands += 1
        outcome = execute(find(words[0], FrontEnd.SHELL), words[1:], self.context, self.out)
        if outcome.result is not None:
            named = server_of(outcome.result)
            self.services.last_pid = self.services.last_pid if named is None else named
        return outcome.exit_status

    def _help(self, words: list[str]) -> str:
        if words:
            return command_help(find(words[0], FrontEnd.SHELL), FrontEnd.SHELL)
        return overview(COMMANDS, FrontEnd.SHELL)

    def _end(self, status: int) -> ShellResult:
        session = self.context.session_status
        if session is not None:
            self.out(f"rolling back the {session_line(session)}")
        self.context.close()
        return ShellResult(self.commands, status)


def make_shell(make_updater: Callable[[], LiveUpdater], out: Print) -> Shell:
    """A shell that has not read anything yet."""
    services = ShellServices(make_updater)
    context = Context(make_updater, FrontEnd.SHELL, services)
    if sys.stderr.isatty():
        context.progress = TerminalProgress(sys.stderr)
    services.make_updater = lambda: context.updater
    return Shell(context, services, out)
