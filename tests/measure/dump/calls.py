"""A call whose every figure is known, and writers of both layouts, which share no code with jamlab.

A call is a list of samples of getStats, ``(Unix ms, {id: object})``, and a list of events,
``(Unix ms, method, value)``, with the names of the W3C.
"""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

BEGIN_MS = 1_700_000_000_000
RATE = 48_000
INBOUND, OUTBOUND, PLAYOUT, PAIR = "IT01A1", "OT01A2", "AP", "CP1_2"
OFFER = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n{}a=mid:0\r\n"
CANDIDATE = "candidate:1 1 udp 2122260223 192.0.2.1 54428 typ {} generation 0"
NUMBERS = {
    **{"timestamp": "t", "transportId": 5, "mimeType": 6, "sdpFmtpLine": 9, "ssrc": 10},
    **{"kind": 11, "codecId": 12, "packetsReceived": 14, "packetsLost": 15, "jitter": 16},
    **{"remoteId": 19, "bytesReceived": 41, "jitterBufferDelay": 47, "audioLevel": 57},
    **{"jitterBufferTargetDelay": 48, "jitterBufferEmittedCount": 49, "playoutId": 62},
    **{"jitterBufferMinimumDelay": 50, "totalSamplesReceived": 51, "concealedSamples": 52},
    **{"silentConcealedSamples": 53, "localId": 74, "roundTripTime": 75, "packetsSent": 79},
    **{"bytesSent": 80, "mediaSourceId": 81, "totalPlayoutDelay": 111, "totalSamplesCount": 112},
    **{"protocol": 116, "state": 118, "selectedCandidatePairId": 125, "candidateType": 136},
    **{"localCandidateId": 148, "remoteCandidateId": 149, "currentRoundTripTime": 152},
    **{"totalProcessingDelay": 45, "dtlsState": 123, "iceState": 124, "nominated": 150},
}
"""The numbers of properties in files of rtcstats, from their specification."""
TYPES = {
    **{"inbound-rtp": 1, "outbound-rtp": 2, "remote-inbound-rtp": 3, "transport": 5},
    **{"candidate-pair": 6, "local-candidate": 7, "remote-candidate": 8, "media-source": 12},
    **{"media-playout": 13, "codec": 14},
}
METHODS = {
    **{"createOffer": 2, "setLocalDescription": 6, "setRemoteDescription": 8, "create": 39},
    **{"addIceCandidate": 10, "onicecandidate": 20, "oniceconnectionstatechange": 24},
    **{"onconnectionstatechange": 25},
}


def samples(
    jitter_buffer_ms,
    playout_ms=41.0,
    concealed=0,
    silent=0,
    lost=0,
    round_trip_ms=60.0,
    relay=False,
):
    """Return samples a second apart whose differences are exactly these.

    Concealed samples and lost packets are of each second. The first sample has counters of before.
    """
    made, total_s, emitted, played_s = [], 7.0, 1000, 3.0
    for second, delay_ms in enumerate([None, *jitter_buffer_ms]):
        if delay_ms is not None:
            emitted += RATE
            total_s += RATE * delay_ms / 1000
            played_s += RATE * playout_ms / 1000
        count = 480 + RATE * second
        reports = {
            INBOUND: {
                "type": "inbound-rtp",
                "kind": "audio",
                "ssrc": 1,
                "codecId": "CO",
                "playoutId": PLAYOUT,
                "packetsReceived": 50 * second,
                "packetsLost": lost * second,
                "bytesReceived": 4000 * second,
                "jitter": 0.002,
                "jitterBufferDelay": total_s,
                "jitterBufferTargetDelay": 0.1 * emitted,
                "jitterBufferMinimumDelay": 0.05 * emitted,
                "jitterBufferEmittedCount": emitted,
                "totalProcessingDelay": 0.108 * emitted,
                "totalSamplesReceived": count,
                "concealedSamples": concealed * second,
                "silentConcealedSamples": silent * second,
            },
            OUTBOUND: {
                "type": "outbound-rtp",
                "kind": "audio",
                "ssrc": 2,
                "codecId": "CO",
                "mediaSourceId": "SA",
                "remoteId": "RIA2",
                "packetsSent": 50 * second,
                "bytesSent": 8000 * second,
            },
            "RIA2": {
                "type": "remote-inbound-rtp",
                "localId": OUTBOUND,
                "roundTripTime": 0.07,
                "jitter": 0.003,
                "packetsLost": 2 * second,
            },
            "SA": {"type": "media-source", "kind": "audio", "audioLevel": 0.25},
            PLAYOUT: {
                "type": "media-playout",
                "totalPlayoutDelay": played_s,
                "totalSamplesCount": count,
            },
            "CO": {"type": "codec", "mimeType": "audio/opus", "sdpFmtpLine": "minptime=10"},
            "T01": {
                "type": "transport",
                "dtlsState": "connected",
                "iceState": "connected",
                "selectedCandidatePairId": PAIR,
            },
            PAIR: {
                "type": "candidate-pair",
                "localCandidateId": "L",
                "remoteCandidateId": "R",
                "state": "succeeded",
                "nominated": True,
                "currentRoundTripTime": round_trip_ms / 1000,
            },
            "L": {
                "type": "local-candidate",
                "candidateType": "relay" if relay else "host",
                "protocol": "udp",
            },
            "R": {"type": "remote-candidate", "candidateType": "prflx", "protocol": "udp"},
        }
        made.append((BEGIN_MS + 1000 * (second + 1), reports))
    return made


