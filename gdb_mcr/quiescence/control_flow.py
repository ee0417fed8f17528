"""Loops of a control-flow graph: dominators, back edges, natural loops, nesting.

Source: Cooper, Harvey, Kennedy, "A Simple, Fast Dominance Algorithm" (2001); Aho et al., "Compilers", 9.6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Loop:
    """Blocks that can be executed again and again without leaving them."""

    header: int
    """Every turn comes through it."""
    body: frozenset[int]
    """All blocks, the header and those of inner loops included."""
    is_reducible: bool = True
    """Whether it can only be entered at its header. If not, `header` is one of its entries."""


class FlowGraph:
    """A directed graph of blocks, which are numbers. Blocks that cannot be reached from the entry do not count."""

    def __init__(self, entry: int, successors: Mapping[int, Sequence[int]]) -> None:
        self.entry = entry
        self._successors = successors
        self.order = _reverse_postorder(entry, successors)
        """Reachable blocks in reverse postorder."""
        self._place = {block: place for place, block in enumerate(self.order)}
        self._predecessors: dict[int, list[int]] = {block: [] for block in self.order}
        for block in self.order:
            for one in successors.get(block, ()):
                self._predecessors[one].append(block)
        self._dominator = self._immediate_dominators()

    def dominates(self, upper: int, lower: int) -> bool:
        """Whether every way from the entry to ``lower`` comes through ``upper``; a block dominates itself."""
        while self._place[lower] > self._place[upper]:
            lower = self._dominator[lower]
        return lower == upper

    def loops(self) -> tuple[Loop, ...]:
        """All loops, outer ones before those inside them. Those with the same header, or the same blocks, are one."""
        bodies: dict[int, set[int]] = {}
        irreducible = set()
        for source, target in self._retreating_edges():
            body = bodies.setdefault(target, {target})
            if self.dominates(target, source):
                body |= self._reaching(source, stop=target)
            else:
                irreducible.add(target)
                body |= self._cycle(source, target)
        found = [Loop(header, frozenset(body), header not in irreducible) for header, body in bodies.items()]
        found.sort(key=lambda one: (-len(one.body), not one.is_reducible, self._place[one.header]))
        return tuple({one.body: one for one in reversed(found)}.values())[::-1]

    # Edges that do not lead on in reverse postorder: back edges, and those that close a cycle with several entries.
    def _retreating_edges(self) -> list[tuple[int, int]]:
        return [
            (block, one)
            for block in self.order
            for one in self._successors.get(block, ())
            if self._place[one] <= self._place[block]
        ]

    def _reaching(self, source: int, stop: int) -> set[int]:
        return _closure([source], lambda block: self._predecessors[block], {stop})

    # The common dominator is where the ways to the entries part: a way through it would go round an outer loop.
    def _cycle(self, source: int, target: int) -> set[int]:
        parting = {self._common_dominator(source, target)}
        behind = _closure([target], lambda block: self._successors.get(block, ()), parting)
        return behind & _closure([source], lambda block: self._predecessors[block], parting)

    def _immediate_dominators(self) -> dict[int, int]:
        self._dominator = {self.entry: self.entry}
        is_changing = True
        while is_changing:
            is_changing = False
            for block in self.order[1:]:
                known = [one for one in self._predecessors[block] if one in self._dominator]
                new = known[0]
                for one in known[1:]:
                    new = self._common_dominator(new, one)
                if self._dominator.get(block) != new:
                    self._dominator[block] = new
                    is_changing = True
        return self._dominator

    def _common_dominator(self, one: int, other: int) -> int:
        while one != other:
            while self._place[one] > self._place[other]:
                one = self._dominator[one]
            while self._place[other] > self._place[one]:
                other = self._dominator[other]
        return one


def loops_around(loops: Iterable[Loop], block: int) -> tuple[Loop, ...]:
    """Those of `FlowGraph.loops` that contain the block, the outermost first."""
    return tuple(one for one in loops if block in one.body)


def _reverse_postorder(entry: int, successors: Mapping[int, Sequence[int]]) -> list[int]:
    postorder, seen, path = [], {entry}, [(entry, iter(successors.get(entry, ())))]
    while path:
        block, following = path[-1]
        for one in following:
            if one not in seen:
                seen.add(one)
                path.append((one, iter(successors.get(one, ()))))
                break
        else:
            postorder.append(block)
            path.pop()
    return postorder[::-1]


def _closure(start: Iterable[int], neighbours: Callable[[int], Iterable[int]], stops: set[int]) -> set[int]:
    found: set[int] = set()
    pending = [one for one in start if one not in stops]
    while pending:
        block = pending.pop()
        if block not in found:
            found.add(block)
            pending += [one for one in neighbours(block) if one not in stops]
    return found
