"""What aiortc's descriptions lack: Opus parameters, redundant audio, and trickling.

aiortc describes Opus without parameters (RFC 7587 §6.1), and a browser that reads none sends mono
at 32 kbit/s. It knows no redundant audio (RFC 2198). It also says that there will be no more
candidates, and takes none after a peer has said so (RFC 8840).
"""

import math
import re

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.quality import QUALITIES, Quality
from jamlab.media.red import RedFormat

OFFERED_RED = 63
"""Payload type of redundant audio in our offers; that of Chromium's, too."""

_AUDIO = re.compile(r"^m=audio .*(?=\r\n)", re.MULTILINE)
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


def with_redundancy(sdp: str) -> tuple[str, RedFormat | None]:
    """Return our offer with redundant audio after its Opus format, and the two payload types.

    A browser that has it receives it then, and would send it only if it stood before Opus. Without
    Opus the description stays unchanged, and there are no types.
    """
    opus = _OPUS_RTPMAP.search(sdp)
    if opus is None:
        return sdp, None
    types = RedFormat(OFFERED_RED, int(opus[1]))
    described = f"a=rtpmap:{types.red} red/48000/2\r\na=fmtp:{types.red} {types.inside}\r\n"
    sdp = sdp[: opus.end()] + described + sdp[opus.end() :]
    return _AUDIO.sub(lambda line: f"{line[0]} {types.red}", sdp, count=1), types


def _described(medium: str, parameters: str, ptime_ms: int) -> str:
    def add(match: re.Match[str]) -> str:
        if f"\na=fmtp:{match[1]} " in medium:
            return match[0]
        return f"{match[0]}a=fmtp:{match[1]} {parameters}\r\n"

    described = _OPUS_RTPMAP.sub(add, medium)
    if described == medium or "\na=ptime:" in medium:
        return described
    return f"{described}a=ptime:{ptime_ms}\r\n"
