"""The search for trains of clicks in one channel, block by block, and the reading of them.

In the first blocks, in every sixth later one, and while nothing is heard or something was lost,
those voices are sought that stand out in the block, and those that any channel has. All voices are
sought, ever more rarely, in `LOOK_S` of a block, and where nothing stands out in the first one. A
voice with a hit is sought in the last two blocks, and a chain there begins a train, or resumes one
that was lost. A train counts once `LEAST_READINGS` of its clicks were read. A faint voice that
begins later is so found after some minutes; what was not sought is a missing reading, and never a
wrong one.

Where no train is heard, clicks far below other sound are sought in the last two blocks, ever more
rarely (`listening.faint_search`): the voices that other channels have, with the
numbers that may arrive; else the first few, and all of them in `_FAINT_LOOKS_AT_ALL`.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from jamlab.audio.metronome import IDENTITIES, VOICES
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.recording.listening.faint_search import CERTAIN, USUAL_VOICES, Line, lines
from jamlab.measure.recording.listening.search import (
    Baseband,
    Chain,
    Hit,
    chains,
    hits_of,
    voices_heard,
)
from jamlab.measure.recording.listening.train import LEAST_APART_S, REACH_S, Sound, Train
from jamlab.measure.recording.listening.whitening import whitened

BLOCK_S = 10.0
LOOK_S = 1.5
LEAST_READINGS = 3

_THOROUGH_LOOKS = (1, 16, 256)
_LOOKS_APART = 6
_LATE_S = 5.0  # the longest delay at which a further arrival of a voice is sought in each block
_RESUMED_S = 1.0  # a jump that one lost train may have made
_ALL_RESUMED_S = 0.1  # and where all of the channel were lost, e.g. in a pause of the player
_SILENCE = 1e-5
_FIRST_ROUND = 3  # numbers begin there, so that clicks before the first hit have numbers, too
_LONGEST_WAIT = 32
_FAINT_LOOKS_AT_ALL = {False: (0, 3, 8), True: (1,)}  # by whether any voice is known
_FAINT_BLOCKS = 2  # that are searched at once
_LONGEST_FAINT_WAIT = 64
_FAINT_OFF_S = 0.1  # what the clock of a voice in another channel may be off


@dataclass(slots=True)
class Voices:
    """Clocks of the voices in one recording, which its channels share."""

    last: dict[int, tuple[int, float, float]] = field(default_factory=dict)
    """Number, frame and beat of a recent click of each voice, in any channel."""

    def number(self, voice: int, hit: Hit, beat: float) -> int:
        """Return the number of a hit: the one with its identity that is nearest to the clock."""
        if voice not in self.last:
            return hit.identity + _FIRST_ROUND * IDENTITIES
        known, at, _ = self.last[voice]
        passed = known + (hit.at - at) / beat
        return hit.identity + IDENTITIES * round((passed - hit.identity) / IDENTITIES)

    def heard(self, train: Train) -> None:
        """Set a voice's clock by the last reading of a train, if it has any."""
        if train.readings:
            last = train.readings[-1]
            self.last[train.voice] = last.number, last.at, train.beat

    def identities(self, voice: int, begin: int, frames: int) -> list[int] | None:
        """Return the identities that may arrive in a part, up to `_LATE_S` late.

        None: all of them, because the voice has not been heard of late.
        """
        if voice not in self.last:
            return None
        number, at, beat = self.last[voice]
        if abs(begin - at) > 2 * BLOCK_S * SAMPLE_RATE:
            return None
        first = math.floor(number + (begin - _LATE_S * SAMPLE_RATE - at) / beat)
        last = math.ceil(number + (begin + frames + REACH_S * SAMPLE_RATE - at) / beat)
        return sorted({each % IDENTITIES for each in range(first, last + 1)})


