"""What a test does to a running `mcr update` at a moment of its choice: `FaultBench.run_with` takes one of these."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.support.descendants import descendants

Disturb = Callable[[subprocess.Popen[str]], None]

_WAIT_S = 20.0


class NeverCame(Exception):
    """The moment for which a test waited did not come, so it would prove nothing."""


def nothing(_: subprocess.Popen[str]) -> None:
    """The update is left alone."""


def interrupted_in_pause(old_pid: int, times: int = 1) -> Disturb:
    """Ctrl-C as a terminal sends it, to the whole process group, while O stands still; ``times`` of them in a row."""

    def disturb(update: subprocess.Popen[str]) -> None:
        wait_for_pause(old_pid, update)
        for _ in range(times):
            with suppress(ProcessLookupError):
                os.killpg(update.pid, signal.SIGINT)
            time.sleep(0.005)

    return disturb


def old_killed_in_pause(old_pid: int) -> Disturb:
    """SIGKILL of O while it stands still."""

    def disturb(update: subprocess.Popen[str]) -> None:
        wait_for_pause(old_pid, update)
        os.kill(old_pid, signal.SIGKILL)

    return disturb


def new_killed_in_pause(old_pid: int) -> Disturb:
    """SIGKILL of the held N while O stands still."""

    def disturb(update: subprocess.Popen[str]) -> None:
        earlier = {old_pid, *_servers(old_pid)}
        wait_for_pause(old_pid, update)
        _kill_new(old_pid, earlier)

    return disturb


def first_new_killed(old_pid: int) -> Disturb:
    """SIGKILL of the first N, the rehearsal's, as soon as it is there."""

    def disturb(update: subprocess.Popen[str]) -> None:
        earlier = {old_pid, *_servers(old_pid)}
        _until(lambda: _kill_new(old_pid, earlier), update)

    return disturb


def signalled_at(number: signal.Signals, seconds: float) -> Disturb:
    """A signal to the controller alone, so many seconds after its start; nothing if it has ended by then."""

    def disturb(update: subprocess.Popen[str]) -> None:
        try:
            update.wait(seconds)
        except subprocess.TimeoutExpired:
            update.send_signal(number)

    return disturb


def random_moments(seed: int, count: int, longest_s: float) -> list[float]:
    """Moments in [0, longest_s), half of them spread over the last 40 % of it, where O stands still."""
    dice = random.Random(seed)
    return [longest_s * (dice.random() if i % 2 else 0.6 + 0.4 * dice.random()) for i in range(count)]


def wait_for_pause(old_pid: int, update: subprocess.Popen[str]) -> None:
    """Waits until every thread of O stands still under a debugger. :raises NeverCame: the update ended before."""
    _until(lambda: all(state == "t" for state in _states(old_pid)), update)


def _until(is_so: Callable[[], bool], update: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + _WAIT_S
    while not is_so():
        if update.poll() is not None or time.monotonic() > deadline:
            raise NeverCame("the update ended before it came to the moment that the test waits for")
        time.sleep(0.001)


def _states(pid: int) -> list[str]:
    states = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            states.append((task / "stat").read_text().rpartition(")")[2].split()[0])
    return states


def _kill_new(old_pid: int, earlier: set[int]) -> bool:
    found = [pid for pid in _servers(old_pid) if pid not in earlier]
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(found)


# The processes below this one that execute what O does; mcr_launch becomes one of them.
def _servers(old_pid: int) -> list[int]:
    wanted = Path(f"/proc/{old_pid}/exe").readlink()
    found = []
    for pid in descendants():
        with suppress(OSError):
            if Path(f"/proc/{pid}/exe").readlink() == wanted:
                found.append(pid)
    return found
