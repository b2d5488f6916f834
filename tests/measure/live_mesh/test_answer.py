"""Answers to requests, and requests that are not followed."""

import asyncio
import logging

import pytest

from jamlab.audio.card import no_sound
from jamlab.measure.live_mesh import answer
from jamlab.measure.live_mesh.answer import REQUESTS_BURST, answering
from jamlab.measure.live_mesh.messages import BUSY, REPORT, MeshReport
from jamlab.measure.live_mesh.round_trip import measuring_participant
from jamlab.measure.live_mesh.take_part import KEEP_S
from jamlab.mesh.session import JamSession
from jamlab.signaling.memory import MemoryChannel
from tests.leaks import until
from tests.measure.live_mesh.reports import a_request

pytestmark = pytest.mark.usefixtures("nothing_left")

REQUEST = a_request(("ada", "ben"), clicks=3, bpm=600.0)


class Room:
    """Ben, who answers, and Ada, who asks."""

    def __init__(self):
        room = MemoryChannel()
        self.ben = measuring_participant("room", "ben", lambda _: room, keep_s=KEEP_S)
        self.ada = JamSession("room", "ada", signaling=lambda _: room)
        self.cleo = JamSession("room", "cleo", signaling=lambda _: room)
        self.answers, self.lines = [], []
        self.ada.on_report(lambda report: self.answers.append(report.data))

    async def __aenter__(self):
        await self.ben.session.__aenter__()
        await self.ada.__aenter__()
        await self.cleo.__aenter__()
        return self

    async def __aexit__(self, *exc_info):
        for session in self.cleo, self.ada, self.ben.session:
            await session.leave()

    async def ask(self, data=None):
        await self.ada.report("ben", data or REQUEST.to_data())


@pytest.mark.slow
async def test_a_request_is_followed_and_answered():
    async with Room() as room, answering(room.ben, room.lines.append):
        await room.ada.wait_connected(30, "ben")
        await room.ask()
        await until(lambda: room.answers, "for the answer")
    (data,) = room.answers
    assert data["kind"] == REPORT
    report = MeshReport.from_data(data, REQUEST)
    assert set(report.hearings) == {"ada"}
    assert len(report.hearings["ada"].arrivals) >= 1  # silence travels as packets, too
    assert room.lines == [
        "ada measures the mesh: ben clicks for 1 s",
        "ben has sent ada its report",
    ]


async def test_who_measures_is_busy_for_others():
    async with Room() as room, answering(room.ben, room.lines.append):
        with room.ben.playing(no_sound):
            await room.ask()
            await until(lambda: room.answers)
    assert room.answers == [{"kind": BUSY, "token": REQUEST.token}]
    assert room.lines == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"clicks": 10_000}, "the number of clicks is 10000: choose 3 to 200"),
        ({"voices": {"ada": 0, "cleo": 1}}, "it does not name a voice for us and for its sender"),
        ({"voices": {"cleo": 0, "ben": 1}}, "it does not name a voice for us and for its sender"),
        ({"bpm": None}, "field 'bpm': expected `float`, got `null`"),
        ({"token": None}, "field 'token': expected `str`, got `null`"),
    ],
)
async def test_a_bad_request_is_one_sentence_and_nothing_else(change, complaint, caplog):
    async with Room() as room, answering(room.ben, room.lines.append):
        with caplog.at_level(logging.WARNING, "jamlab.measure"):
            await room.ask(REQUEST.to_data() | change)
            await until(lambda: "ignores a request" in caplog.text)
        assert room.ben.card.source is no_sound
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [f"ben ignores a request of 'ada': {complaint}"]
    assert room.answers == room.lines == []


@pytest.mark.parametrize("data", [{"kind": "something else"}, {"kind": ["x"]}, {"x": 1}])
async def test_what_is_no_request_is_for_others(data, caplog):
    async with Room() as room, answering(room.ben, room.lines.append):
        heard = []
        room.ben.session.on_report(heard.append)
        await room.ask(data)
        await until(lambda: heard)
        assert caplog.records == []  # before the others leave, perhaps in the middle of an attempt
    assert room.answers == room.lines == []


async def test_a_flood_of_requests_is_not_followed_one_by_one():
    async with Room() as room, answering(room.ben, room.lines.append):
        for _ in range(100):
            await room.ask()
        await until(lambda: room.lines)
        await until(lambda: len(room.answers) >= 1)
        assert len(room.answers) < 10
        assert len(asyncio.all_tasks()) < 60


async def test_only_so_many_requests_of_one_participant_are_followed(monkeypatch, caplog):
    class Report:
        def to_data(self):
            return {"kind": REPORT}

    async def perform(*_):
        return Report()

    monkeypatch.setattr(answer, "perform", perform)
    async with Room() as room, answering(room.ben):
        for number in range(1, REQUESTS_BURST + 4):
            await room.ask()
            await until(lambda n=number: len(room.answers) == n, "for an answer")
        await room.cleo.report("ben", a_request(("cleo", "ben"), clicks=3).to_data())
        await until(lambda: not room.ben.busy)
    assert [data["kind"] for data in room.answers] == [REPORT] * REQUESTS_BURST + [BUSY] * 3
    assert "ada asks ben for too many measurements: not now" in caplog.text
    assert "cleo asks" not in caplog.text


async def test_leaving_in_the_middle_leaves_nothing():
    async with Room() as room:
        async with answering(room.ben, room.lines.append):
            await room.ask()
            await until(lambda: room.ben.busy)
        assert not room.ben.busy
        assert room.ben.card.source is no_sound
        await room.ask()
        heard = []
        room.ben.session.on_report(heard.append)
        await room.ask()
        await until(lambda: heard)
        assert not room.ben.busy
    assert room.answers == []


async def test_what_cannot_be_done_is_told_in_the_log(monkeypatch, caplog):
    async def broken(*_):
        raise OSError("the card is gone")

    monkeypatch.setattr("jamlab.measure.live_mesh.answer.perform", broken)
    async with Room() as room, answering(room.ben, room.lines.append):
        await room.ask()
        await until(lambda: "could not take part in the measurement of 'ada'" in caplog.text)
        await room.ask()  # it goes on answering
        await until(lambda: caplog.text.count("could not take part") == 2)
