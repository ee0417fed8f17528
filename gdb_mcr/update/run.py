"""`mcr run`: a server is started under libmcr, so that it can be updated later.

All that can go wrong goes wrong before the exec. Source: execvp(3), ld.so(8), DESIGN section 4.
"""

from __future__ import annotations

import errno
import os
import signal
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from gdb_mcr.dwarf.identity import ElfIdentity, identify, require_updatable
from gdb_mcr.dwarf.module_table import module_table
from gdb_mcr.dwarf.needed import libraries
from gdb_mcr.errors import AnalysisError, UsageError
from gdb_mcr.paths import native_library
from gdb_mcr.runtime_abi.messages import SETTINGS_FD
from gdb_mcr.runtime_abi.settings import ModuleTableFile, record_settings
from gdb_mcr.update.profiles import naming

RUNTIME = "libmcr.so"

_DEFAULT_PATH = "/bin:/usr/bin"  # what execvp(3) searches without PATH in the environment


def prepare_run(
    command: Sequence[str], environment: Mapping[str, str] = os.environ, profile: Path | None = None
) -> Callable[[], NoReturn]:
    """As `update.api.LiveUpdater.prepare_run`. The settings stand at descriptor 250 afterwards."""
    if not command:
        raise UsageError("there is no command to run", hint="mcr run -- /path/to/server ARGUMENTS…")
    naming_profile = naming(profile)
    program = find_program(command[0], environment)
    _require_preloadable(program)
    require_updatable(identify(program))
    variables = preloading(environment, native_library(RUNTIME)) | naming_profile
    settings = record_settings(module_tables(program, environment))
    _put_settings(settings)

    def start() -> NoReturn:
        _restore_signals()
        os.execve(program, list(command), variables)

    return start


def find_program(name: str, environment: Mapping[str, str]) -> Path:
    """The file that execvp would run.

    :raises UsageError: there is none, or it may not be executed.
    """
    if "/" in name:
        return _require_executable(Path(name))
    found = [Path(directory or ".") / name for directory in environment.get("PATH", _DEFAULT_PATH).split(":")]
    for candidate in found:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    raise UsageError(f"{name}: command not found", hint="give its path, such as ./server")


def module_tables(program: Path, environment: Mapping[str, str] | None = None) -> list[ModuleTableFile]:
    """The module tables of a program and of all libraries that it will load, made now if there are none.

    :raises AnalysisError: one of them cannot be analysed.
    :raises PrivateDirectoryError: the cache cannot be used, or the disk is full.
    """
    files = [program, *libraries(program, environment), native_library(RUNTIME)]
    return [_table_of(file, identify(file)) for file in dict.fromkeys(file.resolve() for file in files)]


def preloading(environment: Mapping[str, str], library: Path) -> dict[str, str]:
    """The environment with `library` before all that is preloaded already.

    :raises UsageError: the library's path cannot stand in LD_PRELOAD.
    """
    if any(separator in str(library) for separator in " :"):
        raise UsageError(
            f"{library} cannot be preloaded: its path contains a blank or a colon", hint="install gdb_mcr elsewhere"
        )
    before = environment.get("LD_PRELOAD", "")
    return {**environment, "LD_PRELOAD": f"{library}:{before}" if before else str(library)}


def _table_of(file: Path, identity: ElfIdentity) -> ModuleTableFile:
    return ModuleTableFile(identity.build_id, module_table(file))


def _require_executable(path: Path) -> Path:
    if not path.exists():
        raise UsageError(f"{path}: no such file", hint="name the server's program, then its arguments")
    if not path.is_file() or not os.access(path, os.X_OK):
        raise UsageError(f"{path} is no program that you may execute", hint=f"see ls -l {path}")
    return path


# Nothing is preloaded into a program that gains privileges by its exec. Source: ld.so(8), capabilities(7)
def _require_preloadable(program: Path) -> None:
    gains = bool(program.stat().st_mode & (stat.S_ISUID | stat.S_ISGID)) or _has_capabilities(program)
    if gains and os.geteuid() != 0:
        raise AnalysisError(
            f"{program} gains privileges when it is executed, so that nothing can be preloaded into it",
            hint="start it as the user whose privileges it needs",
        )


def _has_capabilities(program: Path) -> bool:
    try:
        return bool(os.getxattr(program, "security.capability"))
    except OSError:
        return False


def _put_settings(settings: int) -> None:
    try:
        os.fstat(SETTINGS_FD)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
    else:
        os.close(settings)
        raise UsageError(f"descriptor {SETTINGS_FD} is in use", hint=f"close it: mcr run … {SETTINGS_FD}>&- in a shell")
    os.dup2(settings, SETTINGS_FD, inheritable=True)
    os.close(settings)


# Python ignores these two, and what is ignored stays so over an exec. Source: execve(2)
def _restore_signals(signals: Iterable[signal.Signals] = (signal.SIGPIPE, signal.SIGXFSZ)) -> None:
    for one in signals:
        signal.signal(one, signal.SIG_DFL)
