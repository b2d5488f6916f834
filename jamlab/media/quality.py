"""The two qualities of the product: bitrate, frame length and Opus application."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from jamlab.audio.pcm import SAMPLE_RATE

Application: TypeAlias = Literal["restricted_lowdelay", "audio"]
"""Opus application: CELT only with 2.5 ms look-ahead, or any mode with 6.5 ms."""

LOOKAHEAD_FRAMES: dict[Application, int] = {"restricted_lowdelay": 120, "audio": 312}
"""Algorithmic delay beyond the frame, in frames at 48 kHz (RFC 6716 §2, read back from libopus)."""

FRAME_LENGTHS = (120, 240, 480, 960, 1920, 2880)
"""The frame lengths of Opus, in frames at 48 kHz (RFC 6716 §2.1.4)."""


PACKETS_PER_SECOND = 600
"""Most packets that a participant sends in a second, to all peers together.

A packet costs its headers (some 58 bytes with IP, UDP, RTP and SRTP) and a quarter of a millisecond
of CPU time at its two ends, however long its frame is. So frames grow with the mesh: one encoder
serves all peers, and at 2.5 ms a participant with three of them would send 1200 packets a second.
"""


MOST_PEERS = 5
"""Most peers that frames grow for: a session has six participants, even if its room has more."""


class UnsupportedQualityError(ValueError):
    """A quality is unknown, or Opus cannot encode it."""


@dataclass(frozen=True)
class Quality:
    """The encoding of a participant's sound: bitrate, frame length and Opus application.

    Parameters
    ----------
    bitrate_bps : int
        Opus payload bits per second, both channels together, 6 000 to 510 000.
    frame_frames : int
        Length of one Opus frame while there is one peer, in frames at 48 kHz; see `frame_for`.

    Raises
    ------
    UnsupportedQualityError
        When Opus cannot encode with these values.

    Examples
    --------
    >>> quality = Quality("talk", 32_000, 960, "audio")
    >>> quality.lookahead_s
    0.0065
    >>> LOW_LATENCY.frame_for(peers=1), LOW_LATENCY.frame_for(peers=5)
    (120, 480)
    >>> HIGH_QUALITY.bitrate_bps
    256000
    """

    name: str
    bitrate_bps: int
    frame_frames: int
    application: Application

    def __post_init__(self) -> None:
        if self.frame_frames not in FRAME_LENGTHS:
            raise UnsupportedQualityError(
                f"quality {self.name!r}: the length of an Opus frame is one of {FRAME_LENGTHS} "
                f"frames, not {self.frame_frames}"
            )
        if not 6_000 <= self.bitrate_bps <= 510_000:
            raise UnsupportedQualityError(
                f"quality {self.name!r}: the bitrate of Opus is 6000 to 510000 bit/s, not "
                f"{self.bitrate_bps}"
            )
        if self.application not in LOOKAHEAD_FRAMES:
            raise UnsupportedQualityError(
                f"quality {self.name!r}: the application is one of {tuple(LOOKAHEAD_FRAMES)}, "
                f"not {self.application!r}"
            )

    def frame_for(self, peers: int) -> int:
        """Return the frame length for a number of peers, in frames.

        It is the shortest from `frame_frames` on that stays within `PACKETS_PER_SECOND`.
        """
        for frames in FRAME_LENGTHS:
            if frames >= self.frame_frames and peers * SAMPLE_RATE <= PACKETS_PER_SECOND * frames:
                return frames
        return FRAME_LENGTHS[-1]

    @property
    def lookahead_frames(self) -> int:
        """Algorithmic delay of the codec beyond its frame, in frames."""
        return LOOKAHEAD_FRAMES[self.application]

    @property
    def lookahead_s(self) -> float:
        """Algorithmic delay of the codec beyond its frame, in seconds."""
        return self.lookahead_frames / SAMPLE_RATE


LOW_LATENCY = Quality("low latency", 128_000, 120, "restricted_lowdelay")
HIGH_QUALITY = Quality("high quality", 256_000, 480, "audio")

QUALITIES = {quality.name: quality for quality in (LOW_LATENCY, HIGH_QUALITY)}


def quality_named(name: str) -> Quality:
    """Return the quality of a name, in which spaces, hyphens and underscores are the same.

    Raises `UnsupportedQualityError`, with the existing qualities, when there is none of that name.
    """
    quality = QUALITIES.get(name.strip().lower().replace("-", " ").replace("_", " "))
    if quality is None:
        known = ", ".join(repr(key.replace(" ", "-")) for key in QUALITIES)
        raise UnsupportedQualityError(f"unknown quality {name!r}: choose one of {known}")
    return quality
