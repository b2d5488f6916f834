"""The choice among candidates against every candidate's fate, counted from all needs."""

import numpy as np
import pytest

from jamlab.media.playout.candidates import JUDGED_S, LATEST, MEMORIES_S, SHARES, Candidates
from jamlab.media.playout.needs import NeedHistograms

SLOT_S, MOST, MARGIN = 0.02, 3000, 24


def chosen_by_hand(slots, accepted_share):
    """Replay all slots for every candidate; return the depth of the best one."""
    histograms = NeedHistograms([memory / SLOT_S for memory in MEMORIES_S], MOST)
    fates, depths, least = [], None, 0
    for k, needs in enumerate(slots):
        if depths is not None:
            fates.append([(sum(n > d for n in needs), (d - least) * len(needs)) for d in depths])
        histograms.observe(needs)
        least = min(min(latest) for latest in slots[max(k - LATEST + 1, 0) : k + 1])
        depths = np.minimum(histograms.depths(SHARES).ravel(), least + MOST) + MARGIN
    ages = np.arange(len(fates))[::-1]
    weights = np.exp(-ages * SLOT_S / JUDGED_S)
    late, mean = np.einsum("s,sck->kc", weights, np.array(fates))
    packets = (weights * [len(needs) for needs in slots[1:]]).sum()
    kept = [c for c in range(len(depths)) if late[c] + 1 <= accepted_share * packets]
    if not kept:
        return depths[(len(MEMORIES_S) - 1) * len(SHARES)]
    return depths[min(kept, key=lambda c: mean[c])]


@pytest.mark.parametrize("accepted_share", [0.002, 0.01, 0.1])
@pytest.mark.parametrize("seed", range(2))
def test_played_is_the_least_of_those_that_keep_the_share(seed, accepted_share):
    random = np.random.default_rng(seed)
    wander = np.cumsum(random.normal(0, 20, 250))
    slots = [
        (1000 + abs(middle) + random.exponential(200, 4)).astype(int).tolist() for middle in wander
    ]
    candidates = Candidates(accepted_share, SLOT_S, MOST, MARGIN)
    for k, needs in enumerate(slots):
        candidates.observe(needs)
        if k in (100, 249):
            assert candidates.depth_frames == chosen_by_hand(slots[: k + 1], accepted_share)


def test_an_untried_candidate_is_not_chosen():
    """Of ten packets nothing follows about one in a thousand."""
    candidates = Candidates(0.001, SLOT_S, MOST, MARGIN)
    for needs in ([1000], [1500], *[[1000]] * 8):
        candidates.observe(needs)
    assert candidates.depth_frames >= 1500


def test_before_the_first_slot_there_is_none():
    candidates = Candidates(0.001, SLOT_S, MOST, MARGIN)
    assert candidates.depth_frames is None
    candidates.observe([5])
    candidates.reset()
    assert (candidates.depth_frames, candidates.least_frames) == (None, None)
