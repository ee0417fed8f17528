"""`python -m tests.support.zoo_controller PID`: brings a server to rest and lets it go again, until somebody ends it.

It says one line for each attempt: "rest", "no rest", or "error: …" when something went wrong; after an error it begins
anew if the server still runs, else it ends with status 3.
"""

from __future__ import annotations

import sys

from gdb_mcr.errors import McrError
from gdb_mcr.update.api import NoProgress
from gdb_mcr.update.session import Session
from gdb_mcr.update.updater import Updater

DEADLINE_S = 1.0
_LIFE_S = 3600.0


def main(pid: int) -> int:
    """:returns: 3 when the server has ended."""
    while True:
        try:
            session = Updater().open_session(pid)
        except McrError as error:
            _say(f"error: {error}")
            return 3
        try:
            session.phases.timeout_s = _LIFE_S
            while True:
                _try(session)
        except McrError as error:
            _say(f"error: {error}")
        finally:
            session.close()


def _try(session: Session) -> None:
    if session.quiesce(DEADLINE_S, NoProgress()).converged:
        session.release()
        _say("rest")
    else:
        _say("no rest")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
