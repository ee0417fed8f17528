"""The kinds of pairs: what differs between the versions, and what points where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from tests.support.pairs import changes
from tests.support.pairs.changes import Change, Maker
from tests.support.pairs.fields import INTS, Field, Struct, Text, check, declare, random_fields
from tests.support.pairs.sketch import Fate, Records, Sketch

KindMaker = Callable[[Random, str, bool], Sketch]
"""(random, tag, whether a perfect tool must refuse it)."""


def _sketch(kind: str, rng: Random, tag: str, must_refuse: bool) -> Sketch:
    return Sketch(kind, tag, rng, Fate.REFUSE if must_refuse else Fate.POSSIBLE)


def _scatter(records: Records, rng: Random) -> None:
    """Objects in some of the places where servers keep them."""
    places: list[Callable[[], object]] = [
        records.in_global,
        lambda: records.in_global(is_static=True),
        records.in_static_local,
        lambda: records.in_list(rng.randint(0, 3), rng.randint(1, 4)),
        lambda: records.in_array(rng.randint(1, 7), has_end=rng.random() < 0.3),
        lambda: records.in_table(sorted(rng.sample(range(40), rng.randint(1, 4)))),
        records.in_void,
    ]
    for place in rng.sample(places, rng.randint(2, 4)):
        place()


def _of_change(kind: str, change: Maker, can_lose: bool = True) -> KindMaker:
    def make(rng: Random, tag: str, must_refuse: bool) -> Sketch:
        sketch = _sketch(kind, rng, tag, must_refuse and can_lose)
        records = Records(sketch, change(rng, tag, must_refuse and can_lose))
        _scatter(records, rng)
        return sketch

    return make


# ---- pointers


def field_pointers(rng: Random, tag: str, must_refuse: bool) -> Sketch:
    """Pointers to fields of objects of all kinds; or an integer that hides one to what must move."""
    sketch = _sketch("interior pointers", rng, tag, must_refuse)
    change = changes.grow(rng, tag, False) if must_refuse else changes.any_change(rng, tag)
    anchor = Field("anchor", INTS[4])
    old = [*change.old.fields]
    new = [*change.new.fields]
    old.insert(rng.randint(0, len(old)), anchor)
    new.insert(rng.randint(0, len(new)), anchor)
    if must_refuse:
        new.append(Field("filler", Text(600)))
    records = Records(sketch, Change(Struct(tuple(old)), Struct(tuple(new)), change.enums))
    place = rng.randrange(4)
    if place == 0:
        records.points_to_field(f"{records.in_global()}.")
    elif place == 1:
        path = records.in_list(rng.randint(0, 2), 2)
        records.points_to_field(f"{path}->")
    elif place == 2:
        records.points_to_field(f"{records.in_array(4)}[2].")
    else:
        records.points_to_field(f"{records.in_void()}->")
    if must_refuse:
        path = records.in_list(0, 2)
        sketch.both("a", f"static unsigned long {sketch.name('hidden')};")
        sketch.both("fill", f"{sketch.name('hidden')} = (unsigned long){path}->next;")
        sketch.both("check", f"WANT({sketch.name('hidden')} == (unsigned long){path}->next);")
    return sketch


def past_the_end(rng: Random, tag: str, must_refuse: bool) -> Sketch:
    """Pointers one past the end of arrays whose elements change."""
    sketch = _sketch("one past the end", rng, tag, False)
    records = Records(sketch, changes.any_change(rng, tag))
    for _ in range(rng.randint(1, 3)):
        records.in_array(rng.randint(1, 9), has_end=True)
    if rng.random() < 0.5:
        name, count = sketch.name("fixed"), rng.randint(1, 6)
        sketch.both("a", f"static struct {records.type} {name}[{count}], *{name}_end;")
        for index in range(count):
            records.make(f"{name}[{index}].")
        sketch.both("fill", f"{name}_end = {name} + {count};")
        sketch.both("check", f"WANT({name}_end == {name} + {count});")
    return sketch


def tagged(rng: Random, tag: str, must_refuse: bool) -> Sketch:
    """Pointers with bits in their lowest places: in a pointer's type, or as an integer."""
    sketch = _sketch("tagged pointers", rng, tag, must_refuse)
    change = changes.any_change(rng, tag)
    old, new = list(change.old.fields), list(change.new.fields)
    old.append(Field("aligned", INTS[6]))
    new.append(Field("aligned", INTS[6]))
    if must_refuse:
        new.insert(0, Field("filler", Text(700)))
    records = Records(sketch, Change(Struct(tuple(old)), Struct(tuple(new)), change.enums))
    path = records.in_list(rng.randint(0, 1), 2)
    name, bits = sketch.name("tagged"), rng.randint(1, 7)
    if must_refuse:
        sketch.both("a", f"static unsigned long {name};")
        sketch.both("fill", f"{name} = (unsigned long){path}->next | {bits};")
    else:
        sketch.both("a", f"static struct {records.type} *{name};")
        sketch.both("fill", f"{name} = (void *)((unsigned long){path}->next | {bits});")
    sketch.both("check", f"WANT(((unsigned long){name} & ~7ul) == (unsigned long){path}->next);")
    sketch.both("check", f"WANT(((unsigned long){name} & 7) == {bits});")
    return sketch


