"""What the other modules need of the system: commands with a log, a lock, Debian packages."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

TIMEOUT_S = 1200.0
"""For any one command; the longest build takes under a minute on two cores."""

# A make above us, or the user's own flags, must not leak into a server's build.
_DROPPED = frozenset({"CFLAGS", "CPPFLAGS", "LDFLAGS", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "LD_PRELOAD"})


class ServerError(Exception):
    """A server cannot be had; the message is one for the user."""


def environment() -> dict[str, str]:
    """The environment of every command that is run here."""
    kept = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    return kept | {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}


def say(text: str) -> None:
    """Progress for a person; standard output is for results."""
    print(f"build-server: {text}", file=sys.stderr, flush=True)


def run(arguments: Sequence[str], log: Path, directory: Path) -> None:
    """Run a command in ``directory``, its output appended to ``log``.

    :raises ServerError: it failed or took too long; the message ends with the log's last lines.
    """
    with log.open("a") as output:
        output.write(f"$ {' '.join(arguments)}\n")
        output.flush()
        try:
            subprocess.run(
                arguments,
                cwd=directory,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT_S,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise ServerError(f"{error}\n{tail}\n(all of it: {log})") from error


def output_of(arguments: Sequence[str]) -> tuple[int, str]:
    """(exit status, standard output) of a command; -1 if it does not exist."""
    try:
        done = subprocess.run(
            arguments, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S
        )
    except FileNotFoundError:
        return -1, ""
    return done.returncode, done.stdout


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file ``path``, waiting for whoever has it. The kernel frees it when the holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def need_packages(packages: Sequence[str], log: Path) -> None:
    """Install the Debian packages that are missing.

    :raises ServerError: some are missing and the caller may not install, or apt-get fails.
    """
    missing = [name for name in packages if not _is_installed(name)]
    if not missing:
        return
    if os.geteuid() != 0:
        raise ServerError(f"Debian packages are missing; install them first: sudo apt-get install {' '.join(missing)}")
    say(f"installing {' '.join(missing)}")
    run(["apt-get", "update", "-qq"], log, Path("/"))
    run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], log, Path("/"))


def _is_installed(package: str) -> bool:
    return output_of(["dpkg-query", "-W", "-f=${db:Status-Status}", package])[1] == "installed"