class Listener:
    """Finds the trains of one channel; takes it block by block, and the last one shorter."""

    def __init__(self, voices: Voices) -> None:
        self.trains: list[Train] = []
        self._voices = voices
        self._sound = Sound()
        self._block = 0
        self._looks = 0
        self._patience: dict[int, tuple[int, int]] = {}  # the block to wait for, and the next wait
        self._faint_looks = 0
        self._faint_at, self._faint_wait, self._faint_till = 1, _FAINT_BLOCKS, -1

    def hear(self, samples: NDArray[np.float32]) -> None:
        """Take the next block: read the trains, then look for further ones."""
        self._sound.append(samples, round(BLOCK_S * SAMPLE_RATE))
        self._read_all()
        if np.abs(samples).max(initial=0.0) > _SILENCE:
            if self._is_due():
                self._look(len(samples))
            self._looks += 1
            if self._block >= self._faint_at:
                self._look_below()
        self._block += 1

    def end(self) -> list[Train]:
        """Read what is left, and return the trains that count."""
        if not self.trains and self._sound.end > max(self._faint_till, 0):
            self._look_below()
        self._read_all(ended=True)
        return [train for train in self.trains if len(train.readings) >= LEAST_READINGS]

    def _read_all(self, *, ended: bool = False) -> None:
        for train in self.trains:
            train.read(self._sound, self.trains, ended=ended)
            self._voices.heard(train)

    def _look_below(self) -> None:
        """Look for clicks far below other sound, if none is heard."""
        if any(not train.lost for train in self.trains):
            self._faint_at, self._faint_wait = self._block + 1, _FAINT_BLOCKS
            return
        known = [*self._voices.last]
        allowed = {voice: partial(self._may_arrive, voice) for voice in known}
        samples = whitened(self._sound.samples).samples
        found = lines(known or range(USUAL_VOICES), samples, allowed)
        every = self._faint_looks in _FAINT_LOOKS_AT_ALL[bool(known)]
        if every and not any(line.power > CERTAIN for line in found):
            found = lines(range(VOICES), samples, allowed)
        for voice in {line.voice: None for line in found}:
            placed = [self._placed(line) for line in found if line.voice == voice]
            self._take(voice, placed, faint=True)
        self._faint_looks += 1
        self._faint_till = self._sound.end
        self._faint_at = self._block + self._faint_wait
        self._faint_wait = min(2 * self._faint_wait, _LONGEST_FAINT_WAIT)

    def _placed(self, line: Line) -> Chain:
        """Return a line of the sound at frames of the recording."""
        begin, chain = self._sound.begin, line.chain
        hits = [hit._replace(at=hit.at + begin) for hit in chain.hits]
        return Chain(hits, chain.beat, chain.first + begin)

    def _may_arrive(
        self, voice: int, identity: NDArray[np.int64], at: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Return which identities may arrive at frames of the sound, up to `_LATE_S` late."""
        number, heard_at, beat = self._voices.last[voice]
        if abs(self._sound.end - heard_at) > _LONGEST_WAIT * BLOCK_S * SAMPLE_RATE:
            return np.ones(len(identity), bool)
        newest = number + (at + self._sound.begin + _FAINT_OFF_S * SAMPLE_RATE - heard_at) / beat
        late = (newest - identity) % IDENTITIES
        return np.asarray(late * beat <= (_LATE_S + 2 * _FAINT_OFF_S) * SAMPLE_RATE)

    def _look(self, frames: int) -> None:
        suspects = self._suspects(frames)
        if not suspects:
            return
        base = Baseband.of(self._sound.samples)
        for voice in sorted(suspects):
            found = [*self._unexplained(voice, hits_of(voice, base), self._sound.begin)]
            self._remember(voice, found=self._take(voice, chains(found)))

    def _is_due(self) -> bool:
        early = self._looks < _LOOKS_APART or self._looks in _THOROUGH_LOOKS
        astray = not self.trains or any(train.lost for train in self.trains)
        return early or astray or self._looks % _LOOKS_APART == 0

    def _suspects(self, frames: int) -> list[int]:
        """Return the voices with hits in a part of the last block, of so many frames."""
        length = min(frames, round(LOOK_S * SAMPLE_RATE))
        room = frames - length
        begin = self._sound.end - frames + (self._looks * length * 3 // 2) % (room + 1)
        base = Baseband.of(self._sound.excerpt(begin, length))
        found = []
        for voice, is_thorough in self._sought(frames):
            if is_thorough or self._patience.get(voice, (0, 0))[0] <= self._block:
                identities = self._voices.identities(voice, begin, length)
                if any(self._unexplained(voice, hits_of(voice, base, identities), begin)):
                    found.append(voice)
                elif not is_thorough and voice not in self._voices.last:
                    self._remember(voice, found=False)
        return found

    def _sought(self, frames: int) -> list[tuple[int, bool]]:
        """Return the voices that are sought in the last block, and whether because all are."""
        heard = voices_heard(self._sound.excerpt(self._sound.end - frames, frames))
        nothing = not (heard or self._voices.last or self._looks)
        if nothing or self._looks in _THOROUGH_LOOKS:
            return [(voice, True) for voice in range(VOICES)]
        return [(voice, False) for voice in sorted({*heard, *self._voices.last})]

    def _unexplained(self, voice: int, hits: Sequence[Hit], begin: int) -> Iterator[Hit]:
        """Yield the hits, at frames of the recording, that no train has read."""
        trains = [train for train in self.trains if train.voice == voice]
        for hit in hits:
            there = hit._replace(at=hit.at + begin)
            if any(train.has(hit.identity, there.at) or _ahead(train, there) for train in trains):
                continue
            yield there

    def _remember(self, voice: int, *, found: bool) -> None:
        """Wait longer for each look that finds hits of a voice and no train."""
        _, wait = self._patience.get(voice, (0, 1))
        until = 0 if found else self._block + 1 + wait
        self._patience[voice] = until, 1 if found else min(2 * wait, _LONGEST_WAIT)

    def _take(self, voice: int, found: Sequence[Chain], *, faint: bool = False) -> bool:
        """Begin or resume a train for each chain of the sound; return whether there was any."""
        taken = False
        for chain in sorted(found, key=lambda chain: chain.first):
            number = self._voices.number(voice, chain.hits[0], chain.beat)
            train = self._lost(voice, chain, number)
            if train is None:
                if self._is_near(voice, chain, number):
                    continue
                train = Train(voice, chain, number, faint=faint)
                self.trains.append(train)
            else:
                train.resume(chain, number, faint=faint)
            train.begin_at(self._sound.begin)
            taken = True
        self._read_all()
        return taken

    def _lost(self, voice: int, chain: Chain, number: int) -> Train | None:
        """Return the lost train that a chain resumes: the nearest in phase."""
        trains = [train for train in self.trains if train.voice == voice]
        lost = [train for train in trains if train.lost]
        most_s = _ALL_RESUMED_S if len(lost) > 1 and len(lost) == len(trains) else _RESUMED_S
        near = min(lost, key=lambda train: abs(train.expected(number) - chain.first), default=None)
        if near is None or abs(near.expected(number) - chain.first) > most_s * SAMPLE_RATE:
            return None
        return near

    def _is_near(self, voice: int, chain: Chain, number: int) -> bool:
        """Return whether a chain is an echo of a train that is being read."""
        apart = LEAST_APART_S * SAMPLE_RATE
        return any(
            train.voice == voice
            and not train.lost
            and abs(train.expected(number) - chain.first) < apart
            for train in self.trains
        )


def _ahead(train: Train, hit: Hit) -> bool:
    """Return whether a train that is being read comes to a hit with the next block."""
    if train.lost or (hit.identity - train.next) % IDENTITIES > IDENTITIES // 2:
        return False
    number = train.next + (hit.identity - train.next) % IDENTITIES
    return abs(train.expected(number) - hit.at) < LEAST_APART_S * SAMPLE_RATE
