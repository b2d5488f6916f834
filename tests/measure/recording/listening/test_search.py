"""The blind search against tracks of known voice, number and onset."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jamlab.audio.metronome import IDENTITIES, Metronome
from jamlab.measure.recording.listening.search import LEAST_CLICKS, Baseband, Hit, chains, hits_of
from tests.examples import examples
from tests.measure.recording.takes import RATE, delayed, noise, track


def heard(sound, voice=0):
    return hits_of(voice, Baseband.of(sound.astype(np.float32)))


@pytest.mark.parametrize("voice", [0, 7, 31])
@pytest.mark.parametrize("delay", [0.0, 2.0, 1001.4])
def test_every_click_is_a_hit_at_its_onset(voice, delay):
    metronome = Metronome(240.0, voice)
    hits = heard(delayed(track(8, 240.0, voice), delay), voice)
    assert [hit.identity for hit in hits] == [*range(8)]
    for hit in hits:
        assert abs(hit.at - metronome.onset(hit.identity) - delay) <= 4
        assert hit.confidence > 0.8


@pytest.mark.parametrize("other", [1, 30])
def test_clicks_of_another_voice_are_none(other):
    assert heard(track(8, 240.0, other)) == []


def test_clicks_below_other_sound_are_found():
    sound = track(8, 240.0)
    hits = heard(noise(np.random.default_rng(1), sound, -6, sound))
    assert {hit.identity for hit in hits} == {*range(8)}


@pytest.mark.parametrize("seed", range(3))
def test_noise_has_no_chain(seed):
    sound = np.random.default_rng(seed).normal(0, 0.1, 5 * RATE)
    assert all(not chains(heard(sound, voice)) for voice in range(6))


def test_silence_has_no_hit():
    assert heard(np.zeros(RATE)) == []
    assert heard(np.zeros(100)) == []


@examples(100)
@given(
    beat=st.floats(2000, 200_000),
    first=st.integers(0, IDENTITIES - 1),
    kept=st.sets(st.integers(0, 11), min_size=6),
    at=st.floats(0, 1e6),
    false=st.lists(st.tuples(st.floats(0, 2e6), st.integers(0, 228)), max_size=5),
)
@example(beat=2000.0, first=202, kept={0, 1, 2, 3, 4, 5}, at=0.0, false=[(286_737.0, 117)])
def test_a_chain_has_the_beat_of_its_hits(beat, first, kept, at, false):
    """Whatever the tempo and the number they begin with, and despite a few false hits."""
    true = [Hit(at + n * beat, (first + n) % IDENTITIES, 0.9) for n in sorted(kept)]
    others = [Hit(place, identity, 0.4) for place, identity in false]
    found = chains(sorted([*true, *others]))
    assert found[0].beat == pytest.approx(beat, abs=100)
    assert len(set(found[0].hits) & set(true)) >= len(true) - 1


def test_two_arrivals_are_two_chains():
    hits = sorted(
        Hit(30_000 + 24_000 * n + late, n, 0.8) for n in range(10) for late in (0.0, 9_000.0)
    )
    found = chains(hits)
    assert [len(chain.hits) for chain in found] == [10, 10]
    assert sorted(chain.first for chain in found) == pytest.approx([30_000, 39_000])


def test_too_few_hits_are_no_chain():
    hits = [Hit(24_000.0 * n, n, 0.9) for n in range(LEAST_CLICKS)]
    assert len(chains(hits)) == 1
    assert chains(hits[:-1]) == []
