"""Random integer expressions of C whose value is defined, with wrap-around as -fwrapv has it."""

from __future__ import annotations

import random
import struct

NUMBERS = {
    "a": "signed char",
    "b": "unsigned char",
    "c": "short",
    "d": "unsigned short",
    "e": "int",
    "f": "unsigned int",
    "g": "long",
    "h": "unsigned long",
    "k": "_Bool",
    "m": "double",
}
"""Fields of `struct s` that are numbers, and their types."""

STRUCT = f"""
enum color {{ red, green = 7, blue = 40 }};
struct s {{
    {" ".join(f"{type_} {name};" for name, type_ in NUMBERS.items())}
    enum color n;
    int q[4];
    unsigned low : 5;
    int middle : 7;
    unsigned rest : 20;
}};
"""
LAYOUT = "<bBhHxxiIqQ?xxxxxxxdI4iI"
"""Of `struct s`, as the module struct has it."""

_INTEGERS = [*(name for name, type_ in NUMBERS.items() if type_ != "double"), "n", "low", "middle", "rest"]
_CASTS = (
    *(one for one in NUMBERS.values() if one != "double"),
    *("unsigned", "long long", "uint8_t", "int16_t", "size_t"),
)
_LITERALS = (
    *("0", "1", "7", "(-5U)", "255", "0x80000000", "5U", "3L", "0xffffffffUL", "017", "1000000", "0x7fL"),
    *("'a'", r"'\n'", "green", "blue"),
)
_SIZES = ("sizeof(int)", "sizeof old.g", "sizeof(old)")


def expression(chance: random.Random, depth: int = 4) -> str:
    """An expression over `old`, a `struct s`."""
    if depth and chance.random() < 0.05:
        return f"old.q[{expression(chance, depth - 1)} & 3]"
    if depth == 0 or chance.random() < 0.1:
        return chance.choice([f"old.{chance.choice(_INTEGERS)}", f"old.{chance.choice(_INTEGERS)}", _leaf(chance)])
    return f"({_inner(chance, depth - 1)})"


def random_object(chance: random.Random) -> bytes:
    """A `struct s`."""

    def whole(bits: int, *, signed: bool) -> int:
        value = chance.choice((0, 1, -1, 1 << (bits - 1), chance.getrandbits(bits))) & ((1 << bits) - 1)
        return value - (1 << bits) if signed and value >> (bits - 1) else value

    pairs = [whole(bits, signed=signed) for bits in (8, 16, 32, 64) for signed in (True, False)]
    array = [whole(32, signed=True) for _ in range(4)]
    color = chance.choice((0, 7, 40))
    return struct.pack(
        LAYOUT, *pairs, chance.random() < 0.5, chance.uniform(-300, 300), color, *array, chance.getrandbits(32)
    )


def _leaf(chance: random.Random) -> str:
    return chance.choice(_LITERALS if chance.random() < 0.8 else _SIZES)


def _inner(chance: random.Random, depth: int) -> str:
    one = expression(chance, depth)
    match chance.randrange(10):
        case 0 | 1 | 2:
            return f"{one} {chance.choice('+-*&|^')} {expression(chance, depth)}"
        case 3:
            return f"{one} {chance.choice('/%')} {chance.choice(('3', '10U', '7L', '255'))}"
        case 4:
            return f"{one} {chance.choice(('<<', '>>'))} {chance.randrange(31)}"
        case 5:
            return f"{one} {chance.choice(('==', '!=', '<', '<=', '>', '>='))} {expression(chance, depth)}"
        case 6:
            return f"{one} {chance.choice(('&&', '||'))} {expression(chance, depth)}"
        case 7:
            return f"{chance.choice('-~!')}{one}"
        case 8:
            return f"({chance.choice(_CASTS)}){one}"
        case _:
            return f"{_condition(chance, depth)} ? {one} : {expression(chance, depth)}"


def _condition(chance: random.Random, depth: int) -> str:
    if chance.random() < 0.3:
        return f"old.m * 2.0 {chance.choice(('<', '>=', '=='))} (double){expression(chance, depth)}"
    return expression(chance, depth)
