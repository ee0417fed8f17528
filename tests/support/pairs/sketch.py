"""One pair while it is being written: the texts of both versions, and objects of its record in many places."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import Any

from tests.support.pairs.changes import Change, fresh_values
from tests.support.pairs.fields import (
    INT,
    Field,
    Int,
    Link,
    Struct,
    assign,
    check,
    declare,
    random_value,
    random_values,
)


class Fate(Enum):
    """What a perfect tool would do, given the same files."""

    POSSIBLE = "possible"
    REFUSE = "must be refused"
    EITHER = "either"
    """Nobody can know what is meant: refused, or committed if it turns out right."""


@dataclass
class Version:
    """The texts of one version. Functions are filled in by lines."""

    header: list[str] = field(default_factory=list)
    second_header: list[str] = field(default_factory=list)
    a: list[str] = field(default_factory=list)
    """Of the first source file."""
    b: list[str] = field(default_factory=list)
    """Of the second."""
    start: list[str] = field(default_factory=list)
    fill: list[str] = field(default_factory=list)
    check: list[str] = field(default_factory=list)


class Sketch:
    """Both versions of a pair whose names all begin with its tag."""

    def __init__(self, kind: str, tag: str, rng: Random, fate: Fate = Fate.POSSIBLE) -> None:
        self.kind = kind
        self.tag = tag
        self.rng = rng
        self.fate = fate
        self.annotations: list[str] = []
        self.old = Version()
        self.new = Version()
        self.details: list[str] = []

    def both(self, part: str, *lines: str) -> None:
        """The same text in both versions."""
        for version in (self.old, self.new):
            getattr(version, part).extend(lines)

    def name(self, word: str) -> str:
        """A C identifier of this pair."""
        return f"{self.tag}_{word}"


class Records:
    """A struct that changes, and objects of it. Every method adds some and their checks."""

    def __init__(
        self, sketch: Sketch, change: Change, word: str = "rec", *, in_header: bool = True, is_plain: bool = False
    ) -> None:
        """:param in_header: whether the struct is declared in the pair's header, else nowhere.
        :param is_plain: it is declared elsewhere, as it is; `word` is its whole tag. Else it gets a number and a link.
        """
        self.sketch = sketch
        self.type = word if is_plain else sketch.name(word)
        self.change = change if is_plain else _with_links(sketch.rng, change, self.type)
        self._made = 0
        self._lost = change.lost
        if in_header and not is_plain:
            self.declare("header", "header")
        for old_name, new_name in change.renamed.items():
            sketch.annotations.append(f"rename struct {self.type}.{old_name} -> {new_name};")

    def declare(self, old_part: str, new_part: str) -> None:
        """Writes the struct, and the enums that it needs, into a part of each version."""
        old, new = getattr(self.sketch.old, old_part), getattr(self.sketch.new, new_part)
        for before, after in self.change.enums:
            old.append(before.declare())
            new.append(after.declare())
            if before.tag != after.tag:
                self.sketch.annotations.append(f"rename type enum {before.tag} -> enum {after.tag};")
        old.append(declare(self.change.old, self.type) + ";")
        new.append(declare(self.change.new, self.type) + ";")

    # ---- values

    def values(self) -> dict[str, Any]:
        """Of one object of O; the one that must be lost is in the first."""
        return self._new_values() | self._to_lose()

    def _new_values(self) -> dict[str, Any]:
        self._made += 1
        return {**random_values(self.sketch.rng, self.change.old), "id": self._made}

    def _to_lose(self) -> dict[str, Any]:
        lost, self._lost = self._lost, None
        return {} if lost is None else {lost[0]: lost[1]}

    def old_statements(self, path: str, values: dict[str, Any]) -> list[str]:
        """Assignments in the old version."""
        return list(assign(path, self.change.old.fields, values))

    def new_statements(self, path: str, values: dict[str, Any]) -> list[str]:
        """Assignments in the new version."""
        return list(assign(path, self.change.new.fields, values))

    def expect(self, path: str, old: dict[str, Any], new: dict[str, Any]) -> None:
        """What each version must find in the fields of `path`."""
        self.sketch.old.check += check(path, self.change.old.fields, old)
        lost = self.change.lost[0] if self.change.lost is not None else ""
        kept = {name: value for name, value in new.items() if name != lost}
        self.sketch.new.check += check(path, self.change.new.fields, kept)

    def make(self, path: str) -> None:
        """An object of runtime: values in the old version, what becomes of them in the new one."""
        values = self.values()
        self.sketch.old.fill += self.old_statements(path, values)
        self.sketch.new.fill += self.new_statements(path, self._shown(values))
        self.expect(path, values, self.change.in_new(values))

    def make_at_start(self, path: str) -> None:
        """An object of start-up, of which the old version changes some fields later."""
        rng = self.sketch.rng
        first, lost = self._new_values(), self._to_lose()
        fresh = fresh_values(rng, self.change)
        first_new = self.change.in_new(first, fresh=fresh)
        self.sketch.old.start += self.old_statements(path, first)
        self.sketch.new.start += self.new_statements(path, first_new)
        later = dict(first)
        for one in self.change.old.fields:
            is_free = one.name != "id" and not isinstance(one.type, Link)
            if one.name in lost or (is_free and rng.random() < 0.5):
                later[one.name] = lost[one.name] if one.name in lost else random_value(rng, one)
                self.sketch.old.fill += assign(path, [one], {one.name: later[one.name]})
        new = self.change.in_new(later, fresh=fresh)
        self.expect(path, later, new)

    # What stands in the source of the new version is never run; it must only look like the old one.
    def _shown(self, values: dict[str, Any]) -> dict[str, Any]:
        return {"id": values["id"]}

    # ---- places

    def in_global(self, *, is_static: bool = False) -> str:
        """A variable; answers its name."""
        name = self.sketch.name(f"g{self._made}")
        self.sketch.both("a", f"{'static ' if is_static else ''}struct {self.type} {name};")
        if self.sketch.rng.random() < 0.7:
            self.make_at_start(f"{name}.")
        else:
            self.make(f"{name}.")
        return name

    def in_static_local(self) -> None:
        """A static variable of a function."""
        function = self.sketch.name(f"place{self._made}")
        self.sketch.both(
            "a",
            f"static __attribute__((noinline)) struct {self.type} *{function}(void) {{",
            f"    static struct {self.type} kept;",
            "    return &kept;",
            "}",
        )
        self.make(f"{function}()->")

    def in_list(self, at_start: int, later: int, *, by_void: bool = False) -> str:
        """A list whose first elements are made in start-up."""
        head = self.sketch.name(f"list{self._made}")
        self.sketch.both("a", f"static {'void' if by_void else f'struct {self.type}'} *{head};")
        path = f"((struct {self.type} *){head})" if by_void else head
        for index in range(at_start + later):
            part = "start" if index < at_start else "fill"
            place = head if index == 0 else path.removesuffix("->") + "->next" * index
            full = path if index == 0 else place
            self.sketch.both(part, f"{place} = calloc(1, sizeof(struct {self.type}));")
            if index < at_start:
                self.make_at_start(f"{full}->")
            else:
                self.make(f"{full}->")
        self.sketch.both("check", f"WANT({path}{'->next' * (at_start + later)} == 0);")
        return path

    def in_array(self, count: int, *, has_end: bool = False) -> str:
        """An array on the heap, and a pointer one past its end."""
        name, end = self.sketch.name(f"array{self._made}"), self.sketch.name(f"end{self._made}")
        self.sketch.both("a", f"static struct {self.type} *{name}, *{end};")
        how = self.sketch.rng.choice((f"calloc({count}, sizeof *{name})", f"malloc({count} * sizeof *{name})"))
        self.sketch.both("fill", f"{name} = {how};")
        if "malloc" in how:
            self.sketch.both("fill", f"memset({name}, 0, {count} * sizeof *{name});")
        for index in range(count):
            self.make(f"{name}[{index}].")
        if has_end:
            self.sketch.both("fill", f"{end} = {name} + {count};")
            self.sketch.both("check", f"WANT({end} == {name} + {count});")
        return name

    def in_table(self, slots: Iterable[int]) -> str:
        """A table of pointers, grown by realloc and indexed by the given numbers; the first slot is of start-up."""
        name, room = self.sketch.name(f"table{self._made}"), self.sketch.name(f"room{self._made}")
        self.sketch.both("a", f"static struct {self.type} **{name};\nstatic int {room};")
        for index, slot in enumerate(slots):
            part = "start" if index == 0 else "fill"
            self.sketch.both(
                part,
                f"if ({slot} >= {room}) {{",
                f"    {name} = realloc({name}, ({slot} + 4) * sizeof *{name});",
                f"    memset({name} + {room}, 0, ({slot} + 4 - {room}) * sizeof *{name});",
                f"    {room} = {slot} + 4;",
                "}",
                f"{name}[{slot}] = calloc(1, sizeof **{name});",
            )
            if index == 0:
                self.make_at_start(f"{name}[{slot}]->")
            else:
                self.make(f"{name}[{slot}]->")
        return name

    def in_void(self) -> str:
        """One that only a void pointer leads to; answers how to write it."""
        name, function = self.sketch.name(f"any{self._made}"), self.sketch.name(f"new{self._made}")
        self.sketch.both(
            "a",
            f"static void *{name};",
            f"static __attribute__((noinline)) struct {self.type} *{function}(int id) {{",
            f"    struct {self.type} *one = malloc(sizeof *one);",
            "    memset(one, 0, sizeof *one);",
            "    one->id = id;",
            "    return one;",
            "}",
        )
        self.sketch.both("fill", f"{name} = {function}(5);")
        self.make(f"((struct {self.type} *){name})->")
        return f"((struct {self.type} *){name})"

    def points_to_field(self, path: str) -> None:
        """A pointer to one of the numbers of an object, which must follow it."""
        rng = self.sketch.rng
        kept = {one.name: one for one in self.change.new.fields}
        same = [
            one
            for one in self.change.old.fields
            if isinstance(one.type, Int) and not one.bits and one.name in kept and kept[one.name] == one
        ]
        one = rng.choice([field for field in same if isinstance(field.type, Int)])
        assert isinstance(one.type, Int)
        name = self.sketch.name(f"inner{self._made}")
        self.sketch.both("a", f"static {one.type.name} *{name};")
        self.sketch.both("fill", f"{name} = &{path}{one.name};")
        self.sketch.both("check", f"WANT({name} == &{path}{one.name});")


def _with_links(rng: Random, change: Change, tag: str) -> Change:
    extra = [Field("id", INT), Field("next", Link(f"struct {tag}"))]
    old, new = list(change.old.fields), list(change.new.fields)
    if rng.random() < 0.5:
        rng.shuffle(extra)
    at = rng.choice((0, len(old)))
    old[at:at] = extra
    at = at and len(new)
    new[at:at] = extra
    return Change(Struct(tuple(old)), Struct(tuple(new)), change.enums, change.renamed, change.lost)
