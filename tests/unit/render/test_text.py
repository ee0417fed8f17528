"""Reports say what happened in the user's terms; JSON has the fields under their names."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gdb_mcr.errors import InvalidAnnotations, TargetError
from gdb_mcr.model import inspection, profile, results, step_results
from gdb_mcr.model.results import PathResult, Result, RunResult, ShellResult
from gdb_mcr.model.step_results import RollbackResult
from gdb_mcr.render import pieces
from gdb_mcr.render.as_json import error_to_json, json_text, to_json
from gdb_mcr.render.text import _LINES, _SUMMARIES, error_text, lines, summary
from gdb_mcr.source import Problem, Span
from tests.support.fake_updater import COMMITTED, LOSS, REFUSED, ROLLED_BACK, WOULD_COMMIT


def text(result: Result) -> str:
    return "\n".join(lines(result))


def test_committed_update_names_pids_phases_and_warnings() -> None:
    assert text(COMMITTED).splitlines() == [
        "committed: 4799 took over from 4711",
        "",
        "  ANALYZE    1.0 ms",
        "  REHEARSE   2.0 ms  objects 1, bytes copied 1.0 MB",
        "  REINIT     3.0 ms  objects 2, bytes copied 2.0 MB",
        "  ATTACH     4.0 ms  objects 3, bytes copied 3.0 MB",
        "  QUIESCE    5.0 ms  objects 4, bytes copied 4.0 MB",
        "  TRANSFER   6.0 ms  objects 5, bytes copied 5.0 MB",
        "  AUDIT      7.0 ms  objects 6, bytes copied 6.0 MB",
        "  COMMIT     8.0 ms  objects 7, bytes copied 7.0 MB",
        "  pause     41.0 ms",
        "",
        "warning: the old server left a file",
    ]


def test_refused_update_names_what_settles_each_finding_and_the_worst_first() -> None:
    report = text(REFUSED)
    assert report.startswith("refused because of 1 finding; 4711 serves on")
    assert report.index("R2:conn.rbuf  (against, certain)") < report.index("R10:protocol  (note, possible)")
    assert "reached by conns[3].rbuf" in report
    assert "      settle it with: rename conn.rbuf -> read_buffer;\n                      or drop conn.rbuf;" in report


def test_overridden_finding_is_marked() -> None:
    report = text(replace(COMMITTED, findings=(LOSS,), overridden=(LOSS.id,)))
    assert "1 finding, 0 against the update:" in report
    assert "(overridden, certain)" in report


def test_rolled_back_update_says_what_failed_and_what_to_do() -> None:
    first, second, *_ = text(ROLLED_BACK).splitlines()
    assert first == "rolled back: the new server exited at once with status 1; 4711 serves on"
    assert second == "  run it by hand to see why"


def test_dry_run_says_that_nothing_happened() -> None:
    assert text(WOULD_COMMIT).startswith("dry run: nothing speaks against the update; 4711 serves on")


def test_run_in_this_process_is_silent() -> None:
    assert text(RunResult(1, ("a",), is_this_process=True)) == ""
    assert text(RunResult(1, ("a", "b c"))) == "started 1: a 'b c'"


def test_rollback_names_what_was_ended() -> None:
    assert text(RollbackResult((1,), (2, 3), 0.5)) == "rolled back: 1 serves on after a pause of 500.0 ms; ended 2 3"


def all_results() -> set[type]:
    found = set()
    for module in (results, step_results, inspection, profile):
        found |= {one for name, one in vars(module).items() if name.endswith("Result") and name != "Result"}
    return found - {results.PhaseResult}


def test_every_result_has_its_report() -> None:
    assert set(_LINES) == all_results()


def test_every_result_that_can_fail_has_its_summary() -> None:
    harmless = {one for one in all_results() if issubclass(one, results.Harmless)}
    assert set(_SUMMARIES) == all_results() - harmless - {ShellResult}
    assert summary(REFUSED) == "refused because of 1 finding; 4711 serves on"


def test_json_is_the_fields_and_the_exit_status() -> None:
    assert to_json(PathResult("/x")) == {"path": "/x", "exit_status": 0}
    content = json.loads(json_text(to_json(ROLLED_BACK)))
    assert content["verdict"] == "rolled-back"
    assert content["failure"] == ROLLED_BACK.failure


def test_json_of_wrong_annotations_has_each_place() -> None:
    error = InvalidAnnotations([Problem("unknown-field", Span("a.mcr", 3, 4, 3, 8), "no such field", "", "drop x.y;")])
    content = error_to_json(error)
    assert content["exit_status"] == 2
    facts = content["error"]
    assert isinstance(facts, dict)
    (problem,) = json.loads(json.dumps(facts["problems"]))
    assert (problem["label"], problem["span"]["line"], problem["span"]["column"]) == ("unknown-field", 3, 4)


def test_error_is_what_failed_and_a_hint() -> None:
    assert error_text(TargetError("no process 5", hint="look again")) == "no process 5\n  look again"
    assert error_text(TargetError("no process 5")) == "no process 5"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 µs"), (0.0000123, "12 µs"), (0.001, "1.0 ms"), (0.0412, "41.2 ms"), (0.9999, "1.00 s"), (61.5, "61.50 s")],
)
def test_duration(seconds: float, shown: str) -> None:
    assert pieces.duration(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_960, "1.0 MB"),
        (10_200_000, "10.2 MB"),
        (3 * 10**12, "3.0 TB"),
    ],
)
def test_size(count: int, shown: str) -> None:
    assert pieces.size(count) == shown


def test_entries_fill_lines_behind_their_head() -> None:
    entries = [f"number of things {count}" for count in range(6)]
    assert list(pieces.listed("  TRANSFER  1.0 ms  ", entries)) == [
        "  TRANSFER  1.0 ms  number of things 0, number of things 1, number of things 2, number of things 3,",
        "                    number of things 4, number of things 5",
    ]
    assert list(pieces.listed("  pause  1.0 ms  ", [])) == ["  pause  1.0 ms"]


def test_of_a_server_that_cannot_be_read_only_that_is_said() -> None:
    build = results.Build("/srv/server", "")
    server = inspection.ServerStatus(12, build, "unknown", 0, 1, 3, 0, 0, 0, problems=("its libmcr is another one",))
    assert text(inspection.StatusResult((server,))).splitlines() == [
        "12  /srv/server  unknown",
        "    in the way of an update: its libmcr is another one",
    ]


def test_table_of_nothing_is_nothing() -> None:
    assert list(pieces.table([])) == []


def test_plural() -> None:
    assert [pieces.plural(count, "finding") for count in (0, 1, 2000)] == ["0 findings", "1 finding", "2,000 findings"]


def test_pointers_are_a_table_by_source_and_target() -> None:
    counts = {
        "objects": 3,
        "precise_static_to_dynamic": 1200,
        "precise_static_to_library": 0,
        "likely_dynamic_to_dynamic": 7,
    }
    assert list(pieces.counts_lines(counts)) == [
        "  objects  3",
        "",
        "  pointers  from     to dynamic  to library",
        "  precise   static        1,200           0",
        "  likely    dynamic           7           0",
    ]
    assert pieces.count_texts(counts) == ["objects 3"]
