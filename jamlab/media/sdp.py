"""What aiortc's descriptions lack: Opus parameters (RFC 7587 §6.1) and trickling (RFC 8840).

aiortc describes Opus without parameters, and a browser that reads none sends mono at 32 kbit/s. It
also says that there will be no more candidates, and takes none after a peer has said so.
"""

import math
import re

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.quality import QUALITIES, Quality

_MEDIA = re.compile(r"^(?=m=)", re.MULTILINE)
_END_OF_CANDIDATES = re.compile(r"^a=end-of-candidates\r?\n", re.MULTILINE)
_ICE_PWD = re.compile(r"^a=ice-pwd:.*\r?\n", re.MULTILINE)
_ICE_UFRAG = re.compile(r"^a=ice-ufrag:(\S+)", re.MULTILINE)
_OPUS_RTPMAP = re.compile(r"^a=rtpmap:(\d+) opus/48000/2\r?\n", re.MULTILINE | re.IGNORECASE)


def trickling(sdp: str) -> str:
    """Return our description with the statement that candidates may follow (RFC 8840 §4.1.1)."""
    return _ICE_PWD.sub(lambda line: f"{line[0]}a=ice-options:trickle\r\n", without_end(sdp))


def without_end(sdp: str) -> str:
    """Return a description without the end of candidates."""
    return _END_OF_CANDIDATES.sub("", sdp)


def username_fragment(sdp: str) -> str | None:
    """Return the first ICE username fragment of a description (RFC 8839 §5.4)."""
    found = _ICE_UFRAG.search(sdp)
    return found[1] if found else None


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
