"""The client's modules without a browser: compared with jamlab's own, run by Node, and typed."""

import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from jamlab.mesh import notices
from jamlab.mesh.notices import Notice, NoticeKind
from jamlab.mesh.reach import (
    Close,
    GiveUp,
    Reach,
    SendAnswer,
    SendOffer,
    TakeAnswer,
    Tell,
)
from jamlab.resources import client_folder
from jamlab.signaling.messages import is_name
from jamlab.signaling.supabase.roster import Roster
from tests.client.node import run_js

TYPESCRIPT = Path(__file__).parent / "typescript"
NAMES = ["ada", "ben", "\uffee", "\U00010000"]  # the last two sort otherwise by UTF-16


def test_notices_have_the_product_s_words():
    script = """
        import { HINTS, TEXTS } from "./notices.js";
        console.log(JSON.stringify({ texts: TEXTS, hints: HINTS }));"""
    words = run_js(script, None)
    for kind, text in words["texts"].items():
        assert Notice(NoticeKind(kind), 0.0).text == text
    for kind, hint in words["hints"].items():
        assert Notice(NoticeKind(kind), 0.0).hint == hint


def test_names_are_jamlab_s():
    marks = [0, 9, 0x9F, 0xA0, 0xAD, 0x115F, 0x200B, 0x200D, 0x2028, 0x202E, 0x2069, 0x2800, 0x3000]
    names = [
        f"{before}{chr(mark)}" for mark in [*marks, 0x3164, 0xFE0F, 0xD800] for before in ("", "a")
    ]
    names += ["", "x" * 128, "x" * 129, "\U0001f3b8" * 128, "\U0001f469\u200d\U0001f3a4"]
    script = """
        import { isName } from "./roster.js";
        console.log(JSON.stringify([...given, null, 7].map(isName)));"""
    assert run_js(script, names) == [*map(is_name, names), False, False]


def test_the_board_shows_what_jamlab_s_shows():
    kinds = [
        kind
        for kind in NoticeKind
        if f'"{kind}"' in (client_folder() / "notices.js").read_text(encoding="utf-8")
    ]
    rng = random.Random(3)
    told = [(str(rng.choice(kinds)), rng.choice(["", "ada", "ben"])) for _ in range(400)]
    board, expected = notices.NoticeBoard(), []
    for kind, peer in told:
        board.note(Notice(NoticeKind(kind), 0.0, peer))
        news = board.news.sentence if board.news else None
        expected.append([news, [warning.sentence for warning in board.warnings]])
    script = """
        import { NoticeBoard, sentence } from "./notices.js";
        const board = new NoticeBoard();
        const bare = (notice) => sentence({ ...notice, reason: "" }).replace(/: use a wired.*/, "");
        console.log(JSON.stringify(given.map(([kind, peerId]) => {
          board.note({ kind, peerId, reason: "" });
          return [board.news && bare(board.news), board.warnings.map(bare)];
        })));"""
    assert run_js(script, told) == expected


def chance_of_events(rng):
    """Return a call of the strategy: its name in Python, in JavaScript, and its arguments."""
    offer = {"type": "offer", "sdp": "o", "attempt": rng.choice([None, 1, 2, 3, 4, 5])}
    answer = {"type": "answer", "sdp": "a", "attempt": rng.choice([None, 1, 2, 3, 4, 5])}
    for description in (offer, answer):
        if description["attempt"] is None:
            del description["attempt"]
    return rng.choice(
        [
            ("meet", "meet", [rng.random() < 0.5]),
            ("leave", "leave", []),
            ("hear_offer", "hearOffer", [offer]),
            ("hear_answer", "hearAnswer", [answer]),
            ("hear_candidate", "hearCandidate", []),
            *[(name, name, []) for name in ("connected", "resumed", "silent", "closed", "failed")],
            ("restored", "restored", []),
            *[("tick", "tick", [])] * 6,
        ]
    )


def plain(action):
    """Return an action as the client's."""
    match action:
        case SendOffer(attempt):
            return {"do": "offer", "attempt": attempt}
        case SendAnswer(offer):
            return {"do": "answer", "offer": offer}
        case TakeAnswer(answer):
            return {"do": "take answer", "answer": answer}
        case GiveUp():
            return {"do": "give up"}
        case Close():
            return {"do": "close"}
        case Tell(kind):
            return {"do": "tell", "kind": str(kind)}


class Half:
    """A source of jitter without any, as the script's."""

    def uniform(self, low, high):
        return (low + high) / 2


