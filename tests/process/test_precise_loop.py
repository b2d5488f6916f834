"""Tests of jamlab.process.precise_loop."""

import asyncio
import selectors

import pytest

from jamlab.process.precise_loop import run_precisely


def test_runs_on_a_loop_that_selects():
    async def which():
        return asyncio.get_running_loop()._selector

    assert isinstance(run_precisely(which()), selectors.SelectSelector)


def test_errors_come_through():
    async def fail():
        raise KeyError("x")

    with pytest.raises(KeyError):
        run_precisely(fail())
