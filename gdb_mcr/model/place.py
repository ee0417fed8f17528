"""What annotations speak of: types, variables and fields inside, in both programs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Side(Enum):
    """One of the two programs."""

    OLD = "old"
    NEW = "new"


class Subject(Enum):
    """What a `Place` is inside."""

    TYPE = "type"
    VARIABLE = "variable"


@dataclass(frozen=True, slots=True)
class Place:
    """A type or variable, or a field inside, in both programs. -1 and () where the new program has none."""

    subject: Subject
    name: str
    """The old program's name: `conn`, `settings`, `main::port` (no file, no tag); of a field's type, typedefs stripped
    where it then still has one."""
    old: int
    """Index in the old program's `types` (an aggregate, typedefs stripped) or `variables`."""
    new: int
    """The same in the new program."""
    old_path: tuple[str, ...]
    new_path: tuple[str, ...]

    @property
    def key(self) -> str:
        """The place in the old program's names: `conn.read.buf`."""
        return ".".join((self.name, *self.old_path))
