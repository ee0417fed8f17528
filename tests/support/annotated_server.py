"""Builds of tests/targets/annotated_server.c, what its parts answer, and the annotations that carry them over."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.mcr_server import McrServer
from tests.support.table_server import TableClient, running

_SOURCE = Path(__file__).resolve().parents[1] / "targets" / "annotated_server.c"

HANDLERS = """
rename session.hits -> count;
transfer session {
    new.idle_ms = old.idle_s * 1000L;
    new.created = old.made;
    if (old.hits > 10) { new.level = 2; } else { new.level = 1; }
}
transfer variable registry {
    let sum = 0L;
    foreach one in old.first via next { sum += one->hits; }
    new.total = sum;
}
transfer variable settings {
    new.limit_ms = old.limit_s * 1000L;
    foreach i in 0 .. 3 { new.steps_ms[i] = old.steps[i] * 1000L; }
}
"""
FACTS = """
tagged node.left & 1;
points struct box.thing to struct item;
length struct vector.slots = old.used;
active value.as.item when old.kind == 1;
active value.as.number when old.kind == 2;
active value.as.text when old.kind == 3;
precise struct key.bytes;
opaque struct handle.maybe;
"""
LIBRARY = """
use "handlers.so";
transfer struct label { new.words = twice(old.words); }
"""
SAME = {
    "tree": "1red 2red 3black",
    "box": "in-box=5",
    "vector": "in-vector=0 in-vector=1 fifteen letters",
    "values": "in-value=7 77 letters",
    "handle": "1 a text of more than thirty-two letters, whatever they say",
}
"""What both builds answer, by word."""
OLD = {**SAME, "label": "words", "sessions": "young=2s,3,300 old=90s,20,2000", "settings": "60s 1,2,3"}
NEW = {
    **SAME,
    "label": "wordswords",
    "sessions": "young=2000ms,3,300,1 old=90000ms,20,2000,2 total=23",
    "settings": "60000ms 1000,2000,3000",
}


def build(directory: Path, *options: str) -> Path:
    """A build of the server. :param options: of the compiler: none, or ``-DNEW``."""
    binary = directory / "_".join(["annotated_server", *(one.strip("-") for one in options)])
    if not binary.exists():
        flags = ["-std=gnu11", "-O2", "-g", "-fPIE", "-pie", "-Wall", "-Wextra"]
        subprocess.run(["gcc", *flags, *options, "-o", str(binary), str(_SOURCE)], check=True, timeout=60)
    return binary


def build_library(directory: Path) -> Path:
    """tests/targets/handler_library.c as `handlers.so` in a directory."""
    built, root = directory / "handlers.so", _SOURCE.parents[2]
    flags = ["-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Wno-infinite-recursion", f"-I{root}/native"]
    source = _SOURCE.with_name("handler_library.c")
    subprocess.run(["gcc", *flags, "-o", str(built), str(source)], check=True, timeout=60)
    return built


@contextmanager
def served(directory: Path) -> Iterator[tuple[McrServer, TableClient]]:
    """The old build under `mcr run`, which has made its state, and a connection to it."""
    with running(build(directory)) as (server, port), TableClient(port) as client:
        client.ask("make")
        yield server, client


def answers(client: TableClient) -> dict[str, str]:
    """What all parts of the state show."""
    return {word: " ".join(client.ask(word)) for word in OLD}
