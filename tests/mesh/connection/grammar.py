"""Offers and candidates built from the grammar of RFC 8866, RFC 8829 and RFC 8839, right and wrong.

Each function takes a `random.Random`. `offer` and `candidate` choose among values that the grammar
allows and values that it does not; `neighbour` changes a browser's description only in ways that
leave it acceptable to a browser.
"""

import json
import re
from pathlib import Path

RECORDED = sorted((Path(__file__).parent / "recorded").glob("*.sdp"))
"""Descriptions that browsers have made."""

JUNK = ("", " ", "-1", "1e9", "2.5", "9" * 30, "é", "\u2028", "\0", "\ud800", "x" * 300, "a b", ":")
PYTHON = re.compile(r"\b\w+(Error|Exception)\b|Traceback|invalid literal|object has no|NoneType")
"""Words that a web developer should never read."""

MIDS = ("0", "1", "audio", "", "a b", "x" * 33, "{b5}")
HOSTS = (
    *("192.0.2.1", "2001:db8::1", "[2001:db8::1]", "fe80::1%eth0", "0.0.0.0", "::", "224.0.0.1"),
    *("b7e1.local", "a.b.local", "example.org", "1.2.3.4.5", "::ffff:192.0.2.1", "127.0.0.1"),
)
CODECS = ("opus/48000/2", "OPUS/48000", "opus/16000", "VP8/90000")
DIGEST = ":".join(["A0"] * 32)


def often(rng, right, *wrong):
    """Return the right value most of the time."""
    return right if rng.random() < 0.9 else rng.choice([*wrong, *JUNK])


def number(rng, right):
    return often(rng, str(right), "0", "-1", "65536", "4294967296", "18446744073709551616", "0x9")


def candidate(rng):
    """Return the text of a candidate, without ``a=`` before it."""
    fields = [
        often(
            rng, f"candidate:{rng.randrange(1 << 31)}", "1", "candidate:", "candidate:" + "1" * 40
        ),
        number(rng, rng.choice((1, 1, 1, 2, 256))),
        often(rng, rng.choice(("udp", "UDP", "tcp")), "sctp", "u/p"),
        number(rng, rng.randrange(1, 1 << 31)),
        often(rng, rng.choice(HOSTS)),
        number(rng, rng.randrange(1 << 16)),
        often(rng, "typ", "type"),
        often(rng, rng.choice(("host", "srflx", "prflx", "relay")), "future"),
    ]
    if rng.random() < 0.3:
        fields += ["raddr", rng.choice(HOSTS), "rport", number(rng, 9)]
    if rng.random() < 0.3:
        fields += [rng.choice(("generation", "ufrag", "tcptype", "network-id")), often(rng, "0")]
    if rng.random() < 0.1:
        del fields[rng.randrange(len(fields)) :]
    return " ".join(fields)


def candidate_init(rng):
    """Return W3C's dictionary of a candidate, as JSON from any language may have it."""
    init = {
        "candidate": often(rng, rng.choice(("", "a=")) + candidate(rng), None, 3),
        "sdpMid": often(rng, rng.choice(("0", "1", "", None)), 0),
        "sdpMLineIndex": often(rng, rng.choice((0, 1, 0.0, None)), -1, 0.5, 1 << 70, True),
        "usernameFragment": often(rng, rng.choice(("abcd", "", None)), 7),
        "port": 9,
    }
    kept = {name: value for name, value in init.items() if rng.random() < 0.85}
    return json.loads(json.dumps(kept))


ATTRIBUTES = {
    "mid": lambda rng: rng.choice(MIDS),
    "group": lambda rng: f"{rng.choice(('BUNDLE', 'LS'))} {' '.join(rng.sample(MIDS, 2))}",
    "rtpmap": lambda rng: often(
        rng,
        f"{rng.choice((0, 9, 63, 96, 111))} {rng.choice(CODECS)}",
        "111 opus",
        "opus/48000/2",
        "111 opus/48000/two",
        "300 opus/48000/2",
    ),
    "fmtp": lambda rng: rng.choice(
        ("111 minptime=2.5", "18 annexb=no", "111", "x y", "96 apt=a;;=")
    ),
    "rtcp-fb": lambda rng: rng.choice(("111 transport-cc", "* nack", "111", "")),
    "extmap": lambda rng: (
        f"{number(rng, rng.randrange(1, 20))}{rng.choice(('', '/recvonly', '/x/y'))} "
        f"urn:ietf:params:rtp-hdrext:{rng.choice(('sdes:mid', 'ssrc-audio-level', 'other'))}"
        f"{rng.choice(('', ' vad=on', ' '))}"
    ),
    "ssrc": lambda rng: rng.choice(
        ("1234 cname:x", "1234 cname", "x", "4294967296 cname:y", "7 a:b:c")
    ),
    "ssrc-group": lambda rng: rng.choice(("FID 1 2", "FID one", "")),
    "ice-ufrag": lambda rng: often(rng, "F7gI", "F7g", "a" * 257),
    "ice-pwd": lambda rng: often(rng, "x9cml/YzichV2+XlhiMu8gRT", "short"),
    "ice-options": lambda rng: rng.choice(("trickle", "ice2 trickle", "")),
    "fingerprint": lambda rng: often(
        rng, f"sha-256 {DIGEST}", f"sha-1 {DIGEST[:59]}", f"sha-512 {DIGEST}", "sha-256", DIGEST
    ),
    "setup": lambda rng: often(rng, rng.choice(("actpass", "active", "passive")), "holdconn"),
    "candidate": lambda rng: candidate(rng).removeprefix("candidate:"),
    "rtcp": lambda rng: rng.choice(("9 IN IP4 0.0.0.0", "9 IN IP4 example.org", "nine", "")),
    "msid": lambda rng: rng.choice(("- track", "stream", "")),
    "msid-semantic": lambda rng: rng.choice(("WMS *", " WMS", "")),
    "ptime": lambda rng: rng.choice(("20", "2.5", "x")),
    "sctp-port": lambda rng: number(rng, 5000),
    "sctpmap": lambda rng: rng.choice(("5000 webrtc-datachannel 1024", "x")),
    "max-message-size": lambda rng: number(rng, 262_144),
    "simulcast": lambda rng: "send 1;2",
    "identity": lambda rng: rng.choice(JUNK),
}
FLAGS = (
    *("sendrecv", "sendonly", "recvonly", "inactive", "rtcp-mux", "rtcp-rsize", "bundle-only"),
    *("ice-lite", "end-of-candidates", "extmap-allow-mixed", "rtcp-mux-only", "unknown"),
)
NEEDED = ("ice-ufrag", "ice-pwd", "fingerprint", "setup")


