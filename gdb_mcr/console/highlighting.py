"""Pygments lexers: for annotation files (`pygmentize FILE.mcr` finds it), and for what is typed into `mcr shell`."""

from __future__ import annotations

from typing import ClassVar

from pygments.lexer import RegexLexer, bygroups, include, words
from pygments.token import Comment, Keyword, Name, Number, Operator, Punctuation, String, Text, Whitespace

from gdb_mcr.annotations import highlight
from gdb_mcr.annotations.outline import STATEMENT_WORDS
from gdb_mcr.commands.registry import FrontEnd
from gdb_mcr.commands.table import available
from gdb_mcr.console.completer import BUILTINS

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"


class AnnotationLexer(RegexLexer):
    """The annotation language."""

    name = "gdb_mcr annotations"
    aliases: ClassVar[list[str]] = ["mcr"]
    filenames: ClassVar[list[str]] = ["*.mcr"]
    mimetypes: ClassVar[list[str]] = ["text/x-mcr"]
    url = ""

    tokens: ClassVar[dict[str, list[object]]] = {
        "words": [
            (r"//[^\n]*", Comment.Single),
            (r"/\*(?:[^*]|\*(?!/))*\*/", Comment.Multiline),
            (highlight.STRING, String.Double),
            (highlight.CHARACTER, String.Char),
            (rf"(\.|->)(\s*)({_NAME})", bygroups(Operator, Whitespace, Name.Attribute)),
            (words(sorted(highlight.SIDES), r"\b", r"\b"), Name.Builtin.Pseudo),
            (words(sorted(highlight.STORAGE_WORDS), r"\b", r"\b"), Keyword.Declaration),
            (words(sorted(highlight.TYPE_WORDS), r"\b", r"\b"), Keyword.Type),
            (words(sorted(highlight.CONSTANTS), r"\b", r"\b"), Keyword.Constant),
            (words(sorted(highlight.FUNCTIONS), r"\b", r"\b"), Name.Builtin),
            (words(sorted({*STATEMENT_WORDS, *highlight.other_keywords()}), r"\b", r"\b"), Keyword),
            (highlight.NUMBER, Number),
            (_NAME, Name),
            (highlight.OPERATOR, Operator),
            (r"[{}()\[\];,]", Punctuation),
            (r"\s+", Whitespace),
        ],
        "root": [include("words"), (r".", Text)],
    }


class ShellLexer(RegexLexer):
    """A line of `mcr shell`: the verb, its options, findings, and paths to objects as annotations write them."""

    name = "mcr shell"
    aliases: ClassVar[list[str]] = ["mcr-shell"]
    url = ""

    tokens: ClassVar[dict[str, list[object]]] = {
        "root": [
            (r"\s+", Whitespace),
            (
                words(sorted({*(one.name for one in available(FrontEnd.SHELL)), *BUILTINS}), suffix=r"(?=\s|$)"),
                Keyword,
                "arguments",
            ),
            (r"\S+", Name, "arguments"),
        ],
        "arguments": [
            (r"\n", Whitespace, "#pop"),
            (r"\s+", Whitespace),
            (r"--[a-z-]*", Name.Attribute),
            (r"R[0-9]+:\S+", Name.Label),
            (r"0x[0-9A-Fa-f]+(?=\s|$)|[0-9]+(?=\s|$)", Number),
            (r"\"[^\"\n]*\"?|'[^'\n]*'?", String),
            (r"[^\s\"']+", Name),
        ],
    }
