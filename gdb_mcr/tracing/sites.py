"""From an allocation site to the owner and the type of its chunks.

Source: DESIGN section 8; FACTS-E2E section 2.1 and obstacle 15 (chunks of libc are N's own business).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from gdb_mcr.engine.records import ObjectFlag
from gdb_mcr.model.program import AllocationSite
from gdb_mcr.tracing.policy import Policy
from gdb_mcr.tracing.sides import LoadedModule, Side, Site

RAW = -1
"""A site whose chunks are raw bytes."""


class SiteResolver:
    """Answers questions about the sites of one side."""

    def __init__(self, side: Side, policy: Policy) -> None:
        self._policy = policy
        self._libraries = {module.program.build_id for module in side.libraries}
        self._by_generation: dict[int, list[LoadedModule]] = {}
        for module in sorted(side.modules, key=lambda one: one.range.start):
            self._by_generation.setdefault(module.generation, []).append(module)
        self._starts = {
            generation: [module.range.start for module in modules]
            for generation, modules in self._by_generation.items()
        }
        self._typed: dict[str, dict[int, AllocationSite]] = {}

    def module_of(self, generation: int, address: int) -> LoadedModule | None:
        """The module of that generation that holds a code address."""
        starts = self._starts.get(generation, [])
        index = bisect_right(starts, address) - 1
        if index < 0:
            return None
        module = self._by_generation[generation][index]
        return module if address in module.range else None

    def owner(self, site: Site) -> LoadedModule | None:
        """The module that asked for the memory: the outermost recorded frame, since inner ones are wrappers."""
        if not site.returns:
            return None
        return self.module_of(site.generation, site.returns[-1])

    def owner_flags(self, site: Site) -> ObjectFlag:
        """What the owner means for its chunks."""
        module = self.owner(site)
        if module is None:
            return ObjectFlag(0)
        is_foreign = module.program.build_id in self._libraries or self._is_raw(site)
        flags = ObjectFlag.FOREIGN if is_foreign else ObjectFlag(0)
        if self._is_raw(site):
            flags |= ObjectFlag.TEXT
        if self._policy.is_never_library(module.name):
            flags |= ObjectFlag.NEVER
        if self._policy.is_ruled_library(module.name):
            flags |= ObjectFlag.RULED_OWNER
        return flags

    def typed(self, site: Site) -> tuple[LoadedModule, AllocationSite] | None:
        """The innermost frame of the executable where the result lands in a typed variable; None if none tells."""
        found = self._innermost(site)
        return found if found is not None and found[1].type != RAW else None

    def _is_raw(self, site: Site) -> bool:
        found = self._innermost(site)
        return found is not None and found[1].type == RAW

    def _innermost(self, site: Site) -> tuple[LoadedModule, AllocationSite] | None:
        for address in site.returns:
            module = self.module_of(site.generation, address)
            if module is None or not module.program.sites:
                continue
            found = self._sites_of(module).get(address - module.bias)
            if found is not None:
                return module, found
        return None

    def _sites_of(self, module: LoadedModule) -> dict[int, AllocationSite]:
        key = module.program.build_id
        if key not in self._typed:
            self._typed[key] = {site.return_address: site for site in module.program.sites}
        return self._typed[key]


def flags_by_site(resolver: SiteResolver, sites: Sequence[Site]) -> list[ObjectFlag]:
    """Owner flags of every site, by site index."""
    return [resolver.owner_flags(site) for site in sites]
