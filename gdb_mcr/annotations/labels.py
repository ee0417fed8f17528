"""The kinds of problems that annotations can have. The labels are stable: tests and scripts match them."""

from __future__ import annotations

from enum import Enum


class Label(Enum):
    """One kind of problem."""

    # Files and syntax.
    UNREADABLE = "unreadable"
    BAD_CHARACTER = "bad-character"
    UNTERMINATED_COMMENT = "unterminated-comment"
    UNTERMINATED_STRING = "unterminated-string"
    UNKNOWN_STATEMENT = "unknown-statement"
    MISSING_SEMICOLON = "missing-semicolon"
    INCOMPLETE = "incomplete"
    UNEXPECTED = "unexpected"
    TOO_MANY = "too-many-errors"
    TOO_DEEP = "too-deep"
    # Names.
    UNKNOWN_NAME = "unknown-name"
    UNKNOWN_TYPE = "unknown-type"
    UNKNOWN_VARIABLE = "unknown-variable"
    UNKNOWN_FIELD = "unknown-field"
    WRONG_SIDE = "wrong-side"
    AMBIGUOUS = "ambiguous"
    # What names stand for.
    NEEDS_FIELD = "needs-field"
    NO_FIELDS = "no-fields"
    THROUGH_POINTER = "through-pointer"
    NOT_AN_INTEGER = "not-an-integer"
    NOT_A_POINTER = "not-a-pointer"
    HOLDS_POINTERS = "holds-pointers"
    NOT_A_STRUCT = "not-a-struct"
    NOT_A_UNION = "not-a-union"
    INCOMPLETE_TYPE = "incomplete-type"
    BAD_PATTERN = "bad-pattern"
    # Expressions and handlers.
    BAD_NUMBER = "bad-number"
    BAD_INDEX = "bad-index"
    TYPE_MISMATCH = "type-mismatch"
    LOST_PRECISION = "lost-precision"
    LOST_SIGN = "lost-sign"
    NOT_WRITABLE = "not-writable"
    BAD_LIBRARY = "bad-library"
    NEVER_APPLIES = "never-applies"
    CYCLE = "cycle"
    # Statements that do not go together.
    STILL_EXISTS = "still-exists"
    DUPLICATE = "duplicate"
    CONTRADICTION = "contradiction"
    OVERLAP = "overlap"


LACKING = frozenset(
    {Label.UNKNOWN_NAME, Label.UNKNOWN_TYPE, Label.UNKNOWN_VARIABLE, Label.UNKNOWN_FIELD, Label.WRONG_SIDE}
)
"""Labels that say no more than that a program lacks something; built-in rules may name what a program lacks."""
