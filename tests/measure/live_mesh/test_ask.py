"""A whole mesh measured in virtual time, with known clocks and delays."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from jamlab.measure.latency.participants import BusyError
from jamlab.measure.latency.plan import PlanError
from jamlab.measure.live_mesh import answer as respondent
from jamlab.measure.live_mesh.ask import measure_mesh
from jamlab.measure.live_mesh.pairs import absent, pairs_table, worst_partners
from jamlab.measure.live_mesh.round_trip import measure_round_trip, measuring_participant
from jamlab.signaling.memory import MemoryChannel
from tests.measure.live_mesh.simulated_mesh import clock, measured_mesh

CLOCKS = {"ada": clock(), "ben": clock(7200.0, 2e-4), "cleo": clock(-1e5, -2e-4)}
DELAY_MS, MORE_MS = 10.0, 60.0


@pytest.fixture(scope="module")
def record():
    """Ada measures; what Ben sends takes 60 ms more than what is sent to him."""
    out_s = {"ben": MORE_MS / 1000}
    clocks = CLOCKS | {"dan": clock()}
    return measured_mesh(clocks, delay_s=DELAY_MS / 1000, out_s=out_s, deaf={"dan"}, patience_s=3.0)


@pytest.fixture(scope="module")
def pairs(record):
    return pairs_table(record)


def true_ms(record, sender, receiver):
    """Median latency, by the one time there is."""
    clicks = record.clicks[
        (record.clicks["sender"] == sender) & (record.clicks["receiver"] == receiver)
    ]
    heard_s = CLOCKS[receiver].true_s(clicks["heard_s"])
    return float(np.median(heard_s - CLOCKS[sender].true_s(clicks["emitted_s"])) * 1000)


@pytest.mark.slow
def test_every_pair_of_those_who_take_part_is_heard(record, pairs):
    assert len(pairs) == 6
    assert (pairs["heard_share"] == 1).all()
    assert (pairs["concealed_share"] == 0).all()
    assert (pairs["why"] == "").all()


@pytest.mark.slow
def test_latency_is_the_delay_and_what_cards_and_codec_take(record, pairs):
    floor_ms = record.streams["floor_ms"].max()
    for row in pairs.itertuples():
        delay_ms = DELAY_MS + (MORE_MS if row.sender == "ben" else 0)
        latency_ms = true_ms(record, row.sender, row.receiver)
        assert delay_ms + floor_ms <= latency_ms <= delay_ms + floor_ms + 6


@pytest.mark.slow
def test_the_truth_is_in_every_interval(record, pairs):
    for row in pairs.itertuples():
        latency_ms = true_ms(record, row.sender, row.receiver)
        assert row.one_way_min_ms <= latency_ms <= row.one_way_max_ms
        sender, receiver = CLOCKS[row.sender], CLOCKS[row.receiver]
        # the middle of the measurement is a few seconds after its first click
        true_s = sender.true_s(record.clicks["emitted_s"][record.clicks["sender"] == row.sender])
        ahead_s = receiver.at(true_s) - sender.at(true_s)
        assert row.offset_min_s <= ahead_s.max()
        assert ahead_s.min() <= row.offset_max_s
        assert row.skew_min_ppm <= (receiver.skew - sender.skew) * 1e6 <= row.skew_max_ppm


@pytest.mark.slow
def test_the_intervals_are_no_wider_than_the_packets_took(pairs):
    for row in pairs.itertuples():
        delays_ms = 2 * DELAY_MS + (MORE_MS if "ben" in (row.sender, row.receiver) else 0)
        assert row.one_way_max_ms - row.one_way_min_ms <= delays_ms + 1


@pytest.mark.slow
def test_half_of_a_round_trip_would_be_far_off(record, pairs):
    from_ben = pairs[pairs["sender"] == "ben"].iloc[0]
    half_ms = from_ben["both_ways_ms"] / 2
    assert abs(half_ms - true_ms(record, "ben", from_ben["receiver"])) > 25


@pytest.mark.slow
def test_both_ways_are_the_sum_though_the_clocks_are_hours_apart(record, pairs):
    for row in pairs.itertuples():
        there_ms = true_ms(record, row.sender, row.receiver)
        back_ms = true_ms(record, row.receiver, row.sender)
        assert row.both_ways_ms == pytest.approx(there_ms + back_ms, abs=0.1)
        assert row.both_ways_p95_ms >= row.both_ways_ms


@pytest.mark.slow
def test_the_worst_partner_is_ben(pairs):
    partners = worst_partners(pairs).set_index("player")["partner"]
    assert partners["ada"] == partners["cleo"] == "ben"


@pytest.mark.slow
def test_who_does_not_answer_is_listed(record):
    assert list(absent(record)) == [("dan", "none")]
    assert "dan" not in set(record.clicks["sender"])


@pytest.mark.slow
def test_the_record_says_what_was_asked(record):
    parameters = record.provenance["parameters"]
    assert parameters == {"asked": ["ada", "ben", "cleo", "dan"], "bpm": 590.0, "clicks": 30}


class TestAnswers:
    """What others answer is heard only from those who were asked, to this request, once."""

    def measured(self, monkeypatch, answer, caplog):
        """Measure with Ben, whose answer is something else."""

        async def perform(me, request, own):
            report = await performed(me, request, own)
            return Told(answer(report.to_data())) if me.name == "ben" else report

        performed = respondent.perform
        monkeypatch.setattr(respondent, "perform", perform)
        with caplog.at_level(logging.WARNING):
            return measured_mesh({"ada": clock(), "ben": clock()}, patience_s=3.0)

    @pytest.mark.slow
    def test_nonsense_is_one_sentence_and_the_rest_goes_on(self, monkeypatch, caplog):
        record = self.measured(monkeypatch, lambda data: data | {"frame_s": "short"}, caplog)
        assert list(absent(record)) == [("ben", "not understood")]
        (line,) = [each.getMessage() for each in caplog.records]
        assert line == (
            "the report of 'ben' cannot be used: field 'frame_s': expected `float`, got `str`"
        )

    @pytest.mark.slow
    def test_an_answer_to_another_request_is_none(self, monkeypatch, caplog):
        record = self.measured(monkeypatch, lambda data: data | {"token": "another"}, caplog)
        assert list(absent(record)) == [("ben", "none")]
        assert caplog.records == []


class Told:
    """A report that is whatever it is told to be."""

    def __init__(self, data):
        self.data = data

    def to_data(self):
        return self.data


@pytest.mark.usefixtures("nothing_left")
class TestRefusals:
    async def test_an_empty_room(self):
        ada = measuring_participant("room", "ada", lambda _: MemoryChannel())
        async with ada.session:
            with pytest.raises(PlanError, match="'ada' is alone in the room"):
                await measure_mesh(ada)

    @pytest.mark.parametrize(
        ("duration_s", "bpm", "complaint"),
        [(60.0, 120.0, "seconds of clicks is 60"), (30.0, 500.0, "number of clicks is 250")],
    )
    async def test_what_nobody_can_be_asked(self, duration_s, bpm, complaint):
        room = MemoryChannel()
        ada, ben = (measuring_participant("room", n, lambda _: room) for n in ("ada", "ben"))
        async with ada.session, ben.session:
            with pytest.raises(PlanError, match=complaint):
                await measure_mesh(ada, duration_s, bpm=bpm)

    async def test_clicks_that_nobody_would_hear(self):
        room = MemoryChannel()
        ada, ben = (measuring_participant("room", n, lambda _: room) for n in ("ada", "ben"))
        ada.session.service.controls.muted = True
        async with ada.session, ben.session:
            for measurement in measure_mesh(ada), measure_round_trip(ada, "ben"):
                with pytest.raises(PlanError, match="'ada' is muted"):
                    await measurement

    async def test_one_measurement_at_a_time(self):
        room = MemoryChannel()
        ada, ben = (measuring_participant("room", n, lambda _: room) for n in ("ada", "ben"))
        async with ada.session, ben.session:
            with ada.playing(ada.metronome.block), pytest.raises(BusyError):
                await measure_mesh(ada)


@pytest.mark.slow
def test_what_the_clocks_show_is_in_no_latency():
    """The same mesh by clocks that are elsewhere: latencies are the same to a microsecond."""
    near = {"ada": clock(), "ben": clock()}
    far = {
        name: replace(own, ahead_s=1e4 * place) for place, (name, own) in enumerate(near.items())
    }
    columns = ["one_way_min_ms", "one_way_max_ms", "both_ways_ms"]
    by_near, by_far = (pairs_table(measured_mesh(clocks))[columns] for clocks in (near, far))
    np.testing.assert_allclose(by_near, by_far, atol=1e-3)
