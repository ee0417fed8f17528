"""The record of past updates: one JSON object a line, in the user's private state directory."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from gdb_mcr.errors import PrivateDirectoryError
from gdb_mcr.model.inspection import HistoryRow
from gdb_mcr.model.results import Build, UpdateResult, Verdict
from gdb_mcr.paths import state_dir

FILE = "history.jsonl"
MAX_BYTES = 1 << 20
"""Bytes of the file that are read, from its end."""


def check_room() -> None:
    """That an update can be recorded: called before anything is touched.

    :raises PrivateDirectoryError: the state directory cannot be made or written.
    """
    directory = state_dir()
    probe = directory / f".room-{os.getpid()}"
    try:
        probe.write_bytes(bytes(4096))
    except OSError as error:
        raise PrivateDirectoryError(directory, error.strerror or str(error)) from error
    finally:
        probe.unlink(missing_ok=True)


def record(result: UpdateResult, old: Build, new: Build) -> None:
    """Adds one update. The update itself is over, so a full disk is no reason to fail now.

    :raises PrivateDirectoryError: it cannot be written.
    """
    row = HistoryRow(
        when=datetime.now().astimezone().isoformat(timespec="seconds"),
        verdict=result.verdict,
        old_pids=result.old_pids,
        new_pids=result.new_pids,
        old=old,
        new=new,
        pause_s=result.pause_s,
        note=result.failure or ", ".join(result.blocking),
    )
    directory = state_dir()
    line = json.dumps(asdict(row) | {"verdict": row.verdict.value}) + "\n"
    try:
        descriptor = os.open(
            directory / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        with os.fdopen(descriptor, "w") as stream:
            stream.write(line)
    except OSError as error:
        raise PrivateDirectoryError(directory, error.strerror or str(error)) from error


def read(pid: int | None) -> tuple[HistoryRow, ...]:
    """All recorded updates, the newest last; of one server's line of processes if `pid` is given."""
    rows = tuple(_rows(state_dir() / FILE))
    return rows if pid is None else tuple(_line_of(rows, pid))


def _rows(file: Path) -> Iterable[HistoryRow]:
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, file.stat().st_size - MAX_BYTES))
            lines = stream.read().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        row = _row(line)
        if row is not None:
            yield row


# None for a line that was cut, by the window above or by a crash.
def _row(line: bytes) -> HistoryRow | None:
    try:
        data: dict[str, Any] = json.loads(line)
        return HistoryRow(
            when=data["when"],
            verdict=Verdict(data["verdict"]),
            old_pids=tuple(data["old_pids"]),
            new_pids=tuple(data["new_pids"]),
            old=Build(**data["old"]),
            new=Build(**data["new"]),
            pause_s=data["pause_s"],
            note=data["note"],
        )
    except (ValueError, KeyError, TypeError):
        return None


# The newest row that names the process begins the chain; older rows belong to it by the pids that they handed on.
def _line_of(rows: tuple[HistoryRow, ...], pid: int) -> list[HistoryRow]:
    members, found = {pid}, []
    for row in reversed(rows):
        if members & {*row.old_pids, *row.new_pids}:
            members.update(row.old_pids)
            found.append(row)
    return found[::-1]