def static_to_heap(rng: Random, tag: str, must_refuse: bool) -> Sketch:
    """Variables, static locals and tables of variables that point to the heap; or to what the new version lacks."""
    sketch = _sketch("static to heap", rng, tag, must_refuse)
    records = Records(sketch, changes.any_change(rng, tag))
    path = records.in_list(rng.randint(0, 2), 3)
    table, local = sketch.name("links"), sketch.name("local")
    sketch.both("a", f"static struct {{ int used; struct {records.type} *to[4]; void *any; }} {table};")
    sketch.both("a", f"static __attribute__((noinline)) struct {records.type} **{local}(void) {{")
    sketch.both("a", f"    static struct {records.type} *kept;\n    return &kept;\n}}")
    sketch.both("fill", f"{table}.used = 2; {table}.to[1] = {path}->next; {table}.any = {path}->next->next;")
    sketch.both("fill", f"*{local}() = {path};")
    sketch.both("check", f"WANT({table}.used == 2 && {table}.to[1] == {path}->next && !{table}.to[0]);")
    sketch.both("check", f"WANT({table}.any == {path}->next->next && *{local}() == {path});")
    if must_refuse:
        what = rng.randrange(3)
        name = sketch.name("target")
        sketch.both("a", f"static int (*{name}_call)(int);\nstatic int *{name}_data;\nint {name}_spare;")
        sketch.old.a.append(f"static __attribute__((noinline)) int {name}_gone(int x) {{ return x * 3 + 1; }}")
        sketch.both("a", f"static __attribute__((noinline)) int {name}_stays(int x) {{ return x + 2; }}")
        sketch.both("start", f"{name}_call = {name}_stays;\n    {name}_data = &{name}_spare;")
        if what == 0:
            sketch.old.fill.append(f"{name}_call = {name}_gone;")
        elif what == 1:
            sketch.old.a.append(f"int {name}_lost = 1;")
            sketch.old.fill.append(f"{name}_data = &{name}_lost;")
        else:
            sketch.old.a.append(f"int {name}_changed = 1;")
            sketch.old.fill.append(f"{name}_changed = 5;")
            sketch.old.check.append(f"WANT({name}_changed == 5);")
        sketch.both("check", f"WANT({name}_call && {name}_data);")
        sketch.old.check.append(f"WANT({name}_call(1) && *{name}_data < 9);")
    return sketch


def texts(rng: Random, tag: str, must_refuse: bool) -> Sketch:
    """Buffers of one size that stand behind each other, and structs of another layout between them."""
    sketch = _sketch("texts", rng, tag, False)
    records = Records(sketch, changes.any_change(rng, tag))
    size, count = rng.choice((16, 32, 48, 64, 256)), rng.randint(2, 6)
    buffer = sketch.name("buffers")
    sketch.both("a", f"static struct {{ char *start, *at; unsigned char *raw; }} {buffer}[{count}];")
    for index in range(count):
        one, used = f"{buffer}[{index}]", rng.randint(0, size - 1)
        text = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(used))
        sketch.both(
            "fill", f'{one}.start = malloc({size}); strcpy({one}.start, "{text}"); {one}.at = {one}.start + {used};'
        )
        sketch.both("fill", f"{one}.raw = malloc({size}); memset({one}.raw, {index + 1}, {size});")
        sketch.both("check", f'WANT(strcmp({one}.start, "{text}") == 0 && {one}.at == {one}.start + {used});')
        sketch.both("check", f"WANT({one}.raw[0] == {index + 1} && {one}.raw[{size - 1}] == {index + 1});")
    _scatter(records, rng)
    return sketch


