"""A playout that runs at the sender's rate while our card runs at its own.

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
from jamlab.media.playout.delay import DelayEstimator
from jamlab.media.playout.drift import DriftEstimator
from jamlab.media.playout.playout import HISTORY_S, Decoder, Packet, Playout
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


class FollowingPlayout(Playout):
    """One remote stream between its packets and a card that runs at a rate of its own.

    `pull`, `miss`, `pulled_frames` and `history` are in frames of the card; `delay_frames` and the
    counters, but for `missed_frames`, in those of the sender.

    Parameters
    ----------
    decoder : Decoder
        A codec of its own.
    clock : callable
        Tells the time in seconds, on the clock of `receive`'s arrivals. It is read once a block, to
        know what the card has counted between two of them.
    estimator : DelayEstimator, optional
        Who sets the target delay.
    history_s : float
        How long `history` goes back, at least.
    """

    def __init__(
        self,
        decoder: Decoder,
        clock: Callable[[], float],
        estimator: DelayEstimator | None = None,
        history_s: float = HISTORY_S,
    ) -> None:
        super().__init__(decoder, estimator, history_s)
        self._clock = clock
        self._drift = DriftEstimator()
        self._lapse = LapseDetector()
        self._resampler: Resampler | None = None
        self._rate = 1.0  # frames of the sender's for each of the card's
        self._ahead = 0.0  # what has sounded of the sender's, less what the card has taken
        self._mended = 0.0
        self._card_frames = 0
        self._block_frames = 0
        self._called_s: float | None = None
        self._past = silence(PRIMED)

    @property
    def pulled_frames(self) -> int:
        """Frames the card has taken so far, or missed: its clock."""
        return self._card_frames

    @property
    def drift(self) -> float | None:
        """Frames the sender's card gains on ours with each of ours; None until that is known."""
        return self._drift.drift if self._drift.known else None

    @property
    def resampling(self) -> bool:
        """Whether the two cards were found to run apart."""
        return self._resampler is not None

    def pull(self, frames: int) -> Block:
        """Return what the card plays next; never waits, never returns less.

        Parameters
        ----------
        frames : int
            Length of the card's block, in its own frames.

        Returns
        -------
        Block
            Shape ``(frames, 2)``.
        """
        if self._resampler is None and self._noticeable:
            self._resampler = Resampler(self._past, super().pull)
        if self._resampler is None:
            block = super().pull(frames)
            self._past = np.concatenate((self._past, block))[-PRIMED:]
        else:
            block = self._resampled(self._resampler, frames)
        self._card_frames += frames
        self._block_frames = frames
        self._called_s = self._clock()
        if lapsed := self._lapse.observe(self._called_s, self._card_frames):
            self._estimator.shift(-lapsed)
        return block

    @property
    def _noticeable(self) -> bool:
        """Whether one card has gained so much on the other, or will within a minute."""
        watched = self._drift.watched_frames
        foreseen = _FORESEEN_S * SAMPLE_RATE if watched > _WATCHED_S * SAMPLE_RATE else 0
        return abs(self._drift.drift) * max(watched, foreseen) > NOTICEABLE

    def _resampled(self, resampler: Resampler, frames: int) -> Block:
        before = self._rate
        most = _SLEW_PER_S * frames / SAMPLE_RATE
        self._rate += min(max(self._wanted_rate - self._rate, -most), most)
        block = resampler.read(frames, self._rate, super().pull)
        made_of = frames * (before + self._rate) / 2
        self._ahead += made_of - frames
        self._mend(made_of - frames * (1 + self._drift.drift))
        return block

    def _mend(self, frames: float) -> None:
        """Take what was pulled beyond the drift off the delay: it is no time that went by."""
        self._mended += frames
        whole = round(self._mended)
        self._mended -= whole
        self._pulled -= whole
        self._ahead -= whole

    @property
    def _wanted_rate(self) -> float:
        faster = self._surplus / SAMPLE_RATE
        if faster > 0:
            mending = min(faster / _SURPLUS_S, _SURPLUS_RATE)
        else:
            mending = max(faster / _SHORTAGE_S, -_SHORTAGE_RATE)
        return 1 + self._drift.drift + mending

    @property
    def _surplus(self) -> int:
        """Frames of delay above the target; 0 before the first packet."""
        delay = self.delay_frames
        return 0 if delay is None else delay - self._estimator.target_frames

    # What the playout asks on its way

    def _admit(self, packet: Packet) -> None:
        if self._called_s is not None:
            self._drift.observe(self._card_frames + self._since_called(packet), packet.position)
        super()._admit(packet)

    def _since_called(self, packet: Packet) -> float:
        """Return how many frames after the last callback a packet came."""
        assert self._called_s is not None
        return (packet.arrival_s - self._called_s) * SAMPLE_RATE

    def _needed(self, packet: Packet) -> int:
        """Return the delay it needed; where cards drift, as if it had come right after a callback.

        A packet's place between two callbacks drifts, too: to the worst, in time.
        """
        needed = super()._needed(packet)
        if self._resampler is None and abs(self._drift.gained) < 1:
            return needed
        return needed + min(max(round(self._since_called(packet)), 0), self._block_frames)

    def _restart(self, packet: Packet) -> None:
        self._drift.reset()
        self._lapse.reset()
        super()._restart(packet)

    def _output_frame(self) -> int:
        return round(super()._output_frame() - self._ahead)

    def _correction(self) -> int:
        if self._resampler is not None and -_SPARE <= self._surplus <= _MENDED_BY_RATE:
            return 0
        return super()._correction()
