"""Allocation sites: the type of what a call returns, from where DWARF says that the result lands.

Source: DESIGN section 8; FACTS-E2E section 2.1 and obstacle 7. A wrong type is silent corruption, no type only costs
precision. So every call in doubt is entered as raw bytes, which also ends the search through the frames above it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from gdb_mcr.dwarf.allocators import ALLOCATORS, RAW_ALLOCATORS
from gdb_mcr.dwarf.code import Chain, CodeMap
from gdb_mcr.dwarf.constants import Tag
from gdb_mcr.dwarf.dies import DebugInfo, Die
from gdb_mcr.dwarf.elf import ElfImage
from gdb_mcr.dwarf.landing import Landing, LandingFinder
from gdb_mcr.dwarf.machine import Callee, CallFinder
from gdb_mcr.dwarf.types import TypeBuilder
from gdb_mcr.model.datatype import TypeKind
from gdb_mcr.model.program import AllocationSite, SiteRule

RAW = -1

# What a function's return type says of what it returns: nothing, text, a typed object, no pointer at all.
_UNTYPED, _TEXT, _TYPED, _NO_POINTER = range(4)


class _Fate(Enum):
    """What becomes of a call's result."""

    TYPED = "a typed variable takes it"
    RAW = "text takes it, or nobody can tell"
    UNTYPED = "a void * takes it"
    UNKNOWN = "it is stored somewhere else, or returned"


@dataclass(slots=True)
class _Call:
    """A call of something that may allocate."""

    return_address: int
    callee: Callee
    chain: Chain
    fate: _Fate = _Fate.UNKNOWN
    is_returned: bool = False
    is_stored_away: bool = False
    pointee: int = RAW
    variable: str = ""
    is_followed: bool = False


