"""Durations, sizes, tables: the pieces of all reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

WIDTH = 100
"""Columns of texts that are wrapped."""

_TO = "_to_"


def duration(seconds: float) -> str:
    """Seconds with a fitting unit: "12.3 ms"."""
    if seconds < 0.000_999_5:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.1f} ms"
    return f"{seconds:.2f} s"


def size(count: int) -> str:
    """Bytes with a fitting decimal unit: "10.2 MB"."""
    if abs(count) < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if abs(value) < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} TB"


def number(count: int) -> str:
    """Thousands set apart: "200,000"."""
    return f"{count:,}"


def count_text(key: str, count: int) -> str:
    """One entry of a result's counts: sizes where the key begins with "bytes"."""
    return size(count) if key.startswith("bytes") else number(count)


def count_texts(counts: Mapping[str, int]) -> list[str]:
    """All entries that are not zero: "objects 12", "bytes copied 1.2 MB"; `pointer_lines` has those of pointers."""
    return [f"{words(key)} {count_text(key, count)}" for key, count in _plain(counts) if count]


def listed(head: str, entries: Sequence[str]) -> Iterator[str]:
    """The entries behind the head, as many on each line as have room."""
    line, later = head, " " * len(head)
    for at, entry in enumerate(entries):
        text = entry if at == len(entries) - 1 else f"{entry}, "
        if line not in (head, later) and len(line) + len(text.rstrip()) > WIDTH:
            yield line.rstrip()
            line = later
        line += text
    yield line.rstrip()


def counts_lines(counts: Mapping[str, int]) -> Iterator[str]:
    """One line for each entry; pointers as `pointer_lines` has them."""
    yield from table([(f"  {words(key)}", count_text(key, count)) for key, count in _plain(counts)], right=(1,))
    yield from pointer_lines(counts)


def pointer_lines(counts: Mapping[str, int]) -> Iterator[str]:
    """Pointers by where they stand and where they lead: entries such as `precise_static_to_dynamic`, as a table."""
    found = [(key.split("_"), count) for key, count in counts.items() if _TO in key]
    targets = list(dict.fromkeys(key[3] for key, _ in found))
    numbers = {(kind, source, target): count for (kind, source, _, target), count in found}
    rows = [("  pointers", "from", *(f"to {one}" for one in targets))]
    for kind, source in dict.fromkeys((kind, source) for kind, source, _ in numbers):
        row = [numbers.get((kind, source, target), 0) for target in targets]
        if any(row):
            rows.append((f"  {kind}", source, *map(number, row)))
    if len(rows) > 1:
        yield ""
        yield from table(rows, right=range(2, len(targets) + 2))


def _plain(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return [(key, count) for key, count in counts.items() if _TO not in key]


def words(key: str) -> str:
    """A key as people read it."""
    return key.replace("_", " ")


def table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> Iterator[str]:
    """Columns as wide as their widest cell, two blanks apart; those in ``right`` are aligned to the right."""
    if not rows:
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def pids(numbers: Sequence[int]) -> str:
    """Process ids: "4711 4712"."""
    return " ".join(map(str, numbers)) or "-"


def plural(count: int, noun: str) -> str:
    """A number and its noun: "1 finding", "2 findings"."""
    return f"{number(count)} {noun}{'' if count == 1 else 's'}"
