"""Every exception of the package. Facts are fields; ``hint`` says what the user can do.

McrError
├── UsageError            bad arguments or input files                     (exit status 2)
├── TargetError           the server cannot be worked on; it runs on
├── DebuggerError         a child GDB failed or answered nonsense
├── RuntimeAbiError       libmcr's tables in the server are absent or damaged
├── AnalysisError         an ELF file cannot be analysed
├── AnnotationError       annotations that do not parse or check
├── Refused               findings or conflicts speak against the update    (exit status 1)
└── UpdateFailed          a phase failed and was rolled back                (exit status 3)
"""

from __future__ import annotations


class McrError(Exception):
    """Root of all errors that a user may see. ``hint`` is advice, possibly empty."""

    hint: str = ""
    exit_status: int = 3

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        if hint:
            self.hint = hint


class UsageError(McrError):
    """The command line or an input file is wrong; nothing was touched."""

    exit_status = 2


class TargetError(McrError):
    """The server cannot be worked on as it is; it runs on."""

    exit_status = 2


class DebuggerError(McrError):
    """A child GDB died, answered an error, or did not answer in time."""


class RuntimeAbiError(McrError):
    """libmcr's tables in a server are absent, of another version, or damaged."""


class AnalysisError(McrError):
    """An ELF file lacks what the analysis needs."""

    exit_status = 2


class AnnotationError(McrError):
    """Annotations that do not parse or do not fit the two programs."""

    exit_status = 2


class Refused(McrError):
    """Findings or conflicts speak against the update; the old server serves on."""

    exit_status = 1


class UpdateFailed(McrError):
    """A phase failed; the update was rolled back and the old server serves on."""

    exit_status = 3
