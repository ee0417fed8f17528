from __future__ import annotations

from gdb_mcr.tracing.epoll import EpollAction, EpollChange, Watch, rebuild

IN, OUT, DISARMED = 1, 4, 0x40000000


def test_runtime_descriptors_are_added_with_translated_data() -> None:
    changes, lost = rebuild({5: [Watch(20, IN, 0x1000, 7)]}, {5: []}, {20: 7}, frozenset(), lambda data: data + 8)
    assert changes == [EpollChange(5, EpollAction.ADD, 20, IN, 0x1008)]
    assert lost == []


def test_matched_startup_descriptors_keep_n_s_data_and_take_o_s_events() -> None:
    old, new = {5: [Watch(6, IN | OUT, 0x1000, 9)]}, {5: [Watch(6, IN, 0x2000, 9)]}
    changes, _ = rebuild(old, new, {6: 9}, frozenset({6}), lambda data: data)
    assert changes == [EpollChange(5, EpollAction.MOD, 6, IN | OUT, 0x2000)]


def test_what_o_stopped_watching_n_stops_watching_but_n_s_own_descriptors_stay() -> None:
    new = {5: [Watch(6, IN, 1, 9), Watch(40, IN, 2, 11)]}
    changes, _ = rebuild({5: []}, new, {6: 9}, frozenset({6}), lambda data: data)
    assert changes == [EpollChange(5, EpollAction.DEL, 6, 0, 0)]


def test_a_disarmed_oneshot_stays_disarmed() -> None:
    changes, _ = rebuild({5: [Watch(20, DISARMED, 1, 7)]}, {}, {20: 7}, frozenset(), lambda data: data)
    assert changes[0].events == DISARMED


def test_registrations_of_closed_or_reused_numbers_are_reported() -> None:
    old = {5: [Watch(20, IN, 1, 7), Watch(21, IN, 1, 8)]}
    changes, lost = rebuild(old, {}, {21: 99}, frozenset(), lambda data: data)
    assert changes == []
    assert [one.watch.fd for one in lost] == [20, 21]
