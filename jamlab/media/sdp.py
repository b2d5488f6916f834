"""The Opus parameters of a session description (RFC 7587 §6.1).

aiortc describes Opus without parameters, and a browser that reads none sends mono at 32 kbit/s.
"""

import math
import re

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.quality import Quality

_OPUS_RTPMAP = re.compile(r"^a=rtpmap:(\d+) opus/48000/2\r?\n", re.MULTILINE | re.IGNORECASE)


def with_opus_parameters(sdp: str, quality: Quality) -> str:
    """Ask the peer for stereo at this quality's bitrate and frame length.

    ``ptime`` is an integer in SDP (RFC 8866 §6.4), so 2.5 ms is written 3.

    Parameters
    ----------
    sdp : str
        A session description; each Opus format without parameters of its own gets them.
    quality : Quality
        What we would like to receive.
    """
    ptime_ms = math.ceil(quality.frame_frames / SAMPLE_RATE * 1000)

    def add(match: re.Match[str]) -> str:
        fmtp = (
            f"a=fmtp:{match[1]} stereo=1;sprop-stereo=1;maxaveragebitrate={quality.bitrate_bps}\r\n"
        )
        return f"{match[0]}{fmtp}a=ptime:{ptime_ms}\r\n"

    return sdp if "a=fmtp" in sdp else _OPUS_RTPMAP.sub(add, sdp)
