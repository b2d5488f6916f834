"""The meters as they are seen: in JupyterLab in Chromium, light and dark, wide and narrow."""

import numpy as np
import pytest

from jamlab.audio.analyser import FFT_FRAMES, Analyser
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.report.page.html import notebook_path

MOVING = """
from jamlab.audio.pcm import silence
from jamlab.measure.acceptance.sines import tone
from jamlab.widgets import LevelMeters

SINE, LOUD = tone((997.0, 997.0), -6.0), lambda start, frames: silence(frames) + 1
signals = {"guitar": SINE}
meters = LevelMeters(signals=signals)
meters.start()
meters
"""
SESSIONS = """
from functools import partial
from jamlab import JamSession, MemoryChannel, VirtualCard
from jamlab.measure.acceptance.sines import tone
from jamlab.widgets import LevelMeters

room = MemoryChannel()

def player(name):
    card = VirtualCard(tone((997.0, 997.0), -6.0), block_frames=480)
    return JamSession("jam", name, signaling=lambda _: room, card=card)

ada, ben = player("ada"), player("ben")
await ada.__aenter__()
meters = LevelMeters(ada)
meters.start()
meters
"""
SCALE = {0: 100, -3: 92.5, -6: 85, -12: 70, -18: 55, -24: 42, -30: 30, -40: 15, -60: 2.5}
"""Where a level stands on IEC 60268-18's scale, in per cent of its length."""
METERS = "document.querySelector('.jamlab-meters').meters"


def row(notebook, name):
    return notebook.page.get_by_role("group", name=name, exact=True)


def meter(notebook, name, side):
    return notebook.page.get_by_role("meter", name=f"{name}, {side}, dBFS")


def reading(notebook, name, side="left"):
    """Return what a screen reader is given: the peak in dBFS, and words."""
    shown = meter(notebook, name, side)
    return float(shown.get_attribute("aria-valuenow")), shown.get_attribute("aria-valuetext")


def until(notebook, condition, argument=None):
    notebook.page.wait_for_function(condition, arg=argument)


def until_reads(notebook, name, low, high, side="left"):
    condition = """([label, low, high]) => {
        const shown = document.querySelector(`[role=meter][aria-label="${label}"]`);
        const now = shown && Number(shown.getAttribute('aria-valuenow'));
        return shown && shown.hasAttribute('aria-valuenow') && low <= now && now <= high; }"""
    until(notebook, condition, [f"{name}, {side}, dBFS", low, high])


def until_drawn(notebook, pictures):
    """Wait for so many more pictures."""
    drawn = notebook.page.evaluate(f"() => {METERS}.drawn")
    until(notebook, f"n => {METERS}.drawn >= n", drawn + pictures)


def bar_end(notebook, name):
    """Return where a row's upper bar ends and where the scale says that is, in CSS pixels.

    The bar ends where its canvas has the colour of the track.
    """
    return notebook.page.evaluate(
        """([name, dbfs]) => {
        const row = document.querySelector(`[role=group][aria-label="${name}"]`);
        const canvas = row.querySelector('canvas'), box = canvas.getBoundingClientRect();
        const context = canvas.getContext('2d'), y = Math.round(canvas.height * 0.05);
        const pixels = context.getImageData(0, y, canvas.width, 1).data;
        const at = x => [...pixels.slice(4 * x, 4 * x + 3)].join();
        const track = at(canvas.width - 1);
        let end = canvas.width - 1; // lines of the grid are one pixel wide
        while (end > 2 && [0, 1, 2].some(back => at(end - back) === track)) end -= 1;
        const tick = document.querySelector(`.jamlab-meters .tick[data-dbfs="${dbfs}"]`);
        const place = tick.getBoundingClientRect();
        return [end / canvas.width * box.width, (place.left + place.right) / 2 - box.left];
    }""",
        [name, -6],
    )


@pytest.mark.slow
def test_the_notebook_shows_known_levels_in_both_themes_and_widths(opened):
    with opened(notebook_path("04_level_meters"), width=1100, height=1000) as notebook:
        notebook.run_all()
        meters = notebook.page.locator(".jamlab-meters")
        for side in ("left", "right"):
            until_reads(notebook, "sine", -6.5, -5.5, side)
        until_reads(notebook, "left only", -18.5, -17.5)
        assert reading(notebook, "left only", "right") == (-70.0, "silent")
        assert reading(notebook, "too loud")[1].endswith("clipped")
        assert "RMS −6.0" in reading(notebook, "sine")[1]
        assert row(notebook, "sine").locator(".peak").first.text_content() == "−6.0"
        assert row(notebook, "guest").count() == 0
        ticks = meters.locator(".tick").evaluate_all(
            "ticks => ticks.map(tick => [Number(tick.dataset.dbfs), parseFloat(tick.style.left)])"
        )
        assert dict(ticks) == pytest.approx(SCALE)
        for theme in ("light", "dark"):
            notebook.theme(theme)
            for width in (1100, 520):
                notebook.resize(width, 1000)
                until_drawn(notebook, 15)
                ends, told = bar_end(notebook, "sine")
                assert ends == pytest.approx(told, abs=2.5)
                notebook.screenshot(f"meters-{theme}-{width}", meters)
        assert notebook.complaints == []


