"""Which libraries a program loads: asked of its own dynamic linker, which lists them without running the program.

Source: ld.so(8), --list.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from gdb_mcr.dwarf.identity import ElfIdentity, identify
from gdb_mcr.errors import AnalysisError

_LINE = re.compile(r"^\s*(?:(?P<name>\S+) => )?(?P<path>/.*?) \(0x[0-9a-f]+\)$", re.MULTILINE)
_MISSING = re.compile(r"^\s*(\S+) => not found$", re.MULTILINE)
_TIMEOUT_S = 20


def libraries(path: Path, environment: Mapping[str, str] | None = None) -> tuple[Path, ...]:
    """Paths of all libraries that the program will load, in the order of loading, its dynamic linker included.

    :param environment: of the program; LD_LIBRARY_PATH matters. LD_PRELOAD is left out.
    :raises AnalysisError: it has no dynamic linker that can be trusted, or a library is missing.
    """
    identity = identify(path)
    linker = _linker(identity)
    variables = {**(os.environ if environment is None else environment)}
    for name in ("LD_PRELOAD", "LD_AUDIT", "LD_DEBUG"):
        variables.pop(name, None)
    try:
        done = subprocess.run(
            [linker, "--list", path.resolve()],
            capture_output=True,
            text=True,
            env=variables,
            timeout=_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AnalysisError(f"{linker} did not list the libraries of {path}: {error}") from error
    missing = _MISSING.findall(done.stdout)
    if missing:
        raise AnalysisError(f"{path} needs {', '.join(missing)}, which cannot be found", hint="install it")
    if done.returncode:
        reason = done.stderr.strip().rpartition(": ")[2] or f"exit status {done.returncode}"
        raise AnalysisError(f"{linker} cannot list the libraries of {path}: {reason}")
    return tuple(Path(match["path"]) for match in _LINE.finditer(done.stdout))


# The file itself names the program that we are about to run: only the system's own dynamic linker will do.
def _linker(identity: ElfIdentity) -> Path:
    if not identity.interpreter:
        raise AnalysisError(f"{identity.path} names no dynamic linker", hint="name the server's executable")
    linker = Path(identity.interpreter)
    try:
        target = linker.resolve(strict=True)
        facts = target.stat()
    except OSError as error:
        raise AnalysisError(f"{identity.path} needs the dynamic linker {linker}, which is not there") from error
    if not target.name.startswith("ld-linux") or facts.st_uid != 0 or facts.st_mode & 0o002:
        raise AnalysisError(f"{identity.path} names {linker} as its dynamic linker", hint="only glibc's is supported")
    return linker
