"""Profiles as files: TOML with comments, for people to read and to change. Source: toml.io, version 1.0."""

from __future__ import annotations

import json
import signal
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar

from gdb_mcr.errors import InvalidProfile
from gdb_mcr.model.profile import (
    EventOrigin,
    ProcessClass,
    Profile,
    ProfiledLoop,
    ProfiledStop,
    Stability,
    ThreadClass,
    Unblocking,
)
from gdb_mcr.model.results import Build
from gdb_mcr.model.stop_point import StopPointKind, ThreadRole

FORMAT = 1
"""Raise it when a key changes its meaning."""

_EVENT = "event"

_HEAD = """\
# Profile of {name}, made by `mcr profile`: the kinds of threads that it has, where they stall, and what an update may
# do there. It belongs to the build below; other builds match it by function names.
#
# You may change it. `kind` of a stop:
#   quiescent     the thread waits for its next work here: legal to update
#   blocking      the thread may stand still here before it comes to its next quiescent point; no update here
#   cancellation  the same, in a call that may fail at any time
# A thread at a stop that is not quiescent may be got out of it by `unblock`, if you say so: a signal for which the
# program has a handler ("SIGUSR1"), or "event", which puts a 1 into the eventfd, pipe or socket pair that it reads.
# A thread that an update finds at a place that is not listed keeps the update waiting, unless its counterpart in the
# new build waits there, too."""


def profile_text(profile: Profile) -> str:
    """The file's contents."""
    return "\n".join(_lines(profile)) + "\n"


def parse_profile(text: str, name: str) -> Profile:
    """The profile in a file's contents.

    :param name: of the file, for messages.
    :raises InvalidProfile: it is none, or one of a later format.
    """
    try:
        content = tomllib.loads(text)
        if content.get("format") != FORMAT:
            raise InvalidProfile(f"{name} is no profile of format {FORMAT}", hint="make it anew with `mcr profile`")
        return _profile(content)
    except tomllib.TOMLDecodeError as error:
        raise InvalidProfile(f"{name} is no TOML: {error}", hint="its format is that of toml.io") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidProfile(
            f"{name} is no profile: {_reason(error)}", hint="make it anew with `mcr profile`"
        ) from error


def _lines(profile: Profile) -> Iterator[str]:
    yield _HEAD.format(name=profile.program.path.rpartition("/")[2])
    yield from _pairs(
        format=FORMAT,
        program=profile.program.path,
        build_id=profile.program.build_id,
        command=profile.command,
        load=profile.load,
        seconds=profile.seconds,
        looks=profile.looks,
        stops=profile.stops,
    )
    for process in profile.processes:
        yield from ("", *_process_comment(process), "[[process]]")
        yield from _pairs(created_by=process.created_by, processes=process.processes, stability=process.stability.value)
        for thread in process.threads:
            yield from _thread_lines(thread)


def _process_comment(process: ProcessClass) -> Iterator[str]:
    origin = f"forked by {' < '.join(process.created_by)}" if process.created_by else "the first process"
    if not process.created_by and process.stability is Stability.VOLATILE:
        origin = "forked after start-up"
    yield f"# ---- process: {origin}"


def _thread_lines(thread: ThreadClass) -> Iterator[str]:
    yield from ("", "[[process.thread]]")
    yield from _pairs(
        start=thread.start,
        created_by=thread.created_by,
        creation_id=f"{thread.creation_id:#x}",
        threads=thread.threads,
        role=thread.role.value,
        stability=thread.stability.value,
        long_lived=thread.is_long_lived,
    )
    if thread.loop is not None:
        yield f"loop = {_inline(function=thread.loop.function, turns=thread.loop.turns)}"
    for stop in thread.stops:
        yield from ("", "[[process.thread.stop]]")
        yield from _pairs(
            call=stop.call,
            stack=stop.stack,
            kind=stop.kind.value,
            woken_by=stop.origin.value,
            stalls=stop.stalls,
            seconds=stop.seconds,
            longest_s=stop.longest_s,
        )
        if stop.unblock is not None:
            yield from _pairs(unblock=signal.Signals(stop.unblock.signal).name if stop.unblock.signal else _EVENT)


def _pairs(**values: object) -> Iterator[str]:
    for key, value in values.items():
        yield f"{key} = {_toml(value)}"


def _inline(**values: object) -> str:
    return "{ " + ", ".join(f"{key} = {_toml(value)}" for key, value in values.items() if value is not None) + " }"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, float):
        return f"{value:.6f}"
    if isinstance(value, int):
        return str(value)
    assert isinstance(value, tuple)
    return f"[{', '.join(map(_toml, value))}]"


def _profile(content: Mapping[str, Any]) -> Profile:
    return Profile(
        program=Build(_text(content, "program"), _text(content, "build_id")),
        command=_texts(content, "command"),
        load=_text(content, "load"),
        seconds=float(content["seconds"]),
        looks=int(content["looks"]),
        stops=int(content["stops"]),
        processes=tuple(_process(one) for one in content["process"]),
    )


def _process(content: Mapping[str, Any]) -> ProcessClass:
    return ProcessClass(
        created_by=_texts(content, "created_by"),
        processes=int(content["processes"]),
        stability=_choice(Stability, content, "stability"),
        threads=tuple(_thread(one) for one in content.get("thread", ())),
    )


def _thread(content: Mapping[str, Any]) -> ThreadClass:
    loop = content.get("loop")
    return ThreadClass(
        start=_text(content, "start"),
        created_by=_texts(content, "created_by"),
        creation_id=int(_text(content, "creation_id"), 0),
        threads=int(content["threads"]),
        role=_choice(ThreadRole, content, "role"),
        stability=_choice(Stability, content, "stability"),
        is_long_lived=bool(content["long_lived"]),
        loop=ProfiledLoop(_text(loop, "function"), loop.get("turns")) if loop is not None else None,
        stops=tuple(_stop(one) for one in content.get("stop", ())),
    )


def _stop(content: Mapping[str, Any]) -> ProfiledStop:
    return ProfiledStop(
        call=_text(content, "call"),
        stack=_texts(content, "stack"),
        kind=_choice(StopPointKind, content, "kind"),
        origin=_choice(EventOrigin, content, "woken_by"),
        stalls=int(content["stalls"]),
        seconds=float(content["seconds"]),
        longest_s=float(content["longest_s"]),
        unblock=_unblocking(_text(content, "unblock")) if "unblock" in content else None,
    )


def _unblocking(name: str) -> Unblocking:
    if name != _EVENT and name not in signal.Signals.__members__:
        raise ValueError(f'`unblock` is {name}, neither the name of a signal nor "{_EVENT}"')
    return Unblocking(0 if name == _EVENT else signal.Signals[name])


def _text(content: Mapping[str, Any], key: str) -> str:
    value = content[key]
    if not isinstance(value, str):
        raise ValueError(f"`{key}` is no text")
    return value


def _texts(content: Mapping[str, Any], key: str) -> tuple[str, ...]:
    values = content[key]
    if not isinstance(values, Sequence) or not all(isinstance(one, str) for one in values):
        raise ValueError(f"`{key}` is no list of texts")
    return tuple(values)


_Choice = TypeVar("_Choice", bound=Enum)


def _choice(kind: type[_Choice], content: Mapping[str, Any], key: str) -> _Choice:
    value = _text(content, key)
    choices = [str(one.value) for one in kind]
    if value not in choices:
        raise ValueError(f"`{key}` is {value}, not one of {', '.join(choices)}")
    return kind(value)


def _reason(error: Exception) -> str:
    return f"`{error.args[0]}` is missing" if isinstance(error, KeyError) else str(error)
