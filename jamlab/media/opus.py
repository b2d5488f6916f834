"""Opus encoder and decoder: libopus through opuslib-next, with floats and with concealment.

PyAV's Opus decoder has no call for concealment, so libopus is called directly. The library itself
is the copy in PyAV's wheel: every machine that runs aiortc has it, in the same version. Where PyAV
was built without it (conda-forge), the environment's or the system's copy is used.

These classes own the codec's states, for the finalisers of opuslib-next's own classes fail at
interpreter exit.
"""

import ctypes
import ctypes.util
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np

from jamlab.audio.pcm import CHANNELS, SAMPLE_RATE, Block
from jamlab.media.quality import FRAME_LENGTHS, Quality

MAX_PAYLOAD_BYTES = 1275
"""Largest Opus frame (RFC 6716 §3.2.1)."""

LONGEST_PACKET = 5760
"""Frames of the longest packet, 120 ms (RFC 6716 §3.2.5)."""


def _library_candidates() -> Iterator[Path]:
    package = Path(av.__file__).parent
    yield from sorted((package.parent / "av.libs").glob("libopus*"))  # Linux and Windows wheels
    yield from sorted((package / ".dylibs").glob("libopus*"))  # macOS wheels
    yield from sorted(Path(sys.prefix, "lib").glob("libopus.*"))  # conda
    yield from sorted(Path(sys.prefix, "Library", "bin").glob("opus*.dll"))  # conda on Windows


@contextmanager
def _find_library_extended() -> Iterator[None]:
    """Make opuslib-next, which searches only the system, find the copy in site-packages."""
    system = ctypes.util.find_library
    bundled = next(_library_candidates(), None)

    def find(name: str) -> str | None:
        return str(bundled) if name == "opus" and bundled else system(name)

    ctypes.util.find_library = find
    try:
        yield
    finally:
        ctypes.util.find_library = system


with _find_library_extended():
    from opuslib_next.api import c_float_pointer, ctl, decoder, encoder, libopus
    from opuslib_next.constants import (
        APPLICATION_AUDIO,
        APPLICATION_RESTRICTED_LOWDELAY,
    )
    from opuslib_next.exceptions import OpusError

_APPLICATIONS = {
    "audio": APPLICATION_AUDIO,
    "restricted_lowdelay": APPLICATION_RESTRICTED_LOWDELAY,
}


class CorruptPacketError(ValueError):
    """A payload is not an Opus packet."""


def library_version() -> str:
    """Return the name and version that libopus reports, e.g. ``"libopus 1.6.1"``."""
    libopus.opus_get_version_string.restype = ctypes.c_char_p
    version: bytes = libopus.opus_get_version_string()
    return version.decode()


class OpusEncoder:
    """An Opus encoder of stereo frames at a constant bitrate.

    The bitrate is constant because a mesh's bottleneck is a participant's upload: the packets of an
    onset must not be larger, and so arrive later, than the packets of silence.
    """

    def __init__(self, quality: Quality) -> None:
        self.quality = quality
        self._state = encoder.create_state(
            SAMPLE_RATE, CHANNELS, _APPLICATIONS[quality.application]
        )
        weakref.finalize(self, encoder.destroy, self._state)
        encoder.encoder_ctl(self._state, ctl.set_bitrate, quality.bitrate_bps)
        encoder.encoder_ctl(self._state, ctl.set_vbr, 0)
        self._payload = ctypes.create_string_buffer(MAX_PAYLOAD_BYTES)

    @property
    def lookahead_frames(self) -> int:
        """The codec's look-ahead as libopus reports it, in frames."""
        return int(encoder.encoder_ctl(self._state, ctl.get_lookahead))

    def encode(self, block: Block) -> bytes:
        """Encode exactly one frame, shape ``(frames, 2)``, of a length of `FRAME_LENGTHS`.

        The length may change from one frame to the next; raises `ValueError` for any other.
        """
        if block.ndim != 2 or block.shape[1] != CHANNELS or len(block) not in FRAME_LENGTHS:
            raise ValueError(
                f"Opus encodes {FRAME_LENGTHS} frames of {CHANNELS} channels, not {block.shape}"
            )
        samples = np.ascontiguousarray(block, dtype=np.float32)  # libopus checks no strides
        size = encoder.libopus_encode_float(
            self._state,
            samples.ctypes.data_as(c_float_pointer),
            len(samples),
            self._payload,
            MAX_PAYLOAD_BYTES,
        )
        if size < 0:
            raise OpusError(size)
        return self._payload.raw[:size]


class OpusDecoder:
    """An Opus decoder of packets of any length and mode to 48 kHz stereo, with concealment."""

    def __init__(self) -> None:
        self._state = decoder.create_state(SAMPLE_RATE, CHANNELS)
        weakref.finalize(self, decoder.destroy, self._state)
        self._pcm: Block = np.empty((LONGEST_PACKET, CHANNELS), dtype=np.float32)
        self._pcm_pointer = self._pcm.ctypes.data_as(c_float_pointer)

    def decode(self, payload: bytes) -> Block:
        """Decode one packet; its header states its length.

        Raises `CorruptPacketError` when the payload is not an Opus packet; the decoder remains
        usable.
        """
        if not payload:
            raise CorruptPacketError("an Opus packet has at least one byte (RFC 6716 §3.4), got 0")
        return self._run(payload, LONGEST_PACKET)

    def conceal(self, frames: int) -> Block:
        """Continue the sound over a missing packet (libopus' packet loss concealment).

        The length is a multiple of 2.5 ms up to the longest packet, 120 ms; raises `ValueError` for
        any other.
        """
        step = FRAME_LENGTHS[0]
        if not 0 < frames <= LONGEST_PACKET or frames % step:
            raise ValueError(
                f"libopus conceals a multiple of {step} frames up to {LONGEST_PACKET}, not {frames}"
            )
        return self._run(None, frames)

    def _run(self, payload: bytes | None, capacity: int) -> Block:
        size = 0 if payload is None else len(payload)
        frames = decoder.libopus_decode_float(
            self._state, payload, size, self._pcm_pointer, capacity, 0
        )
        if frames < 0:
            raise CorruptPacketError(f"libopus cannot decode {size} bytes: {OpusError(frames)}")
        return self._pcm[:frames].copy()