@pytest.mark.slow
def test_bars_move_peaks_are_held_and_fall_and_clips_stay_until_reset(opened):
    cells = [
        MOVING,
        "signals['guitar'] = lambda start, frames: silence(frames)",
        "signals['guitar'] = LOUD",
        "signals['guitar'] = SINE",
    ]
    with opened(cells) as notebook:
        notebook.run_cell(0)
        until_reads(notebook, "guitar", -6.5, -5.5)
        held = row(notebook, "guitar").locator(".peak").first
        assert held.text_content() == "−6.0"
        notebook.run_cell(1)
        until_reads(notebook, "guitar", -60, -8)  # the peak has begun to return
        fallen = "e => Number(e.textContent.replace('−', '-')) < -15"
        until(notebook, fallen, held.element_handle())

        clip = row(notebook, "guitar").get_by_text("CLIP")
        assert clip.get_attribute("data-clipped") == ""
        notebook.run_cell(2)
        until(notebook, "e => e.dataset.clipped === 'left,right'", clip.element_handle())
        notebook.screenshot("meters-clip", notebook.page.locator(".jamlab-meters"))
        notebook.run_cell(3)
        until_drawn(notebook, 30)
        assert clip.get_attribute("data-clipped") == "left,right"
        assert "clipped (left and right)" in clip.get_attribute("aria-label")
        clip.click()
        until(notebook, "e => e.dataset.clipped === ''", clip.element_handle())


@pytest.mark.slow
def test_a_peer_joins_is_heard_and_leaves(opened):
    cells = [
        SESSIONS,
        "await ben.__aenter__()\nawait ada.wait_connected(30, 'ben')",
        "await ben.leave()",
        "await ada.leave()\nmeters.stop()",
    ]
    with opened(cells) as notebook:
        notebook.run_cell(0)
        until_reads(notebook, "ada", -6.5, -5.5)
        assert row(notebook, "ben").count() == 0
        notebook.run_cell(1)
        until_reads(notebook, "ben", -7, -5)
        detail = row(notebook, "ben").locator(".detail")
        until(notebook, "e => e.textContent.endsWith(' ms')", detail.element_handle())
        assert detail.text_content().startswith("● connected · direct")
        for theme in ("light", "dark"):
            notebook.theme(theme)
            until_drawn(notebook, 5)
            notebook.screenshot(f"meters-session-{theme}", notebook.page.locator(".jamlab-meters"))
        notebook.run_cell(2)
        row(notebook, "ben").wait_for(state="detached")
        assert row(notebook, "ada").count() == 1
        notebook.run_cell(3)
        assert notebook.complaints == []


@pytest.mark.slow
def test_keys_work_on_rows_and_never_on_cells(opened):
    with opened([MOVING, "signals['drums'] = LOUD"]) as notebook:
        notebook.run_cell(0)
        notebook.run_cell(1)
        drums, guitar = row(notebook, "drums"), row(notebook, "guitar")
        clip = drums.get_by_text("CLIP").element_handle()
        until(notebook, "e => e.dataset.clipped === 'left,right'", clip)
        guitar.focus()
        notebook.page.keyboard.press("ArrowDown")
        until(notebook, "e => e === document.activeElement", drums.element_handle())
        notebook.page.keyboard.press("s")
        notebook.page.get_by_text("Spectrum of drums").wait_for()
        notebook.page.keyboard.press("s")
        notebook.page.get_by_text("Spectrum of drums").wait_for(state="hidden")
        notebook.page.keyboard.press("ArrowUp")
        notebook.page.keyboard.press("s")
        notebook.page.get_by_text("Spectrum of guitar").wait_for()
        until(notebook, f"() => {METERS}.bins?.indexOf(Math.max(...{METERS}.bins)) === 43")
        notebook.page.keyboard.press("r")
        cells = "() => window.jupyterapp.shell.currentWidget.content.widgets.map(c => c.model.type)"
        assert notebook.page.evaluate(cells)[:2] == ["code", "code"]


@pytest.mark.slow
def test_whoever_prefers_less_motion_gets_four_pictures_a_second_at_most(opened):
    cells = [
        MOVING,
        "signals['noise'] = lambda start, frames: silence(frames) + start % 997 / 2000",
    ]
    with opened(cells) as notebook:
        notebook.run_cell(0)
        notebook.run_cell(1)
        notebook.reduce_motion()
        until_drawn(notebook, 2)
        pictures, seconds = notebook.page.evaluate(
            """() => new Promise(done => {
            const meters = document.querySelector('.jamlab-meters').meters;
            const before = meters.drawn, began = performance.now();
            const look = () => {
                const pictures = meters.drawn - before;
                if (pictures < 8) return requestAnimationFrame(look);
                done([pictures, (performance.now() - began) / 1000]);
            };
            look();
        })"""
        )
        assert seconds >= 0.25 * (pictures - 1) - 0.05
        until_reads(notebook, "guitar", -6.5, -5.5)


@pytest.mark.slow
def test_the_spectrum_is_that_of_the_browsers_own_analyser_node(opened):
    rng, quanta = np.random.default_rng(1), 24
    sound = rng.uniform(-0.5, 0.5, (2, quanta * 128)).astype(np.float32)
    with opened(["1"]) as notebook:
        theirs = notebook.page.evaluate(
            """async ([channels, rate]) => {
            const frames = channels[0].length;
            const context = new OfflineAudioContext(2, frames, rate);
            const buffer = new AudioBuffer({length: frames, sampleRate: rate, numberOfChannels: 2});
            channels.forEach((samples, c) => buffer.copyToChannel(new Float32Array(samples), c));
            const source = new AudioBufferSourceNode(context, {buffer});
            const analyser = new AnalyserNode(context);
            source.connect(analyser).connect(context.destination);
            source.start();
            await context.startRendering();
            const bins = new Float32Array(analyser.frequencyBinCount);
            analyser.getFloatFrequencyData(bins);
            return [...bins];
        }""",
            [sound.tolist(), SAMPLE_RATE],
        )
    ours = Analyser().read(sound.T)
    assert len(theirs) == FFT_FRAMES // 2
    assert ours[1:] == pytest.approx(theirs[1:], abs=0.05)