def constants(rng: Random, tag: str, must_refuse: bool) -> Sketch:
    """Pointers into constant tables whose elements change, to functions and to texts."""
    sketch = _sketch("constants", rng, tag, False)
    change = changes.grow(rng, tag, False)
    old, new = [Field("key", INTS[4]), *change.old.fields], list(change.new.fields)
    new.insert(rng.randint(0, len(new)), Field("key", INTS[4]))
    entry, table, name = sketch.name("entry"), sketch.name("entries"), sketch.name("chosen")
    count = rng.randint(2, 6)
    for version, fields in ((sketch.old, old), (sketch.new, new)):
        version.header.append(declare(Struct(tuple(fields)), entry) + ";")
        rows = ", ".join(f"{{.key = {index * 7 + 3}}}" for index in range(count))
        version.a.append(f"static const struct {entry} {table}[{count}] = {{{rows}}};")
    chosen = rng.randrange(count)
    sketch.both("a", f"static const struct {entry} *{name};\nstatic const char *{name}_text;")
    sketch.both("a", f"static __attribute__((noinline)) int {name}_f(int x) {{ return x * 5; }}")
    sketch.both("a", f"static int (*{name}_call)(int);")
    sketch.both("start", f"{name} = {table};")
    sketch.both(
        "fill", f'{name} = &{table}[{chosen}];\n    {name}_text = "text of {tag}";\n    {name}_call = {name}_f;'
    )
    sketch.both("check", f"WANT({name} == &{table}[{chosen}] && {name}->key == {chosen * 7 + 3});")
    sketch.both("check", f'WANT(strcmp({name}_text, "text of {tag}") == 0 && {name}_call(3) == 15);')
    return sketch


# ---- memory that no single type describes


def tails(rng: Random, tag: str, must_refuse: bool) -> Sketch:
    """Structs with elements or bytes behind them."""
    kind = rng.choice(("numbers", "bytes", "structs", "array of one"))
    sketch = _sketch("tails", rng, tag, must_refuse)
    change = changes.any_change(rng, tag, must_refuse)
    node = sketch.name("node")
    count = Field("count", INTS[4])
    old, new = [*change.old.fields, count], list(change.new.fields)
    new.insert(rng.randint(0, len(new)), count)
    element, size = _tail_element(sketch, kind)
    extra = "[1]" if kind == "array of one" else "[]"
    for version, fields in ((sketch.old, old), (sketch.new, new)):
        text = declare(Struct(tuple(fields)), node)
        version.header.append(f"{text[:-1]}    {element} tail{extra};\n}};")
    records = Records(sketch, Change(Struct(tuple(old)), Struct(tuple(new)), lost=change.lost), node, is_plain=True)
    for index in range(rng.randint(2, 5)):
        length = rng.choice((rng.randint(0, 4), rng.randint(5, 40)))
        _one_with_tail(records, node, kind, index, length, size)
    return sketch


def _tail_element(sketch: Sketch, kind: str) -> tuple[str, int]:
    rng = sketch.rng
    if kind in ("bytes", "array of one"):
        return "char", 1
    if kind == "numbers":
        one = rng.choice(INTS[2:])
        return one.name, one.bits // 8
    change = rng.choice((changes.grow, changes.reorder))(rng, sketch.tag, False)
    item = sketch.name("item")
    key = Field("key", INTS[4])
    sketch.old.header.append(declare(Struct((key, *change.old.fields)), item) + ";")
    sketch.new.header.append(declare(Struct((*change.new.fields, key)), item) + ";")
    return f"struct {item}", 0