def attribute(rng):
    """Return an ``a=`` line."""
    if rng.random() < 0.25:
        return f"a={rng.choice(FLAGS)}"
    name = rng.choice([*ATTRIBUTES])
    return f"a={name}:{ATTRIBUTES[name](rng)}"


def needed(rng):
    """Return the lines that a transport needs, most of the time."""
    lines = [f"a={name}:{ATTRIBUTES[name](rng)}" for name in NEEDED]
    return [line for line in lines if rng.random() < 0.95]


def section(rng, number_of):
    """Return the lines of a media section."""
    kind = often(rng, rng.choice(("audio",) * 6 + ("video", "application")), "text")
    protocol = often(rng, "UDP/TLS/RTP/SAVPF", "RTP/AVP", "UDP/DTLS/SCTP", "TCP/DTLS/RTP/SAVPF")
    formats = often(rng, "111 0 63", "webrtc-datachannel", "300", "0")
    port = often(rng, rng.choice(("9", "9", "50000", "0", "9/2")), "65536")
    lines = [attribute(rng) for _ in range(rng.randrange(12))]
    if rng.random() < 0.9:
        lines += ["a=rtcp-mux", "a=rtpmap:111 opus/48000/2", f"a=mid:{number_of}", *needed(rng)]
    if rng.random() < 0.2:
        lines += ["c=IN IP4 example.org", "b=AS:x", "i=\u2028", "k=clear:x", "no SDP"]
    rng.shuffle(lines)
    return [f"m={kind} {port} {protocol} {formats}", *lines]


def offer(rng):
    """Return an offer."""
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    lines += [attribute(rng) for _ in range(rng.randrange(4))]
    lines += needed(rng) if rng.random() < 0.2 else []
    for number_of in range(rng.choice((0, 1, 1, 1, 1, 1, 2, 2, 3))):
        lines += section(rng, number_of)
    return rng.choice(("\n", "\r\n", "\r\n", "\r")).join([*lines, ""])


# What browsers say, and its neighbours


def recorded(path):
    """Return a recorded description as it was sent."""
    kind = path.suffixes[-2].removeprefix(".")
    return {"type": kind, "sdp": path.read_text(encoding="utf-8").replace("\n", "\r\n")}


OPTIONAL = re.compile(
    r"a=(candidate|fmtp|rtcp-fb|rtcp:|ssrc|msid|extmap|ptime|rtcp-rsize|ice-options|rtcp-xr|end-of)"
)
HARMLESS = ("a=x-unknown:1", "a=extmap:9 urn:x:y attribute=1", "b=AS:64", "a=fmtp:111 usedtx=1")


def neighbour(rng, sdp):
    """Return a description that a browser accepts as well: lines are moved, dropped or added."""
    head, *media = re.split(r"^(?=m=)", sdp.replace("\r\n", "\n"), flags=re.MULTILINE)
    changed = [_neighbour_section(rng, section) for section in media]
    text = head + "".join(changed)
    if rng.random() < 0.3:
        digits = f"{rng.randrange(1 << 31)}"
        text = re.sub(r"^(o=\S+) \d+", rf"\1 {digits}", text, flags=re.MULTILINE)
    return text.replace("\n", rng.choice(("\n", "\r\n")))


def _neighbour_section(rng, section):
    first, *lines = section.splitlines()
    lines = [line for line in lines if not (OPTIONAL.match(line) and rng.random() < 0.2)]
    lines += rng.sample(HARMLESS, rng.randrange(3))
    if rng.random() < 0.5:
        connection = [line for line in lines if line.startswith("c=")]
        others = [line for line in lines if not line.startswith("c=")]
        rng.shuffle(others)
        lines = connection + others
    return "\n".join([first, *lines, ""])
