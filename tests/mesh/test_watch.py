"""The task that takes live figures, on a service with given readings; in virtual time."""

import asyncio
import dataclasses

import pytest

from jamlab.mesh.notices import NoticeKind
from jamlab.mesh.watch import FiguresWatch
from jamlab.networks.simulated.loop import run_simulated
from tests.mesh.readings import BEFORE, changed


class Service:
    """Has a reading of every peer whose latency it was given, in seconds."""

    def __init__(self, **one_way_s):
        self.one_way_s = one_way_s
        self.fails = False
        self.within_s = []

    async def read(self, within_s):
        self.within_s.append(within_s)
        if self.fails:
            raise OSError("nothing can be read")
        now_s = asyncio.get_running_loop().time()
        return [self.reading(name, now_s, s) for name, s in self.one_way_s.items()]

    def reading(self, name, now_s, one_way_s):
        fixed_s = 0.0025 + 28 / 48_000 + 0.004 + 0.002 + 0.0025
        round_trip_s = None if one_way_s is None else 2 * (one_way_s - fixed_s)
        there = dataclasses.replace(BEFORE, peer_id=name, at_s=now_s)
        return changed(there, round_trip_s=round_trip_s)


def watched(service, script, every_s=1.0):
    """Let a watch run beside a script; returns the watch and what users were told, and when."""

    async def main():
        loop, told = asyncio.get_running_loop(), []
        watch = FiguresWatch(
            service, lambda kind, peer: told.append((loop.time(), kind, peer)), every_s
        )
        running = asyncio.create_task(watch.run())
        await script(watch)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return watch, told

    return run_simulated(main())


def seconds(count):
    return lambda _watch: asyncio.sleep(count)


def test_figures_of_everybody_once_an_interval():
    watch, told = watched(Service(ben=0.020, cleo=0.030), seconds(3.5))
    assert [(entry.at_s, entry.peer_id) for entry in watch.history] == [
        (at_s, name) for at_s in (1.0, 2.0, 3.0) for name in ("ben", "cleo")
    ]
    assert [entry.one_way_s for entry in watch.history] == pytest.approx([0.020, 0.030] * 3)
    assert told == []


def test_the_interval_can_be_chosen_and_packets_are_of_it():
    service = Service(ben=0.020)
    watch, _ = watched(service, seconds(1.1), every_s=0.25)
    assert [entry.at_s for entry in watch.history] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert service.within_s == [0.25] * 4


@pytest.mark.parametrize("every_s", [0, -1, float("nan")])
def test_an_interval_is_longer_than_nothing(every_s):
    with pytest.raises(ValueError, match="give a time above 0"):
        FiguresWatch(Service(), print, every_s)


def test_listeners_hear_until_they_stop():
    heard = []

    async def script(watch):
        stop = watch.listeners.add(heard.append)
        await asyncio.sleep(2.5)
        stop()
        await asyncio.sleep(2)

    watch, _ = watched(Service(ben=0.020), script)
    assert heard == [*watch.history][:2]


def test_a_listener_that_raises_stops_nothing(caplog):
    async def script(watch):
        watch.listeners.add(lambda figures: 1 / 0)
        await asyncio.sleep(2.5)

    watch, _ = watched(Service(ben=0.020), script)
    assert len(watch.history) == 2
    assert caplog.text.count("ZeroDivisionError") == 2


def test_a_reading_that_fails_is_logged_and_the_next_is_taken(caplog):
    service = Service(ben=0.020)

    async def script(_watch):
        await asyncio.sleep(1.5)
        service.fails = True
        await asyncio.sleep(1)
        service.fails = False
        await asyncio.sleep(1)

    watch, _ = watched(service, script)
    assert [entry.at_s for entry in watch.history] == [1.0, 3.0]
    assert [record.message for record in caplog.records] == ["live figures could not be taken"]


def test_users_are_told_of_each_peer_by_itself():
    service = Service(ben=0.150, cleo=0.030)

    async def script(_watch):
        await asyncio.sleep(5.5)
        service.one_way_s.update(ben=0.020, cleo=0.110)
        await asyncio.sleep(20)

    _, told = watched(service, script)
    high, normal = NoticeKind.HIGH_LATENCY, NoticeKind.NORMAL_LATENCY
    assert told == [(3.0, high, "ben"), (8.0, high, "cleo"), (11.0, normal, "ben")]


def test_who_has_left_is_somebody_new_afterwards():
    """What was told of it stands no more, and who comes back is neither warned of nor normal."""
    service = Service(ben=0.150)

    async def script(watch):
        await asyncio.sleep(4.5)
        watch.forget("ben")
        await asyncio.sleep(4)
        watch.forget("ben")
        service.one_way_s["ben"] = 0.020
        await asyncio.sleep(10)

    _, told = watched(service, script)
    assert told == [(3.0, NoticeKind.HIGH_LATENCY, "ben"), (7.0, NoticeKind.HIGH_LATENCY, "ben")]


def test_who_is_not_heard_for_a_while_is_told_of_no_more_often():
    """A peer that falls silent takes its alarm with it and brings it back."""
    service = Service(ben=0.150)

    async def script(_watch):
        await asyncio.sleep(4.5)
        del service.one_way_s["ben"]
        await asyncio.sleep(2)
        service.one_way_s["ben"] = 0.150
        await asyncio.sleep(5)
        service.one_way_s["ben"] = None
        await asyncio.sleep(5)
        service.one_way_s["ben"] = 0.020
        await asyncio.sleep(10)

    _, told = watched(service, script)
    assert [kind for _, kind, _ in told] == [NoticeKind.HIGH_LATENCY, NoticeKind.NORMAL_LATENCY]
