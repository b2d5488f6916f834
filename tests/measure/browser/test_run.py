"""Tests of jamlab.measure.browser.run and the modules it uses, with real Chromiums."""

import shutil

import pytest

from jamlab.browsers.steps import StepsError
from jamlab.measure.browser.plan import SYSTEM
from jamlab.measure.browser.players import PlayerError
from jamlab.measure.browser.reference import reference_client
from jamlab.measure.browser.run import measure_browsers
from jamlab.measure.browser.verdicts import paths_table
from tests.audio_graph.on_graph import needs_graph
from tests.measure.browser.application import application
from tests.measure.browser.chromium import NEEDS_CHROMIUM, plan_of

pytestmark = [pytest.mark.slow, *NEEDS_CHROMIUM]
FIREFOX = pytest.mark.skipif(
    shutil.which("firefox-esr") is None, reason="there is no Firefox: apt-get install firefox-esr"
)
AUTO = "?auto&name={player}&room={session}"


@pytest.fixture(scope="module")
def url():
    with application() as address:
        yield address


@pytest.mark.parametrize(
    ("query", "peers"), [("", 2), ("&play=context", 2), ("&play=context&rate=44100", 3)]
)
async def test_every_path_is_measured(url, query, peers):
    record = await measure_browsers(plan_of(url + AUTO + query, peers=peers))
    paths = paths_table(record)
    assert len(paths) == peers * (peers - 1)
    assert (paths["heard_share"] > 0.8).all()
    # Opus frames of 20 ms and a jitter buffer: no path is quicker, and none of them takes a second.
    assert record.clicks["latency_ms"].dropna().between(20.0, 900.0).all()
    assert set(record.statistics["sender"]) == set(record.provenance["asked"])
    assert record.provenance["error_ms"] < 50


async def test_sessions_join_anew(url):
    record = await measure_browsers(plan_of(url + AUTO, sessions=2, duration_s=4.0))
    assert sorted(set(record.clicks["session"])) == [0, 1]


async def test_steps_lead_into_the_room(url, tmp_path):
    steps = tmp_path / "join.py"
    steps.write_text("async def join(page, player):\n    await page.click('#join')\n")
    plan = plan_of(url + "?name={player}&room=steps", steps=str(steps))
    assert (paths_table(await measure_browsers(plan))["heard_share"] > 0.8).all()


async def test_steps_that_fail_are_told_with_their_line_and_a_picture(url, tmp_path):
    steps = tmp_path / "join.py"
    steps.write_text("async def join(page, player):\n    await page.click('#no', timeout=100)\n")
    plan = plan_of(url + "?name={player}", steps=str(steps))
    with pytest.raises(StepsError, match=r"join.py, line 2, for player 1: .*pictures") as raised:
        await measure_browsers(plan, folder=tmp_path)
    assert str(tmp_path / "player-1.png") in str(raised.value)
    assert (tmp_path / "player-1.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?name={player}", "asked for no microphone"),
        ("?auto&name={player}&room={player}", "no RTCPeerConnection"),
        ("?auto&silent&name={player}&room=quiet", "asked for no microphone"),
    ],
)
async def test_a_page_that_lacks_something_is_told(url, query, words):
    with pytest.raises(PlayerError, match=f"player 1: the page has .*{words}"):
        await measure_browsers(plan_of(url + query, join_timeout_s=3.0))


async def test_a_page_that_plays_nothing_is_told(url):
    record = await measure_browsers(plan_of(url + AUTO + "&play=none"))
    assert record.clicks["latency_ms"].isna().all()
    assert "the page of player 1 played no sound of the others" in record.provenance["remarks"]


async def test_an_address_that_nobody_serves_is_told():
    with pytest.raises(PlayerError, match=r"player 1 cannot open http://127\.0\.0\.1:9/"):
        await measure_browsers(plan_of("http://127.0.0.1:9/"))


@needs_graph
@pytest.mark.parametrize("browser", ["chromium", pytest.param("firefox", marks=FIREFOX)])
async def test_mouth_to_ear_is_measured_through_real_audio(url, browser):
    plan = plan_of(url + AUTO, audio=SYSTEM, browser=browser, duration_s=3.0, settle_s=2.0)
    record = await measure_browsers(plan)
    paths = paths_table(record)
    assert list(paths["sender"]) == ["player 1", "player 2"]
    assert (paths["heard_share"] > 0.8).all()
    # Beyond Opus frames and jitter buffer there is capture and playout, of 10 ms blocks at least.
    assert record.clicks["latency_ms"].dropna().between(40.0, 1000.0).all()
    assert record.provenance["own_delay_ms"] == pytest.approx(0.0, abs=0.1)
    assert record.provenance["asked"]["player 1"]


@needs_graph
async def test_the_reference_client_states_what_it_plays_from_data_channels():
    async with reference_client() as url:
        plan = plan_of(
            url.replace("#", "&transport=data#"), audio=SYSTEM, duration_s=3.0, settle_s=3.0
        )
        record = await measure_browsers(plan)
    paths = paths_table(record)
    assert len(paths) == 2
    assert (paths["heard_share"] > 0.3).all()  # a busy machine loses sound
    # frames of 2.5 ms are the page's own, not of the media path; capture and playout come on top
    assert record.statistics["frame_ms"].median() < 5.0
    assert record.clicks["latency_ms"].dropna().between(8.0, 2000.0).all()
    assert paths["concealed_share"].between(0.0, 0.9).all()
