"""Each verb as a command of GDB. This is where the plugin's errors become messages and $_mcr_status."""

from __future__ import annotations

import re

import gdb

from gdb_mcr.commands.completion import Candidate, complete, split_line
from gdb_mcr.commands.context import Context
from gdb_mcr.commands.driver import execute
from gdb_mcr.commands.help import command_help, overview
from gdb_mcr.commands.parsing import split_words
from gdb_mcr.commands.registry import Command, FrontEnd
from gdb_mcr.commands.table import COMMANDS
from gdb_mcr.errors import McrError
from gdb_mcr.render.text import error_text, summary

STATUS = "_mcr_status"
"""GDB convenience variable: the exit status of the last verb."""

BUG = 70
"""EX_SOFTWARE of sysexits.h, as the mcr program ends: an error that is none of ours to report. GDB shows it."""

PLAIN = str.maketrans({"…": "...", "→": "->", "µ": "u"})
"""What our own texts use beyond ASCII."""


def tell(text: str) -> None:
    """Show one line or several to the user."""
    gdb.write(f"{text}\n")


def remark(text: str) -> None:
    """Say something beside a verb's answer: on standard error, which GDB neither pages nor mixes into JSON."""
    gdb.write(f"{text}\n", gdb.STDERR)


class Verb(gdb.Command):
    """`mcr-VERB`."""

    def __init__(self, command: Command, context: Context) -> None:
        self._command = command
        self._context = context
        self.__doc__ = _in_host_charset(command_help(command, FrontEnd.GDB))
        super().__init__(f"mcr-{command.name}", gdb.COMMAND_RUNNING)

    def invoke(self, argument: str, from_tty: bool) -> None:
        """:raises gdb.GdbError: it failed or was refused; a script that GDB runs ends there."""
        self.dont_repeat()  # an empty line must not start another update
        gdb.set_convenience_variable(STATUS, BUG)  # until something else is known
        try:
            outcome = execute(self._command, split_words(argument), self._context, tell)
        except McrError as error:
            raise _failure(error_text(error), error.exit_status) from None
        if outcome.result is not None and outcome.exit_status:
            raise _failure(summary(outcome.result), outcome.exit_status)
        gdb.set_convenience_variable(STATUS, 0)

    def complete(self, text: str, word: str | None) -> list[str]:
        """Words that may stand in the place of ``word``, which is how far GDB looks back (to "/", "-", ":"…)."""
        if word is None:
            return []
        before, current, typed = split_line(text)
        if typed != current:
            return []  # an open quote
        kept = len(current) - len(word)
        return [_escaped(one.text)[kept:] for one in self._descended(before, current)]

    # GDB puts a blank behind the only candidate. A directory's is unwelcome, so its files are offered instead.
    def _descended(self, before: list[str], current: str) -> list[Candidate]:
        found = complete(self._command, before, current, self._context)
        if len(found) == 1 and found[0].text.endswith("/") and found[0].text != current:
            return self._descended(before, found[0].text) or found
        return found


class Overview(gdb.Command):
    """`mcr` lists all verbs, as `help mcr` does."""

    def __init__(self) -> None:
        self.__doc__ = _in_host_charset(overview(COMMANDS, FrontEnd.GDB))
        super().__init__("mcr", gdb.COMMAND_RUNNING, gdb.COMPLETE_NONE)

    def invoke(self, argument: str, from_tty: bool) -> None:
        """:raises gdb.GdbError: a verb was given as a word of its own."""
        if argument:
            name = argument.split()[0]
            raise _failure(f"verbs are commands of their own here: mcr-{name}\n  `help mcr` lists them", 2)
        tell(self.__doc__ or "")


def _failure(text: str, status: int) -> gdb.GdbError:
    gdb.set_convenience_variable(STATUS, status)
    return gdb.GdbError(_in_host_charset(text))


# GDB refuses help and messages with characters that its charset lacks; what it is told to write it takes as it is.
def _in_host_charset(text: str) -> str:
    charset = gdb.host_charset()
    try:
        text.encode(charset)
    except UnicodeEncodeError:
        plain = text.translate(PLAIN)
        return plain.encode(charset, "backslashreplace").decode(charset)
    return text


# Backslashes keep what was typed as it stands, which quotes would not.
def _escaped(text: str) -> str:
    return re.sub(r"([\s'\"\\])", r"\\\1", text)
