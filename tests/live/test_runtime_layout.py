"""Every structure and enumeration of native/mcr_abi.h against its mirror in Python, as the compiler lays them out.

`gcc -g` compiles the header; its DWARF is the truth. The built libmcr.so is checked as well, since it may be older.
"""

from __future__ import annotations

import ctypes
import enum
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from elftools.dwarf.die import DIE
from elftools.elf.elffile import ELFFile

from gdb_mcr.model import startup_log
from gdb_mcr.runtime_abi import launch_plan, layout, messages

NATIVE = Path(__file__).parents[2] / "native"
RUNTIME = NATIVE / "build" / "libmcr.so"

STRUCTURES: dict[str, type[ctypes.Structure]] = {
    "mcr_span": layout.Span,
    "mcr_slot": layout.Slot,
    "mcr_site": layout.Site,
    "mcr_operation": layout.Operation,
    "mcr_allocation": layout.Allocation,
    "mcr_thread": layout.Thread,
    "mcr_module": layout.Module,
    "mcr_region": layout.Region,
    "mcr_input": layout.Input,
    "mcr_launch_facts": layout.LaunchFacts,
    "mcr_table": layout.Table,
    "mcr_bank": layout.Bank,
    "mcr_control": layout.ControlBlock,
    "mcr_settings": messages.Settings,
    "mcr_settings_module": messages.SettingsModule,
    "mcr_plan_entry": messages.PlanEntry,
    "mcr_inherited_fd": messages.InheritedFd,
    "mcr_message": messages.Message,
    "mcr_remote_syscall": messages.RemoteSyscall,
    "mcr_adoption": messages.Adoption,
    "mcr_chunk_size": messages.ChunkSize,
    "mcr_launch_range": launch_plan.Range,
    "mcr_launch_library": launch_plan.Library,
    "mcr_launch_plan": launch_plan.Plan,
}

ENUMERATIONS: dict[str, tuple[type[enum.IntEnum | enum.IntFlag], str]] = {
    "mcr_span_kind": (layout.SpanKind, "MCR_SPAN_"),
    "mcr_slot_flag": (layout.SlotFlag, "MCR_SLOT_"),
    "mcr_operation_kind": (startup_log.OperationKind, "MCR_OP_"),
    "mcr_operation_flag": (startup_log.OperationFlag, "MCR_OPF_"),
    "mcr_allocation_flag": (startup_log.AllocationFlag, "MCR_ALLOC_"),
    "mcr_wait_kind": (startup_log.WaitKind, "MCR_WAIT_"),
    "mcr_role": (layout.Role, "MCR_ROLE_"),
    "mcr_state": (layout.State, "MCR_STATE_"),
    "mcr_error": (layout.ErrorKind, "MCR_ERROR_"),
    "mcr_hold": (layout.Hold, "MCR_HOLD_"),
    "mcr_tracker_request": (layout.TrackerRequest, "MCR_TRACKER_"),
    "mcr_unblock_request": (layout.UnblockRequest, "MCR_UNBLOCK_"),
    "mcr_command_kind": (messages.Command, "MCR_CMD_"),
    "mcr_launch_apply": (launch_plan.Apply, "MCR_LAUNCH_"),
}

Struct = dict[str, int]
"""Member name to offset; "" is the size."""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Struct], dict[str, dict[str, int]]]:
    directory = tmp_path_factory.mktemp("layout")
    lines = [f'#include "{NATIVE / "mcr_abi.h"}"']
    lines += [f"struct {name} s_{name};" for name in STRUCTURES]
    lines += [f"enum {name} e_{name};" for name in ENUMERATIONS]
    source = directory / "layout.c"
    source.write_text("\n".join(lines))
    target = directory / "layout.o"
    subprocess.run(["gcc", "-std=gnu11", "-g", "-c", "-o", target, source], check=True, timeout=60)
    return read_types(target)


