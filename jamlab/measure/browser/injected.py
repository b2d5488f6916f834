"""Measurement inside the pages: clicks instead of a microphone, and a tap on what is played."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jamlab.audio.metronome import CLICK_FRAMES, IDENTITIES, Metronome
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.browser.click_paths import Ear, Mouth, TimeOf, at_48_khz, latencies, level_db
from jamlab.measure.browser.clocks import ContextClock, PageClock
from jamlab.measure.browser.instrument import FrameInstrument, TapRecording, Track
from jamlab.measure.browser.players import Player, PlayerError
from jamlab.measure.browser.sound import Heard, HeardClick
from jamlab.measure.latency.plan import MAX_LATENCY_S

_FAINT_DB = -40.0


@dataclass(frozen=True)
class Sound:
    """The sound of one player: its clicks and its recordings.

    `error_s` is the largest error of its times, `pauses_s` the longest time for which its audio
    stood still.
    """

    mouth: Mouth
    ears: Sequence[Ear]
    error_s: float
    pauses_s: float


class InjectedAudio:
    """The audio of players, injected into their pages; a `jamlab.measure.browser.sound.Audio`.

    Parameters
    ----------
    metronomes : mapping
        The clicks of each player.
    """

    injected = True

    def __init__(self, metronomes: Mapping[str, Metronome]) -> None:
        self._metronomes = metronomes
        self._playing: list[_Playing] = []
        self.environments: Mapping[str, Mapping[str, str]] = {player: {} for player in metronomes}
        self.microphones: Mapping[str, str] = {}

    async def play(self, players: Sequence[Player], seconds: float) -> None:
        """Begin to play every player's clicks, all together; raises `PlayerError`."""
        self._playing = [_Playing(each, self._metronomes[each.name]) for each in players]
        for each in self._playing:
            await each.prepare()
        await asyncio.gather(*(each.play(seconds) for each in self._playing))

    async def hear(self, seconds: float) -> Heard:
        """Find the clicks of a time; raises `ClockError`."""
        begin_s = await self.record(seconds + MAX_LATENCY_S)
        sounds = await self.sounds()
        clicks = [*_clicks(sounds, begin_s, seconds)]
        return Heard(
            clicks,
            error_s=sum(sorted(sound.error_s for sound in sounds.values())[-2:]),
            pauses_s=max(sound.pauses_s for sound in sounds.values()),
            remarks=[
                *_faint(sounds, {each.receiver for each in clicks if np.isfinite(each.latency_s)})
            ],
        )

    async def record(self, seconds: float) -> float:
        """Record for a time; return when that began, by the loop's clock."""
        await asyncio.gather(*(each.record(on=True) for each in self._playing))
        begin_s = asyncio.get_running_loop().time()
        await asyncio.sleep(seconds)
        await asyncio.gather(*(each.record(on=False) for each in self._playing))
        return begin_s

    async def sounds(self) -> dict[str, Sound]:
        """Return what every player emitted and heard; raises `ClockError`."""
        return {each.player.name: await each.sound() for each in self._playing}


def track_of(metronome: Metronome, seconds: float) -> Track:
    """Return the clicks that a metronome plays from the beginning of a time to its end."""
    length = round(seconds * SAMPLE_RATE)
    clicks = metronome.clicks_between(0, length - CLICK_FRAMES)
    return Track(
        np.stack([metronome.click(each) for each in clicks[:IDENTITIES]]),
        [metronome.onset(each) for each in clicks],
        length,
    )


def _faint(sounds: Mapping[str, Sound], hearing: Collection[str]) -> Iterator[str]:
    """Yield a remark on each player whose clicks were found in sound that hardly anybody hears."""
    for name in sorted(hearing):
        level = level_db(sounds[name].ears, sounds[name].mouth.metronome.level_dbfs)
        if level < _FAINT_DB:
            yield (
                f"the page of {name} plays the others {-level:.0f} dB more quietly than they were "
                "captured: its clicks count, but users hardly hear it"
            )


def _clicks(sounds: Mapping[str, Sound], begin_s: float, seconds: float) -> Iterator[HeardClick]:
    """Search the recordings for every player's clicks."""
    for sender, emitted in sounds.items():
        mouth = emitted.mouth
        clicks = mouth.clicks(begin_s, begin_s + seconds)
        for receiver, heard in sounds.items():
            if receiver != sender:
                for each in latencies(mouth, heard.ears, clicks):
                    yield HeardClick(
                        sender,
                        receiver,
                        each.index,
                        mouth.time_of(each.onset) - begin_s,
                        each.delay / SAMPLE_RATE,
                        each.confidence,
                    )


class _Playing:
    """A player whose clicks play."""

    def __init__(self, player: Player, metronome: Metronome) -> None:
        self.player = player
        self._metronome = metronome

    async def prepare(self) -> None:
        """Find the microphone, and read the clocks; raises `PlayerError`."""
        microphone = await self.player.microphone()
        if microphone is None:
            raise PlayerError(
                f"{self.player.name}: the page has asked for no microphone, so it sends no clicks"
            )
        await self._read_clocks()
        self._emitting = microphone

    async def play(self, seconds: float) -> None:
        """Begin to play clicks into the microphone."""
        self._first = await self._emitting.play(track_of(self._metronome, seconds))

    async def record(self, *, on: bool) -> None:
        """Begin or end the recording."""
        for frame in self.player.frames:
            await frame.record(on=on)

    async def _read_clocks(self) -> None:
        for frame in self.player.frames:
            await frame.read_clock()

    async def sound(self) -> Sound:
        """Return what was emitted and heard; raises `ClockError`."""
        await self._read_clocks()
        taken = [(frame, await frame.taken()) for frame in self.player.frames]
        emitted = next(each.emitted for frame, each in taken if frame is self._emitting)
        assert emitted
        clocks = [emitted, *(tap.clock for _, each in taken for tap in each.taps)]
        ears = [ear_of(frame, tap) for frame, each in taken for tap in each.taps]
        times = _times(self._emitting.clock, emitted, self._first / SAMPLE_RATE)
        return Sound(
            Mouth(self._metronome, times),
            ears,
            max(frame.clock.bound_s for frame, _ in taken),
            max(each.pause_s for each in clocks),
        )


def ear_of(frame: FrameInstrument, tap: TapRecording) -> Ear:
    """Return what a tap in a frame recorded, by this process's clock; raises `ClockError`."""
    times = _times(frame.clock, tap.clock, tap.first / tap.rate_hz)
    heard = np.where(np.isfinite(tap.samples), tap.samples, np.float32(0))  # as a device plays it
    return Ear(at_48_khz(heard, tap.rate_hz), times)


def _times(page: PageClock, context: ContextClock, begin_s: float) -> TimeOf:
    """Return the times of the frames at 48 kHz from a time of a context on."""
    return lambda frame: page.offset_s + float(context.time_of(begin_s + frame / SAMPLE_RATE))
