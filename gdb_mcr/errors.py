"""Every exception of the package. Facts are fields; ``hint`` says what the user can do.

McrError
├── UsageError            bad arguments or input files                     (exit status 2)
│   ├── WrongState         a step that is not legal where the update stands
│   └── InvalidProfile     a file is no profile of threads
├── InstallationError     a file that belongs to gdb_mcr is not there      (exit status 2)
├── PrivateDirectoryError the cache or state directory cannot be used      (exit status 2)
├── TargetError           the server cannot be worked on; it runs on
│   └── AlreadyTraced      another debugger is attached to it
├── DebuggerError         a child GDB failed or answered nonsense
├── RuntimeAbiError       libmcr's tables in the server are absent or damaged
│   └── UnknownRuntime     its libmcr is another one, or has only begun      (exit status 2)
├── AnalysisError         an ELF file cannot be analysed
├── AnnotationError       annotations that do not parse or check
│   └── InvalidAnnotations all of it at once, each with its place
├── Interrupted           Ctrl-C before an update had begun, or beside one  (exit status 130)
├── Refused               findings or conflicts speak against the update    (exit status 1)
└── UpdateFailed          a phase failed and was rolled back                (exit status 3)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gdb_mcr.source import Problem, describe_problems


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


class WrongState(UsageError):
    """The step ``verb`` is not legal where the update stands; nothing was done."""

    def __init__(self, verb: str, state: str, legal: Sequence[str], *, hint: str) -> None:
        super().__init__(f"{verb} needs an update that is {' or '.join(legal)}; this one is {state}", hint=hint)
        self.verb = verb
        self.state = state
        self.legal = tuple(legal)


class InvalidProfile(UsageError):
    """A file is no profile of threads, or one of another format."""


class InstallationError(McrError):
    """A file that belongs to gdb_mcr is not there: ``name``, looked for at each of ``candidates``."""

    hint = "build it with `make -C native` in the source tree, or install gdb_mcr again"
    exit_status = 2

    def __init__(self, name: str, candidates: Sequence[Path]) -> None:
        super().__init__(f"{name} is missing: looked for {' and '.join(map(str, candidates))}")
        self.name = name
        self.candidates = tuple(candidates)


class PrivateDirectoryError(McrError):
    """The cache or state directory ``path`` cannot be used, because of ``reason``."""

    hint = "set XDG_CACHE_HOME and XDG_STATE_HOME to directories of your own that have room"
    exit_status = 2

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"cannot use {path} as a private directory: {reason}")
        self.path = path
        self.reason = reason


class TargetError(McrError):
    """The server cannot be worked on as it is; it runs on."""

    exit_status = 2


class AlreadyTraced(TargetError):
    """Another debugger is attached to the process ``pid``; ``tracer`` says which."""

    def __init__(self, pid: int, tracer: str, *, hint: str) -> None:
        super().__init__(f"process {pid} is already traced by {tracer}", hint=hint)
        self.pid = pid
        self.tracer = tracer


class DebuggerError(McrError):
    """A child GDB died, answered an error, or did not answer in time."""


class RuntimeAbiError(McrError):
    """libmcr's tables in a server are absent, of another version, or damaged."""


class UnknownRuntime(RuntimeAbiError):
    """A process has no control block that this version can read; nothing was touched."""

    exit_status = 2


class AnalysisError(McrError):
    """An ELF file lacks what the analysis needs."""

    exit_status = 2


class AnnotationError(McrError):
    """Annotations that do not parse or do not fit the two programs."""

    exit_status = 2


class InvalidAnnotations(AnnotationError):
    """Everything that is wrong with some annotation files; each of ``problems`` has its place."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        count = "one error" if len(problems) == 1 else f"{len(problems)} errors"
        super().__init__(f"{count} in the annotations; nothing was touched\n{describe_problems(problems)}")
        self.problems = tuple(problems)


class Interrupted(McrError):
    """The user has interrupted a verb, and there was nothing to undo. The status is 128 + SIGINT, as shells have it."""

    exit_status = 130


class Refused(McrError):
    """Findings or conflicts speak against the update; the old server serves on."""

    exit_status = 1


class UpdateFailed(McrError):
    """A phase failed; the update was rolled back and the old server serves on."""

    exit_status = 3
