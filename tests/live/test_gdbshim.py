"""With libmcr_gdbshim.so preloaded, GDB can write registers, whatever the CPU's extended register state."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from gdb_mcr.paths import native_library

SOURCE = Path(__file__).parents[1] / "targets" / "short_xstate.c"


def with_shim() -> dict[str, str]:
    return os.environ | {"LD_PRELOAD": str(native_library("libmcr_gdbshim.so"))}


def test_part_of_the_state_is_laid_over_the_whole(tmp_path: Path) -> None:
    """The kernel refuses a short register set; through the shim it is taken, and what it lacks stays as it was."""
    program = tmp_path / "short_xstate"
    subprocess.run(["gcc", "-O1", "-o", program, SOURCE], check=True, timeout=60)
    plain, shimmed = (
        subprocess.run([program], env=env, capture_output=True, text=True, timeout=60)
        for env in (os.environ, with_shim())
    )
    if plain.returncode == 77:
        pytest.skip("this CPU has no extended register state")
    assert plain.stdout.split()[0] != "0"
    assert shimmed.stdout == "0 5 7\n"


def test_gdb_calls_a_function_and_writes_a_vector_register() -> None:
    target = subprocess.Popen(["sleep", "60"])
    commands = ["print (int)getpid()", "set $xmm7.uint128 = 5", "maintenance flush register-cache"]
    commands += ["print $xmm7.uint128", "detach"]
    arguments = [argument for command in commands for argument in ("-ex", command)]
    try:
        done = subprocess.run(
            ["gdb", "--nx", "--batch", "-iex", "set debuginfod enabled off", "-p", str(target.pid), *arguments],
            env=with_shim(),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert f"$1 = {target.pid}\n" in done.stdout
        assert "$2 = 5\n" in done.stdout
        assert "extended state" not in done.stderr
        assert target.poll() is None
    finally:
        target.kill()
        target.wait()
