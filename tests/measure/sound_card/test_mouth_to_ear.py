"""Mouth to ear, compared with runs with cards that slow, and with JACK."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.card import VirtualCard
from jamlab.audio.device import DeviceCard
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.audio.thread_bridge import ThreadBridge
from jamlab.measure.across_networks import simulated as across
from jamlab.measure.across_networks.simulated import measure_on
from jamlab.measure.latency import participants
from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.latency.run import ONE_WAY
from jamlab.measure.sound_card.mouth_to_ear import NOT_MEASURED, card_part, mouth_to_ear_table
from jamlab.measure.sound_card.record import CARD_COLUMNS, CardRecord
from jamlab.networks.model.profile import NetworkProfile
from tests.audio.jack import iodelay, jack, needs_jack
from tests.audio.test_device import running
from tests.examples import examples
from tests.measure.latency.records import record_of

from .records import card_record

BLOCK = 64
BLOCK_MS = 1000 * BLOCK / SAMPLE_RATE
PLAN = LatencyPlan(
    peers=2, duration_s=3.0, round_trip_s=0.0, settle_s=2.0, block_frames=BLOCK, sessions=1
)


def steady(latency_ms, spread_ms=0.0):
    rng = np.random.default_rng(1)
    return lambda a, b: [latency_ms + spread_ms * x for x in rng.standard_normal(100)]


def parts(record, card):
    return mouth_to_ear_table(record, card).set_index("part")


class BridgedCard(VirtualCard):
    """A virtual card behind the bridge a real one has."""

    def start(self, callback, *, capture=True):
        slack = DeviceCard(block_frames=self.block_frames).round_trip_frames // self.block_frames
        bridge = ThreadBridge(self.block_frames, slack - 1)

        def through(captured):
            played = bridge.swap(captured)
            bridge.run(callback)
            return played

        super().start(through, capture=capture)


def measured_with(card, **options):
    """Medians of the one-way paths of a run with cards of a kind, on a network that only delays."""
    still = NetworkProfile("still", 0.01, 0.0, 0.0, 1.0, 1e12, 1e12, source="x", assumed="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(across, "profile_named", lambda _name: still)
        patch.setattr(participants, "VirtualCard", partial(card, **options))
        return measure_on("still", PLAN, seed=1)


def medians_ms(record):
    clicks = record.clicks[record.clicks["measurement"] == ONE_WAY]
    return clicks.groupby(["sender", "receiver"])["latency_ms"].median()


@pytest.fixture(scope="module")
def plain():
    return measured_with(VirtualCard)


class TestTruth:
    """A mesh whose cards really have the round trip the record says."""

    @pytest.mark.slow
    @pytest.mark.parametrize("periods", [3, 7])
    def test_the_sum_is_what_a_mesh_of_such_cards_measures(self, plain, periods):
        """Such a card's loopback is `periods` blocks, and here it goes through the bridge too."""
        truth = medians_ms(measured_with(BridgedCard, periods=periods)).max()
        table = parts(plain, card_record({BLOCK: periods * BLOCK}))
        assert table.loc["mouth to ear", "ms"] == pytest.approx(truth, abs=0.02)

    @pytest.mark.slow
    def test_a_card_like_the_virtual_one_adds_the_bridge_alone(self, plain):
        table = parts(plain, card_record({BLOCK: 2 * BLOCK}))
        more_ms = table.loc["mouth to ear", "ms"] - table.loc["mesh", "ms"]
        assert more_ms == pytest.approx(table.loc["bridge", "ms"])

    @pytest.mark.slow
    @needs_jack
    def test_the_cards_part_is_what_jack_iodelay_reads(self):
        with jack(128) as server:
            with running(server, "loopback", 128, 40) as process:
                server.connect(server.port("PortAudio", "out_0"), server.port("PortAudio", "in_0"))
                [ours] = process.end()
            with running(server, "wire", 0):
                ports = server.port("PortAudio", "out_0"), server.port("PortAudio", "in_0")
                with iodelay(server, *ports) as reading:
                    theirs_ms = 1000 * reading() / SAMPLE_RATE
        part = card_part(card_record({128: ours["round_trip_frames"]}), 128)
        assert part.round_trip.value == pytest.approx(theirs_ms, abs=1000 / SAMPLE_RATE)
        nominal_ms = 1000 * 2 * 128 / SAMPLE_RATE
        added_ms = theirs_ms - nominal_ms + part.bridge
        assert part.added.value == pytest.approx(added_ms, abs=1000 / SAMPLE_RATE)


class TestTable:
    def test_a_row_per_term_that_add_up(self):
        record = record_of(steady(11.0, 0.3), steady(22.0))
        table = parts(record, card_record({64: 480.0}, spread=0.4))
        assert table.index.tolist() == ["mesh", "card", "counted twice", "bridge", "mouth to ear"]
        assert (table["reason"] == "").all()
        terms = table.drop("mouth to ear")
        for column in ("ms", "low", "high"):
            assert table.loc["mouth to ear", column] == pytest.approx(terms[column].sum())
        assert table.loc["card", "ms"] == pytest.approx(10, abs=0.01)
        assert table.loc["counted twice", ["low", "ms", "high"]].tolist() == [-2 * BLOCK_MS] * 3

    def test_it_is_of_the_slowest_path(self):
        slow = record_of(
            lambda a, b: [10.0 if a < b else 14.0] * 100, steady(22.0), stages_ms=(1.0,) * 6
        )
        assert parts(slow, None).loc["mesh", "ms"] == 14

    def test_nothing_heard_is_infinitely_late_and_so_is_the_sum(self):
        table = parts(record_of(steady(np.nan), steady(np.nan)), card_record({64: 480.0}))
        assert np.isinf(table.loc[["mesh", "mouth to ear"], "ms"]).all()
        assert table.loc["card", "ms"] == pytest.approx(10)

    @examples(30)
    @given(
        mesh_ms=st.floats(5, 80), card=st.integers(64, 4800), block=st.sampled_from([64, 128, 256])
    )
    def test_whatever_the_figures(self, mesh_ms, card, block):
        record = record_of(steady(mesh_ms), steady(22.0))
        record.provenance["parameters"]["block_frames"] = block
        total = parts(record, card_record({block: card})).loc["mouth to ear"]
        bridge = DeviceCard(block_frames=block).round_trip_frames - block
        wanted_ms = mesh_ms + 1000 * (card - 2 * block + bridge) / SAMPLE_RATE
        assert total["ms"] == pytest.approx(wanted_ms)
        assert total["low"] <= total["ms"] <= total["high"]


class TestNotMeasured:
    @pytest.mark.parametrize(
        ("card", "reason"),
        [
            (None, NOT_MEASURED),
            (card_record({128: 400.0, 256: 600.0}), "at blocks of 64 frames (measured: 128, 256)"),
            (
                CardRecord(pd.DataFrame(columns=list(CARD_COLUMNS)), {}),
                "at blocks of 64 frames (measured: none)",
            ),
        ],
    )
    def test_is_said_in_words_and_never_a_number(self, card, reason):
        table = parts(record_of(steady(11.0), steady(22.0)), card)
        assert table.index.tolist() == ["mesh", "card", "mouth to ear"]
        unknown = table.loc[["card", "mouth to ear"]]
        assert unknown[["ms", "low", "high"]].isna().all(axis=None)
        assert unknown["reason"].str.startswith(NOT_MEASURED).all()
        assert unknown["reason"].str.endswith(reason).all()
        assert table.loc["mesh", "ms"] == 11
