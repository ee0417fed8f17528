"""prompt_toolkit's view of the verbs."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from gdb_mcr.commands.completion import Candidate, complete, split_line
from gdb_mcr.commands.context import Context
from gdb_mcr.commands.table import available

BUILTINS = {"help": "explain a verb, or list all", "quit": "end the shell", "exit": "end the shell"}
"""Words of the shell itself."""


class VerbCompleter(Completer):
    """Completes verbs and their arguments."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Candidates for the word before the cursor."""
        words, current, typed = split_line(document.current_line_before_cursor)
        for one in self._candidates(words, current):
            yield Completion(
                shlex.quote(one.text), start_position=-len(typed), display=one.text, display_meta=one.about
            )

    def _candidates(self, words: list[str], current: str) -> list[Candidate]:
        verbs = available(self._context.front_end)
        if not words or words == ["help"]:
            named = {one.name: one.help for one in verbs} | ({} if words else BUILTINS)
            return [Candidate(name, about) for name, about in sorted(named.items()) if name.startswith(current)]
        verb = next((one for one in verbs if one.name == words[0]), None)
        return complete(verb, words[1:], current, self._context) if verb is not None else []
