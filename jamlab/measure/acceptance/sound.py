"""Acceptance tests of sound on one network: capture, playback at the peer, and the mix.

They run on this machine's own UDP sockets in real time, so every finding includes the loop's lag.
The test signals are sines (`jamlab.measure.acceptance.sines`).

*The codec's share.* Opus changes sound: at 128 kbit/s and 2.5 ms a frame, SINAD of a sine is some
40 dB, and differs by some 2 dB between one tenth of a second and the next. Nothing else on the path
may degrade the sound, so the same signal also goes through encoder and decoder alone, and the path
is judged by its loss compared with that.
"""

import asyncio
from itertools import permutations

import numpy as np
from scipy import signal

from jamlab.audio.levels import dbfs_of, peak_dbfs, rms_dbfs
from jamlab.audio.pcm import SAMPLE_RATE, Block
from jamlab.measure.acceptance.findings import LOOP_LAG, Finding
from jamlab.measure.acceptance.players import Listening, Player, all_connected, in_session, listen
from jamlab.measure.acceptance.sines import AES17_HZ, SineFit, Steps, fit_sines, tone, windows
from jamlab.measure.acceptance.who_is_heard import exactly_heard_share, tone_levels
from jamlab.measure.latency.participants import Where, here
from jamlab.measure.statistics import CONFIDENCE, Estimate
from jamlab.media.encoder import FrameEncoder
from jamlab.media.opus import OpusDecoder
from jamlab.media.quality import LOW_LATENCY, Quality
from jamlab.process.pauses import collector_paused

LOCAL_CAPTURE = "local-capture"
TWO_USERS = "two-users-on-one-network"
THREE_USERS = "three-users-at-once"

CAPTURED_ERROR = "error of the captured level"
CAPTURED_SEPARATION = "channel separation of the captured sound"
HEARD_SEPARATION = "channel separation of the sound at the peer"
OWN_PLAYBACK = "peak of the own playback while the peer is silent"
LEVEL = "level at the peer"
LEVEL_ERROR = "error of the level at the peer"
SINAD = "SINAD at the peer"
SINAD_CODEC = "SINAD through the codec alone"
SINAD_LOSS = "SINAD below that of the codec alone"
HEARD_BOTH = "share of the time with exactly the other two tones"
CONCEALED = "share of sound concealed"
UNDERRUN = "share of sound that was not played in time"

STEPS_DBFS = ((-6, -50), (-12, -40), (-20, -30), (-30, -20), (-40, -12), (-50, -6))
"""Levels at the microphone, left and right; programme levels lie between them."""
RIGHT_HZ = 1499.0
SIGNAL_DBFS = -20.0
"""Level of the test signals: AES17's second level, typical of music."""

WINDOW_FRAMES = SAMPLE_RATE // 10
MIX_WINDOW_FRAMES = SAMPLE_RATE // 4
TWO_TONES_HZ = AES17_HZ, 1009.0
"""One per participant, to tell its sound from the other's; Opus codes both equally well."""
MIX_TONES_HZ = (997.0, 1499.0, 2503.0)
"""Prime numbers, none near another's harmonic."""
BLOCK_FRAMES = 256
"""A common block size, since these tests judge sound; the latency run has its own."""
_CODEC_START_S = 0.5
SETTLE_S = 1.5
"""Time for the playout buffers to adapt to the jitter and reach their delay."""
_TWO = "player 1", "player 2"


async def local_capture(
    step_s: float = 0.25, settle_s: float = SETTLE_S, where: Where = here
) -> Finding:
    """Play a stepped level into one microphone, and record at both ends of a call.

    The other participant is silent, so any sound that the first hears is its own, fed back. Raises
    TimeoutError when the two do not connect.
    """
    finding = Finding(LOCAL_CAPTURE)
    with collector_paused():
        async with in_session(_TWO, block_frames=BLOCK_FRAMES, where=where) as players:
            await all_connected(players)
            await asyncio.sleep(settle_s)
            player, other = players
            begin = len(player.captured) + SAMPLE_RATE // 10
            steps = Steps(STEPS_DBFS, (AES17_HZ, RIGHT_HZ), int(step_s * SAMPLE_RATE), begin)
            player.card.source = steps.source
            duration = steps.end - begin + SAMPLE_RATE // 4
            listening = await listen(players, duration)
    _note_capture(finding, player, steps)
    _note_separation(finding, other, listening, steps)
    finding.note(OWN_PLAYBACK, player.name, peak_dbfs(listening.heard(player)).max())
    _draw_levels(finding, "captured", player.captured.block(begin, duration))
    _draw_levels(finding, "played by itself", listening.heard(player))
    finding.note(LOOP_LAG, "", listening.lag_ms)
    return finding


