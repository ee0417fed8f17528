"""Random annotations: from the grammar, and broken on purpose."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache

from lark import Lark
from lark.grammar import NonTerminal, Rule, Symbol

from gdb_mcr.annotations.grammar import parser

MAX_DEPTH = 9
"""Rules inside one another, after which the shortest way out is taken."""

_NAMES = """
conn job stats value settings slots fd rbuf id count ticks state used limit next data as text number old_only idle
reading started length drop free x i n
"""
_FIELDS = """
next id count total ticks small ratio state slots used limit room bytes data conn run busy other idle reading i n fits
started queue
"""
_TERMINALS = {
    "NAME": _NAMES.split(),
    "STRING": ['"a.c"', '"libc.so*"', r'"a\"b"'],
    "NUMBER": ["0", "1", "7", "0x1f", "100UL", "1.5", "0b11", "017", "9223372036854775807"],
    "CHARACTER": ["'a'", r"'\n'", r"'\x41'"],
    "TYPE_WORD": ["int", "unsigned", "char", "long", "double", "void"],
    "EQUALITY": ["==", "!="],
    "RELATION": ["<", "<=", ">", ">="],
    "SHIFT": ["<<", ">>"],
    "DIVISION": ["/", "%"],
    "COMPOUND": ["+=", "-=", "|=", "<<="],
}
_BLANKS = ("", "", " ", " ", " ", "\n", "  ", "\n\n\n", " /* c */ ", " // d\n", "\t")
_NOISE = (
    '"', "'", ";", "{", "}", "(", ")", "/*", "*/", "//", "\\", ".", "->", "\n", "", "é", "\0", "transfer", "=", "9"
)  # fmt: skip


def random_text(chance: random.Random, statements: int = 3) -> str:
    """Statements of the grammar, with blanks and comments anywhere between their words."""
    words = [word for _ in range(chance.randint(1, statements)) for word in _derive("statement", chance, 0)]
    return _spaced(words, chance)


def random_handler(chance: random.Random) -> str:
    """A transfer handler of `small_programs`: its steps are of the grammar, their names mostly those of its fields."""
    steps = [word for _ in range(chance.randint(1, 4)) for word in _derive("step", chance, 3, _FIELDS.split())]
    return _spaced(["transfer", "job", "{", *steps, "}"], chance)


def mutated(text: str, chance: random.Random) -> str:
    """The text with some stretches replaced."""
    characters = list(text) or [" "]
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(characters))
        characters[at : at + chance.randint(0, 3)] = chance.choice(_NOISE)
        characters = characters or [" "]
    return "".join(characters)


def _spaced(words: Sequence[str], chance: random.Random) -> str:
    text = ""
    for word in words:
        blank = chance.choice(_BLANKS)
        if not blank and text and _would_join(text[-1], word):
            blank = " "
        text += blank + word
    return text


# Whether two words would become one, or a comment.
def _would_join(last: str, word: str) -> bool:
    is_name = (last.isalnum() or last == "_") and (word[0].isalnum() or word[0] == "_")
    return is_name or (last in "-+*/%&|^=!<>:." and word[0] in "-+*/%&|^=!<>:.") or (last.isdigit() and word[0] == ".")


def _derive(name: str, chance: random.Random, depth: int, names: Sequence[str] = ()) -> list[str]:
    rules = _rules()[name]
    if depth > MAX_DEPTH:
        least = min(_cost(one) for one in rules)
        rules = [one for one in rules if _cost(one) == least]
    words: list[str] = []
    for symbol in chance.choice(rules).expansion:
        if isinstance(symbol, NonTerminal):
            words += _derive(symbol.name, chance, depth + 1, names)
        elif symbol.name == "NAME" and names:
            words.append(chance.choice(names))
        else:
            words.append(_word(symbol, chance))
    return words


def _word(symbol: Symbol, chance: random.Random) -> str:
    if symbol.name in _TERMINALS:
        return chance.choice(_TERMINALS[symbol.name])
    pattern = _lark().get_terminal(symbol.name).pattern
    return pattern.value.partition("(?!")[0] if pattern.type == "re" else str(pattern.value)


@cache
def _cost(rule: Rule) -> int:
    return max(
        (_least_depths().get(one.name, 1000) for one in rule.expansion if isinstance(one, NonTerminal)), default=0
    )


def _lark() -> Lark:
    return parser()


@cache
def _rules() -> dict[str, list[Rule]]:
    found: dict[str, list[Rule]] = {}
    for rule in _lark().rules:
        found.setdefault(rule.origin.name, []).append(rule)
    return found


# How many rules deep the shortest text of each is.
@cache
def _least_depths() -> dict[str, int]:
    depths: dict[str, int] = {}
    changed = True
    while changed:
        changed = False
        for name, rules in _rules().items():
            known = [
                1 + max((depths[one.name] for one in rule.expansion if isinstance(one, NonTerminal)), default=0)
                for rule in rules
                if all(one.name in depths for one in rule.expansion if isinstance(one, NonTerminal))
            ]
            if known and depths.get(name, 1000) > min(known):
                depths[name] = min(known)
                changed = True
    return depths
