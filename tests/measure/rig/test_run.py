"""Runs of the rig on a real audio graph, with programs whose delay is known another way."""

import asyncio
import shutil
from contextlib import nullcontext, suppress

import numpy as np
import psutil
import pytest

from jamlab.audio.metronome import CLICK_FRAMES
from jamlab.audio_graph.graph import audio_graph
from jamlab.audio_graph.plan import ears, microphone_inputs
from jamlab.audio_graph.tape import Punctuality, Recording
from jamlab.measure.latency.graph_clicks import OwnDelay, click_latencies, measure_own_delay
from jamlab.measure.rig import run as module
from jamlab.measure.rig.joining import joined
from jamlab.measure.rig.plan import RigPlan
from jamlab.measure.rig.presets import rig_plan
from jamlab.measure.rig.programs import RigError
from jamlab.measure.rig.run import measure_rig
from tests.audio_graph.on_graph import iodelay, needs, needs_graph
from tests.leaks import until

LINE_MS = 20.0
LINE = (
    f"pw-loopback --delay {LINE_MS / 1000} "
    "--capture-props 'node.name={player}-in target.object={player}-microphone' "
    "--playback-props 'node.name={player}-out target.object={peer}-loudspeaker'"
)
"""A delay line of PipeWire's own, from a player's microphone to the next one's loudspeaker."""
LOOPBACK = needs("pipewire-bin", "pw-loopback")
SHORT = {"sessions": 1, "duration_s": 4.0, "settle_s": 0.5}
PERIOD = 128
RECORDINGS = 5
"""Recordings of which one has no missed cycle of the graph, where the machine is not busy."""
JAMULUS = "Jamulus" if shutil.which("Jamulus") else "jamulus"


def lines():
    """Return the delay lines that this test runs."""
    found = []
    for each in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it has ended meanwhile
            if each.name() == "pw-loopback":
                found.append(each)
    return found


def halved(sound, metronome, clicks, whole):
    """Return a recording of clicks of which only some are there, and of these one half."""
    kept = np.zeros_like(sound)
    for click in clicks:
        if click % whole == 0:
            middle = metronome.onset(click) + CLICK_FRAMES // 2
            kept[middle : middle + CLICK_FRAMES // 2] = sound[middle : middle + CLICK_FRAMES // 2]
    return kept


@pytest.mark.slow
@pytest.mark.parametrize("whole", [2, 3, 5])
def test_the_rest_of_a_damaged_click_is_never_taken_for_another(whole):
    """Ben hears the second half of some of ada's clicks after 20 ms."""
    plan = RigPlan(("x", "x"), sessions=1, duration_s=12.0, settle_s=0.5)
    metronomes, frames = plan.metronomes(), 15 * 48_000
    mouths = {name: each.block(0, frames)[:, 0] for name, each in metronomes.items()}
    clicks = metronomes["ada"].clicks_between(0, frames)
    heard = halved(mouths["ada"], metronomes["ada"], clicks, whole)
    ears_ = {"ada": np.zeros(frames, np.float32), "ben": np.roll(heard, 960)}
    recording = Recording(mouths, ears_, Punctuality(1, 0, 0, 0, 0.0))
    rows = module.read_rows(plan, recording, metronomes, 0.0)["ada", "ben"]
    found_ms = np.array([latency_ms for _, _, latency_ms, _ in rows])
    assert np.nanmax(np.abs(found_ms - LINE_MS)) < 0.5
    assert set(np.array([click for click, *_ in rows])[~np.isnan(found_ms)] % whole) == {0}


@needs_graph
@LOOPBACK
@pytest.mark.slow
async def test_a_delay_line_takes_what_it_was_told_to():
    kept = []
    plan = RigPlan((LINE, LINE), system="line", **{**SHORT, "sessions": 2})
    record = await measure_rig(plan, keep=kept.append)
    assert set(record.clicks["session"]) == {0, 1}
    assert len(record.punctuality) == 2
    for _, path in record.clicks.groupby(["sender", "receiver"]):
        heard = path["latency_ms"].dropna()
        assert len(heard) > 0.1 * len(path)  # a busy machine misses cycles
        assert heard.median() == pytest.approx(LINE_MS, abs=1000 * PERIOD / 48_000)
    assert record.clicks["emitted_s"].between(0, plan.session_s).all()
    (half,) = kept
    assert set(half.clicks["session"]) == {0}
    assert "the run was ended after 1 of 2 sessions" in half.provenance["remarks"][-1]
    assert record.provenance["parameters"]["system"] == "line"
    await until(lambda: not lines())


@needs_graph
@pytest.mark.slow
async def test_programs_that_cannot_be_measured_end_the_run():
    with pytest.raises(RigError, match="no program 'nothing-of-the-kind'"):
        await measure_rig(RigPlan(("nothing-of-the-kind", "x"), **SHORT))


async def test_a_later_session_that_fails_keeps_those_before(monkeypatch):
    async def session(_plan, _graph, number, run):
        if number == 2:
            raise RigError("ada's program ended")
        run.clicks.append((number, "ada", "ben", 0, 0.0, 20.0, 0.9))
        run.punctuality.append((number, 10, 0, 0, 0, 1.0, 0.5))

    monkeypatch.setattr(module, "_session", session)

    async def own(_graph):
        return OwnDelay(0.001, 0.0001, 10, Punctuality(1, 0, 0, 0, 0.0))

    monkeypatch.setattr(module, "audio_graph", lambda *_: nullcontext())
    monkeypatch.setattr(module, "measure_own_delay", own)
    record = await measure_rig(RigPlan(("x", "x"), sessions=5))
    assert record.clicks["session"].tolist() == [0, 1]
    assert record.provenance["remarks"] == [
        "session 3 failed, and the run ended: ada's program ended"
    ]


@needs_graph
@LOOPBACK
@pytest.mark.slow
async def test_a_cancelled_run_leaves_no_program():
    plan = RigPlan((LINE, LINE), **{**SHORT, "settle_s": 60.0})
    task = asyncio.create_task(measure_rig(plan))
    await until(lambda: len(lines()) == 2 or task.done())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not lines())


