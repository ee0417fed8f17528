"""The transfers of all processes of a tree, as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from gdb_mcr.model.finding import Finding
from gdb_mcr.update.phases import Counts
from gdb_mcr.update.transfer_run import TransferRun


class TreeRun:
    """What `TransferRun` is for one process; the first process's comes first."""

    def __init__(self, runs: Sequence[TransferRun], process_ids: Mapping[int, int]) -> None:
        """:param process_ids: of O's processes, to those of their counterparts."""
        self._runs = tuple(runs)
        self._process_ids = process_ids

    def plan(self) -> None:
        """Computes what each process of N gets, side by side; N is not written.

        :raises PlanOutdated: a process of O has moved on since the placement plans were made.
        """
        with ThreadPoolExecutor(len(self._runs)) as pool:
            for one in [pool.submit(run.plan) for run in self._runs]:
                one.result()

    def close(self) -> None:
        """Gives images and engines back."""
        for run in self._runs:
            run.close()

    def findings(self) -> list[Finding]:
        """What speaks against the update."""
        return [one for run in self._runs for one in run.findings()]

    def warnings(self) -> list[str]:
        """What the user should know."""
        return list(dict.fromkeys(one for run in self._runs for one in run.warnings()))

    def counts(self) -> Counts:
        """For the phase's report: of all processes together."""
        return _sum(run.counts() for run in self._runs)

    def forget(self) -> None:
        """Gives back what was allocated in N for this plan."""
        for run in self._runs:
            run.forget()

    def write(self) -> Counts:
        """Puts the plans into N, side by side."""
        with ThreadPoolExecutor(len(self._runs)) as pool:
            counts = _sum([one.result() for one in [pool.submit(run.write) for run in self._runs]])
        ids = sum(run.translate_process_ids(self._process_ids) for run in self._runs)
        return {**counts, "process_ids": ids}

    def audit(self) -> tuple[list[Finding], Counts]:
        """Words of N that would lead it astray."""
        found = [run.audit() for run in self._runs]
        return [one for findings, _ in found for one in findings], _sum(counts for _, counts in found)


AnyRun = TransferRun | TreeRun


def _sum(parts: Iterable[Mapping[str, int]]) -> Counts:
    total = Counter[str]()
    for one in parts:
        total.update(one)
    return dict(total)
