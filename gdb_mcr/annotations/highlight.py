"""The words of the annotation language in groups, as highlighters tell them apart, and the grammar for editors."""

from __future__ import annotations

from gdb_mcr.annotations.grammar import keywords
from gdb_mcr.annotations.outline import STATEMENT_WORDS

TYPE_WORDS = frozenset(
    {"void", "char", "short", "int", "long", "float", "double", "signed", "unsigned", "_Bool", "bool", "const"}
)
STORAGE_WORDS = frozenset({"struct", "union", "enum", "type", "variable", "library"})
SIDES = frozenset({"old", "new"})
CONSTANTS = frozenset({"NULL", "true", "false"})
FUNCTIONS = frozenset({"fits", "sizeof"})

NUMBER = r"0[xX][0-9A-Fa-f]+[uUlL]*|0[bB][01]+[uUlL]*|[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+|[uUlL]*)"
STRING = r'"(?:[^"\\\n]|\\["\\])*"'
CHARACTER = r"'(?:[^'\\\n]|\\.[0-9A-Fa-f]*)'"
OPERATOR = r"->|::|\.\.|<<=?|>>=?|&&|\|\||[-+*/%&|^=!<>]=?|[~?:.]"


def other_keywords() -> frozenset[str]:
    """Keywords of none of the other groups, those that begin statements left out as well."""
    return keywords() - TYPE_WORDS - STORAGE_WORDS - SIDES - FUNCTIONS - set(STATEMENT_WORDS)


def textmate() -> dict[str, object]:
    """A TextMate grammar, which VS Code, Sublime Text, Zed and GitHub read.

    Source: https://macromates.com/manual/en/language_grammars
    """
    statements = set(STATEMENT_WORDS) - STORAGE_WORDS
    patterns = [
        {"name": "comment.line.double-slash.mcr", "match": r"//.*$"},
        {"name": "comment.block.mcr", "begin": r"/\*", "end": r"\*/"},
        {"name": "string.quoted.double.mcr", "match": STRING},
        {"name": "string.quoted.single.mcr", "match": CHARACTER},
        {"name": "variable.other.member.mcr", "match": r"(?<=\.|->)\s*[A-Za-z_][A-Za-z0-9_]*"},
        {"name": "keyword.control.mcr", "match": _any(statements | other_keywords())},
        {"name": "storage.type.mcr", "match": _any(STORAGE_WORDS | TYPE_WORDS)},
        {"name": "variable.language.mcr", "match": _any(SIDES)},
        {"name": "constant.language.mcr", "match": _any(CONSTANTS)},
        {"name": "support.function.mcr", "match": _any(FUNCTIONS)},
        {"name": "constant.numeric.mcr", "match": rf"\b(?:{NUMBER})\b"},
        {"name": "keyword.operator.mcr", "match": OPERATOR},
    ]
    return {
        "name": "gdb_mcr annotations",
        "scopeName": "source.mcr",
        "fileTypes": ["mcr"],
        "patterns": patterns,
    }


def _any(words: frozenset[str] | set[str]) -> str:
    return rf"\b(?:{'|'.join(sorted(words))})\b"
