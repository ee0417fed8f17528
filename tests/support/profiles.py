"""Profiles in few words. Counts and times are made up: nothing is judged by them."""

from __future__ import annotations

from pathlib import Path

from gdb_mcr.dwarf.identity import identify
from gdb_mcr.model.profile import EventOrigin, ProcessClass, Profile, ProfiledStop, Stability, ThreadClass
from gdb_mcr.model.results import Build
from gdb_mcr.model.stop_point import StopPointKind, ThreadRole


def stop(call: str, *stack: str, kind: StopPointKind = StopPointKind.QUIESCENT) -> ProfiledStop:
    """A place where threads stall."""
    return ProfiledStop(call, stack, kind, EventOrigin.EXTERNAL, 1, 1.0, 1.0)


def thread_class(start: str, creation_id: int, *stops: ProfiledStop) -> ThreadClass:
    """Threads that begin in this function."""
    return ThreadClass(start, (), creation_id, 1, ThreadRole.INITIATOR, Stability.STABLE, True, None, stops)


def profile_of(binary: Path, *threads: ThreadClass) -> Profile:
    """A program of one process."""
    build = Build(str(binary), identify(binary).build_id)
    return Profile(build, (str(binary),), "", 1.0, 1, 1, (ProcessClass((), 1, Stability.STABLE, threads),))
