"""The link to a peer, with a service that records its calls; in virtual time."""

import asyncio
import logging
import random
from contextlib import asynccontextmanager

import pytest

from jamlab.ice.configuration import HOST_ONLY, IceConfiguration, IceServer
from jamlab.ice.useless_servers import ServerWatch
from jamlab.mesh.connection.errors import PeerClosedError
from jamlab.mesh.connection.events import ConnectionState, ConnectionStateChange
from jamlab.mesh.link import PeerLink, answering, offering, routes_of
from jamlab.mesh.notices import NoticeKind
from jamlab.mesh.reach import Patience, Phase, Route
from jamlab.mesh.service import WebRTCAudioService
from jamlab.networks.simulated.loop import run_simulated
from jamlab.signaling.messages import Signal, SignalType
from tests.mesh.jam import CHEAP, Player

STUN = IceServer("stun:stun.jamlab.test:3478")
TURN = IceServer("turn:turn.jamlab.test:3478?transport=udp", "jam", "jam")
BOTH = IceConfiguration("both", (STUN, TURN))
PATIENCE = Patience()


@pytest.fixture(scope="module")
def sdp():
    """What a description really looks like."""

    async def main():
        async with WebRTCAudioService(quality=CHEAP) as service:
            await service.initialize_local_audio(Player("ada").card)
            return (await service.create_offer("ben"))["sdp"]

    return asyncio.run(main())


class Service:
    """Notes what it is asked for; fails when it is told to."""

    def __init__(self, sdp, ice=BOTH):
        self.ice, self.sdp = ice, sdp
        self.asked, self.peers = [], set()
        self.fails = self.refuses = None

    async def create_peer_connection(self, peer, *, ice, replacing):
        assert replacing
        if self.refuses:
            raise self.refuses
        self.peers.add(peer)
        self.asked.append(("connection", ice))
        return len(self.asked)

    async def create_offer(self, peer):
        if self.fails:
            raise self.fails
        return {"type": "offer", "sdp": self.sdp}

    async def handle_offer(self, peer, offer):
        return {"type": "answer", "sdp": self.sdp}

    async def handle_answer(self, peer, answer):
        self.asked.append(("answer", answer))

    async def handle_ice_candidate(self, peer, candidate):
        self.asked.append(("candidate", candidate))

    async def close_peer(self, peer, connection=None):
        self.asked.append(("close", connection))


class Link:
    """A link at work, and what came out of it."""

    def __init__(self, service):
        self.service, self.said, self.told, self.useless = service, [], [], []
        self.at_work = PeerLink(
            "ada",
            "ben",
            service,
            self.say,
            lambda *told: self.told.append(told),
            ServerWatch(self.useless.append, lambda: None, lambda: None),
            random.Random(1),
        )

    async def say(self, kind, peer, data):
        self.said.append((kind, peer, {**data, "sdp": "…"}))

    def hears(self, kind, data):
        self.at_work.hear(Signal(kind, "ben", "ada", data))

    def sees(self, connection, state):
        change = ConnectionStateChange("ben", state, ConnectionState.NEW, 0.0, "", connection)
        self.at_work.hear(change)

    @property
    def phase(self):
        return self.at_work.reach.phase


@asynccontextmanager
async def working(service):
    link = Link(service)
    task = asyncio.create_task(link.at_work.run())
    try:
        yield link
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def simulated(scenario):
    return lambda sdp: run_simulated(scenario(sdp))


@simulated
async def test_an_offer_goes_out_with_its_number_and_route(sdp):
    async with working(Service(sdp)) as link:
        link.at_work.meet(ours=True)
        await asyncio.sleep(0.1)
        about = {"type": "offer", "sdp": "…", "attempt": 1, "route": "direct"}
        assert link.said == [(SignalType.OFFER, "ben", about)]
        assert link.service.asked == [("connection", BOTH.without_relay())]


@simulated
async def test_the_answer_is_taken_and_the_connection_noted(sdp):
    async with working(Service(sdp)) as link:
        link.at_work.meet(ours=True)
        await asyncio.sleep(0.1)
        answer = {"type": "answer", "sdp": sdp.replace("actpass", "active"), "attempt": 1}
        link.hears(SignalType.ANSWER, answer)
        link.sees(1, ConnectionState.CONNECTED)
        await asyncio.sleep(0.1)
        assert link.service.asked[-1] == ("answer", answer)
        assert link.phase is Phase.CONNECTED


@simulated
async def test_an_offer_is_answered_with_its_number_along_its_route(sdp):
    async with working(Service(sdp)) as link:
        link.at_work.meet(ours=False)
        link.hears(SignalType.OFFER, {"type": "offer", "sdp": sdp, "attempt": 4, "route": "relay"})
        await asyncio.sleep(0.1)
        about = {"type": "answer", "sdp": "…", "attempt": 4}
        assert link.said == [(SignalType.ANSWER, "ben", about)]
        assert link.service.asked == [("connection", BOTH)]


