"""The Opus parameters of a session description (RFC 7587 §6.1).

aiortc describes Opus without parameters, and a browser that reads none sends mono at 32 kbit/s.
"""

import math
import re

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.quality import QUALITIES, Quality

_MEDIA = re.compile(r"^(?=m=)", re.MULTILINE)
_OPUS_RTPMAP = re.compile(r"^a=rtpmap:(\d+) opus/48000/2\r?\n", re.MULTILINE | re.IGNORECASE)


def with_opus_parameters(sdp: str, quality: Quality) -> str:
    """Return a description that asks the peer for stereo at this quality's frame length.

    ``maxaveragebitrate`` is a receiver's maximum, and a peer may switch its quality at any time: so
    it is the highest bitrate of all qualities. A browser sends that much, whatever our quality.

    Each Opus format without parameters gets them, and its media section gets the frame length
    unless it states one. The rest stays unchanged, so a second call changes nothing. ``ptime`` is
    an integer in SDP (RFC 8866 §6.4), so 2.5 ms is written 3.
    """
    ptime_ms = math.ceil(quality.frame_frames / SAMPLE_RATE * 1000)
    most_bps = max(known.bitrate_bps for known in (quality, *QUALITIES.values()))
    parameters = f"stereo=1;sprop-stereo=1;maxaveragebitrate={most_bps}"
    return "".join(_described(medium, parameters, ptime_ms) for medium in _MEDIA.split(sdp))


def _described(medium: str, parameters: str, ptime_ms: int) -> str:
    def add(match: re.Match[str]) -> str:
        if f"\na=fmtp:{match[1]} " in medium:
            return match[0]
        return f"{match[0]}a=fmtp:{match[1]} {parameters}\r\n"

    described = _OPUS_RTPMAP.sub(add, medium)
    if described == medium or "\na=ptime:" in medium:
        return described
    return f"{described}a=ptime:{ptime_ms}\r\n"
