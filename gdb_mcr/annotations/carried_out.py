"""What the language can say and this version does not do yet. The checker refuses it; the manual does not list it."""

from __future__ import annotations

STATEMENTS_NOT_YET = frozenset({"tagged", "length", "points", "active", "opaque", "precise", "transfer"})
"""Words that begin a statement."""

NODES_NOT_YET = frozenset(
    {"Convert", "ListLoop", "AddressOf", "AddressOfVariable", "Call", "Evaluate", "floating point", "bit field"}
)
"""Classes of `model.handler` and `model.expression` inside transfer handlers."""