class SiteReader:
    """Finds allocation wrappers and types allocation sites."""

    def __init__(self, image: ElfImage, debug: DebugInfo, types: TypeBuilder, code: CodeMap, at: LandingFinder) -> None:
        self._debug = debug
        self._types = types
        self._landings = at
        self._function_at = {where.start: die for where, die in code.functions}
        self._calls = [
            _Call(back, callee, chain)
            for back, callee in CallFinder(image).iter_calls(frozenset(self._function_at))
            if (chain := code.chain_of_call(back))
        ]
        self._called = {one.callee for one in self._calls}
        self._wrappers: set[int] = set()
        """Offsets of the entries of (concrete) functions."""
        self._alloc_by_name: set[int] = set()
        """Of these, the ones whose name says so. Some call through a pointer (Lua's luaM_realloc_)."""
        self._find_wrappers()

    def is_wrapper(self, chain: Chain) -> bool:
        """Whether the function that has this code hands out memory for its caller to own."""
        return bool(chain) and chain[-1].offset in self._wrappers

    def sites(self) -> tuple[AllocationSite, ...]:
        """One entry for each allocating call but those whose result a wrapper passes on; sorted by return address."""
        calls = [one for one in self._allocating_calls() if not self._is_passed_on(one)]
        return tuple(sorted(map(self._site, calls), key=lambda one: one.return_address))

    def _allocating_calls(self) -> list[_Call]:
        calls = [one for one in self._calls if self._allocates(one.callee)]
        for one in calls:
            self._follow(one)
        return calls

    def _allocates(self, callee: Callee) -> bool:
        if isinstance(callee, str):
            return callee in ALLOCATORS or callee in RAW_ALLOCATORS
        return self._function_at[callee].offset in self._wrappers

    def _site(self, call: _Call) -> AllocationSite:
        function = self._debug.name(call.chain[-1])
        site = AllocationSite(call.return_address, call.pointee, call.variable, function, SiteRule.VARIABLE)
        if call.fate in (_Fate.TYPED, _Fate.RAW):
            return site
        returns, pointee = self._returns(call.chain[-1])
        is_typed = returns == _TYPED and call.is_returned
        return replace(site, type=pointee if is_typed else RAW, rule=SiteRule.RETURN_TYPE)

    # ---- where results go

    def _follow(self, call: _Call) -> None:
        if call.is_followed:
            return
        call.is_followed = True
        path = self._landings.follow(call.return_address)
        call.is_returned = path.is_returned
        call.is_stored_away = self._landings.is_stored_away(path, call.return_address, call.chain)
        landings = self._landings.landings(path, call.return_address, call.chain)
        if call.callee in RAW_ALLOCATORS:
            call.fate, call.variable = _Fate.RAW, next((one.name for one in landings), "")
            return
        self._judge(call, landings)

    # The nearest variable decides; void * says nothing; two types at one place contradict each other.
    def _judge(self, call: _Call, landings: Sequence[Landing]) -> None:
        told = [(one, *self._pointer(one.type)) for one in landings]
        telling = [one for one in told if one[1] != _UNTYPED]
        if not telling:
            if told:
                call.fate, call.variable = _Fate.UNTYPED, told[0][0].name
            return
        nearest, kind, call.pointee = telling[0]
        call.variable, call.fate = nearest.name, _Fate.TYPED if kind == _TYPED else _Fate.RAW
        place = (nearest.is_parameter, nearest.distance)
        rivals = {pointee for one, _, pointee in telling if (one.is_parameter, one.distance) == place}
        if len(rivals) > 1:
            call.fate, call.pointee = _Fate.RAW, RAW

    # ---- wrappers

    def _find_wrappers(self) -> None:
        candidates = {
            die.offset: die
            for start, die in self._function_at.items()
            if self._returns(die)[0] == _UNTYPED and not self._is_thread_routine(start, die)
        }
        self._alloc_by_name = {offset for offset, die in candidates.items() if "alloc" in self._debug.name(die).lower()}
        self._wrappers = set(self._alloc_by_name)
        before = -1
        while len(self._wrappers) != before:
            before = len(self._wrappers)
            found = {one.chain[-1].offset for one in self._allocating_calls() if self._flows_out(one)}
            self._wrappers |= found & candidates.keys()

    def _is_passed_on(self, call: _Call) -> bool:
        return self.is_wrapper(call.chain) and self._flows_out(call)

    # Whether the function returns what the call returned, as void *: seen in the code, or likely and nothing speaks
    # against it. All inlined calls in between must return void * too.
    def _flows_out(self, call: _Call) -> bool:
        if call.fate is _Fate.TYPED or any(self._returns(die)[0] != _UNTYPED for die in call.chain):
            return False
        is_likely = call.fate is _Fate.UNTYPED or call.chain[-1].offset in self._alloc_by_name
        return call.is_returned or (is_likely and not call.is_stored_away and call.fate is not _Fate.RAW)

    # void *f(void *) that nobody calls: started as a thread, it returns an exit status.
    def _is_thread_routine(self, start: int, die: Die) -> bool:
        parameters = [one for one in die.children if one.tag == Tag.FORMAL_PARAMETER]
        if len(parameters) != 1 or start in self._called:
            return False
        return self._pointer(self._types.index(self._debug.type_of(parameters[0])))[0] == _UNTYPED

    # ---- types

    def _returns(self, die: Die) -> tuple[int, int]:
        return self._pointer(self._types.index(self._debug.type_of(die)))

    # What a pointer type says of its target, and the target.
    def _pointer(self, index: int) -> tuple[int, int]:
        pointer = self._types.stripped(index)
        if pointer is None or pointer.kind is not TypeKind.POINTER:
            return _NO_POINTER, RAW
        target = self._types.stripped(pointer.target)
        if target is None or target.kind in (TypeKind.VOID, TypeKind.FUNCTION):
            return _UNTYPED, RAW
        if target.kind is TypeKind.CHARACTER or not target.complete:
            return _TEXT, RAW
        return _TYPED, pointer.target
