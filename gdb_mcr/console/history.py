"""What was typed in the shell, for the next time; readable by its owner only."""

from __future__ import annotations

import os

from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from gdb_mcr.errors import McrError
from gdb_mcr.paths import state_dir

NAME = "shell-history"


def open_history() -> History:
    """The history file in the state directory (mode 0600); only in memory where that cannot be had."""
    try:
        path = state_dir() / NAME
        flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
    except (McrError, OSError):
        return InMemoryHistory()
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
    return FileHistory(str(path))
