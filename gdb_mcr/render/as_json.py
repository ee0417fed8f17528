"""Any result to JSON: its fields under their names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum

from gdb_mcr.errors import InvalidAnnotations, McrError
from gdb_mcr.model.results import Result, Verdict

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def to_json(result: Result) -> dict[str, Json]:
    """The result's fields and its exit status."""
    return {**_object(result), "exit_status": result.exit_status}


def error_to_json(error: McrError) -> dict[str, Json]:
    """What stands in a result's place where a verb failed. Its verdict is "error" unless the error says more."""
    verdicts: dict[int, str] = {1: Verdict.REFUSED.value, 3: Verdict.ROLLED_BACK.value}
    facts: dict[str, Json] = {"kind": type(error).__name__, "message": str(error), "hint": error.hint}
    if isinstance(error, InvalidAnnotations):
        facts["problems"] = [_value(one) for one in error.problems]
    return {
        "verdict": verdicts.get(error.exit_status, "error"),
        "error": facts,
        "exit_status": error.exit_status,
    }


def json_text(content: dict[str, Json]) -> str:
    """The text of a JSON file, without its last line end."""
    return json.dumps(content, indent=2, ensure_ascii=False)


def _object(value: object) -> dict[str, Json]:
    if not is_dataclass(value):
        raise TypeError(f"{type(value).__name__} is no result")
    return {one.name: _value(getattr(value, one.name)) for one in fields(value)}


def _value(value: object) -> Json:
    if isinstance(value, Enum):
        return _value(value.value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _value(one) for key, one in value.items()}
    if isinstance(value, tuple | list | frozenset):
        return [_value(one) for one in value]
    return _object(value)