def _note_capture(finding: Finding, player: Player, steps: Steps) -> None:
    for number, levels_dbfs in enumerate(steps.levels_dbfs):
        captured = player.captured.block(*steps.inner(number))
        found = zip(("left", "right"), rms_dbfs(captured), levels_dbfs, strict=True)
        for side, measured, wanted in found:
            finding.note(CAPTURED_ERROR, f"{side}, {wanted:g} dBFS", abs(measured - wanted))
    loud = [player.captured.block(*steps.inner(n)) for n in (0, len(steps.levels_dbfs) - 1)]
    for side, block in zip(("left", "right"), loud, strict=True):
        finding.note(CAPTURED_SEPARATION, side, _separation_db(block, side))


def _note_separation(finding: Finding, other: Player, listening: Listening, steps: Steps) -> None:
    """Note the separation at the other participant, in the loudest step of each channel."""
    stretches = windows(listening.heard(other), WINDOW_FRAMES)
    for column, side in enumerate(("left", "right")):
        levels_dbfs = [rms_dbfs(stretch)[column] for stretch in stretches]
        loudest = stretches[int(np.argmax(levels_dbfs))]
        finding.note(HEARD_SEPARATION, side, _separation_db(loudest, side))


def _separation_db(block: Block, side: str) -> float:
    """Return how much louder a channel's tone is there than in the other channel, in dB."""
    left, right = (fit_sines(channel, (AES17_HZ, RIGHT_HZ)).levels_dbfs for channel in block.T)
    return left[0] - right[0] if side == "left" else right[1] - left[1]


def _draw_levels(finding: Finding, what: str, block: Block) -> None:
    frames = SAMPLE_RATE // 50
    levels = np.array([rms_dbfs(stretch) for stretch in windows(block, frames)])
    times_s = np.arange(len(levels)) * frames / SAMPLE_RATE
    for column, side in enumerate(("left", "right")):
        finding.draw("levels", f"{what}, {side}", times_s, levels[:, column])


async def two_users(
    duration_s: float = 5.0,
    settle_s: float = SETTLE_S,
    quality: Quality = LOW_LATENCY,
    where: Where = here,
) -> Finding:
    """Send a sine in both directions between two participants; note its level and distortion.

    Raises TimeoutError when the two do not connect.
    """
    finding = Finding(TWO_USERS)
    tones_hz = dict(zip(_TWO, TWO_TONES_HZ, strict=True))
    sources = {name: tone((hz, hz), SIGNAL_DBFS) for name, hz in tones_hz.items()}
    with collector_paused():
        async with in_session(
            _TWO, quality=quality, block_frames=BLOCK_FRAMES, where=where
        ) as players:
            for player in players:
                player.card.source = sources[player.name]
            await all_connected(players)
            await asyncio.sleep(settle_s)
            listening = await listen(players, int(duration_s * SAMPLE_RATE))
    for sender, listener in permutations(players):
        path, heard = f"{sender.name} → {listener.name}", listening.heard(listener)
        sent = sources[sender.name](0, int((duration_s + _CODEC_START_S) * SAMPLE_RATE))
        alone = through_codec(sent, quality)[int(_CODEC_START_S * SAMPLE_RATE) :]
        _note_clarity(finding, path, tones_hz[sender.name], heard, alone)
        _note_dropouts(finding, path, listening, sender, listener)
    finding.note(LOOP_LAG, "", listening.lag_ms)
    return finding


def _note_clarity(finding: Finding, path: str, hz: float, heard: Block, alone: Block) -> None:
    """Note level and distortion of the received sine, and of the sine after the codec alone."""
    sinad_db, codec_db = _median_sinad_db(heard, hz), _median_sinad_db(alone, hz)
    finding.note(SINAD, path, sinad_db)
    finding.note(SINAD_CODEC, path, codec_db)
    finding.note(SINAD_LOSS, path, codec_db - sinad_db)
    finding.note(LEVEL_ERROR, path, abs(_median_level_dbfs(heard, hz) - SIGNAL_DBFS))
    _draw_spectrum(finding, path, "heard", heard)
    _draw_spectrum(finding, path, "codec alone", alone)


