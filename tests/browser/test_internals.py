"""A dump of the Chromium that is installed, whatever its version, is read."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from jamlab.browsers.installed import INSTALL_DRIVER
from jamlab.measure.dump.dump import read_dump
from tests.browser.internals import record
from tests.browser.notebook import CHROMIUM

SECONDS = 8


@pytest.fixture(scope="module")
def dump(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    pytest.importorskip("playwright", reason=f"there is no Playwright: {INSTALL_DRIVER}")
    folder = tmp_path_factory.mktemp("dump")
    path = folder / "webrtc_internals_dump.txt"
    # In a thread of its own, because the package's browser keeps a loop running in this one.
    with ThreadPoolExecutor(1) as thread:
        path.write_bytes(thread.submit(record, folder / "profile", SECONDS).result())
    return read_dump(path)


@pytest.mark.slow
def test_both_connections_are_read(dump):
    assert "Chrome/" in dump.browser
    assert list(dump.connections["connected"]) == [True, True]
    assert list(dump.connections["route"]) == ["direct", "direct"]
    assert dump.connections["time_to_connect_high_s"].max() < 10
    gathered = dump.ice[dump.ice["event"] == "candidate gathered"]
    assert set(gathered["candidate_type"]) >= {"host"}


@pytest.mark.slow
def test_both_ends_hear_each_second(dump):
    stages = dump.stages
    assert stages.groupby("connection").size().min() >= SECONDS - 3
    assert stages["jitter_buffer_ms"].between(1, 500).all()
    assert stages["playout_ms"].between(0, 500).all()
    assert stages["network_high_ms"].dropna().between(0, 100).all()


@pytest.mark.slow
def test_chromiums_own_sums_agree(dump):
    """The seconds add up to the whole: no interval was left out or counted twice."""
    heard = dump.audio[dump.audio["direction"] == "inbound"]
    total = heard.groupby("connection")[["interval_s", "samples"]].sum()
    np.testing.assert_allclose(total["samples"] / total["interval_s"], 48_000, rtol=0.05)
