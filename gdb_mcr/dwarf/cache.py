"""Files that can be computed again, by build-id. Whatever is odd about one (owner, mode, checksum) makes it as good as
absent; nothing here is ever an error but a directory that cannot be used.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import Any

from gdb_mcr.errors import PrivateDirectoryError
from gdb_mcr.paths import cache_dir

FORMAT = 3
"""Raise it when what is stored, or how it is found, changes."""

_DIGEST_BYTES = 32


class Cache:
    """The stored results for one ELF file."""

    def __init__(self, build_id: str, has_debug_info: bool) -> None:
        # A stripped copy has the same build-id as the original.
        self._stem = f"{build_id}-{'full' if has_debug_info else 'plain'}-{FORMAT}"

    def path(self, kind: str) -> Path:
        """Where the results of a kind stand.

        :raises PrivateDirectoryError: there is no place for them.
        """
        return _directory() / f"{self._stem}.{kind}"

    def read(self, kind: str) -> bytes | None:
        """The stored bytes, None if there are none that can be trusted."""
        try:
            descriptor = os.open(self.path(kind), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            facts = os.fstat(descriptor)
            if facts.st_uid != os.geteuid() or not stat.S_ISREG(facts.st_mode) or facts.st_mode & 0o022:
                return None
            contents = file.read()
        payload = contents[:-_DIGEST_BYTES]
        return payload if contents[-_DIGEST_BYTES:] == hashlib.sha256(payload).digest() else None

    def write(self, kind: str, payload: bytes) -> Path:
        """Stores bytes with their checksum behind them, at once and only for the user.

        :raises PrivateDirectoryError: there is no place for them.
        """
        path = self.path(kind)
        try:
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                file.write(payload)
                file.write(hashlib.sha256(payload).digest())
            Path(file.name).replace(path)
        except OSError as error:
            raise PrivateDirectoryError(path.parent, error.strerror or str(error)) from error
        return path

    def read_value(self, kind: str) -> Any:  # noqa: ANN401 - what marshal gives
        """The stored value, None if there is none."""
        payload = self.read(_versioned(kind))
        return None if payload is None else marshal.loads(payload)

    def write_value(self, kind: str, value: tuple[Any, ...]) -> None:
        """Stores a value of tuples, strings, numbers and booleans."""
        self.write(_versioned(kind), marshal.dumps(value))


# Marshal's format belongs to the interpreter.
def _versioned(kind: str) -> str:
    return f"{kind}-{sys.implementation.cache_tag}"


def _directory() -> Path:
    directory = cache_dir() / "analysis"
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        facts = directory.lstat()
    except OSError as error:
        raise PrivateDirectoryError(directory, error.strerror or str(error)) from error
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
        raise PrivateDirectoryError(directory, "it is not a private directory")
    return directory
