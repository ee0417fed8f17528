"""`mcr update`: all steps in a row, and how whatever goes wrong ends. Source: DESIGN section 3."""

from __future__ import annotations

from pathlib import Path

from gdb_mcr.errors import AnalysisError, AnnotationError, McrError, PrivateDirectoryError, UpdateFailed, UsageError
from gdb_mcr.model.results import UpdateResult, Verdict
from gdb_mcr.update.api import Progress, UpdateOptions
from gdb_mcr.update.interrupts import deferred_interrupts
from gdb_mcr.update.session import Session

QUIESCE_S = 10.0
"""Seconds for O to come to rest, if the whole update has as many left."""


def run_update(session: Session, new: Path, options: UpdateOptions, progress: Progress) -> UpdateResult:
    """Runs an idle session to its end. What fails after O or N was touched is an answer, not an error.

    :raises UsageError: or AnalysisError, AnnotationError, PrivateDirectoryError: nothing was touched.
    """
    try:
        return _steps(session, new, options, progress)
    except (UsageError, AnalysisError, AnnotationError, PrivateDirectoryError):
        raise
    except McrError as error:
        return _rolled_back(session, error)
    except KeyboardInterrupt:
        return _rolled_back(session, "interrupted")


def _rolled_back(session: Session, failure: McrError | str) -> UpdateResult:
    with deferred_interrupts(forgotten=True):
        try:
            session.rollback()
        except McrError as error:
            session.warnings.append(f"while rolling back: {error}")
        return session.result(Verdict.ROLLED_BACK, failure)


def _steps(session: Session, new: Path, options: UpdateOptions, progress: Progress) -> UpdateResult:
    if session.start(new, options, progress).blocking:
        return session.result(Verdict.REFUSED)
    rest = session.quiesce(min(QUIESCE_S, session.phases.left_s()), progress, options.strategy, options.profile)
    if not rest.converged:
        raise UpdateFailed(
            f"the server did not come to rest in {rest.seconds:.1f} s: {'; '.join(rest.obstacles)}",
            hint="try again when it has less to do",
        )
    if session.transfer(dry_run=False, progress=progress).blocking or session.audit(progress).blocking:
        session.rollback()
        return session.result(Verdict.REFUSED)
    if options.dry_run:
        session.rollback()
        return session.result(Verdict.WOULD_COMMIT)
    return session.commit(progress)
