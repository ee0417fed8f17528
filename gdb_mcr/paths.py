"""Where the package's own files and its private directories are.

Native products and grammars stand in the source tree (editable install: ``native/build/``, ``grammar/``) or, put
there by ``native/build_hook.py``, inside the installed package (``_native/``, ``_grammar/``).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath

from gdb_mcr.errors import InstallationError, PrivateDirectoryError

_PACKAGE = Path(__file__).resolve().parent
_SOURCE_TREE = _PACKAGE.parent


def native_library(name: str) -> Path:
    """The built file ``name``: libmcr.so, libmcr_engine.so, libmcr_gdbshim.so or mcr_launch.

    :raises InstallationError: it was not built or not installed.
    """
    return _first_file(_PACKAGE / "_native" / name, _SOURCE_TREE / "native" / "build" / name)


def grammar_file(name: str) -> Path:
    """The grammar or rule file ``name``, relative to ``grammar/``: ``mcr.lark``, ``rules/libc.mcr``.

    :raises InstallationError: there is no such file.
    """
    return _first_file(_PACKAGE / "_grammar" / name, _SOURCE_TREE / "grammar" / name)


def cache_dir() -> Path:
    """The directory for what can be computed again, such as tables by build-id; created with mode 0700 if absent.

    :raises PrivateDirectoryError: it cannot be made, is a symbolic link, or belongs to someone else.
    Source: XDG Base Directory Specification, $XDG_CACHE_HOME.
    """
    return _private_dir("XDG_CACHE_HOME", ".cache")


def state_dir() -> Path:
    """The directory for what must outlive a run, such as the history of updates; created with mode 0700 if absent.

    :raises PrivateDirectoryError: it cannot be made, is a symbolic link, or belongs to someone else.
    Source: XDG Base Directory Specification, $XDG_STATE_HOME.
    """
    return _private_dir("XDG_STATE_HOME", ".local/state")


def _first_file(*candidates: Path) -> Path:
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise InstallationError(candidates[0].name, candidates)


def _private_dir(variable: str, fallback: str) -> Path:
    directory = _xdg_base(variable, fallback) / "gdb_mcr"
    try:
        directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.mkdir(mode=0o700, exist_ok=True)
        _make_private(directory)
    except OSError as error:
        raise PrivateDirectoryError(directory, _why_not(directory, error)) from error
    return directory


def _why_not(directory: Path, error: OSError) -> str:
    if directory.is_symlink():
        return "it is a symbolic link"
    if isinstance(error, FileExistsError):
        return "it is no directory"
    return error.strerror or str(error)


# The specification: a relative path is invalid and to be ignored.
def _xdg_base(variable: str, fallback: str) -> Path:
    value = os.environ.get(variable, "")
    if PurePosixPath(value).is_absolute():
        return Path(value)
    try:
        return Path.home() / fallback
    except RuntimeError as error:
        raise PrivateDirectoryError(Path("~") / fallback, "the home directory is unknown") from error


# Through a descriptor, so that nobody swaps the directory between the look and the change. O_NOFOLLOW refuses a link.
def _make_private(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        facts = os.fstat(descriptor)
        if facts.st_uid != os.geteuid():
            raise PrivateDirectoryError(directory, f"it belongs to user {facts.st_uid}")
        if stat.S_IMODE(facts.st_mode) & 0o077:
            os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)
