"""The bytes of a module table file, which libmcr maps to unwind and to name stacks. Source: mcr_abi.h, "module tables".

Look a frame up by its return address minus one: a call may be the last instruction of its function.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from gdb_mcr.dwarf.names import NameRow, hash_names
from gdb_mcr.dwarf.unwind import UnwindRow

ABI_VERSION = 4
"""MCR_ABI_VERSION."""

MAGIC = 0x656C75646F6D726D
"""MCR_MODULE_TABLE_MAGIC."""

HEADER = struct.Struct("<QII32sQQQQ")
UNWIND_ROW = struct.Struct("<II")
NAME_ROW = struct.Struct("<IIQ")

_PC_LIMIT = 1 << 32


def table_bytes(build_id: str, unwind: Sequence[UnwindRow], names: Sequence[NameRow]) -> bytes:
    """A whole table file. Rows are sorted by pc; those beyond 4 GiB, which a row cannot say, are left out."""
    rows = b"".join(
        UNWIND_ROW.pack(one.pc, one.cfa | one.offset << 2 | one.rbp_saved << 17) for one in unwind if one.pc < _PC_LIMIT
    )
    hashes = {one.names: 0 for one in names}
    hashes = {chain: hash_names(chain) for chain in hashes}
    named = b"".join(NAME_ROW.pack(one.pc, one.flags, hashes[one.names]) for one in names if one.pc < _PC_LIMIT)
    identity = bytes.fromhex(build_id)[:32]
    # Name rows hold 64-bit words: keep them aligned.
    names_at = HEADER.size + len(rows)
    header = HEADER.pack(
        *(MAGIC, ABI_VERSION, len(identity), identity),
        *(HEADER.size, len(rows) // UNWIND_ROW.size, names_at, len(named) // NAME_ROW.size),
    )
    return header + rows + named
