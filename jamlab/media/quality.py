"""The two qualities the product offers, as the encoder, the SDP and the notebooks see them."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from jamlab.audio.pcm import SAMPLE_RATE

Application: TypeAlias = Literal["restricted_lowdelay", "audio"]
"""Opus application: CELT only with 2.5 ms look-ahead, or any mode with 6.5 ms."""

LOOKAHEAD_FRAMES: dict[Application, int] = {"restricted_lowdelay": 120, "audio": 312}
"""Algorithmic delay beyond the frame, in frames at 48 kHz (RFC 6716 §2, read back from libopus)."""

FRAME_LENGTHS = (120, 240, 480, 960, 1920, 2880)
"""The frame lengths Opus knows, in frames at 48 kHz (RFC 6716 §2.1.4)."""


PACKETS_PER_SECOND = 600
"""What a participant sends at the most, to all peers together.

A packet costs its headers (some 58 bytes with IP, UDP, RTP and SRTP) and a quarter of a millisecond
of processor time at its two ends, whatever it carries. So frames grow with the mesh: one encoder
serves all peers, and at 2.5 ms a participant with three of them would send 1200 packets a second.
"""


MOST_PEERS = 5
"""Peers that frames grow for: a session has six participants, whoever else is in its room."""


class UnsupportedQualityError(ValueError):
    """A quality nobody offers, or one Opus cannot encode."""


@dataclass(frozen=True)
class Quality:
    """How one participant's sound is encoded.

    Parameters
    ----------
    name : str
        What the user chooses by.
    bitrate_bps : int
        Opus payload bits per second, both channels together, 6 000 to 510 000.
    frame_frames : int
        Length of one Opus frame while there is one peer, in frames at 48 kHz; see `frame_for`.
    application : {"restricted_lowdelay", "audio"}
        The Opus application.

    Raises
    ------
    UnsupportedQualityError
        When Opus cannot encode such a stream.

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
                f"quality {self.name!r}: an Opus frame is one of {FRAME_LENGTHS} frames long, "
                f"not {self.frame_frames}"
            )
        if not 6_000 <= self.bitrate_bps <= 510_000:
            raise UnsupportedQualityError(
                f"quality {self.name!r}: Opus takes 6000 to 510000 bit/s, not {self.bitrate_bps}"
            )
        if self.application not in LOOKAHEAD_FRAMES:
            raise UnsupportedQualityError(
                f"quality {self.name!r}: the application is one of {tuple(LOOKAHEAD_FRAMES)}, "
                f"not {self.application!r}"
            )

    def frame_for(self, peers: int) -> int:
        """Return the frame length for a number of peers, in frames.

        It is the shortest that is not below `frame_frames` and keeps to `PACKETS_PER_SECOND`.
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
"""Every quality by its name."""


def quality_named(name: str) -> Quality:
    """Look a quality up; spaces, hyphens and underscores are the same.

    Raises
    ------
    UnsupportedQualityError
        When there is no such quality; the sentence lists those there are.
    """
    quality = QUALITIES.get(name.strip().lower().replace("-", " ").replace("_", " "))
    if quality is None:
        known = ", ".join(repr(key.replace(" ", "-")) for key in QUALITIES)
        raise UnsupportedQualityError(f"unknown quality {name!r}: choose one of {known}")
    return quality