def through_codec(block: Block, quality: Quality, peers: int = 1) -> Block:
    """Return a sound after encoder and decoder alone; an incomplete last frame is left out.

    The number of peers sets the length of a frame.
    """
    encoder, decoder = FrameEncoder(quality), OpusDecoder()
    encoder.serve(peers)
    decoded = [decoder.decode(frame.payload) for frame in encoder.push(block)]
    return np.concatenate(decoded)


def _fits(block: Block, hz: float) -> list[SineFit]:
    return [
        fit_sines(channel, (hz,))
        for stretch in windows(block, WINDOW_FRAMES)
        for channel in stretch.T
    ]


def _median_sinad_db(block: Block, hz: float) -> float:
    return float(np.median([fit.sinad_db for fit in _fits(block, hz)]))


def _median_level_dbfs(block: Block, hz: float) -> float:
    return float(np.median([fit.levels_dbfs[0] for fit in _fits(block, hz)]))


def _note_dropouts(
    finding: Finding, path: str, listening: Listening, sender: Player, listener: Player
) -> None:
    """Note the concealed and underrun shares of a path.

    The interval allows for the small number of packets. A machine that was late at either end may
    have caused concealment, which lowers the low end.
    """
    share = listening.concealed_share(sender.name, listener.name, _packet_frames(listening, sender))
    ends = (sender.name, listener.name), (listener.name, sender.name)
    late = sum(listening.underrun_share(*end) for end in ends)
    low = max(0.0, share.low - late)
    concealed = Estimate(100 * share.value, 100 * low, 100 * share.high, CONFIDENCE)
    finding.note(CONCEALED, path, concealed)
    finding.note(UNDERRUN, path, 100 * listening.underrun_share(sender.name, listener.name))


def _packet_frames(listening: Listening, sender: Player) -> int:
    """Return the length of a sender's Opus frames, which are concealed as a whole."""
    peers = sum(one == sender.name for one, _ in listening.counted)
    return sender.session.service.quality.frame_for(peers)


def _draw_spectrum(finding: Finding, panel: str, series: str, block: Block) -> None:
    """Add the left channel's spectrum, scaled so that a sine's peak is its level in dBFS."""
    hz, power = signal.welch(
        block[:, 0], SAMPLE_RATE, "blackmanharris", nperseg=2048, scaling="spectrum"
    )
    finding.draw(panel, series, hz, dbfs_of(np.sqrt(2 * power)))


async def three_users(
    duration_s: float = 8.0, settle_s: float = SETTLE_S, where: Where = here
) -> Finding:
    """Let three participants play a tone each; note the tones that each hears over time.

    Raises TimeoutError when the three do not connect.
    """
    finding = Finding(THREE_USERS)
    names = "player 1", "player 2", "player 3"
    tones_hz = dict(zip(names, MIX_TONES_HZ, strict=True))
    with collector_paused():
        async with in_session(names, block_frames=BLOCK_FRAMES, where=where) as players:
            for player in players:
                hz = tones_hz[player.name]
                player.card.source = tone((hz, hz), SIGNAL_DBFS)
            await all_connected(players)
            await asyncio.sleep(settle_s)
            listening = await listen(players, int(duration_s * SAMPLE_RATE))
    for player in players:
        _note_mix(finding, player, listening.heard(player), tones_hz)
    for sender, listener in permutations(players, 2):
        path = f"{sender.name} → {listener.name}"
        _note_dropouts(finding, path, listening, sender, listener)
    finding.note(LOOP_LAG, "", listening.lag_ms)
    return finding


def _note_mix(finding: Finding, player: Player, heard: Block, tones_hz: dict[str, float]) -> None:
    """Note whether a participant heard exactly the others, and the level of each."""
    others = set(tones_hz) - {player.name}
    share = exactly_heard_share(heard, tones_hz, SIGNAL_DBFS, MIX_WINDOW_FRAMES, others)
    finding.note(HEARD_BOTH, player.name, 100 * share)
    stretches = windows(heard, MIX_WINDOW_FRAMES)
    levels_dbfs = np.array([tone_levels(s, [*tones_hz.values()]).min(axis=0) for s in stretches])
    times_s = np.arange(len(stretches)) * MIX_WINDOW_FRAMES / SAMPLE_RATE
    for name, over_time_dbfs in zip(tones_hz, levels_dbfs.T, strict=True):
        finding.draw(player.name, name, times_s, over_time_dbfs)
        level_dbfs = float(np.median(over_time_dbfs))
        finding.note(LEVEL, f"{name} → {player.name}", level_dbfs)
        if name in others:
            finding.note(LEVEL_ERROR, f"{name} → {player.name}", abs(level_dbfs - SIGNAL_DBFS))