def events(connected_ms=640, packet=""):
    """Return the events of a call that connects this long after its first description."""
    offer = {"type": "offer", "sdp": OFFER.format(packet)}
    end = (
        []
        if connected_ms is None
        else [
            (100 + connected_ms, "oniceconnectionstatechange", "connected"),
            (100 + connected_ms, "onconnectionstatechange", "connected"),
        ]
    )
    made = [
        (0, "create", {"iceServers": [{"urls": "turn:relay.example"}]}),
        (100, "createOffer", None),
        (120, "setLocalDescription", offer),
        (130, "onicecandidate", {"candidate": CANDIDATE.format("host"), "sdpMid": "0"}),
        (140, "onicecandidate", {"candidate": CANDIDATE.format("relay"), "url": "turn:r.example"}),
        (200, "setRemoteDescription", {"type": "answer", "sdp": OFFER.format(packet)}),
        (210, "addIceCandidate", {"candidate": CANDIDATE.format("srflx"), "sdpMid": "0"}),
        (220, "oniceconnectionstatechange", "checking"),
        *end,
    ]
    return [(BEGIN_MS + ms, method, value) for ms, method, value in made]


# webrtc-internals


def iso(ms):
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def series_of(call_samples):
    """Return the statistics of webrtc-internals; computed names are there, and must not be read."""
    found = {}
    for ms, reports in call_samples:
        for name, report in reports.items():
            for key, value in {**report, "timestamp": ms + 0.25, "[delay/s]": 4711}.items():
                if key != "type":
                    found.setdefault((name, key, report["type"]), []).append((ms, value))
    return {
        f"{name}-{key}": {
            "startTime": iso(values[0][0]),
            "endTime": iso(values[-1][0]),
            "statsType": kind,
            "values": json.dumps([value for _, value in values]),
        }
        for (name, key, kind), values in found.items()
    }


def as_written(ms, clock):
    """Return the time of an entry of the log in one of the forms of Chromium."""
    if clock == "unix":
        return {"timestamp": ms, "time": "not read"}
    at = datetime.fromtimestamp(ms / 1000 - 7 * 3600, UTC)  # a user in California
    return {"time": at.strftime(clock)}


def internals(call_samples, call_events, clock="unix", name="25-3"):
    """Return a dump of webrtc-internals of one connection, as decoded JSON."""
    log = [
        {**as_written(ms, clock), "type": method.removeprefix("on"), "value": in_text(value)}
        for ms, method, value in call_events
        if method != "create"
    ]
    return {
        "getUserMedia": [{"request_type": "getUserMedia", "timestamp": BEGIN_MS + 1, "audio": ""}],
        "PeerConnections": {
            name: {
                "pid": "7",
                "url": "https://app.example/room",
                "rtcConfiguration": "{ iceServers: [turn:relay.example] }",
                "updateLog": log,
                "stats": series_of(call_samples),
            }
        },
        "UserAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/135.0.0.0",
    }


def in_text(value):
    """Return a value as Chromium's log has it."""
    if isinstance(value, dict) and "sdp" in value:
        return f"type: {value['type']}, sdp: {value['sdp']}"
    if isinstance(value, dict):
        return f"sdpMid: 0, sdpMLineIndex: 0, candidate: {value['candidate']}"
    return "" if value is None else value


# rtcstats


def rtcstats_lines(call_samples, call_events, numbers=True):
    """Return the lines of a file of rtcstats, with and without numbers for names."""
    about = {"fileFormat": 3, "userAgent": "Mozilla/5.0 Chrome/140.0.0.0", "url": "/room"}
    lines, last, before, ids = ["RTCStatsDump", json.dumps(about)], 0, {}, {}
    rows = [(ms, "getStats", reports) for ms, reports in call_samples] + call_events
    for ms, method, value in sorted(rows, key=lambda row: row[0]):
        if method == "getStats":
            before, value = value, compressed(before, value, ms, ids, numbers)
            method = "g" if numbers else method
        elif numbers:
            method = METHODS[method]
        lines.append(json.dumps([method, "PC_0", value, ms - last]))
        last = ms
    return lines


def compressed(before, after, ms, ids, numbers):
    """Return what changed, by the rules of rtcstats: short ids, the common time at the top."""
    for name in after:
        ids.setdefault(name, str(len(ids)))
    changed = {}
    for name, report in after.items():
        old = before.get(name, {})
        new = {key: value for key, value in report.items() if old.get(key) != value}
        new = {
            key: ids[value] if key.endswith("Id") and value in ids else value
            for key, value in new.items()
        }
        if new:
            changed[ids[name]] = renamed(new) if numbers else new
    gone = {ids[name]: None for name in before if name not in after}
    return {**changed, **gone, "t" if numbers else "timestamp": ms}


def renamed(report):
    kind = {"type": TYPES[report["type"]]} if "type" in report else {}
    return {str(NUMBERS.get(key, key)): v for key, v in report.items() if key != "type"} | kind


def write(path: Path, content, packed=False):
    """Write decoded JSON, lines or text to a file; returns the path."""
    if isinstance(content, dict):
        content = json.dumps(content)
    text = content if isinstance(content, str) else "\n".join(content) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    return path
