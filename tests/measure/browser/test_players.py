"""Tests of jamlab.measure.browser.players: pages that misbehave, in real Chromiums."""

import pytest

from jamlab.browsers import engines
from jamlab.browsers.installed import BrowserError
from jamlab.measure.browser import instrument
from jamlab.measure.browser.players import PlayerError
from jamlab.measure.browser.run import measure_browsers
from jamlab.measure.browser.verdicts import paths_table
from tests.measure.browser.application import application
from tests.measure.browser.chromium import NEEDS_CHROMIUM, plan_of

pytestmark = [pytest.mark.slow, *NEEDS_CHROMIUM]

NAME = "?name={player}&room=players"
KILL_BROWSER = """
    if page.url.endswith("1"):
        import psutil
        profile = "--user-data-dir="
        for each in psutil.Process().children(recursive=True):
            words = each.cmdline()
            is_browser = any(profile in word for word in words)
            if is_browser and not any("--type=" in word for word in words):
                each.kill()
        await page.wait_for_timeout(60_000)
"""
CRASH = "    with contextlib.suppress(Exception):\n        await page.goto('chrome://crash')\n"


@pytest.fixture(scope="module")
def url():
    with application() as address:
        yield address


@pytest.fixture
def steps(tmp_path):
    """Return a function that writes a file of steps, and returns its path."""

    def written(body):
        file = tmp_path / "join.py"
        file.write_text(f"import contextlib\n\nasync def join(page, player):\n{body}\n")
        return str(file)

    return written


def evaluating(script, then="await page.click('#join')"):
    """Return the body of steps that run a script in the page."""
    return f"    await page.evaluate({script!r})\n    {then}"


async def test_a_page_without_encryption_is_told(url, monkeypatch):
    rule = "--host-resolver-rules=MAP jam.test 127.0.0.1"
    monkeypatch.setattr(engines, "ARGUMENTS", (*engines.ARGUMENTS, rule))
    plan = plan_of(url.replace("127.0.0.1", "jam.test") + "?auto" + NAME.replace("?", "&"))
    with pytest.raises(PlayerError, match=r"player 1: the page http://jam.test\S+ is not secure"):
        await measure_browsers(plan)


async def test_a_click_or_a_window_of_its_own_may_lead_into_the_room(url, steps):
    """A context that a page makes after a click is not remarked on."""
    opening = """
    if player == "player 1":
        await page.click("#join")
    else:
        await page.evaluate("() => { window.open(location.href + '&auto'); }")
    """
    record = await measure_browsers(plan_of(url + NAME + "&play=context,", steps=steps(opening)))
    assert (paths_table(record)["heard_share"] > 0.3).all()  # a busy machine loses sound
    assert record.provenance["remarks"] == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("    await page.close()", "player 1: the page was closed"),
        (CRASH, "player 1: the page crashed"),
        ("    await page.context.close()", "player 1: the browser crashed, or somebody closed it"),
        ("    await page.goto(page.url + '&away')", r"no microphone after 3 s; it shows \S+&away"),
    ],
)
async def test_a_page_that_goes_away_is_told(url, steps, body, words):
    plan = plan_of(url + NAME, steps=steps(body), join_timeout_s=3.0)
    with pytest.raises((PlayerError, BrowserError), match=words):
        await measure_browsers(plan)


async def test_a_page_that_is_loaded_anew_while_it_is_measured_is_told(url, steps):
    script = (
        "() => { const { play } = jamlabInstrument; jamlabInstrument.play = (text) => {"
        "setTimeout(() => location.reload()); return play(text); }; }"
    )
    with pytest.raises(PlayerError, match="player 1: its page was loaded anew"):
        await measure_browsers(plan_of(url + NAME, steps=steps(evaluating(script))))


async def test_a_page_that_is_stuck_is_told(url, steps, monkeypatch):
    monkeypatch.setattr(instrument, "_ANSWER_S", 1.5)
    stuck = evaluating("() => { setTimeout(() => { for (;;); }, 100); }", "pass")
    with pytest.raises(BrowserError, match=r"has not answered for 1\.5 s: a script of its own"):
        await measure_browsers(plan_of(url + NAME, steps=steps(stuck)))


async def test_a_browser_that_is_killed_loses_no_earlier_session(url, steps):
    plan = plan_of(
        url + "?name={player}&auto&room={session}",
        steps=steps(KILL_BROWSER),
        sessions=2,
        duration_s=4.0,
    )
    record = await measure_browsers(plan)
    assert set(record.clicks["session"]) == {0}
    assert "session 2 failed, and the run ended" in record.provenance["remarks"][-1]


async def test_audio_contexts_without_a_gesture_are_remarked(url, steps):
    script = (
        "() => { window.kept = [new AudioContext({ sampleRate: 44100 }), new AudioContext()];"
        "kept[1].suspend(); addEventListener('beforeunload', (event) => event.preventDefault()); }"
    )
    plan = plan_of(url + NAME + "&play=context", steps=steps(evaluating(script)))
    record = await measure_browsers(plan)
    assert (paths_table(record)["heard_share"] > 0.3).all()  # a busy machine loses sound
    both = "the page of player 1 and player 2 "
    told = [each for each in record.provenance["remarks"] if each.startswith(both)]
    assert [each.removeprefix(both)[:30] for each in told] == [
        "asks for an AudioContext at 44",
        "uses 3 AudioContexts, each wit",
        "has an AudioContext that is su",
        "made an AudioContext before an",
    ]