def test_the_strategy_does_what_jamlab_s_does():
    rng, runs, expected = random.Random(7), [], []
    for _ in range(60):
        own, peer = rng.sample(NAMES, 2)
        reach = Reach(own, peer, Half())
        now_s, calls = 0.0, []
        for _ in range(60):
            # often exactly when something is due, else at some time
            due_s = reach.due_s if reach.due_s < 1e6 else now_s
            now_s = max(now_s, rng.choice([due_s, now_s + rng.uniform(0, 4)]))
            python, js, given = chance_of_events(rng)
            actions = getattr(reach, python)(*given, now_s)
            calls.append([js, given, now_s])
            due = reach.due_s if reach.due_s < 1e6 else None
            expected.append([[plain(a) for a in actions], str(reach.phase), due])
        runs.append([own, peer, calls])
    script = """
        import { Reach } from "./reach.js";
        const told = [];
        for (const [own, peer, calls] of given) {
          const reach = new Reach(own, peer, { random: () => 0.5 });
          for (const [name, args, nowS] of calls) {
            const actions = reach[name](...args, nowS).map(({ restart, ...rest }) => rest);
            told.push([actions, reach.phase, Number.isFinite(reach.dueS) ? reach.dueS : null]);
          }
        }
        console.log(JSON.stringify(told));"""
    for got, wanted in zip(run_js(script, runs), expected, strict=True):
        assert got[:2] == wanted[:2]
        assert got[2] == pytest.approx(wanted[2])


def chance_of_presence(rng):
    """Return a presence state in which some are missing, doubled, leaving or malformed."""
    state = {}
    for name in rng.sample([*NAMES, "me", "bad\nname"], rng.randint(0, 6)):
        metas = []
        for _ in range(rng.choice([1, 1, 1, 2])):
            meta = {"phx_ref": rng.choice("rs"), "joined_at": rng.choice([1, 2, "x", 1e300])}
            instance = rng.choice(["i", "j", None, 7])
            metas.append(meta if instance is None else meta | {"instance": instance})
            if rng.random() < 0.15:
                metas[-1]["leaving"] = True
        if name == "me":
            metas = [{"phx_ref": "m", "joined_at": 0, "instance": rng.choice(["own"] * 5 + ["i"])}]
        state[name] = metas
    return state


def test_the_roster_reads_presences_as_jamlab_s_does():
    rng, runs, expected = random.Random(11), [], []
    for _ in range(80):
        roster, now_s, steps = Roster("me", "own", grace_s=20.0), 0.0, []
        for _ in range(12):
            now_s += rng.choice([0.5, 8.0])
            state = chance_of_presence(rng)
            python = {
                name: [{**meta, "presence_ref": meta["phx_ref"]} for meta in metas]
                for name, metas in state.items()
            }
            events = [*roster.update(python, now_s), *roster.advance(now_s)]
            kinds = [
                re.sub(r"Peer|Signaling", "", type(event).__name__).lower() for event in events
            ]
            who = [getattr(event, "peer_id", None) for event in events]
            told = sorted(map(list, zip(kinds, who, strict=True)), key=str)
            expected.append([told, sorted(roster.peers), roster.is_member, roster.is_taken])
            steps.append([state, now_s])
        runs.append(steps)
    script = """
        import { PresenceState, Roster } from "./roster.js";
        const told = [];
        for (const steps of given) {
          const roster = new Roster("me", "own", 20);
          const presence = new PresenceState();
          for (const [state, nowS] of steps) {
            const entries = Object.entries(state).map(([name, metas]) => [name, { metas }]);
            presence.reset(Object.fromEntries(entries));
            const events = [...roster.update(presence.holders(), nowS), ...roster.advance(nowS)];
            const said = events.map(({ event, peerId }) => [event, peerId ?? null]);
            told.push([said, [...roster.peers], roster.isMember, roster.isTaken]);
          }
        }
        console.log(JSON.stringify(told));"""
    for got, wanted in zip(run_js(script, runs), expected, strict=True):
        events, peers, is_member, is_taken = got
        assert [sorted(events, key=str), sorted(peers), is_member, is_taken] == wanted


def test_changes_of_presence_add_up_to_the_state():
    """As Phoenix's Presence.syncDiff: an update joins and leaves, a second socket stays."""
    script = """
        import { PresenceState } from "./roster.js";
        const state = new PresenceState();
        const one = (phx_ref, more = {}) => ({ metas: [{ phx_ref, instance: phx_ref, ...more }] });
        state.reset({ ada: one("1"), ben: one("2") });
        state.apply({ joins: { ada: one("3", { phx_ref_prev: "1" }) }, leaves: { ada: one("1") } });
        state.apply({ joins: { ben: one("4") }, leaves: {} });
        state.apply({ joins: {}, leaves: { ben: one("2"), eve: one("9") } });
        const refs = [...state.metas].map(([n, metas]) => [n, metas.map((e) => e.phx_ref)]);
        console.log(JSON.stringify(refs));"""
    assert run_js(script, None) == [["ada", ["3"]], ["ben", ["4"]]]


