"""What the language can say and this version does not do yet. The checker refuses it; the manual does not list it."""

from __future__ import annotations

STATEMENTS_NOT_YET = frozenset({"use"})
"""Words that begin a statement."""