@simulated
async def test_what_is_malformed_changes_nothing(sdp):
    async with working(Service(sdp)) as link:
        link.at_work.meet(ours=False)
        for kind in SignalType.OFFER, SignalType.ANSWER:
            for data in {}, {"type": kind.value, "sdp": "v=0"}, {"type": kind.value, "sdp": 7}:
                link.hears(kind, data)
        await asyncio.sleep(0.1)
        assert (link.said, link.service.asked, link.phase) == ([], [], Phase.AWAITING)


@simulated
async def test_candidates_go_on(sdp):
    async with working(Service(sdp)) as link:
        link.hears(SignalType.ICE_CANDIDATE, {"candidate": "x"})
        await asyncio.sleep(0.1)
        assert link.service.asked == [("candidate", {"candidate": "x"})]


@simulated
async def test_an_attempt_that_cannot_be_made_is_over_and_another_follows(sdp):
    service = Service(sdp)
    service.fails = PeerClosedError("closed meanwhile")
    async with working(service) as link:
        link.at_work.meet(ours=True)
        await asyncio.sleep(0.1)
        assert link.told == [(NoticeKind.RETRYING, "ben")]
        assert service.asked[-1] == ("close", 1)
        service.fails = None
        await asyncio.sleep(PATIENCE.rest_s)
        assert [data["attempt"] for _, _, data in link.said] == [2]


@simulated
async def test_without_an_answer_the_relay_is_tried(sdp):
    async with working(Service(sdp)) as link:
        link.at_work.meet(ours=True)
        await asyncio.sleep(2 * PATIENCE.answer_s + 2)
        assert [data["route"] for _, _, data in link.said] == ["direct", "direct", "relay"]
        assert link.told == [(NoticeKind.RETRYING, "ben"), (NoticeKind.RELAYING, "ben")]
        assert ("connection", BOTH.relayed()) in link.service.asked


@simulated
async def test_states_of_other_connections_are_of_no_matter(sdp):
    async with working(Service(sdp)) as link:
        link.at_work.meet(ours=True)
        await asyncio.sleep(0.1)
        link.sees(7, ConnectionState.CONNECTED)
        link.sees(7, ConnectionState.FAILED)
        await asyncio.sleep(0.1)
        assert link.phase is Phase.TRYING


@simulated
async def test_who_falls_silent_is_tried_again_and_heard_again(sdp):
    async with working(Service(sdp)) as link:
        link.at_work.meet(ours=True)
        await asyncio.sleep(0.1)
        link.sees(1, ConnectionState.CONNECTED)
        link.sees(1, ConnectionState.DISCONNECTED)
        await asyncio.sleep(0.1)
        assert [data["attempt"] for _, _, data in link.said] == [1, 2]
        link.sees(1, ConnectionState.CONNECTED)
        await asyncio.sleep(0.1)
        assert link.service.asked[-1] == ("close", 2)  # the second connection it asked for
        assert link.told[-1] == (NoticeKind.RESTORED, "ben")


@simulated
async def test_an_attempt_that_cannot_begin_leaves_what_plays(sdp):
    async with working(Service(sdp)) as link:
        link.at_work.meet(ours=True)
        await asyncio.sleep(0.1)
        link.sees(1, ConnectionState.CONNECTED)
        link.service.refuses = PeerClosedError("no connection can be made")
        link.sees(1, ConnectionState.DISCONNECTED)
        await asyncio.sleep(PATIENCE.offer_s)
        assert [what for what, _ in link.service.asked] == ["connection"]
        link.sees(1, ConnectionState.CONNECTED)
        await asyncio.sleep(0.1)
        assert link.phase is Phase.CONNECTED


@simulated
async def test_who_leaves_is_closed(sdp):
    async with working(Service(sdp)) as link:
        link.at_work.meet(ours=True)
        link.at_work.leave()
        await asyncio.sleep(0.1)
        assert link.service.asked[-1] == ("close", None)
        assert link.phase is Phase.GONE


def test_an_error_of_ours_is_logged_and_work_goes_on(sdp, caplog):
    async def main():
        service = Service(sdp)
        service.handle_ice_candidate = None
        async with working(service) as link:
            link.hears(SignalType.ICE_CANDIDATE, {"candidate": "x"})
            link.at_work.meet(ours=True)
            await asyncio.sleep(0.1)
            assert link.said

    with caplog.at_level(logging.ERROR):
        run_simulated(main())
    assert "an event of ben could not be handled" in caplog.text


@pytest.mark.parametrize(
    ("ice", "routes"),
    [
        (HOST_ONLY, (Route.DIRECT,)),
        (IceConfiguration("stun", (STUN,)), (Route.DIRECT,)),
        (BOTH, (Route.DIRECT, Route.RELAY)),
        (BOTH.relayed(), (Route.RELAY,)),
    ],
)
def test_routes_are_what_a_configuration_has(ice, routes):
    assert routes_of(ice) == routes
    for route in routes:
        assert offering(ice, route).has_turn is (route is Route.RELAY)
    assert answering(ice, None) == ice