SDP = (
    "v=0\r\no=- 4711 2 IN IP4 127.0.0.1\r\ns=-\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\n"
    "a=mid:0\r\na=rtpmap:111 opus/48000/2\r\n{fmtp}a=rtpmap:63 red/48000/2\r\n"
    "a=fmtp:63 111/111\r\na=ptime:3\r\n"
)


@pytest.mark.parametrize("fmtp", ["", "a=fmtp:111 minptime=10;useinbandfec=1;stereo=0\r\n"])
@pytest.mark.parametrize(("quality", "ptime"), [("LOW_LATENCY", 10), ("HIGH_QUALITY", 20)])
def test_a_description_asks_for_stereo_in_the_quality_s_frames(fmtp, quality, ptime):
    script = f"""
        import {{ {quality}, sessionIdOf, withOpusParameters }} from "./quality.js";
        const once = withOpusParameters(given, {quality});
        const twice = withOpusParameters(once, {quality});
        console.log(JSON.stringify([once, twice, sessionIdOf(once)]));"""
    once, twice, session = run_js(script, SDP.format(fmtp=fmtp))
    assert once == twice
    assert session == "4711"
    (line,) = re.findall(r"^a=fmtp:111 (.*)\r$", once, re.MULTILINE)
    parameters = dict(each.split("=") for each in line.split(";"))
    assert parameters["stereo"] == parameters["sprop-stereo"] == "1"
    assert parameters["maxaveragebitrate"] == "256000"
    assert (parameters["useinbandfec"], parameters["usedtx"]) == ("0", "0")
    assert re.findall(r"^a=(?:max)?ptime:(\d+)\r$", once, re.MULTILINE) == [str(ptime)] * 2
    assert "a=fmtp:63 111/111\r\n" in once


@pytest.mark.parametrize("odd", ["$&", "$`", "$'", "$1", "$$"])
def test_parameters_of_a_peer_stand_for_nothing_else(odd):
    script = """
        import { LOW_LATENCY, withOpusParameters } from "./quality.js";
        console.log(JSON.stringify(withOpusParameters(given, LOW_LATENCY)));"""
    described = run_js(script, SDP.format(fmtp=f"a=fmtp:111 x={odd}\r\n"))
    (line,) = re.findall(r"^a=fmtp:111 (.*)\r$", described, re.MULTILINE)
    assert line.startswith(f"x={odd};")
    assert described.count("\n") == SDP.count("\n") + 2


SIGNAL = {"type": "offer", "senderPeerId": "ada", "targetPeerId": "me", "data": {"sdp": "v=0"}}


@pytest.mark.parametrize(
    ("change", "is_one"),
    [
        ({}, True),
        ({"type": "dance"}, False),
        ({"senderPeerId": ""}, False),
        ({"senderPeerId": 7}, False),
        ({"targetPeerId": "a\nb"}, False),
        ({"data": []}, False),
        ({"data": None}, False),
        ({"data": {"sdp": "x" * 70_000}}, False),
    ],
)
def test_signals_of_others_are_checked(change, is_one):
    script = """
        import { isSignal } from "./signaling.js";
        console.log(JSON.stringify([isSignal(given), isSignal(null), isSignal("offer")]));"""
    assert run_js(script, SIGNAL | change) == [is_one, False, False]


def test_the_alarm_is_raised_and_cleared_after_a_while():
    script = """
        import { LatencyAlarm } from "./watch.js";
        const alarm = new LatencyAlarm();
        console.log(JSON.stringify(given.map(([s, now]) => alarm.observe(s, now))));"""
    samples = (
        [(0.2, t) for t in range(4)] + [(0.095, 4), (None, 5)] + [(0.05, t) for t in range(6, 13)]
    )
    told = run_js(script, samples)
    assert told[2] == "high latency"
    assert told[11] == "normal latency"
    assert [each for each in told if each] == ["high latency", "normal latency"]


@pytest.mark.slow
def test_its_jsdoc_types_are_sound():
    compiler = TYPESCRIPT / "node_modules" / "typescript" / "bin" / "tsc"
    if shutil.which("node") is None or not compiler.exists():
        pytest.skip("no TypeScript: npm install --no-package-lock --prefix tests/client/typescript")
    command = ["node", str(compiler), "--project", str(TYPESCRIPT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout + done.stderr == ""
