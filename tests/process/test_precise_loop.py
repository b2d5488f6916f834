"""Tests of jamlab.process.precise_loop."""

import asyncio
import contextlib
import gc
import selectors

import pytest

from jamlab.process.precise_loop import collector_paused, run_precisely


def test_runs_on_a_loop_that_selects():
    async def which():
        return asyncio.get_running_loop()._selector

    assert isinstance(run_precisely(which()), selectors.SelectSelector)


def test_errors_come_through():
    async def fail():
        raise KeyError("x")

    with pytest.raises(KeyError):
        run_precisely(fail())


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
