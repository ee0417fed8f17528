"""Questions that tests ask of an analysed program."""

from __future__ import annotations

from gdb_mcr.model.program import Program, SiteRule, Variable


def variable(program: Program, name: str, function: str = "", ordinal: int = 0) -> Variable:
    """The one variable of that name, function and ordinal."""
    (found,) = [one for one in program.variables if (one.name, one.function, one.ordinal) == (name, function, ordinal)]
    return found


def site_types(program: Program) -> dict[tuple[str, str], tuple[str, SiteRule]]:
    """(function, variable) to the name of the site's type."""
    result = {}
    for one in program.sites:
        target = program.types[one.type] if one.type >= 0 else None
        name = "raw" if target is None else target.name or target.kind.value
        result[one.function, one.variable] = (name, one.rule)
    return result