def _one_with_tail(records: Records, node: str, kind: str, index: int, length: int, size: int) -> None:
    sketch = records.sketch
    name = sketch.name(f"tail{index}")
    member = ".key" if kind == "structs" else ""
    sketch.both("a", f"static struct {node} *{name};")
    room = f"{length} * sizeof {name}->tail[0]"
    whole = kind == "array of one" or sketch.rng.random() < 0.5
    base = f"sizeof *{name}" if whole else f"offsetof(struct {node}, tail)"
    sketch.both("fill", f"{name} = malloc({base} + {room} < sizeof *{name} ? sizeof *{name} : {base} + {room});")
    sketch.both("fill", f"memset({name}, 0, {base} + {room});")
    values = {**records.values(), "count": length}
    sketch.old.fill += records.old_statements(f"{name}->", values)
    sketch.new.fill += records.new_statements(f"{name}->", {"count": length})
    sketch.both("fill", f"for (int i = 0; i < {length}; i++) {name}->tail[i]{member} = 3 + i * 5 % 90;")
    records.expect(f"{name}->", values, records.change.in_new(values))
    sketch.both("check", f"for (int i = 0; i < {length}; i++) WANT({name}->tail[i]{member} == 3 + i * 5 % 90);")


def unions(rng: Random, tag: str, must_refuse: bool) -> Sketch:
    """A union that grows or gets alternatives; one whose alternatives change must be refused."""
    sketch = _sketch("unions", rng, tag, must_refuse)
    change = changes.any_change(rng, tag)
    records = Records(sketch, change)
    cell = sketch.name("cell")
    first = f"struct {{ int x, y; }} point; long number; double real; char text[{rng.randint(8, 30)}];"
    pointers = rng.random() < 0.5
    if pointers:
        first += f" struct {records.type} *to;"
    if must_refuse:
        old_union, new_union = (
            f"{first} struct {{ int a; long b; }} pair;",
            f"{first} struct {{ long b; int a; }} pair;",
        )
        active, test = "pair.a = 5; U.pair.b = 6;", "U.pair.a == 5 && U.pair.b == 6"
    else:
        old_union, new_union = first, rng.choice((f"{first} char room[90];", f"int small; {first}", first))
        active, test = rng.choice(
            (
                ("point.x = 4; U.point.y = -3;", "U.point.x == 4 && U.point.y == -3"),
                ("real = 2.5;", "U.real == 2.5"),
                ("text[0] = 'h'; U.text[1] = 'o';", "U.text[0] == 'h' && U.text[1] == 'o'"),
            )
        )
    inner = rng.choice(("value", ""))
    sketch.old.header.append(f"struct {cell} {{ int before; union {{ {old_union} }} {inner}; int behind; }};")
    extra = rng.choice(("", "long added;"))
    sketch.new.header.append(f"struct {cell} {{ {extra} int before; union {{ {new_union} }} {inner}; int behind; }};")
    name = sketch.name("cells")
    sketch.both("a", f"static struct {cell} *{name};")
    at = f"{name}[1]." + (f"{inner}." if inner else "")
    sketch.both("fill", f"{name} = calloc(3, sizeof *{name}); {name}[1].before = 7; {name}[1].behind = 8;")
    sketch.both("fill", f"{at}{active.replace('U.', at)}")
    sketch.both("check", f"WANT({name}[1].before == 7 && {name}[1].behind == 8 && {test.replace('U.', at)});")
    return sketch


def pools(rng: Random, tag: str, must_refuse: bool) -> Sketch:
    """Objects in a block of bytes: right if they stay as they are, else to be refused."""
    sketch = _sketch("pools", rng, tag, must_refuse)
    same = Change(Struct(fields := tuple(random_fields(rng, "f", 4))), Struct(fields))
    change = changes.grow(rng, tag, False) if must_refuse else same
    records = Records(sketch, change)
    pool, name = sketch.name("pool"), sketch.name("inside")
    sketch.both("a", f"static char *{pool};\nstatic struct {records.type} *{name};")
    sketch.both("fill", f"{pool} = malloc(4096); memset({pool}, 0, 4096);")
    sketch.both("fill", f"{name} = (struct {records.type} *)({pool} + {rng.randint(1, 30) * 16});")
    records.make(f"{name}->")
    return sketch


def pointees(rng: Random, tag: str, must_refuse: bool) -> Sketch:
    """A pointer whose target gets another type, as an array of int that becomes one of long."""
    sketch = _sketch("pointees", rng, tag, True)
    sketch.fate = Fate.EITHER
    old, new = rng.sample([one for one in INTS if one.bits > 8], 2)
    while old.bits == new.bits:
        old, new = rng.sample([one for one in INTS if one.bits > 8], 2)
    name, count = sketch.name("numbers"), rng.randint(2, 9)
    for version, one in ((sketch.old, old), (sketch.new, new)):
        version.a.append(f"static struct {{ int count; {one.name} *at; }} {name};")
    sketch.both("fill", f"{name}.count = {count}; {name}.at = malloc({count} * sizeof *{name}.at);")
    sketch.both("fill", f"for (int i = 0; i < {count}; i++) {name}.at[i] = 100 + i;")
    sketch.both("check", f"for (int i = 0; i < {count}; i++) WANT({name}.at[i] == 100 + i);")
    return sketch


