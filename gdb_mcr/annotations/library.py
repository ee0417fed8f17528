"""Handler libraries: whether a file may be loaded, and which functions it has."""

from __future__ import annotations

import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

from gdb_mcr.annotations.labels import Label
from gdb_mcr.annotations.wrong import WrongError
from gdb_mcr.model.statement import Use

MAX_BYTES = 64 << 20
"""Bytes of a handler library."""

_ELF64_LITTLE = b"\x7fELF\x02\x01"
_SHARED = 3
_X86_64 = 62
_DYNAMIC_SYMBOLS = 11
_FUNCTION = 2


@dataclass(frozen=True, slots=True)
class HandlerLibrary:
    """A library that may be loaded."""

    path: Path
    functions: frozenset[str]
    """Names of the functions that it exports."""


def find_library(one: Use) -> HandlerLibrary:
    """The library of a `use` statement, looked for beside the file that has the statement.

    :raises WrongError: it is not there, no shared library, or someone else could have written it.
    Source: DESIGN section 17.
    """
    path = Path(one.span.file).parent / one.library
    try:
        with path.open("rb") as stream:
            _check_owner(one, os.fstat(stream.fileno()))
            content = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a null byte
        message = f"cannot read {path}: {getattr(error, 'strerror', error)}"
        raise WrongError(Label.BAD_LIBRARY, one.span, message, "it is looked for beside this file") from error
    try:
        return HandlerLibrary(path.resolve(), _functions(content))
    except (struct.error, ValueError, UnicodeDecodeError) as error:
        message = f"{path} is no shared library for x86-64"
        raise WrongError(Label.BAD_LIBRARY, one.span, message, "build it with `gcc -shared -fPIC`") from error


# Its code will run in the controller.
def _check_owner(one: Use, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise WrongError(Label.BAD_LIBRARY, one.span, f"{one.library} is no regular file")
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
        message = f"{one.library} belongs to someone else, or others may write it"
        raise WrongError(Label.BAD_LIBRARY, one.span, message, "it has to be yours or root's, writable for no other")


# Defined global functions of .dynsym. Source: System V ABI, "Object Files" (Elf64_Ehdr, Elf64_Shdr, Elf64_Sym).
def _functions(content: bytes) -> frozenset[str]:
    kind, machine = struct.unpack_from("<HH", content, 16)
    if not content.startswith(_ELF64_LITTLE) or (kind, machine) != (_SHARED, _X86_64):
        raise ValueError("no shared library")
    (offset,) = struct.unpack_from("<Q", content, 40)
    size, count = struct.unpack_from("<HH", content, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", content, offset + size * index) for index in range(count)]
    names: set[str] = set()
    for section in sections:
        if section[1] == _DYNAMIC_SYMBOLS:
            texts = sections[section[6]][4]
            for at in range(section[4], section[4] + section[5], 24):
                name, info, _, index = struct.unpack_from("<IBBH", content, at)
                if info & 15 == _FUNCTION and index:
                    end = content.index(b"\0", texts + name)
                    names.add(content[texts + name : end].decode())
    return frozenset(names)
