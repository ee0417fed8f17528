"""What every test session needs: the markers follow the directories, and live tests need a working ptrace."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all of tests/live as live, so that ``-m 'not live'`` never starts a process."""
    for item in items:
        if item.path.is_relative_to(TESTS / "live"):
            item.add_marker(pytest.mark.live)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Stop with a sentence, instead of a hundred failures, where live tests cannot work."""
    if session.config.option.collectonly or not any(item.get_closest_marker("live") for item in session.items):
        return
    if shutil.which("gdb") is None:
        pytest.exit("live tests need gdb; run scripts/setup, or leave them out with: -m 'not live'", returncode=4)
    scope = Path("/proc/sys/kernel/yama/ptrace_scope")
    if scope.exists() and scope.read_text().strip() not in ("0", "1") and not is_root():
        pytest.exit("live tests need ptrace, which kernel.yama.ptrace_scope forbids here", returncode=4)


def is_root() -> bool:
    """Whether this process may trace others whatever Yama says."""
    status = Path("/proc/self/status").read_text()
    return any(line.split()[1] == "0" for line in status.splitlines() if line.startswith("Uid:"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests measured (``record_property``), so that a run's figures stand in its log."""
    reports = [one for outcome in ("passed", "failed") for one in terminalreporter.getreports(outcome)]
    figures = [(one.nodeid, name, value) for one in reports for name, value in one.user_properties]
    if figures:
        terminalreporter.section("measured")
    for node, name, value in dict.fromkeys(figures):
        terminalreporter.line(f"{node.rpartition('/')[2]}: {name}: {value}")
