"""The interpreter's settings, and the objects that the collector visits, read from `gc`."""

import contextlib
import gc
import sys
import weakref

import pytest

from jamlab.process.pauses import (
    SWITCH_INTERVAL_S,
    THRESHOLDS,
    ShortPauses,
    collecting_every,
    collector_paused,
)


class Knot:
    """Garbage that only the collector finds."""

    def __init__(self):
        self.itself = self


@pytest.fixture(name="pauses")
def make_pauses():
    pauses = ShortPauses()
    pauses.ask()
    yield pauses
    pauses.give_back()


@pytest.fixture(name="before", autouse=True)
def habits_before():
    before = gc.get_threshold(), sys.getswitchinterval()
    yield before
    assert (gc.get_threshold(), sys.getswitchinterval()) == before
    assert gc.get_freeze_count() == 0


def test_what_was_there_is_looked_at_no_more(pauses):
    known = len(gc.get_objects())
    assert gc.get_freeze_count() > 10_000  # pytest alone
    assert known < gc.get_freeze_count() / 10


def test_a_full_collection_does_not_come_by_itself(pauses):
    full = gc.get_stats()[2]["collections"]
    kept = [[] for _ in range(100_000)]
    assert gc.get_stats()[2]["collections"] == full
    assert gc.get_stats()[1]["collections"] > 0
    assert len(kept) == 100_000


def test_young_garbage_is_freed_all_the_same(pauses):
    gone = weakref.ref(Knot())
    objects = []
    while gone():
        objects.append([])
    assert len(objects) < 10 * THRESHOLDS[0]


def test_old_garbage_is_freed_in_the_end(pauses):
    knot = Knot()
    gone = weakref.ref(knot)
    gc.collect(1)
    del knot
    pauses.give_back()
    gc.collect()
    assert gone() is None


def test_a_thread_that_computes_gives_way_at_once(pauses):
    assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL_S)


def test_two_cards_share_it(pauses, before):
    other = ShortPauses()
    other.ask()
    pauses.give_back()
    assert gc.get_threshold() == THRESHOLDS
    assert sys.getswitchinterval() < before[1]
    other.give_back()
    assert (gc.get_threshold(), sys.getswitchinterval()) == before


def test_asking_and_giving_back_twice_are_harmless(pauses):
    pauses.ask()
    pauses.give_back()
    pauses.give_back()
    assert gc.get_threshold() != THRESHOLDS


def test_nobody_is_made_to_wait_who_switched_it_off(before):
    gc.disable()
    try:
        pauses = ShortPauses()
        pauses.ask()
        assert not gc.isenabled()
        pauses.give_back()
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize("collect", [True, False])
def test_the_collector_looks_first_unless_sound_is_on(collect, monkeypatch):
    looks = []
    monkeypatch.setattr(gc, "collect", lambda: looks.append(1))
    with collector_paused(collect=collect):
        assert len(looks) == collect


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_left_as_it_was(enabled):
    before = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        with contextlib.suppress(KeyError), collector_paused():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()


def test_the_collector_runs_after_so_many_steps_alone(monkeypatch):
    looks = []
    monkeypatch.setattr(gc, "collect", looks.append)
    with collecting_every(3) as done:
        assert not gc.isenabled()
        seen = []
        for _ in range(7):
            done()
            seen.append(len(looks))
    assert seen == [0, 0, 1, 1, 1, 2, 2]
    assert looks == [1, 1]  # the generations that are young
    assert gc.isenabled()
