"""The link to a peer, with a service that records its calls; in virtual time."""

import asyncio
import logging
import random
from contextlib import asynccontextmanager

import pytest

from jamlab.ice.useless_servers import ServerWatch
from jamlab.mesh.connection.errors import PeerClosedError
from jamlab.mesh.connection.events import ConnectionState, ConnectionStateChange, LocalCandidate
from jamlab.mesh.link import (
    COMPLAINTS_BURST,
    MOST_SIGNALS,
    PEER_OFFERS_BURST,
    STRANGERS_OFFERS_BURST,
    PeerLink,
    offer_limits,
)
from jamlab.mesh.notices import NoticeKind
from jamlab.mesh.reach import Patience, Phase
from jamlab.mesh.service import WebRTCAudioService
from jamlab.networks.simulated.loop import run_simulated
from jamlab.signaling.messages import Signal, SignalType
from tests.mesh.jam import CHEAP, Player

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

    def __init__(self, sdp):
        self.sdp = sdp
        self.asked, self.peers = [], set()
        self.fails = self.refuses = None

    async def create_peer_connection(self, peer, *, replacing):
        assert replacing
        if self.refuses:
            raise self.refuses
        self.peers.add(peer)
        self.asked.append(("connection", len(self.asked) + 1))
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

    def __init__(self, service, strangers_offers=None):
        self.service, self.said, self.told, self.useless = service, [], [], []
        self.at_work = PeerLink(
            "ada",
            "ben",
            service,
            self.say,
            lambda *told: self.told.append(told),
            ServerWatch(self.useless.append, lambda: None, lambda: None),
            random.Random(1),
            strangers_offers=strangers_offers,
        )

    async def say(self, kind, peer, data):
        if "sdp" in data:
            assert data["candidateLists"] is True
            data = {**data, "sdp": "…"}
            del data["candidateLists"]
        self.said.append((kind, peer, data))

    def hears(self, kind, data):
        self.at_work.hear(Signal(kind, "ben", "ada", data))

    def sees(self, connection, state):
        change = ConnectionStateChange("ben", state, ConnectionState.NEW, 0.0, "", connection)
        self.at_work.hear(change)

    @property
    def phase(self):
        return self.at_work.reach.phase


@asynccontextmanager
async def working(service, **options):
    link = Link(service, **options)
    task = asyncio.create_task(link.at_work.run())
    try:
        yield link
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def simulated(scenario):
    return lambda sdp: run_simulated(scenario(sdp))


@simulated
async def test_an_offer_goes_out_with_its_number(sdp):
    async with working(Service(sdp)) as link:
        link.at_work.meet(ours=True)
        await asyncio.sleep(0.1)
        about = {"type": "offer", "sdp": "…", "attempt": 1}
        assert link.said == [(SignalType.OFFER, "ben", about)]
        assert link.service.asked == [("connection", 1)]


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
async def test_an_offer_is_answered_with_its_number_and_an_earlier_ones_route_is_ignored(sdp):
    async with working(Service(sdp)) as link:
        link.at_work.meet(ours=False)
        link.hears(SignalType.OFFER, {"type": "offer", "sdp": sdp, "attempt": 4, "route": "relay"})
        await asyncio.sleep(0.1)
        about = {"type": "answer", "sdp": "…", "attempt": 4}
        assert link.said == [(SignalType.ANSWER, "ben", about)]
        assert link.service.asked == [("connection", 1)]


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
async def test_our_candidates_go_out_after_the_answer_together(sdp):
    async with working(Service(sdp)) as link:
        link.at_work.meet(ours=True)
        await asyncio.sleep(0.1)
        candidates = [{"candidate": f"candidate:{n}"} for n in range(3)]
        for connection, candidate in zip((1, 7, 1), candidates, strict=True):
            link.at_work.hear(LocalCandidate("ben", candidate, connection))
        await asyncio.sleep(0.1)
        assert len(link.said) == 1
        answer = {"type": "answer", "sdp": sdp.replace("actpass", "active"), "attempt": 1}
        link.hears(SignalType.ANSWER, {**answer, "candidateLists": True})
        await asyncio.sleep(0.1)
        told = {"candidates": [candidates[0], candidates[2]]}
        assert link.said[1:] == [(SignalType.ICE_CANDIDATE, "ben", told)]


