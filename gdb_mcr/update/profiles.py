"""Where profiles stand, and which one belongs to a server."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from gdb_mcr.dwarf.identity import identify
from gdb_mcr.errors import PrivateDirectoryError, UsageError
from gdb_mcr.model.profile import Profile
from gdb_mcr.paths import cache_dir
from gdb_mcr.quiescence.profile_file import parse_profile, profile_text
from gdb_mcr.update.recorded import RecordedProcess

VARIABLE = "MCR_PROFILE"
"""In a server's environment, which its successors get as well: the file that `mcr run --profile` has named."""

_SUFFIX = ".toml"


def profile_path(build_id: str) -> Path:
    """Where `mcr profile` puts the profile of a build, and where an update looks for it."""
    return cache_dir() / "profiles" / f"{build_id}{_SUFFIX}"


def write_profile(profile: Profile, path: Path) -> None:
    """The file at once, only for the user.

    :raises UsageError: it cannot be written.
    """
    try:
        if path == profile_path(profile.program.build_id):
            path.parent.mkdir(mode=0o700, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".profile-", delete=False) as file:
            file.write(profile_text(profile))
        Path(file.name).replace(path)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", hint="name another file with --output"
        ) from error


def read_profile(path: Path) -> Profile:
    """:raises UsageError: it cannot be read, or is no profile."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(f"{path} cannot be read: {reason}", hint="make a profile with `mcr profile`") from error
    return parse_profile(text, str(path))


def naming(profile: Path | None) -> dict[str, str]:
    """The part of a server's environment that names its profile, for `named_in`.

    :raises UsageError: it cannot be read, or is no profile.
    """
    if profile is None:
        return {}
    read_profile(profile)
    return {VARIABLE: str(profile.resolve())}


def profile_of(server: RecordedProcess, given: Path | None) -> Profile | None:
    """The profile that the user names, else the one that the server was started with, else the one of its build.

    :raises UsageError: it cannot be read, or is no profile.
    """
    return profile_for(identify(server.executable).build_id, given or named_in(server.facts.environ))


def named_in(environ: Iterable[bytes]) -> Path | None:
    """What `naming` has put into a server's environment, or its predecessor's. :param environ: NAME=VALUE entries."""
    found = [value for name, _, value in (one.partition(b"=") for one in environ) if os.fsdecode(name) == VARIABLE]
    return Path(os.fsdecode(found[0])) if found and found[0] else None


def profile_for(build_id: str, given: Path | None = None) -> Profile | None:
    """The profile that the user names, else the one of this build; None if there is none.

    :raises UsageError: it cannot be read, or is no profile.
    """
    if given is not None:
        return read_profile(given)
    try:
        path = profile_path(build_id)
    except PrivateDirectoryError:
        return None
    return read_profile(path) if path.exists() else None
