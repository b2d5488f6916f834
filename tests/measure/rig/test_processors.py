"""Tests of jamlab.measure.rig.processors."""

import os
import time

import pytest

from jamlab.measure.rig.processors import busy_share, ticks, ticks_in


@pytest.mark.parametrize(
    ("idle", "whole", "share"), [(0, 100, 1.0), (100, 100, 0.0), (25, 100, 0.75), (0, 0, 0.0)]
)
def test_what_is_not_idle_is_busy(idle, whole, share):
    assert busy_share((50, 70), (50 + idle, 70 + whole)) == share


def test_waiting_for_a_disk_is_idle_and_a_guest_counts_once():
    assert ticks_in("cpu 1 2 3 4 5 6 7 8 100 100\ncpu0 9 9") == (9, 36)


def test_a_process_that_works_is_seen():
    """It is as busy as the processor's time that it takes of all processors, at the least."""
    before, began_s = ticks(), time.process_time()
    while time.process_time() < began_s + 0.5:
        pass
    after = ticks()
    spent = busy_share(before, after) * (after[1] - before[1]) / os.sysconf("SC_CLK_TCK")
    assert spent > 0.4