@simulated
async def test_an_attempt_that_cannot_be_made_is_over_and_another_follows(sdp):
    service = Service(sdp)
    service.fails = PeerClosedError("closed meanwhile")
    async with working(service) as link:
        link.at_work.meet(ours=True)
        await asyncio.sleep(0.1)
        assert link.told == []  # in the first seconds
        assert service.asked[-1] == ("close", 1)
        service.fails = None
        await asyncio.sleep(PATIENCE.rest_s)
        assert [data["attempt"] for _, _, data in link.said] == [2]


@simulated
async def test_without_an_answer_it_tries_again_and_tells(sdp):
    async with working(Service(sdp)) as link:
        link.at_work.meet(ours=True)
        await asyncio.sleep(2 * PATIENCE.answer_s + 2)
        assert [data["attempt"] for _, _, data in link.said] == [1, 2, 3]
        assert link.told == [(NoticeKind.RETRYING, "ben"), (NoticeKind.NO_AUDIO, "ben")]


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


def test_a_peer_that_repeats_its_mistake_does_not_fill_the_log(sdp, caplog):
    async def main():
        async with working(Service(sdp)) as link:
            link.at_work.meet(ours=False)
            for _ in range(50):
                link.hears(SignalType.OFFER, {"type": "offer", "sdp": "v=0"})
            await asyncio.sleep(0.1)

    with caplog.at_level(logging.WARNING):
        run_simulated(main())
    assert len(caplog.records) == 1


# What a peer may cost us: what exceeds it is left out, and the log says so once


def logged(scenario):
    def test(sdp, caplog):
        run_simulated(scenario(sdp, caplog))

    return test


@logged
async def test_only_so_many_offers_are_answered(sdp, caplog):
    async with working(Service(sdp)) as link:
        link.at_work.meet(ours=False)
        for attempt in range(1, 41):
            link.hears(SignalType.OFFER, {"type": "offer", "sdp": sdp, "attempt": attempt})
        await asyncio.sleep(0.1)
        answered = [data["attempt"] for kind, _, data in link.said if kind == "answer"]
        assert answered == [*range(1, PEER_OFFERS_BURST + 1)]
        link.hears(SignalType.OFFER, {"type": "offer", "sdp": sdp, "attempt": 99})
    assert caplog.text.count("further ones are not answered") == 1


@logged
async def test_strangers_share_a_budget_and_who_was_connected_needs_none(sdp, caplog):
    strangers = offer_limits()[1]
    async with working(Service(sdp), strangers_offers=strangers) as link:
        link.at_work.meet(ours=True)
        await asyncio.sleep(0.1)
        link.sees(1, ConnectionState.CONNECTED)
        link.sees(1, ConnectionState.DISCONNECTED)
        strangers.take(STRANGERS_OFFERS_BURST, asyncio.get_running_loop().time())
        offer = {"type": "offer", "sdp": sdp}
        link.hears(SignalType.OFFER, offer)
        async with working(Service(sdp), strangers_offers=strangers) as stranger:
            stranger.at_work.meet(ours=False)
            stranger.hears(SignalType.OFFER, offer)
            await asyncio.sleep(0.1)
            assert stranger.said == []
        assert link.said[-1][0] == SignalType.ANSWER
    assert "peers that were never connected" in caplog.text


@logged
async def test_only_so_many_signals_wait(sdp, caplog):
    service = Service(sdp)
    async with working(service) as link:
        for number in range(1000):
            link.hears(SignalType.ICE_CANDIDATE, {"candidate": str(number)})
        link.sees(1, ConnectionState.CONNECTED)  # ours are never dropped
        link.at_work.meet(ours=True)
        await asyncio.sleep(0.1)
        assert len([what for what, _ in service.asked if what == "candidate"]) == MOST_SIGNALS
        assert link.said[0][0] == SignalType.OFFER
        link.hears(SignalType.ICE_CANDIDATE, {"candidate": "later"})
        await asyncio.sleep(0.1)
        assert service.asked[-1] == ("candidate", {"candidate": "later"})
    assert caplog.text.count("signals wait") == 1


@logged
async def test_rubbish_does_not_fill_the_log(sdp, caplog):
    async with working(Service(sdp)) as link:
        for number in range(500):
            link.hears(SignalType.OFFER, {"type": f"rubbish {number}", "sdp": ""})
            await asyncio.sleep(0.001)
    assert 0 < len(caplog.records) <= COMPLAINTS_BURST + 1