def read_types(path: Path) -> tuple[dict[str, Struct], dict[str, dict[str, int]]]:
    """(structures, enumerations) that the debug information of `path` defines under our names."""
    structures: dict[str, Struct] = {}
    enumerations: dict[str, dict[str, int]] = {}
    with path.open("rb") as stream:
        dwarf = ELFFile(stream).get_dwarf_info()
        for unit in dwarf.iter_CUs():
            for entry in unit.get_top_DIE().iter_children():
                name = name_of(entry)
                if (
                    entry.tag == "DW_TAG_structure_type"
                    and name in STRUCTURES
                    and "DW_AT_byte_size" in entry.attributes
                ):
                    structures[name] = dict(members(entry)) | {"": entry.attributes["DW_AT_byte_size"].value}
                elif entry.tag == "DW_TAG_enumeration_type" and name in ENUMERATIONS:
                    enumerations[name] = {
                        name_of(one): one.attributes["DW_AT_const_value"].value for one in entry.iter_children()
                    }
    return structures, enumerations


def members(entry: DIE) -> Iterator[tuple[str, int]]:
    for child in entry.iter_children():
        if child.tag == "DW_TAG_member":
            yield name_of(child), child.attributes["DW_AT_data_member_location"].value


def name_of(entry: DIE) -> str:
    attribute = entry.attributes.get("DW_AT_name")
    return attribute.value.decode() if attribute else ""


def mirror(kind: type[ctypes.Structure]) -> Struct:
    fields = {str(field[0]): getattr(kind, field[0]).offset for field in kind._fields_}
    return fields | {"": ctypes.sizeof(kind)}


@pytest.mark.parametrize("name", STRUCTURES)
def test_structures_agree(name: str, compiled: tuple[dict[str, Struct], dict[str, dict[str, int]]]) -> None:
    assert mirror(STRUCTURES[name]) == compiled[0][name]


@pytest.mark.parametrize("name", ENUMERATIONS)
def test_enumerations_agree(name: str, compiled: tuple[dict[str, Struct], dict[str, dict[str, int]]]) -> None:
    kind, prefix = ENUMERATIONS[name]
    theirs = {key: value for key, value in compiled[1][name].items() if key != "MCR_OPERATION_KINDS"}
    ours = {prefix + one.name: one.value for one in kind if one.name}
    if name == "mcr_error":
        ours["MCR_OK"] = ours.pop("MCR_ERROR_OK")
    assert ours == theirs


def test_the_constants_agree(tmp_path: Path) -> None:
    names = {
        "MCR_ABI_VERSION": layout.VERSION,
        "MCR_MAGIC": layout.MAGIC,
        "MCR_SETTINGS_MAGIC": messages.SETTINGS_MAGIC,
        "MCR_LAUNCH_PLAN_MAGIC": launch_plan.MAGIC,
        "MCR_SETTINGS_FD": messages.SETTINGS_FD,
        "MCR_CHANNEL_FD": messages.CHANNEL_FD,
        "MCR_PAGE_SHIFT": layout.PAGE_SHIFT,
        "MCR_BANK_SHIFT": layout.BANK_SHIFT,
        "MCR_BANKS": layout.BANKS,
        "MCR_SITE_DEPTH": layout.SITE_DEPTH,
    }
    checks = "".join(f'_Static_assert({name} == {value}ull, "{name}");\n' for name, value in names.items())
    (tmp_path / "constants.c").write_text(f'#include "{NATIVE / "mcr_abi.h"}"\n{checks}')
    subprocess.run(["gcc", "-std=gnu11", "-fsyntax-only", tmp_path / "constants.c"], check=True, timeout=60)


@pytest.mark.skipif(not RUNTIME.exists(), reason="libmcr.so was not built")
def test_the_built_library_has_this_layout() -> None:
    structures, _ = read_types(RUNTIME)
    assert "mcr_control" in structures
    assert {name: mirror(STRUCTURES[name]) for name in structures} == structures
