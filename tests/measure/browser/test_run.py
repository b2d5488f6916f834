"""Tests of jamlab.measure.browser.run and the modules it uses, with real Chromiums."""

import shutil

import pytest

from jamlab.browsers.installed import Browser, BrowserError
from jamlab.browsers.steps import StepsError
from jamlab.measure.browser import run
from jamlab.measure.browser.plan import SYSTEM
from jamlab.measure.browser.players import PlayerError
from jamlab.measure.browser.record import BrowserRecord
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
HEARD = 0.3  # share of the clicks; pages on a busy machine lose sound


@pytest.fixture(scope="module")
def url():
    with application() as address:
        yield address


async def test_every_path_is_measured(url):
    """Pages that play by an element which is there before the tracks, and by Web Audio."""
    plan = plan_of(url + AUTO + "&play=added,context,rate", peers=3)
    for _ in range(3):  # on a busy machine a page may not be heard in a whole run
        record = await measure_browsers(plan)
        paths = paths_table(record)
        assert len(paths) == 6
        if (paths["heard_share"] > HEARD).all():
            break
    assert (paths["heard_share"] > HEARD).all()
    # Opus frames of 20 ms and a jitter buffer: no path is quicker, and none of them takes a second.
    assert record.clicks["latency_ms"].dropna().between(20.0, 900.0).all()
    assert set(record.statistics["sender"]) == set(record.provenance["asked"])
    assert record.provenance["error_ms"] < 50


async def test_an_odd_application_is_measured_as_it_is(url, tmp_path):
    """In a frame, with a wish that has itself in it, and a page that never loads.

    One page plays by quanta of 512 frames, the other one with numbers that are none.
    """
    odd = "&framed&circular&waiting&play=quantum,nan"
    record = await measure_browsers(plan_of(url + AUTO + odd))
    assert (paths_table(record)["heard_share"] > HEARD).all()
    assert record.clicks["latency_ms"].dropna().between(20.0, 900.0).all()
    assert BrowserRecord.load(record.save(tmp_path)).provenance["asked"].keys() == {
        "player 1",
        "player 2",
    }


async def test_players_join_anew_in_every_session(url):
    """Into a page that plays nothing, and one that plays to no loudspeaker."""
    kept = []
    plan = plan_of(url + AUTO + "&play=none,nowhere", sessions=2, duration_s=4.0)
    record = await measure_browsers(plan, keep=kept.append)
    assert sorted(set(record.clicks["session"])) == [0, 1]
    (first,) = kept  # what an interruption of the second session would leave
    assert set(first.clicks["session"]) == {0}
    assert "the run was ended after 1 of 2 sessions" in first.provenance["remarks"]
    assert "the run was ended after 1 of 2 sessions" not in record.provenance["remarks"]
    assert record.clicks["latency_ms"].isna().all()
    for player in ("player 1", "player 2"):
        told = f"the page of {player} played no sound of the others (in every session)"
        assert told in record.provenance["remarks"]


async def test_a_page_that_nobody_or_hardly_anybody_hears_is_told(url):
    """One page of a meeting is muted, the other one plays very quietly."""
    record = await measure_browsers(plan_of(url + AUTO + "&meeting&play=muted,faint"))
    paths = paths_table(record).set_index("receiver")
    assert paths.loc["player 2", "heard_share"] > HEARD
    heard = record.clicks.set_index("receiver")["latency_ms"]
    assert heard["player 1"].isna().all()
    muted, faint = record.provenance["remarks"]
    assert muted == "the page of player 1 played no sound of the others"
    assert faint.startswith("the page of player 2 plays the others ")
    assert "more quietly than they were captured" in faint


async def test_steps_that_fail_are_told_with_their_line_and_a_picture(url, tmp_path):
    steps = tmp_path / "join.py"
    steps.write_text("async def join(page, player):\n    await page.click('#no')\n")
    plan = plan_of(url + "?name={player}", steps=str(steps), join_timeout_s=2.0)
    told = r"join.py, line 2, for player 1: .*: waiting for locator\(\"#no\"\) .*pictures"
    with pytest.raises(StepsError, match=told) as raised:
        await measure_browsers(plan, folder=tmp_path)
    assert str(tmp_path / "player-1.png") in str(raised.value)
    assert (tmp_path / "player-1.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?auto&name={player}&room={player}", "no RTCPeerConnection"),
        ("?auto&silent&name={player}&room=quiet", "asked for no microphone"),
        ("?auto&forbidden&name={player}", "asked for no .*: the permissions policy of the page"),
    ],
)
async def test_a_page_that_lacks_something_is_told(url, query, words):
    with pytest.raises(PlayerError, match=f"player 1: the page has .*{words}"):
        await measure_browsers(plan_of(url + query, join_timeout_s=2.0))


async def test_an_address_that_nobody_serves_is_told():
    with pytest.raises(PlayerError, match=r"player 1 cannot open http://127\.0\.0\.1:9/"):
        await measure_browsers(plan_of("http://127.0.0.1:9/"))


async def test_a_browser_that_gets_no_clicks_is_told(monkeypatch):
    monkeypatch.setattr(run, "installed", lambda name: Browser(name, "/bin/false", "140.0"))
    with pytest.raises(BrowserError, match=r"Firefox 140\.0 needs --audio system"):
        await measure_browsers(plan_of("http://127.0.0.1:9/", browser="firefox"))


@needs_graph
@pytest.mark.parametrize("browser", ["chromium", pytest.param("firefox", marks=FIREFOX)])
async def test_mouth_to_ear_is_measured_through_real_audio(url, browser):
    plan = plan_of(url + AUTO, audio=SYSTEM, browser=browser)
    record = await measure_browsers(plan)
    paths = paths_table(record)
    assert list(paths["sender"]) == ["player 1", "player 2"]
    assert (paths["heard_share"] > HEARD).all()
    # Beyond Opus frames and jitter buffer there is capture and playout, of 10 ms blocks at least.
    assert record.clicks["latency_ms"].dropna().between(40.0, 1000.0).all()
    assert record.provenance["own_delay_ms"] == pytest.approx(0.0, abs=0.1)
    assert record.provenance["asked"]["player 1"]


@needs_graph
async def test_the_reference_client_states_what_it_plays_from_data_channels():
    async with reference_client() as url:
        plan = plan_of(url.replace("#", "&transport=data#"), audio=SYSTEM)
        record = await measure_browsers(plan)
    paths = paths_table(record)
    assert len(paths) == 2
    assert (paths["heard_share"] > HEARD).all()
    # frames of 2.5 ms are the page's own, not of the media path; capture and playout come on top
    assert record.statistics["frame_ms"].median() < 5.0
    assert record.clicks["latency_ms"].dropna().between(8.0, 2000.0).all()
    assert paths["concealed_share"].between(0.0, 0.9).all()
    # it waits for the user before it plays, and is not accused
    assert not [each for each in record.provenance["remarks"] if "before any click" in each]
