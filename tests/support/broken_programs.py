"""Files that no update can use: a real server's with another `main`, and small ones that lack something."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

CRASH = b"\x0f\x0b"
"""ud2."""

LOOP = b"\xeb\xfe"
"""A jump to itself."""

THREADED = """
#include <pthread.h>
#include <unistd.h>
static void *wait_for_ever(void *argument) { pause(); return argument; }
int main(void)
{
    pthread_t thread;
    pthread_create(&thread, 0, wait_for_ever, 0);
    return fork() < 0 || pause();
}
"""
"""A server's process model in a few lines."""


def with_main(program: Path, code: bytes, copy: Path) -> Path:
    """A copy whose `main` begins with this machine code. It has the program's build-id and debug information."""
    shutil.copy(program, copy)
    with copy.open("r+b") as file:
        file.seek(_offset_of_main(ELFFile(file)))
        file.write(code)
    return copy


def without_debug_information(program: Path, copy: Path) -> Path:
    """A stripped copy; it has the program's build-id."""
    subprocess.run(["strip", "-o", copy, program], check=True, timeout=60)
    return copy


def compiled(path: Path, *options: str, source: str = "int main(void) { return 0; }\n") -> Path:
    """A program of one C source text, with debug information."""
    command = ["gcc", "-g", "-x", "c", "-", "-o", str(path), *options]
    subprocess.run(command, input=source, text=True, check=True, timeout=60)
    return path


def _offset_of_main(elf: ELFFile) -> int:
    table = elf.get_section_by_name(".symtab")
    assert isinstance(table, SymbolTableSection)
    symbols = table.get_symbol_by_name("main")
    assert symbols is not None
    return int(next(elf.address_offsets(symbols[0]["st_value"], len(CRASH))))
