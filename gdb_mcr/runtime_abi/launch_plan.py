"""The launch plan of `native/mcr_abi.h`: what `mcr_launch` reads from a sealed memfd."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Sequence
from ctypes import c_int32, c_uint32, c_uint64
from enum import IntFlag

from gdb_mcr.errors import UsageError
from gdb_mcr.model.launch import LaunchPlan, PlacedLibrary
from gdb_mcr.model.startup_log import LaunchFacts
from gdb_mcr.runtime_abi import layout
from gdb_mcr.runtime_abi.sealed import Layouter, sealed_memfd

MAGIC = 0x6E616C7068636C6D
"""MCR_LAUNCH_PLAN_MAGIC."""

PRELOAD = b"LD_PRELOAD="
BIND_NOW = b"LD_BIND_NOW=1"


class Apply(IntFlag):
    """enum mcr_launch_apply: which of the facts N gets."""

    CWD = 1
    ROOT = 2
    UMASK = 4
    RLIMITS = 8
    IDS = 16
    CAPABILITIES = 32
    SIGNALS = 64
    AFFINITY = 128
    AT_RANDOM = 256


class Range(ctypes.Structure):
    """struct mcr_launch_range."""

    _fields_ = (("start", c_uint64), ("end", c_uint64))


class Library(ctypes.Structure):
    """struct mcr_launch_library."""

    _fields_ = (("base", c_uint64), ("path", c_uint64))


class Plan(ctypes.Structure):
    """struct mcr_launch_plan."""

    _fields_ = (
        ("magic", c_uint64),
        ("version", c_uint32),
        ("size", c_uint32),
        ("executable", c_uint64),
        ("libraries", c_uint64),
        ("library_count", c_uint64),
        ("reserved", c_uint64),
        ("reserved_count", c_uint64),
        ("settings_fd", c_int32),
        ("channel_fd", c_int32),
        ("tries", c_uint32),
        ("timeout_ms", c_uint32),
        ("apply", c_uint32),
        ("padding", c_uint32),
        ("facts", layout.LaunchFacts),
    )


def launch_plan(plan: LaunchPlan, settings_fd: int, channel_fd: int, tries: int, timeout_ms: int) -> int:
    """A sealed memfd with `plan`.

    :param settings_fd: descriptor that N gets at MCR_SETTINGS_FD, -1 = none; `channel_fd` likewise at MCR_CHANNEL_FD.
    :raises UsageError: a string of the plan contains a NUL byte, or there is no argv[0].
    """
    head = Plan(settings_fd=settings_fd, channel_fd=channel_fd, tries=tries, timeout_ms=timeout_ms)
    layouter = Layouter(ctypes.sizeof(head))
    environ = environ_at_exec(plan)
    strings = b"".join(_c_string(one) for one in (*plan.argv, *environ))
    if not plan.argv:
        raise UsageError("a program cannot be started without argv[0]")
    head.executable = layouter.add(_c_string(os.fsencode(plan.executable.absolute())))
    libraries = [_library(layouter, one) for one in plan.libraries]
    head.libraries, head.library_count = _array(layouter, libraries)
    head.reserved, head.reserved_count = _array(layouter, [Range(one.start, one.end) for one in plan.reserved])
    if plan.facts is not None:
        head.apply = _fill_facts(head.facts, plan.facts)
    head.facts.argc, head.facts.envc = len(plan.argv), len(environ)
    head.facts.strings, head.facts.strings_size = layouter.add(strings), len(strings)
    head.magic, head.version, head.size = MAGIC, layout.VERSION, layouter.size
    return sealed_memfd("mcr-launch-plan", layouter.parts(bytes(head)))


def environ_at_exec(plan: LaunchPlan) -> tuple[bytes, ...]:
    """The environment with what ld.so needs: libmcr first in LD_PRELOAD, and LD_BIND_NOW as the last entry.

    libmcr takes its name out of LD_PRELOAD and removes the *last* LD_BIND_NOW, so that a server which had one of its
    own keeps it. Of entries with the same name the last one counts. Source: ld.so(8); glibc elf/rtld.c.
    """
    if plan.preload is None:
        return plan.environ
    mine = PRELOAD + os.fsencode(plan.preload)
    others = [one.removeprefix(PRELOAD) for one in plan.environ if one.startswith(PRELOAD)]
    if not others:
        return (mine, *plan.environ, BIND_NOW)
    joined = mine + b":" + others[-1]
    return (*(joined if one.startswith(PRELOAD) else one for one in plan.environ), BIND_NOW)


def _c_string(text: bytes) -> bytes:
    if b"\0" in text:
        raise UsageError(f"{os.fsdecode(text)!r} contains a NUL byte")
    return text + b"\0"


def _library(layouter: Layouter, library: PlacedLibrary) -> Library:
    return Library(library.base, layouter.add(_c_string(os.fsencode(library.path))))


def _array(layouter: Layouter, entries: Sequence[ctypes.Structure]) -> tuple[int, int]:
    return layouter.add(b"".join(bytes(one) for one in entries)), len(entries)


def _fill_facts(ret: layout.LaunchFacts, facts: LaunchFacts) -> Apply:
    ret.ruid, ret.euid, ret.suid = facts.uids
    ret.rgid, ret.egid, ret.sgid = facts.gids
    ret.umask, ret.ngroups = facts.umask, len(facts.groups)
    ret.groups[: len(facts.groups)] = facts.groups
    ret.capabilities[:] = facts.capabilities
    for ours, theirs in zip(ret.rlimits, facts.rlimits, strict=True):
        ours[:] = theirs
    ret.signal_mask, ret.signals_ignored = facts.signal_mask, facts.signals_ignored
    ret.affinity[:] = _bits(facts.affinity, len(ret.affinity))
    ret.cwd, ret.root = os.fsencode(facts.cwd), os.fsencode(facts.root)
    everything = ~Apply(0)
    if len(facts.at_random) != len(ret.at_random):
        return everything & ~Apply.AT_RANDOM
    ret.at_random[:] = facts.at_random
    return everything


def _bits(numbers: Iterable[int], size: int) -> bytes:
    return sum(1 << one for one in numbers).to_bytes(size, "little")
