"""The clicks that are injected into a page, in Node."""

from pathlib import Path

import numpy as np
import pytest

from jamlab.audio.metronome import IDENTITIES, Metronome
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.browser import instrument
from jamlab.measure.browser.injected import track_of
from tests.client.node import run_js

READER = (Path(instrument.__file__).parent / "page" / "bytes.js").read_text(encoding="utf-8")
PRINT = 'console.log(JSON.stringify(Buffer.from(trackOf(given).buffer).toString("base64")));'


def in_the_page(track):
    """Return the samples that a page makes of a track."""
    return instrument.samples_of(run_js(READER + PRINT, track.message()))


@pytest.mark.parametrize(
    ("metronome", "seconds"),
    [(Metronome(590.0, voice=3), 40.0), (Metronome(240.0), 2.9), (Metronome(10.0), 4.0)],
)
def test_a_page_plays_the_metronome(metronome, seconds):
    track = track_of(metronome, seconds)
    made = in_the_page(track)
    length = round(seconds * SAMPLE_RATE)
    last = metronome.onset(len(track.onsets) - 1) + len(track.sounds[0])
    assert len(made) == length
    np.testing.assert_array_equal(made[:last], metronome.block(0, last)[:, 0])
    assert not made[last:].any()  # no click is cut
    assert length - last < 2 * 60 / metronome.bpm * SAMPLE_RATE


def test_a_page_gets_each_identity_once():
    track = track_of(Metronome(590.0), 60.0)
    assert len(track.onsets) > 2 * IDENTITIES
    assert len(track.sounds) == IDENTITIES
