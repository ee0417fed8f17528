"""The statements of `*.mcr` files as a user wrote them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from gdb_mcr.model.written import FieldPath, Written, WrittenStep
from gdb_mcr.source import Span


@dataclass(frozen=True, slots=True)
class TypeName:
    """A type: `conn`, `struct conn`, `"dict.h"::struct dict`."""

    name: str
    tag: str
    """struct, union, enum, or "" if not said."""
    file: str
    """The declaring source file or the end of its path; "" if not said."""
    span: Span

    def __str__(self) -> str:
        tag = f"{self.tag} " if self.tag else ""
        return f"{_quoted(self.file)}{tag}{self.name}"


@dataclass(frozen=True, slots=True)
class VariableName:
    """A variable with static storage: `settings`, `main::port`, `"items.c"::lru_locks`."""

    name: str
    function: str
    """For a function-level static, its function; "" otherwise."""
    file: str
    span: Span

    def __str__(self) -> str:
        function = f"{self.function}::" if self.function else ""
        return f"{_quoted(self.file)}{function}{self.name}"


@dataclass(frozen=True, slots=True)
class TypeTarget:
    """A field of every object of a type."""

    type: TypeName
    path: FieldPath
    span: Span

    def __str__(self) -> str:
        return f"{self.type}{_dotted(self.path)}"


@dataclass(frozen=True, slots=True)
class VariableTarget:
    """A variable, or one field of it. ``certain`` is False for a bare name, which may yet mean a type."""

    variable: VariableName
    path: FieldPath
    certain: bool
    span: Span

    def __str__(self) -> str:
        return f"{self.variable}{_dotted(self.path)}"


Target: TypeAlias = TypeTarget | VariableTarget


@dataclass(frozen=True, slots=True)
class RenameField:
    """`rename conn.old -> new;` The new path starts in the type's new form."""

    type: TypeName
    old: FieldPath
    new: FieldPath
    span: Span

    def __str__(self) -> str:
        return f"rename {self.type}{_dotted(self.old)} -> {_dotted(self.new)[1:]};"


@dataclass(frozen=True, slots=True)
class RenameType:
    """`rename type Old -> New;`"""

    old: TypeName
    new: TypeName
    span: Span

    def __str__(self) -> str:
        return f"rename type {self.old} -> {self.new};"


@dataclass(frozen=True, slots=True)
class RenameVariable:
    """`rename variable old -> new;`"""

    old: VariableName
    new: VariableName
    span: Span

    def __str__(self) -> str:
        return f"rename variable {self.old} -> {self.new};"


class Treatment(Enum):
    """What a merge does with a field, whatever it would do by itself (DESIGN section 9)."""

    KEEP_OLD = "keep old"
    """O's value moves, even if unchanged since its start."""
    KEEP_NEW = "keep new"
    """N's value stays, even if O changed its own."""
    COUNTER = "counter"
    """theirs + ours - base."""
    DROP = "drop"
    """O's value has no home in N and needs none."""


@dataclass(frozen=True, slots=True)
class Treat:
    """`keep old|new TARGET;` `counter TARGET;` `drop TARGET;` The target is named as the old program names it."""

    treatment: Treatment
    target: Target
    span: Span

    def __str__(self) -> str:
        return f"{self.treatment.value} {self.target};"


@dataclass(frozen=True, slots=True)
class NeverMergeType:
    """`never merge type NAME;` Objects of the type stay N's own."""

    type: TypeName
    span: Span

    def __str__(self) -> str:
        return f"never merge type {self.type};"


@dataclass(frozen=True, slots=True)
class NeverMergeLibrary:
    """`never merge library "libc.so*";` The data and the chunks of matching libraries stay N's own."""

    pattern: str
    """A file name, with the wildcards of fnmatch(3)."""
    span: Span

    def __str__(self) -> str:
        return f'never merge library "{self.pattern}";'


@dataclass(frozen=True, slots=True)
class LibraryPointsTo:
    """`library "libevent*" points to struct event;`

    Chunks that such a library owns may hold pointers to or into objects of the type; words that could be such
    pointers are.
    """

    pattern: str
    type: TypeName
    span: Span

    def __str__(self) -> str:
        return f'library "{self.pattern}" points to {self.type};'


