"""What the load makes of a run must survive the pipe between its two processes."""

from __future__ import annotations

import json

from tests.support.gap import Gap, GapSeries
from tests.support.memcached_load import result_from_json, result_to_json
from tests.support.memcached_traffic import LoadResult


def test_result_when_sent_through_json_then_equal() -> None:
    result = LoadResult(
        requests=3,
        errors=1,
        error_texts=("connection 0 at 0.100 s: closed by the server",),
        started=10.0,
        stopped=11.5,
        gaps=GapSeries((Gap(10.0, 10.25), Gap(10.25, 10.5))),
        waits=GapSeries((Gap(10.1, 10.2),)),
        histogram=(1, 0, 2),
        stall=Gap(10.3, 10.4),
    )
    assert result_from_json(json.loads(json.dumps(result_to_json(result)))) == result
    assert result.rate == 2.0
