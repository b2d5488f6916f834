"""Records of a mesh measurement: the participants' reports as received.

Clocks are not reconciled here: each time is a reading of the named participant's clock.

========================  ===========================================================
``participants.parquet``  a row per participant in the room: its answer
``streams.parquet``       a row per ordered pair: frames played and concealed
``clicks.parquet``        a row per ordered pair and click: emitted, heard
``packets.parquet``       a row per ordered pair and reported packet: sent, came
``provenance.json``       versions, machine of the asking participant, parameters
========================  ===========================================================
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any, ClassVar, Literal, TypeAlias

import pandas as pd

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.latency.stages import floor_ms
from jamlab.measure.live_mesh.messages import MeshReport, MeshRequest
from jamlab.measure.provenance import provenance
from jamlab.measure.record import Record, Tables
from jamlab.measure.table import Table
from jamlab.media.rtp import timestamp_difference

Answer: TypeAlias = MeshReport | Literal["busy", "not understood"] | None
"""Answer of a participant; None if none came."""

PARTICIPANT_COLUMNS = {
    "name": "object",
    "answer": "object",  # "report", "busy", "not understood" or "none"
    "clock_error_s": "float64",
    "lag_p99_ms": "float64",
    "underrun_share": "float64",
}
STREAM_COLUMNS = {
    "sender": "object",
    "receiver": "object",
    "floor_ms": "float64",  # packet, look-ahead and the receiver's block: the least there can be
    "played_frames": "int64",
    "concealed_frames": "int64",
}
CLICK_COLUMNS = {
    "sender": "object",
    "receiver": "object",
    "click": "int64",
    "emitted_s": "float64",  # by the sender's clock
    "heard_s": "float64",  # by the receiver's clock; NaN when it was not heard
    "confidence": "float64",
}
PACKET_COLUMNS = {
    "sender": "object",
    "receiver": "object",
    "sent_s": "float64",  # by the sender's clock: when its last sample was captured
    "came_s": "float64",  # by the receiver's clock
}
_LONGEST = 300 * SAMPLE_RATE  # packets of a stream that was replaced are anywhere in 2^32 frames


@dataclass(frozen=True, eq=False)
class MeshRecord(Record):
    """One measurement of a mesh."""

    TABLES: ClassVar[Tables] = {
        "participants": Table(PARTICIPANT_COLUMNS),
        "streams": Table(STREAM_COLUMNS),
        "clicks": Table(CLICK_COLUMNS),
        "packets": Table(PACKET_COLUMNS),
    }
    WRITTEN_BY = "`MeshRecord.save`"

    participants: pd.DataFrame
    streams: pd.DataFrame
    clicks: pd.DataFrame
    packets: pd.DataFrame
    provenance: dict[str, Any]

    def mismatch(self) -> str:
        """Return the participant that appears twice."""
        twice = self.participants.loc[self.participants["name"].duplicated(), "name"]
        return f"has the participant {twice.iloc[0]!r} twice" if len(twice) else ""


def record_of(request: MeshRequest, answers: Mapping[str, Answer]) -> MeshRecord:
    """Make a record of all answers, by name, with our own report."""
    reports = {name: each for name, each in answers.items() if isinstance(each, MeshReport)}
    pairs = [
        (sender, receiver)
        for sender, receiver in permutations(sorted(reports), 2)
        if sender in reports[receiver].hearings
    ]
    parameters = {"bpm": request.bpm, "clicks": request.clicks, "asked": sorted(request.voices)}
    return MeshRecord(
        _table("participants", [_participant(name, answers[name]) for name in sorted(answers)]),
        _table("streams", [_stream(reports, *pair) for pair in pairs]),
        _table("clicks", [row for pair in pairs for row in _clicks(request, reports, *pair)]),
        _table("packets", [row for pair in pairs for row in _packets(reports, *pair)]),
        provenance(parameters),
    )


def _table(name: str, rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    columns = dict(MeshRecord.TABLES[name].columns)
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def _participant(name: str, answer: Answer) -> tuple[Any, ...]:
    if not isinstance(answer, MeshReport):
        return name, answer or "none", math.nan, math.nan, math.nan
    underruns = answer.card_underruns / max(answer.card_blocks, 1)
    return name, "report", answer.clock_error_s, answer.lag_p99_ms, underruns


def _stream(reports: Mapping[str, MeshReport], sender: str, receiver: str) -> tuple[Any, ...]:
    floor = floor_ms(reports[sender].sending_frames, reports[receiver].playing_frames)
    hearing = reports[receiver].hearings[sender]
    return sender, receiver, floor, hearing.played_frames, hearing.concealed_frames


def _clicks(
    request: MeshRequest, reports: Mapping[str, MeshReport], sender: str, receiver: str
) -> Iterator[tuple[Any, ...]]:
    metronome, emitter = request.metronome(sender), reports[sender]
    began_s, hearing = reports[receiver].began_s, reports[receiver].hearings[sender]
    heard = zip(hearing.heard, hearing.confidences, strict=True)
    for click, (since_s, confidence) in enumerate(heard):
        heard_s = math.nan if since_s is None else began_s + since_s
        emitted_s = emitter.began_s + metronome.onset(click) * emitter.frame_s
        yield sender, receiver, click, emitted_s, heard_s, confidence


def _packets(
    reports: Mapping[str, MeshReport], sender: str, receiver: str
) -> Iterator[tuple[Any, ...]]:
    """Yield the packets both ends know of, of those sent since the sender's performance began."""
    emitter = reports[sender]
    stream = emitter.hearings.get(receiver)
    if stream is None or stream.origin is None:
        return
    for timestamp, since_s in reports[receiver].hearings[sender].arrivals:
        frame = timestamp_difference(timestamp, stream.origin)
        if 0 <= frame <= _LONGEST:
            sent_s = emitter.began_s + (frame + emitter.packet_frames) * emitter.frame_s
            yield sender, receiver, sent_s, reports[receiver].began_s + since_s
