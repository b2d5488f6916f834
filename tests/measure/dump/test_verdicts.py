"""Verdicts never surer than the dump."""

import pytest

from jamlab.measure.dump.dump import read_dump
from jamlab.measure.dump.verdicts import dump_verdicts
from jamlab.measure.verdict import Outcome
from tests.measure.dump.calls import events, internals, samples, write


@pytest.fixture
def judged(tmp_path):
    def of(delays_ms, connected_ms=640, limit=None, also=(), **truth):
        call = internals(samples(delays_ms, **truth), events(connected_ms))
        for name, other in also:
            call["PeerConnections"][name] = other["PeerConnections"]["25-3"]
        dump = read_dump(write(tmp_path / "call", call))
        return dump_verdicts(dump, limit)

    return of


def wobbling(mean_ms, seconds):
    return [mean_ms + 0.5 * (second % 5) for second in range(seconds)]


@pytest.mark.parametrize(
    ("mean_ms", "seconds", "outcome"),
    [
        (80.0, 100, Outcome.FAIL),
        (80.0, 30, Outcome.FAIL),  # too few for the 95th percentile, enough for the median
        (80.0, 10, Outcome.INCONCLUSIVE),  # too few for anything
        (5.0, 100, Outcome.INCONCLUSIVE),  # a lower bound below the target settles nothing
    ],
)
def test_the_receive_side_is_a_lower_bound(judged, mean_ms, seconds, outcome):
    _, one_way, _ = judged(wobbling(mean_ms, seconds), playout_ms=10.0)
    assert one_way.verdict is outcome
    assert one_way.interval[1] == float("inf")
    assert one_way.interval[0] <= one_way.value
    assert "capture stage is not in a dump" in one_way.reason
    assert one_way.value == pytest.approx(mean_ms + 12.0, abs=0.01)


def test_it_is_no_latency_that_musicians_hear(judged):
    """A lower bound must not be shown as what a latency means to them."""
    from jamlab.measure.latency.musicians import of_verdict

    assert not any(map(of_verdict, judged(wobbling(80.0, 100))))


@pytest.mark.parametrize(
    ("concealed", "silent", "outcome"),
    [
        (48, 0, Outcome.PASS),  # 0.1 %
        (480, 0, Outcome.FAIL),  # 1 %
        (480, 480, Outcome.INCONCLUSIVE),  # all with silence: a sender that paused, or a gap
        (480, 48, Outcome.FAIL),  # 0.9 % at least
    ],
)
def test_concealed_sound_is_judged_by_what_is_sure(judged, concealed, silent, outcome):
    *_, verdict = judged([30.0] * 20, concealed=concealed, silent=silent)
    assert verdict.verdict is outcome
    assert verdict.value == pytest.approx(100 * concealed / 48_000)
    assert ("silence" in verdict.reason) == (silent > 0)


def test_the_limit_can_be_chosen(judged):
    *_, verdict = judged([30.0] * 20, concealed=480, limit=2.0)
    assert verdict.verdict is Outcome.PASS
    assert verdict.limit == 2.0


def test_a_connection_that_connected(judged):
    verdict, *_ = judged([30.0] * 20, relay=True)
    assert verdict.verdict is Outcome.PASS
    assert "1 of 1 connected. 1 was relayed in the end." in verdict.reason
    assert "639 to 641 ms" in verdict.reason


def failed():
    other = internals([], events(None))
    log = other["PeerConnections"]["25-3"]["updateLog"]
    log.append({**log[-1], "type": "connectionstatechange", "value": "failed"})
    return other


@pytest.mark.parametrize(
    ("other", "outcome", "words"),
    [
        (failed(), Outcome.FAIL, "1 of 2 connected."),
        (internals([], events(None)), Outcome.INCONCLUSIVE, "1 had neither connected nor failed"),
        (internals([], []), Outcome.PASS, "1 of 1 connected."),
    ],
)
def test_one_that_did_not_connect(judged, other, outcome, words):
    verdict, *_ = judged([30.0] * 20, also=[("2", other)])
    assert verdict.verdict is outcome
    assert words in verdict.reason


def test_without_audio_nothing_is_settled(judged):
    _, one_way, concealed = judged([])
    assert one_way.verdict is concealed.verdict is Outcome.INCONCLUSIVE
    assert "no audio stream that played" in one_way.reason