@dataclass(frozen=True, slots=True)
class FreeType:
    """`free struct cache_free_s;` A chunk that begins with an object of this type is free memory that the old program
    keeps for itself: only the object is state. What follows it in the chunk is dead; whatever else points there is
    stale."""

    type: TypeName
    span: Span

    def __str__(self) -> str:
        return f"free {self.type};"


@dataclass(frozen=True, slots=True)
class PlainBytes:
    """`bytes conn.rbuf;` Where this pointer leads are plain bytes and never pointers, whatever stale words stand there.

    The target is a pointer, or an array of pointers, of the old program.
    """

    target: Target
    span: Span

    def __str__(self) -> str:
        return f"bytes {self.target};"


@dataclass(frozen=True, slots=True)
class Tagged:
    """`tagged conn.next & 7;` These bits of the pointer are the program's own and no part of the address."""

    target: Target
    mask: Written
    mask_text: str
    span: Span

    def __str__(self) -> str:
        return f"tagged {self.target} & {self.mask_text};"


@dataclass(frozen=True, slots=True)
class Length:
    """`length conn.items = old.count;` How many elements are in use where this pointer leads."""

    target: Target
    count: Written
    count_text: str
    span: Span

    def __str__(self) -> str:
        return f"length {self.target} = {self.count_text};"


@dataclass(frozen=True, slots=True)
class Points:
    """`points node.value to struct client;` What stands where an untyped pointer leads."""

    target: Target
    type: TypeName
    span: Span

    def __str__(self) -> str:
        return f"points {self.target} to {self.type};"


@dataclass(frozen=True, slots=True)
class Active:
    """`active value.text when old.kind == 1;` When this member of its union is the one in use."""

    target: Target
    condition: Written
    condition_text: str
    span: Span

    def __str__(self) -> str:
        return f"active {self.target} when {self.condition_text};"


@dataclass(frozen=True, slots=True)
class Opaque:
    """`opaque conn.scratch;` Any word of the field may be a pointer, whatever its type says."""

    target: Target
    span: Span

    def __str__(self) -> str:
        return f"opaque {self.target};"


@dataclass(frozen=True, slots=True)
class Precise:
    """`precise conn.value;` The field's type is believed where it would be taken for opaque."""

    target: Target
    span: Span

    def __str__(self) -> str:
        return f"precise {self.target};"


@dataclass(frozen=True, slots=True)
class Transfer:
    """`transfer conn { … }` What the new object holds, computed from the old one."""

    subject: TypeName | VariableName
    certain: bool
    """False for a bare name, which is a variable's here but may yet mean a type."""
    body: tuple[WrittenStep, ...]
    span: Span

    def __str__(self) -> str:
        word = "variable " if self.certain and isinstance(self.subject, VariableName) else ""
        return f"transfer {word}{self.subject} {{ … }}"


@dataclass(frozen=True, slots=True)
class Use:
    """`use "handlers.so";` Where the functions that handlers call come from."""

    library: str
    """A path, relative to the file with the statement."""
    span: Span

    def __str__(self) -> str:
        return f'use "{self.library}";'


class InputState(Enum):
    """What the new server's start-up finds where the old one's found a file."""

    NEW = "new"
    """What stands there now."""
    ABSENT = "absent"
    """Nothing: what is in it comes with the old server's memory."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """`input "dump.rdb" absent;`"""

    pattern: str
    """An absolute path or the end of one, with the wildcards of fnmatch(3)."""
    state: InputState
    span: Span

    def __str__(self) -> str:
        return f'input "{self.pattern}" {self.state.value};'


Statement: TypeAlias = (
    RenameField
    | RenameType
    | RenameVariable
    | Treat
    | NeverMergeType
    | NeverMergeLibrary
    | LibraryPointsTo
    | FreeType
    | PlainBytes
    | Tagged
    | Length
    | Points
    | Active
    | Opaque
    | Precise
    | Transfer
    | Use
    | InputFile
)


def _quoted(file: str) -> str:
    if not file:
        return ""
    escaped = file.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"::'


def _dotted(path: FieldPath) -> str:
    return "".join(f".{one.name}" for one in path)
