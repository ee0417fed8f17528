"""Random integer expressions of C whose value is defined, with wrap-around as -fwrapv has it."""

from __future__ import annotations

import random

FIELDS = {
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
"""Fields of `struct s` and their types."""

_INTEGERS = [name for name, type_ in FIELDS.items() if type_ != "double"]
_CASTS = [*(one for one in FIELDS.values() if one != "double"), "unsigned", "long long", "uint8_t", "int16_t", "size_t"]
_LITERALS = ("0", "1", "7", "255", "0x80000000", "5U", "3L", "0xffffffffUL", "'a'", r"'\n'", "017", "1000000", "0x7fL")
_SIZES = ("sizeof(int)", "sizeof old.g", "sizeof(old)")


def expression(chance: random.Random, depth: int = 4) -> str:
    """An expression over `old`, an object with `FIELDS`."""
    if depth == 0 or chance.random() < 0.1:
        return chance.choice([f"old.{chance.choice(_INTEGERS)}", f"old.{chance.choice(_INTEGERS)}", _leaf(chance)])
    return f"({_inner(chance, depth - 1)})"


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
