"""The one form of annotation files: `mcr fmt`.

Works on the words of a text that parses, so that comments stay where they are. What it changes are blanks: one
statement or step a line, four blanks of indentation a block, trailing comments of neighbouring lines in one column.
Line breaks inside a statement stay, and so do blocks that were written on one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_TOKENS = re.compile(
    r"(?P<blank>\s+)|(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<text>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)+')"
    r"|(?P<word>[A-Za-z_0-9]+(?:\.[0-9]+(?:[eE][-+]?[0-9]+)?)?)"
    r"|(?P<mark>->|::|\.\.|<<=|>>=|<<|>>|[-+*/%&|^=!<>]=|&&|\|\||.)",
    re.DOTALL,
)
_INDENT = "    "
_TYPE_WORDS = frozenset(
    [
        "void",
        "char",
        "short",
        "int",
        "long",
        "float",
        "double",
        "signed",
        "unsigned",
        "_Bool",
        "bool",
        "struct",
        "union",
        "enum",
        "const",
    ]
)
_BEFORE_VALUE = frozenset({"when", "in", "if", "let"})
_OPENING = frozenset({"(", "[", "!", "~", ".", "::"})
_CLOSING = frozenset({")", "]", ";", ",", ".", "::"})
_MAYBE_UNARY = frozenset({"-", "*", "&"})


@dataclass(slots=True)
class _Token:
    """One word and what is around it in the source."""

    text: str
    kind: str
    breaks: int
    """Line breaks before it."""
    casts: bool = False
    """A closing parenthesis behind a type."""
    unary: bool = False
    is_type_star: bool = False
    inline: bool = False
    """A brace of a block that stays on its line."""


@dataclass(slots=True)
class _Line:
    depth: int
    code: str = ""
    comment: str = ""
    """A trailing comment."""


@dataclass(slots=True)
class _Writer:
    lines: list[_Line] = field(default_factory=list)
    depth: int = 0

    @property
    def here(self) -> _Line:
        return self.lines[-1]

    def begin(self, *, blank: bool, more: int = 0) -> None:
        """A new line."""
        before = self.lines[-1] if self.lines else _Line(0)
        if blank and (before.code or before.comment) and not before.code.endswith("{"):
            self.lines.append(_Line(0))
        self.lines.append(_Line(self.depth + more))


def format_text(text: str) -> str:
    """``text`` in its one form; it must parse. Ends with a line break unless it is empty."""
    tokens = list(_read(text))
    _mark_parentheses(tokens)
    _mark_unary(tokens)
    _mark_blocks(tokens)
    written = _joined(_write(tokens))
    return f"{written}\n" if written else ""


def _read(text: str) -> Iterator[_Token]:
    breaks = 0
    for match in _TOKENS.finditer(text):
        if match["blank"]:
            breaks = match[0].count("\n")
            continue
        yield _Token(match[0].rstrip(), match.lastgroup or "mark", breaks)
        breaks = 0


# Parentheses that hold a type: their stars belong to it, and nothing separates them from what is cast.
def _mark_parentheses(tokens: Sequence[_Token]) -> None:
    code = [one for one in tokens if one.kind != "comment"]
    open_ones: list[int] = []
    for index, one in enumerate(code):
        if one.text == "(":
            open_ones.append(index)
        elif one.text == ")" and open_ones:
            start = open_ones.pop()
            inside = code[start + 1 : index]
            is_type = bool(inside) and (inside[-1].text == "*" or any(word.text in _TYPE_WORDS for word in inside[:3]))
            one.casts = (is_type and code[start - 1].text != "sizeof") or _begins_value(code[index + 1 : index + 2])
            for star in inside if is_type else ():
                star.is_type_star = star.text == "*"


# A value behind a parenthesis: what it holds is the name of a type.
def _begins_value(following: Sequence[_Token]) -> bool:
    return any(
        one.text in ("(", "!", "~") or (one.kind in ("word", "text") and one.text not in ("via", "else"))
        for one in following
    )


def _mark_unary(tokens: Sequence[_Token]) -> None:
    before: _Token | None = None
    for one in tokens:
        if one.kind == "comment":
            continue
        if one.text in _MAYBE_UNARY and not one.is_type_star:
            is_operand = before is not None and (
                before.kind in ("word", "text") or (before.text in (")", "]") and not before.casts)
            )
            one.unary = not is_operand or (before is not None and before.text in _BEFORE_VALUE)
        before = one


# A block of at most one step that was written on one line, without comments, stays there.
def _mark_blocks(tokens: Sequence[_Token]) -> None:
    for start, one in enumerate(tokens):
        if one.text != "{":
            continue
        steps = 0
        for inner in tokens[start + 1 :]:
            if inner.breaks or inner.kind == "comment" or inner.text == "{" or steps > 1:
                break
            if inner.text == "}":
                one.inline = inner.inline = True
                break
            steps += inner.text == ";"


def _write(tokens: Sequence[_Token]) -> list[_Line]:
    writer = _Writer()
    before: _Token | None = None
    starts = True
    is_rename = False
    inside_inline = False
    for one in tokens:
        if one.kind == "comment":
            _comment(writer, one, starts and not inside_inline)
        elif one.text == "}" and not one.inline:
            writer.depth = max(0, writer.depth - 1)
            writer.begin(blank=False)
            writer.here.code = "}"
        elif starts and not inside_inline and not (one.text == "else" and before is not None and before.text == "}"):
            writer.begin(blank=one.breaks > 1)
            is_rename = one.text == "rename"
            writer.here.code = one.text
        else:
            breaks = one.breaks and not starts and one.text not in ("{", ";") and not inside_inline
            if writer.here.comment or breaks:
                writer.begin(blank=False, more=1)
                writer.here.code = one.text
            else:
                writer.here.code += ("" if _tight(before, one, is_rename) else " ") + one.text
        if one.kind == "comment":
            continue
        if one.text == "{" and not one.inline:
            writer.depth += 1
        inside_inline = (one.inline and one.text == "{") or (inside_inline and one.text != "}")
        starts = one.text in ("{", "}", ";")
        before = one
    return writer.lines


def _comment(writer: _Writer, one: _Token, starts: bool) -> None:
    if not writer.lines or one.breaks or (starts and one.text.startswith("/*") and writer.here.comment):
        more = 0 if starts else 1
        writer.begin(blank=one.breaks > 1, more=more)
        if one.text.startswith("//"):
            writer.here.comment = one.text
        else:
            writer.here.code = one.text
    elif one.text.startswith("//"):
        writer.here.comment = one.text
    else:
        writer.here.code += f" {one.text}"


def _tight(before: _Token | None, one: _Token, is_rename: bool) -> bool:
    if before is None:
        return True
    if "->" in (before.text, one.text):
        return not is_rename
    if before.text in _OPENING or before.casts or before.unary:
        return True
    if one.text in _CLOSING or (one.text == "[" and before.text != "="):
        return True
    if one.is_type_star:
        return before.is_type_star
    if one.text == "(":
        is_call = before.kind == "word" and before.text not in ("if", *_BEFORE_VALUE)
        return is_call
    return False


# Trailing comments of neighbouring lines stand in one column.
def _joined(lines: Sequence[_Line]) -> str:
    texts = [f"{_INDENT * one.depth}{one.code}".rstrip() for one in lines]
    written: list[str] = []
    for index, one in enumerate(lines):
        if not one.comment:
            written.append(texts[index])
        elif not one.code:
            written.append(f"{_INDENT * one.depth}{one.comment}")
        else:
            first = last = index
            while first > 0 and lines[first - 1].comment and lines[first - 1].code:
                first -= 1
            while last + 1 < len(lines) and lines[last + 1].comment and lines[last + 1].code:
                last += 1
            column = max(len(text) for text in texts[first : last + 1])
            written.append(f"{texts[index].ljust(column)}  {one.comment}")
    return "\n".join(line.rstrip() for line in written)