def void_lists(rng: Random, tag: str, must_refuse: bool) -> Sketch:
    """A list whose head is a void pointer that nothing gives a type: right if it stays as it is."""
    sketch = _sketch("void lists", rng, tag, must_refuse)
    same = Change(Struct(fields := tuple(random_fields(rng, "f", 5))), Struct(fields))
    records = Records(sketch, changes.any_change(rng, tag) if must_refuse else same)
    records.in_list(0, rng.randint(1, 4), by_void=True)
    return sketch


# ---- names


def two_of_one_name(rng: Random, tag: str, must_refuse: bool) -> Sketch:
    """Each source file has a struct of that name; both change."""
    sketch = _sketch("two types of one name", rng, tag, must_refuse)
    first = Records(sketch, changes.any_change(rng, tag, must_refuse), "same", in_header=False)
    first.declare("a", "a")
    second = changes.any_change(rng, tag)
    other = Struct((Field("id", INTS[4]), *second.old.fields)), Struct((*second.new.fields, Field("id", INTS[4])))
    sketch.old.b.append(declare(other[0], first.type) + ";")
    sketch.new.b.append(declare(other[1], first.type) + ";")
    name = sketch.name("other")
    _scatter(first, rng)
    helper = Records(sketch, Change(*other), first.type, is_plain=True)
    values = helper.values()
    sketch.both("header", f"void {name}_fill(void);\nvoid {name}_check(FILE *out);")
    for version, lines, wanted in (
        (sketch.old, helper.old_statements(f"{name}->", values), values),
        (sketch.new, helper.new_statements(f"{name}->", {}), helper.change.in_new(values)),
    ):
        fields = other[0] if version is sketch.old else other[1]
        checks = list(check(f"{name}->", fields.fields, wanted))
        version.b.append(f"static struct {first.type} *{name};")
        version.b.append(f"void {name}_fill(void) {{\n    {name} = calloc(1, sizeof *{name});")
        version.b += [f"    {line}" for line in lines]
        version.b.append("}")
        version.b.append(f"void {name}_check(FILE *out) {{")
        version.b += [f"    {line}" for line in checks]
        version.b.append("}")
    sketch.both("fill", f"{name}_fill();")
    sketch.both("check", f"{name}_check(out);")
    return sketch


def moved_file(rng: Random, tag: str, must_refuse: bool) -> Sketch:
    """The struct is declared in another header now, and changes."""
    sketch = _sketch("moved between files", rng, tag, must_refuse)
    records = Records(sketch, changes.any_change(rng, tag, must_refuse), in_header=False)
    records.declare("header", "second_header")
    _scatter(records, rng)
    return sketch


def static_locals(rng: Random, tag: str, must_refuse: bool) -> Sketch:
    """Static variables of one name in several functions and files."""
    sketch = _sketch("static locals", rng, tag, False)
    records = Records(sketch, changes.any_change(rng, tag))
    functions = [sketch.name(f"count{index}") for index in range(rng.randint(2, 4))]
    parts = [rng.choice("ab") for _ in functions]
    for version in (sketch.old, sketch.new):
        for function, part in rng.sample(list(zip(functions, parts, strict=True)), len(functions)):
            version.header.append(f"long {function}(long by);")
            text = f"    static long total;\n    static struct {records.type} *last;\n    total += by;"
            getattr(version, part).append(f"__attribute__((noinline)) long {function}(long by) {{\n{text}")
            getattr(version, part).append("    return last ? 0 : total;\n}")
    for index, function in enumerate(functions):
        sketch.both("fill", f"{function}({100 + index});")
        sketch.both("check", f"WANT({function}(0) == {100 + index});")
    for _ in range(rng.randint(1, 3)):
        records.in_static_local()
    return sketch