async def frames_of_clicks(plan, graph, own):
    """Return the median from ada to ben by clicks, in frames."""
    metronomes = plan.metronomes()
    for _ in range(RECORDINGS):
        recording = await graph.record(metronomes, 4.0)
        missed, cycles = recording.punctuality.missed_cycles, recording.punctuality.cycles
        if not missed:
            break
    else:
        pytest.skip(f"{missed} of {cycles} cycles of the graph were missed: use an idle machine")
    found = click_latencies(recording, metronomes, own_delay_s=own.delay_s)
    return float(np.nanmedian([each.delay_s for each in found["ada", "ben"]])) * 48_000


@needs_graph
@needs("jackd2", "jack_iodelay", "stdbuf")
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("jacktrip", marks=needs("jacktrip", "jacktrip")),
        pytest.param("jamulus", marks=needs("jamulus", JAMULUS)),
    ],
)
async def test_a_program_takes_what_jack_iodelay_reads_within_a_period(name):
    """The network between the programs breaks the tool's loop, which takes no cycle of its own.

    A program whose buffer adapts meanwhile is read before and after.
    """
    plan = rig_plan(name, period_frames=PERIOD)
    async with audio_graph(plan.players, PERIOD) as graph:
        own = await measure_own_delay(graph)
        async with joined(plan, graph):
            await asyncio.sleep(3.0)
            before = await frames_of_clicks(plan, graph, own)
            theirs = await iodelay(graph, microphone_inputs("ada"), ears("ben")[0], readings=7)
            after = await frames_of_clicks(plan, graph, own)
    assert min(before, after) - PERIOD <= theirs <= max(before, after) + PERIOD


@needs_graph
@pytest.mark.slow
async def test_jamlab_s_own_mesh_is_measured():
    plan = rig_plan("jamlab", **{**SHORT, "settle_s": 2.0})
    record = await measure_rig(plan)
    heard = record.clicks["latency_ms"].dropna()
    assert len(heard) > 0.1 * len(record.clicks)
    assert heard.median() > 2.5  # an Opus frame takes that long at least
