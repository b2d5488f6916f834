"""The rate of the sender's card, followed by resampling while our card runs at its own.

Theory of operation
-------------------
Two cards never run at the same rate. `Playout` knows one clock, the frames pulled from it, and
mends what the cards differ by with splices, at 200 ppm ten frames a second. So between it and the
card goes a resampler: for every frame of the card it pulls ``1 + drift`` frames, and by the
playout's clock nothing drifts, so nothing in it has to know.

What is left, an error of the drift or a target that moved a little, is surplus or shortage of
delay. A little of it is mended by rate too, a surplus at leisure, a shortage at once; what is more
is spliced, for a shortage costs sound. What rate mends is no time that went by: it is taken off
the playout's clock again, so that it changes the delay, as a splice would, and not what packets
need. All changes of rate are small and even: nobody hears a note a hundredth of a semitone off.

Cards that run alike are never resampled: the block is the playout's own, to the last bit. Once
one has gained `NOTICEABLE` frames on the other, or has been watched for long enough to foresee it,
the resampler begins with what was played last, so that the waveform goes on, and then it stays.
What it looks ahead, the delay has to grow by, and does so by rate. If the cards should agree later,
it resamples by one.

A packet is there at a callback or it is not, so what packets need is known to a block. Cards that
run alike keep a lucky place between two callbacks, and none of the block is paid for. With any
drift, packets that used to come just before a callback will come just after it, all of them at
once, and be late. So once there is a drift, needs are counted as if every packet came then.

A card that stops for a while has everything later for good: by its frames, packets come earlier
than they used to. Once that is certain (`jamlab.media.playout.card_stops`), what was
remembered of their needs is set right, and the surplus goes as any other.
"""

from collections.abc import Callable

import numpy as np

from jamlab.audio.pcm import SAMPLE_RATE, Block, silence
from jamlab.media.playout.card_stops import LapseDetector
from jamlab.media.playout.drift import DriftEstimator
from jamlab.media.playout.packets import Packet
from jamlab.media.playout.rate import Surplus, Take
from jamlab.media.playout.resampler import PRIMED, Resampler

NOTICEABLE = 24
"""Frames one card has to gain on the other within minutes, or they are taken to run alike.

A loop that grows slower by half a millisecond in that time is no drift. Cards closer than 2.4 ppm
are left to splices, one in some minutes.
"""

_WATCHED_S, _FORESEEN_S = 15, 60  # to be watched, before a gain is foreseen
_MENDED_BY_RATE = 64
_SPARE = 32  # of the delay's margin: a shortage beyond it loses packets
_SURPLUS_RATE, _SURPLUS_S = 100e-6, 5.0  # the most, and in what time it would be gone
_SHORTAGE_RATE, _SHORTAGE_S = 500e-6, 1.0
_SLEW_PER_S = 1e-3


class FollowedRate:
    """A `CardRate` that finds out how far two cards are apart, and resamples from one to the other.

    Parameters
    ----------
    clock : callable
        Tells the time in seconds, on the clock of the packets' arrivals. It is read once a block,
        to know what the card has counted between two of them.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.card_frames = 0
        """Frames the card has taken so far, or missed: its clock."""
        self._clock = clock
        self._drift = DriftEstimator()
        self._lapse = LapseDetector()
        self._resampler: Resampler | None = None
        self._rate = 1.0  # frames of the sender's for each of the card's
        self._ahead = 0.0  # what has sounded of the sender's, less what the card has taken
        self._mended = 0.0
        self._block_frames = 0
        self._called_s: float | None = None
        self._past = silence(PRIMED)

    @property
    def drift(self) -> float | None:
        """Frames the sender's card gains on ours with each of ours; None until that is known."""
        return self._drift.drift if self._drift.known else None

    @property
    def resampling(self) -> bool:
        """Whether the two cards were found to run apart."""
        return self._resampler is not None

    def read(self, frames: int, take: Take, surplus: Surplus) -> tuple[Block, int, int]:
        """Make the card's next block: the sender's own, or resampled from it."""
        mended = 0
        if self._resampler is None and self._noticeable:
            self._resampler = Resampler(self._past, take)
        if self._resampler is None:
            block = take(frames)
            self._past = np.concatenate((self._past, block))[-PRIMED:]
        else:
            block, mended = self._resampled(self._resampler, frames, take, surplus())
        self.card_frames += frames
        self._block_frames = frames
        self._called_s = self._clock()
        return block, mended, self._lapse.observe(self._called_s, self.card_frames)

    @property
    def _noticeable(self) -> bool:
        """Whether one card has gained so much on the other, or will within a minute."""
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
        """Return what was pulled beyond the drift, in whole frames; the rest is kept for later."""
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
        """Learn of the drift from when a packet came."""
        if self._called_s is not None:
            self._drift.observe(self.card_frames + self._since_called(packet), packet.position)

    def _since_called(self, packet: Packet) -> float:
        """Return how many frames after the last callback a packet came."""
        assert self._called_s is not None
        return (packet.arrival_s - self._called_s) * SAMPLE_RATE

    def allowance(self, packet: Packet) -> int:
        """Return how long before a callback a packet came, once cards drift; 0 until they do.

        A packet's place between two callbacks drifts, too: to the worst, in time.
        """
        if self._resampler is None and abs(self._drift.gained) < 1:
            return 0
        return min(max(round(self._since_called(packet)), 0), self._block_frames)

    def output_frame(self, frame: int) -> int:
        """Return at which frame of the card a frame of the playout's clock is played."""
        return round(frame - self._ahead)

    def mends(self, surplus: Surplus) -> bool:
        """Return whether a change of rate makes good what the delay has too much or too little."""
        return self._resampler is not None and -_SPARE <= surplus() <= _MENDED_BY_RATE

    def reset(self) -> None:
        """Forget the drift: a new sender has another card."""
        self._drift.reset()
        self._lapse.reset()