def same_static_names(rng: Random, tag: str, must_refuse: bool) -> Sketch:
    """Both files have a static variable of one name; in the new version one of them is gone."""
    sketch = _sketch("static locals", rng, tag, must_refuse)
    name = sketch.name("twin")
    for part in "ab":
        versions = (sketch.old, sketch.new) if part == "a" or not must_refuse else (sketch.old,)
        for version in versions:
            getattr(version, part).append(f"static long {name} = 1;")
    sketch.both("header", f"void {name}_set(long);\nlong {name}_get(void);")
    for version in (sketch.old, sketch.new):
        own = name if version is sketch.old or not must_refuse else "0"
        setter = f"{name} = value;" if own == name else "(void)value;"
        version.b.append(f"void {name}_set(long value) {{ {setter} }}\nlong {name}_get(void) {{ return {own}; }}")
    sketch.both("fill", f"{name}_set(55); {name} = 66;")
    sketch.both("check", f"WANT({name} == 66);")
    sketch.old.check.append(f"WANT({name}_get() == 55);")
    if not must_refuse:
        sketch.new.check.append(f"WANT({name}_get() == 55);")
    return sketch


def typedef_only(rng: Random, tag: str, must_refuse: bool) -> Sketch:
    """A struct without a tag, which only a typedef names."""
    sketch = _sketch("nested and anonymous", rng, tag, must_refuse)
    records = Records(sketch, changes.any_change(rng, tag, must_refuse), in_header=False)
    name = sketch.name("alias")
    for version, one in ((sketch.old, records.change.old), (sketch.new, records.change.new)):
        fields = tuple(field for field in one.fields if field.name != "next")
        version.header.append(f"typedef {declare(Struct(fields), '')} {name};")
    items, single = sketch.name("items"), sketch.name("single")
    count = rng.randint(1, 5)
    sketch.both("a", f"static {name} *{items}, {single};\nstatic void *{items}_any;")
    sketch.both("fill", f"{items} = calloc({count}, sizeof({name}));")
    for index in range(count):
        records.make(f"{items}[{index}].")
    records.make(f"{single}.")
    sketch.both("fill", f"{{ {name} *one = malloc(sizeof *one); memset(one, 0, sizeof *one); {items}_any = one; }}")
    records.make(f"(({name} *){items}_any)->")
    return sketch


def table_by_fd(rng: Random, tag: str, must_refuse: bool) -> Sketch:
    """A table that grows by realloc and is indexed by a number."""
    sketch = _sketch("tables by number", rng, tag, must_refuse)
    records = Records(sketch, changes.any_change(rng, tag, must_refuse))
    records.in_table(sorted(rng.sample(range(100), rng.randint(2, 7))))
    return sketch


KINDS: Mapping[str, tuple[KindMaker, ...]] = {
    "growth": (_of_change("growth", changes.grow, False),),
    "shrink": (_of_change("shrink", changes.shrink),),
    "reorder": (_of_change("reorder", changes.reorder, False),),
    "retype": (_of_change("retype", changes.retype),),
    "renamed enums": (_of_change("renamed enums", changes.enums),),
    "bit fields": (_of_change("bit fields", changes.bit_fields),),
    "same size": (_of_change("same size", changes.same_size),),
    "nested and anonymous": (_of_change("nested and anonymous", changes.nested), typedef_only),
    "renamed fields": (_of_change("renamed fields", changes.rename, False),),
    "tails": (tails,),
    "two types of one name": (two_of_one_name,),
    "moved between files": (moved_file,),
    "tables by number": (table_by_fd,),
    "unions": (unions,),
    "static locals": (static_locals, same_static_names),
    "static to heap": (static_to_heap,),
    "one past the end": (past_the_end,),
    "tagged pointers": (tagged,),
    "interior pointers": (field_pointers,),
    "constants": (constants,),
    "pools": (pools,),
    "pointees": (pointees,),
    "void lists": (void_lists,),
    "texts": (texts,),
}
"""Every kind appears in every campaign."""


def make_pair(seed: int, number: int, share_refused: float = 0.2) -> Sketch:
    """The pair of that number: the same for the same seed. Its tag is the number."""
    rng = Random(f"{seed}/{number}")
    names = list(KINDS)
    kind = names[number % len(names)]
    must_refuse = rng.random() < share_refused
    return rng.choice(KINDS[kind])(rng, f"s{number:05}", must_refuse)
