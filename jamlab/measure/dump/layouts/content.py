"""The content of a dump's file: unpacked, and recognised whatever its name is."""

import json
import zlib
from pathlib import Path
from typing import Any

from jamlab.measure.dump.layouts.internals import read_internals
from jamlab.measure.dump.layouts.rtcstats import (
    MAGIC,
    MOST_STATISTICS,
    TooManyStatisticsError,
    read_rtcstats,
)
from jamlab.measure.dump.layouts.trace import Trace
from jamlab.measure.dump.layouts.values import fields, items

MOST_BYTES = 1 << 27
"""Size of the largest file that is read, unpacked."""
MOST_TIMES = 300
"""How many times its own size a file may unpack to; a dump takes some 15."""

_GZIP = b"\x1f\x8b"
_UNPACKED_AT_ONCE = 1 << 20
_TOO_LONG = "it is no dump of a call, or of one so long that you have to save a part of it"
_SAVE = "save the dump again in chrome://webrtc-internals (Create a WebRTC-Internals dump)"
_EXPECTED = "name a dump of chrome://webrtc-internals (JSON) or a file of rtcstats, plain or gzip"
_FIREFOX = (
    "is of Firefox (about:webrtc), whose form has no history of the statistics: record the call "
    "with rtcstats, or with Chromium's chrome://webrtc-internals"
)
_OF_FIREFOX = {
    "pcid",
    "iceStats",
    "inboundRtpStreamStats",
    "outboundRtpStreamStats",
    "sdpHistories",
}


class DumpError(ValueError):
    """A file that is no readable dump; states the file, the fault and the remedy."""


def read_trace(path: Path) -> Trace:
    """Read a dump; raises `DumpError` for a file of another kind, and one that cannot be read."""
    if not path.is_file():  # a pipe or a device might never end
        raise DumpError(f"there is no file {path}: {_EXPECTED}")
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DumpError(f"{path} has more than {MOST_BYTES >> 20} MB: {_TOO_LONG}")
        packed = path.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise DumpError(f"{path} cannot be read ({reason}): {_EXPECTED}") from error
    try:
        content, cut = _unpacked(packed)
        return _recognised(_text(content), cut)
    except _NotReadError as fault:
        raise DumpError(f"{path} {fault}") from None


class _NotReadError(Exception):
    """Fault and remedy, as words that follow the file."""


def _unpacked(packed: bytes) -> tuple[bytes, bool]:
    """Return the content of a file, and whether it is gzip that ends too early."""
    if not packed.startswith(_GZIP):
        return packed, False
    parts, size, cut = [], 0, False
    rest = packed
    while rest.startswith(_GZIP) and not cut:
        machine = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            while not machine.eof and (part := machine.decompress(rest, _UNPACKED_AT_ONCE)):
                parts.append(part)
                size += len(part)
                rest = machine.unconsumed_tail
                if size > MOST_BYTES:
                    raise _NotReadError(f"unpacks to more than {MOST_BYTES >> 20} MB: {_TOO_LONG}")
                if size > max(MOST_TIMES * len(packed), _UNPACKED_AT_ONCE):
                    times = f"more than {MOST_TIMES} times its size"
                    raise _NotReadError(
                        f"unpacks to {times}, as no dump of a call does: {_EXPECTED}"
                    )
        except zlib.error:
            machine = zlib.decompressobj()
        cut = not machine.eof
        rest = machine.unused_data
    return b"".join(parts), cut


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if len(content) - error.start < 4 and error.reason == "unexpected end of data":
            return content[: error.start].decode("utf-8-sig")
        raise _NotReadError(f"is not text: {_EXPECTED}") from None


def _recognised(content: str, cut: bool) -> Trace:
    begin = content.lstrip()[:1]
    if not begin:
        raise _NotReadError(f"is empty{' or cut' if cut else ''}: {_EXPECTED}")
    if begin == "<":
        firefox = "about:webrtc" in content
        raise _NotReadError(_FIREFOX if firefox else f"is HTML or XML: {_EXPECTED}")
    if content.lstrip().startswith(MAGIC) or _has_lines(content):
        return _lines(content, cut)
    if begin != "{":
        raise _NotReadError(f"is no dump: {_EXPECTED}")
    return _object(content, cut)


def _has_lines(content: str) -> bool:
    """Return whether it is a file of rtcstats before version 3: facts, then lines of arrays."""
    first, _, rest = content.lstrip().partition("\n")
    if not (rest.lstrip().startswith("[") and first.startswith("{")):
        return False
    try:
        return isinstance(json.loads(first), dict)
    except (RecursionError, ValueError):
        return False


def _lines(content: str, cut: bool) -> Trace:
    try:
        trace, unread = read_rtcstats(content.split("\n"))
    except TooManyStatisticsError:
        raise _NotReadError(f"has more than {MOST_STATISTICS} statistics: {_TOO_LONG}") from None
    if not trace.peers and unread:
        raise _NotReadError(f"has no line that is whole: {_EXPECTED}")
    if unread or cut:
        lines = f"{unread} {'line' if unread == 1 else 'lines'}" if unread else "the end"
        said = f"The file is not whole: {lines} could not be read; the rest is here."
        trace.notes.append(said)
    return trace


def _object(content: str, cut: bool) -> Trace:
    try:
        data: Any = json.loads(content)
    except RecursionError:
        raise _NotReadError(f"is nested too deep: {_EXPECTED}") from None
    except ValueError as error:
        kind = "is cut off" if cut or _ends_early(error, content) else "is not valid JSON"
        reason = f"{kind} ({error}), and JSON cannot be trusted in part"
        raise _NotReadError(f"{reason}: {_SAVE}") from None
    if "PeerConnections" in data:
        return read_internals(data)
    if any(_OF_FIREFOX & fields(each).keys() for each in (data, *items(data.get("reports")))):
        raise _NotReadError(_FIREFOX)
    if "fileFormat" in data:
        return _lines(content, cut)
    raise _NotReadError(f"is JSON, but no dump (it has no PeerConnections): {_EXPECTED}")


def _ends_early(error: ValueError, content: str) -> bool:
    if not isinstance(error, json.JSONDecodeError):
        return False
    rest = content[error.pos :].strip()
    return len(rest) < len("false") or error.msg.startswith("Unterminated")
