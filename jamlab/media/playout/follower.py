"""Clock drift compensation: resampling from the rate of the sender's card to the rate of ours.

Theory of operation
-------------------
Two cards never run at the same rate. `Playout` knows one clock, the frames pulled from it, and
corrects the difference of the cards with splices, at 200 ppm ten frames a second. So a resampler
stands between it and the card: for every frame of the card it pulls ``1 + drift`` frames, and by
the playout's clock nothing drifts.

An error of the drift, or a target that moved a little, leaves a surplus or shortage of delay. The
rate corrects a small one too, a surplus slowly, a shortage at once; splices correct the rest, for a
shortage costs sound. No time passed for the frames of such a correction: they are subtracted from
the playout's clock again, so that they change the delay, as a splice would, and not the needs of
packets. All changes of rate are small and even: a hundredth of a semitone is inaudible.

Cards of equal rate are never resampled: the block is the playout's own, to the last bit. Once one
card has gained `NOTICEABLE` frames on the other, or has been observed for long enough to predict
that, the resampler begins with the last block played, so that the waveform continues, and it stays
in use. The delay has to grow by its look-ahead, and does so by rate. If the rates should agree
later, it resamples by one.

A packet has arrived by a callback or not, so its need is known with the resolution of a block. With
cards of equal rate, packets keep a favourable place between two callbacks, and the block adds no
delay. With any drift, packets that used to arrive just before a callback will arrive just after it,
all at once, and be late. So once there is a drift, needs are counted as if every packet arrived
just after a callback.

After a card has stopped for a while, all that it plays is later for good: by its frame count,
packets arrive earlier than before. Once that is certain (`jamlab.media.playout.card_stops`), the
observed needs are corrected, and the surplus is removed like any other.
"""

from collections.abc import Callable

import numpy as np

from jamlab.audio.pcm import SAMPLE_RATE, Block, silence
from jamlab.media.playout.card_stops import StopDetector
from jamlab.media.playout.drift import DriftEstimator
from jamlab.media.playout.packets import Packet
from jamlab.media.playout.rate import Surplus, Take
from jamlab.media.playout.resampler import PRIMED, Resampler

NOTICEABLE = 24
"""Frames that one card has to gain on the other within minutes to count as a drift.

A loop that grows slower by half a millisecond in that time is not a drift. Differences below
2.4 ppm are left to splices, one in some minutes.
"""

_WATCHED_S, _FORESEEN_S = 15, 60  # observation needed to predict a gain, and how far ahead
_MENDED_BY_RATE = 64
_SPARE = 32  # the delay's margin: a larger shortage loses packets
_SURPLUS_RATE, _SURPLUS_S = 100e-6, 5.0  # largest correction, and the time to remove a surplus
_SHORTAGE_RATE, _SHORTAGE_S = 500e-6, 1.0
_SLEW_PER_S = 1e-3


class FollowedRate:
    """A `CardRate` that estimates the drift between two cards and compensates it by resampling.

    `clock` returns the time of the packets' arrivals, in seconds. It is read once a block, to place
    arrivals between two blocks.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.card_frames = 0
        """Frames the card has played or missed so far: its clock."""
        self._clock = clock
        self._drift = DriftEstimator()
        self._stops = StopDetector()
        self._resampler: Resampler | None = None
        self._rate = 1.0  # sender's frames for each frame of the card
        self._ahead = 0.0  # sender's frames played minus the card's frames
        self._mended = 0.0
        self._block_frames = 0
        self._called_s: float | None = None
        self._past = silence(PRIMED)

    @property
    def drift(self) -> float | None:
        """Frames the sender's card gains for each frame of ours; None while unknown."""
        return self._drift.drift if self._drift.known else None

    @property
    def resampling(self) -> bool:
        """Whether a drift was found, so that blocks are resampled."""
        return self._resampler is not None

    def read(self, frames: int, take: Take, surplus: Surplus) -> tuple[Block, int, int]:
        """Return the card's next block: the sender's own, or resampled from it."""
        mended = 0
        if self._resampler is None and self._noticeable:
            self._resampler = Resampler(self._past[-PRIMED:], take)
        if self._resampler is None:
            block = take(frames)
            longer = frames >= PRIMED
            self._past = block if longer else np.concatenate((self._past[-PRIMED:], block))
        else:
            block, mended = self._resampled(self._resampler, frames, take, surplus())
        self.card_frames += frames
        self._block_frames = frames
        self._called_s = self._clock()
        return block, mended, self._stops.observe(self._called_s, self.card_frames)

    @property
    def _noticeable(self) -> bool:
        """Whether one card has gained `NOTICEABLE` frames on the other, or will in a minute."""
        if self._drift.drift == 0:
            return False
        watched = self._drift.watched_frames
        foreseen = _FORESEEN_S * SAMPLE_RATE if watched > _WATCHED_S * SAMPLE_RATE else 0
        return abs(self._drift.drift) * max(watched, foreseen) > NOTICEABLE

    def _resampled(
        self, resampler: Resampler, frames: int, take: Take, surplus: int
    ) -> tuple[Block, int]:
        before = self._rate
        most = _SLEW_PER_S * frames / SAMPLE_RATE
        self._rate += min(max(self._wanted_rate(surplus) - self._rate, -most), most)
        block = resampler.read(frames, self._rate, take)
        made_of = frames * (before + self._rate) / 2
        self._ahead += made_of - frames
        return block, self._mended_frames(made_of - frames * (1 + self._drift.drift))

    def _mended_frames(self, frames: float) -> int:
        """Return the whole frames pulled beyond the drift; keep the fraction for later."""
        self._mended += frames
        whole = round(self._mended)
        self._mended -= whole
        self._ahead -= whole
        return whole

    def _wanted_rate(self, surplus: int) -> float:
        faster = surplus / SAMPLE_RATE
        if faster > 0:
            mending = min(faster / _SURPLUS_S, _SURPLUS_RATE)
        else:
            mending = max(faster / _SHORTAGE_S, -_SHORTAGE_RATE)
        return 1 + self._drift.drift + mending

    def observe(self, packet: Packet) -> None:
        """Update the drift with the arrival of a packet."""
        if self._called_s is not None:
            self._drift.observe(self.card_frames + self._since_called(packet), packet.position)

    def _since_called(self, packet: Packet) -> float:
        """Return the frames between the last callback and a packet's arrival."""
        assert self._called_s is not None
        return (packet.arrival_s - self._called_s) * SAMPLE_RATE

    def allowance(self, packet: Packet) -> int:
        """Return the frames from the last callback to a packet's arrival; 0 without a drift.

        With a drift, a packet's place between two callbacks moves to the worst place in time.
        """
        if self._resampler is None and abs(self._drift.gained) < 1:
            return 0
        return min(max(round(self._since_called(packet)), 0), self._block_frames)

    def output_frame(self, frame: int) -> int:
        """Return the card's frame that plays a frame of the playout's clock."""
        return round(frame - self._ahead)

    def mends(self, surplus: Surplus) -> bool:
        """Return whether a change of rate corrects the present surplus or shortage of delay."""
        return self._resampler is not None and -_SPARE <= surplus() <= _MENDED_BY_RATE

    def reset(self) -> None:
        """Forget the drift: a new sender has another card."""
        self._drift.reset()
        self._stops.reset()
