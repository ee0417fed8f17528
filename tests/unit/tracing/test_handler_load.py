"""Many objects through a handler: that all of them come out right. How long it takes: `scripts/bench-handlers`."""

from __future__ import annotations

from tests.support.handler_load import HEAP, STRIDE, HandlerLoad


def test_every_object_of_many_goes_through_its_handler() -> None:
    load = HandlerLoad(20_000)
    load.run(with_handler=True)
    assert all(load.item(i) == (HEAP + (i + 1) % 20_000 * STRIDE, i % 1000 * 1000 + 5, i % 7, i) for i in range(20_000))
    load.run(with_handler=False)
    assert load.item(19_999)[1] == 0
    load.close()
