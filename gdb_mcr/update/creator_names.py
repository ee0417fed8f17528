"""Names of the functions that created a thread of which only the call stack ID is known.

The start-up log has the return addresses of the threads that start-up created. One created later has left nothing but a
hash of its creators' names. Servers create such threads near the loop in which they wait for what the threads are for:
so every stack that was seen is tried from each of its frames outwards, as it is and with one more function on top.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import reduce

from gdb_mcr.dwarf.names import hash_names
from gdb_mcr.model.startup_log import fold_stack

Chain = tuple[str, ...]
"""The inline chain of a frame, innermost function first."""

_START = 0xCBF29CE484222325  # MCR_HASH_START


def stack_id(frames: Iterable[Chain]) -> int:
    """mcr_stack_id(): of frames innermost first, without those below main or a thread's first function."""
    return reduce(fold_stack, map(hash_names, frames), _START)


def find_creators(
    ids: Collection[int], stacks: Collection[tuple[Chain, ...]], chains: Collection[Chain]
) -> dict[int, tuple[str, ...]]:
    """Call stack ID → function names, innermost first, of those that could be found.

    :param stacks: stacks of the process's threads, innermost frame first.
    :param chains: all inline chains of its program.
    """
    wanted, found = set(ids), dict[int, tuple[str, ...]]()
    by_function: dict[str, list[Chain]] = {}
    for one in chains:
        by_function.setdefault(one[-1], []).append(one)
    hashes = {one: hash_names(one) for one in {*chains, *(one for stack in stacks for one in stack)}}
    for upper, rest in _places(stacks, by_function):
        if wanted <= found.keys():
            break
        for top in ((), *((one,) for one in chains)):
            frames = (*top, upper, *rest)
            value = reduce(fold_stack, map(hashes.__getitem__, frames), _START)
            if value in wanted:
                found.setdefault(value, tuple(name for one in frames for name in one))
    return found


# A frame's function may be on its way to the creation at any of its places, with anything inlined there.
def _places(
    stacks: Iterable[tuple[Chain, ...]], by_function: dict[str, list[Chain]]
) -> Iterator[tuple[Chain, tuple[Chain, ...]]]:
    tried = set()
    for stack in stacks:
        for place, frame in enumerate(stack):
            for upper in by_function.get(frame[-1], []) if frame else []:
                key = (upper, stack[place + 1 :])
                if key not in tried:
                    tried.add(key)
                    yield key
