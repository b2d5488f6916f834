"""Reports between participants of a session: signals that are not about connections."""

import pytest

from jamlab.mesh.connection.events import PeerReport
from jamlab.mesh.session import JamSession
from jamlab.signaling.memory import MemoryChannel
from jamlab.signaling.messages import (
    MAX_SIGNAL_BYTES,
    MalformedSignalError,
    Signal,
    SignalType,
)
from tests.leaks import until

pytestmark = pytest.mark.usefixtures("nothing_left")


def session(channel, name):
    return JamSession("room", name, signaling=lambda _: channel)


def heard_by(member):
    reports = []
    member.on_report(reports.append)
    return reports


async def test_a_report_reaches_the_one_it_is_for():
    room = MemoryChannel()
    ada, ben, cleo = (session(room, name) for name in ("ada", "ben", "cleo"))
    async with ada, ben, cleo:
        at_ben, at_cleo = heard_by(ben), heard_by(cleo)
        await ada.report("ben", {"figure": 1.5})
        await until(lambda: at_ben)
        assert at_ben == [PeerReport("ada", {"figure": 1.5})]
        assert at_cleo == []


async def test_it_never_comes_near_a_connection(caplog):
    room = MemoryChannel()
    ada, ben = session(room, "ada"), session(room, "ben")
    async with ada, ben:
        at_ben = heard_by(ben)
        await ben.wait_connected(30, "ada")
        await ada.report("ben", {"type": "offer", "sdp": "v=0"})
        await until(lambda: at_ben)
        await ben.wait_connected(1, "ada")
    assert caplog.text == ""


async def test_who_is_not_in_the_room_is_not_heard(caplog):
    room = MemoryChannel()
    ada = session(room, "ada")
    async with ada:
        at_ada = heard_by(ada)
        room.deliver(Signal(SignalType.REPORT, "stranger", "ada", {"figure": 1}))
        await until(lambda: "not in the room" in caplog.text)
    assert at_ada == []


async def test_a_listener_that_fails_takes_nobody_along(caplog):
    room = MemoryChannel()
    ada, ben = session(room, "ada"), session(room, "ben")
    async with ada, ben:
        ben.on_report(lambda report: report.data["missing"])
        at_ben = heard_by(ben)
        await ada.report("ben", {"figure": 1})
        await until(lambda: at_ben)
    assert caplog.text.count("a listener failed") == 1


async def test_who_listens_no_more_hears_no_more():
    room = MemoryChannel()
    ada, ben = session(room, "ada"), session(room, "ben")
    async with ada, ben:
        first, second = [], heard_by(ben)
        ben.on_report(first.append)()
        await ada.report("ben", {"figure": 1})
        await until(lambda: second)
    assert first == []


async def test_what_no_signal_can_carry_is_refused_here():
    room = MemoryChannel()
    ada = session(room, "ada")
    async with ada:
        with pytest.raises(MalformedSignalError, match="at most"):
            await ada.report("ben", {"figures": "1" * MAX_SIGNAL_BYTES})
        with pytest.raises(MalformedSignalError, match="'data' cannot be written as JSON"):
            await ada.report("ben", {"figures": {1, 2}})


async def test_members_are_the_others_in_the_room():
    room = MemoryChannel()
    ada, ben = session(room, "ada"), session(room, "ben")
    assert ada.members == frozenset()
    with pytest.raises(RuntimeError, match="not in its session"):
        await ada.report("ben", {"figure": 1})
    async with ada:
        assert ada.members == frozenset()
        async with ben:
            assert ada.members == {"ben"}
        assert ada.members == frozenset()
