"""Replacement of a connection by another, between real services on loopback sockets."""

import asyncio
import random

import pytest

from jamlab.ice.configuration import IceConfiguration
from jamlab.ice.useless_servers import ServerWatch
from jamlab.mesh.connection.errors import (
    DuplicatePeerError,
    NoLocalAudioError,
    PeerClosedError,
    UnexpectedDescriptionError,
    UnknownPeerError,
)
from jamlab.mesh.connection.events import (
    ConnectionState,
    IceConnectionState,
    RemoteStreamAdded,
    RemoteStreamEnded,
)
from jamlab.mesh.link import PeerLink
from jamlab.mesh.notices import NoticeKind
from jamlab.mesh.reach import Phase
from jamlab.signaling.messages import Signal, SignalType
from tests.leaks import sockets, until
from tests.mesh.jam import connect, cut_off, ends, plays_on, turns

pytestmark = pytest.mark.usefixtures("nothing_left")

NEW, CONNECTING, CONNECTED, FAILED, CLOSED = (
    ConnectionState.NEW,
    ConnectionState.CONNECTING,
    ConnectionState.CONNECTED,
    ConnectionState.FAILED,
    ConnectionState.CLOSED,
)


async def prepare(end, peer, **options):
    return await end.service.create_peer_connection(peer.name, replacing=True, **options)


async def offer_again(a, b):
    """Have both prepare a replacement; returns the answer, which `a` has yet to take."""
    await prepare(a, b)
    offer = await a.service.create_offer(b.name)
    await prepare(b, a)
    return await b.service.handle_offer(a.name, offer)


async def replace(a, b):
    await a.service.handle_answer(b.name, await offer_again(a, b))


def path(end, number):
    """The states a connection of a number went through."""
    return [change.state for change in end.states if change.connection == number]


def kinds(end, peer):
    return [type(event) for event in end.streams if event.peer_id == peer]


async def has_gone(end, number):
    await until(lambda: path(end, number)[-1:] == [CLOSED], f"for {end.name}'s {number} to close")


class TestOneThatStands:
    async def test_takes_over_and_the_old_one_is_closed(self):
        async with ends("ada", "ben") as (ada, ben):
            await connect(ada, ben)
            before = len(sockets())
            await replace(ada, ben)
            for one, other in (ada, ben), (ben, ada):
                await has_gone(one, 1)
                assert path(one, 1) == [CONNECTING, CONNECTED, CLOSED]
                await until(lambda one=one: path(one, 2) == [CONNECTING, CONNECTED])
                assert one.state(other.name) is CONNECTED
                await plays_on(one, other.name)
            assert len(sockets()) == before
            reasons = [c.reason for c in ada.states + ben.states if c.state is CLOSED]
            assert "replaced" in reasons

    async def test_is_told_of_as_one_stream_that_ends_before_the_next_begins(self):
        async with ends("ada", "ben") as (ada, ben):
            await connect(ada, ben)
            old = [end.streams[0].playout for end in (ada, ben)]
            await replace(ada, ben)
            for end in ada, ben:
                await has_gone(end, 1)
                await until(lambda end=end: len(end.streams) == 3)
            for (one, other), before in zip(((ada, ben), (ben, ada)), old, strict=True):
                assert kinds(one, other.name) == [
                    RemoteStreamAdded,
                    RemoteStreamEnded,
                    RemoteStreamAdded,
                ]
                assert one.streams[-1].playout is one.service.playout(other.name)
                assert one.streams[-1].playout is not before

    async def test_there_is_always_something_to_play(self):
        """At every change until it stands, and then, there is a stream to pull from."""
        async with ends("ada", "ben") as (ada, ben):
            await connect(ada, ben)
            playing = []

            def look(change):
                playing.append((change.connection, change.state, ada.service.playout("ben")))

            ada.service.on_connection_state_change(look)
            old = ada.service.playout("ben")
            await replace(ada, ben)
            await until(lambda: path(ada, 2)[-1:] == [CONNECTED])
            await has_gone(ada, 1)
            heard = {(number, state): playout for number, state, playout in playing}
            assert heard[2, CONNECTING] is old
            assert heard[2, CONNECTED] is ada.service.playout("ben")
            assert None not in heard.values()

    async def test_is_nothing_to_others(self):
        async with ends("ada", "ben", "cleo") as (ada, ben, cleo):
            await connect(ada, ben, cleo)
            await replace(ada, ben)
            await has_gone(ada, 1)
            for one, other in (ada, ben), (ben, ada), (ada, cleo), (cleo, ben), (ben, cleo):
                await plays_on(one, other.name)
            assert cleo.path("ada") == cleo.path("ben") == [CONNECTING, CONNECTED]
            assert ada.path("cleo") == ben.path("cleo") == [CONNECTING, CONNECTED]
            assert kinds(ada, "cleo") == [RemoteStreamAdded]

    async def test_can_be_replaced_in_its_turn(self):
        async with ends("ada", "ben") as (ada, ben):
            await connect(ada, ben)
            for number, (a, b) in enumerate(((ada, ben), (ben, ada), (ada, ben)), 1):
                await replace(a, b)
                for end in ada, ben:
                    await has_gone(end, number)
            for one, other in (ada, ben), (ben, ada):
                await plays_on(one, other.name)
                assert kinds(one, other.name) == [
                    RemoteStreamAdded,
                    *[RemoteStreamEnded, RemoteStreamAdded] * 3,
                ]


class TestOneThatIsGivenUp:
    @pytest.mark.parametrize("steps", range(4))
    async def test_leaves_the_old_one_playing(self, steps):
        """Whether it is only prepared, offered, answered, or about to be made."""
        async with ends("ada", "ben") as (ada, ben):
            await connect(ada, ben)
            before = len(sockets())
            assert await prepare(ada, ben) == 2
            given_up = [ada]
            if steps >= 1:
                offer = await ada.service.create_offer("ben")
            if steps >= 2:
                given_up.append(ben)
                assert await prepare(ben, ada) == 2
                answer = await ben.service.handle_offer("ada", offer)
            if steps >= 3:
                await ada.service.handle_answer("ben", answer)
            assert path(ada, 1) == [CONNECTING, CONNECTED]  # not yet replaced: nothing was awaited
            for end, peer in zip(given_up, ("ben", "ada"), strict=False):
                await end.service.close_peer(peer, 2)
                await has_gone(end, 2)
            for one, other in (ada, ben), (ben, ada):
                assert path(one, 1) == [CONNECTING, CONNECTED]
                assert kinds(one, other.name) == [RemoteStreamAdded]
                assert one.state(other.name) is CONNECTED
                await plays_on(one, other.name)
            assert len(sockets()) == before

    async def test_is_given_up_for_another(self):
        async with ends("ada", "ben") as (ada, ben):
            await connect(ada, ben)
            answer = await offer_again(ada, ben)
            assert await prepare(ada, ben) == 3
            assert path(ada, 2) == [CLOSED]
            assert path(ada, 1) == [CONNECTING, CONNECTED]
            with pytest.raises(UnexpectedDescriptionError):  # the answer is to what was given up
                await ada.service.handle_answer("ben", answer)
            await replace(ada, ben)
            for one, other in (ada, ben), (ben, ada):
                await has_gone(one, 1)
                await plays_on(one, other.name)
            assert path(ada, 3) == [CLOSED]
            assert kinds(ben, "ada") == [RemoteStreamAdded, RemoteStreamEnded, RemoteStreamAdded]

    async def test_fails_by_itself_and_the_old_one_plays_on(self):
        async with ends("ada", "ben", connect_timeout_s=0.3) as (ada, ben):
            await connect(ada, ben)
            await prepare(ada, ben)
            offer = await ada.service.create_offer("ben")
            forged = {**offer, "sdp": offer["sdp"].replace("a=ice-pwd:", "a=ice-pwd:x")}
            await prepare(ben, ada)
            await ada.service.handle_answer("ben", await ben.service.handle_offer("ada", forged))
            for one, other in (ada, ben), (ben, ada):
                await until(lambda one=one: path(one, 2) == [CONNECTING, FAILED])
                assert one.state(other.name) is CONNECTED
                await plays_on(one, other.name)
                await one.service.close_peer(other.name, 2)
                assert path(one, 2) == [CONNECTING, FAILED, CLOSED]
                assert kinds(one, other.name) == [RemoteStreamAdded]

    async def test_an_answer_that_does_not_fit_ends_it_alone(self):
        async with ends("ada", "ben") as (ada, ben):
            await connect(ada, ben)
            await prepare(ada, ben)
            offer = await ada.service.create_offer("ben")
            answer = {
                "type": "answer",
                "sdp": offer["sdp"].replace("setup:actpass", "setup:active"),
            }
            unfitting = {**answer, "sdp": answer["sdp"].replace("a=mid:0", "a=mid:7")}
            unfitting["sdp"] = unfitting["sdp"].replace("BUNDLE 0", "BUNDLE 7")
            with pytest.raises(ValueError, match="cannot be used"):
                await ada.service.handle_answer("ben", unfitting)
            assert path(ada, 2) == [CLOSED]
            await plays_on(ada, "ben")


class TestTheOldOneClosesFirst:
    @pytest.mark.parametrize("closer", ["ada", "ben"])
    async def test_its_replacement_takes_its_place(self, closer):
        async with ends("ada", "ben") as (ada, ben):
            await connect(ada, ben)
            answer = await offer_again(ada, ben)
            assert kinds(ben, "ada") == [RemoteStreamAdded]  # the second is held back
            one, other = (ada, "ben") if closer == "ada" else (ben, "ada")
            await one.service.close_peer(other, 1)
            for end in ada, ben:
                await has_gone(end, 1)
            assert (ada.service.peers, ben.service.peers) == ({"ben"}, {"ada"})
            assert (ada.state("ben"), ben.state("ada")) in [(NEW, CONNECTING), (NEW, NEW)]
            assert kinds(ben, "ada") == [RemoteStreamAdded, RemoteStreamEnded, RemoteStreamAdded]
            assert ben.streams[-1].playout is ben.service.playout("ada")
            await ada.service.handle_answer("ben", answer)
            for one, other in (ada, ben), (ben, ada):
                await until(lambda one=one, other=other: one.state(other.name) is CONNECTED)
                await plays_on(one, other.name)
                assert kinds(one, other.name) == [
                    RemoteStreamAdded,
                    RemoteStreamEnded,
                    RemoteStreamAdded,
                ]

    async def test_a_replacement_that_has_taken_its_place_can_be_replaced(self):
        async with ends("ada", "ben") as (ada, ben):
            await connect(ada, ben)
            await prepare(ada, ben)
            await ada.service.close_peer("ben", 1)
            await has_gone(ben, 1)
            await replace(ada, ben)
            await until(lambda: path(ada, 3)[-1:] == [CONNECTED])
            await has_gone(ada, 2)
            await plays_on(ada, "ben")
            await plays_on(ben, "ada")

    async def test_without_a_replacement_the_next_one_plays_at_once(self):
        """`replacing` is no promise that there is something to replace."""
        async with ends("ada", "ben") as (ada, ben):
            assert await prepare(ada, ben) == 1
            assert ada.service.peers == {"ben"}
            assert ada.state("ben") is NEW
            offer = await ada.service.create_offer("ben")
            await ada.service.handle_answer("ben", await ben.service.handle_offer("ada", offer))
            await plays_on_when_there(ada, ben)


async def plays_on_when_there(ada, ben):
    for one, other in (ada, ben), (ben, ada):
        await until(lambda one=one, other=other: one.service.playout(other.name) is not None)
        await plays_on(one, other.name)


class TestSignals:
    async def test_candidates_go_to_the_newest(self):
        """They are not in the descriptions, and nothing is known of the other's: they trickle."""
        async with ends("ada", "ben") as (ada, ben):
            await connect(ada, ben)
            await prepare(ada, ben)
            offer = await ada.service.create_offer("ben")
            await prepare(ben, ada)
            without, candidates = trickle(await ben.service.handle_offer("ada", bare(offer)))
            await ada.service.handle_ice_candidate("ben", candidates[0])  # before the answer
            await ada.service.handle_answer("ben", without)
            for candidate in candidates[1:]:
                await ada.service.handle_ice_candidate("ben", candidate)
            for candidate in trickle(offer)[1]:
                await ben.service.handle_ice_candidate("ada", candidate)
            for end in ada, ben:
                await has_gone(end, 1)
                assert path(end, 2) == [CONNECTING, CONNECTED]

    async def test_once_it_plays_it_is_the_newest(self):
        async with ends("ada", "ben") as (ada, ben):
            await connect(ada, ben)
            answer = await offer_again(ada, ben)
            await ada.service.handle_answer("ben", answer)
            await has_gone(ada, 1)
            with pytest.raises(UnexpectedDescriptionError, match="does not wait for an answer"):
                await ada.service.handle_answer("ben", answer)
            await plays_on(ada, "ben")


def trickle(description):
    """Return a description without its candidates, and those as they come one by one."""
    lines = description["sdp"].splitlines(keepends=True)
    candidates = [
        {"candidate": line.strip().removeprefix("a="), "sdpMid": "0", "sdpMLineIndex": 0}
        for line in lines
        if line.startswith("a=candidate")
    ]
    last = {"candidate": "", "sdpMid": "0", "sdpMLineIndex": 0}
    return bare(description), [*candidates, last]


def bare(description):
    lines = description["sdp"].splitlines(keepends=True)
    known = ("a=candidate", "a=end-of-candidates")
    return {**description, "sdp": "".join(x for x in lines if not x.startswith(known))}


class TestNumbers:
    async def test_every_connection_has_its_own_in_all_events(self):
        async with ends("ada", "ben", "cleo") as (ada, ben, cleo):
            await connect(ada, ben, cleo)
            await replace(ada, ben)
            await has_gone(ada, 1)
            await replace(cleo, ada)
            await has_gone(ada, 2)
            of = {change.connection: change.peer_id for change in ada.states}
            assert of == {1: "ben", 2: "cleo", 3: "ben", 4: "cleo"}
            assert {c.connection: c.peer_id for c in ada.ice_states} == of
            for number in of:
                previous = [c.previous for c in ada.states if c.connection == number]
                assert previous == [NEW, *path(ada, number)[:-1]]
            ice = [c.state for c in ada.ice_states if c.connection == 1]
            assert ice[-1] is IceConnectionState.CLOSED
            assert IceConnectionState.CLOSED not in ice[:-1]

    async def test_are_not_used_again(self):
        async with ends("ada", "ben") as (ada, ben):
            numbers = []
            for _ in range(3):
                numbers.append(await prepare(ada, ben))
                await ada.service.close_peer("ben")
            assert numbers == [1, 2, 3]


class TestEnds:
    async def test_closing_a_peer_closes_both(self):
        async with ends("ada", "ben") as (ada, ben):
            await connect(ada, ben)
            await offer_again(ada, ben)
            for one, other in (ada, "ben"), (ben, "ada"):
                await one.service.close_peer(other)
                assert one.service.peers == frozenset()
                assert path(one, 1)[-1] is path(one, 2)[-1] is CLOSED
                assert kinds(one, other) == [RemoteStreamAdded, RemoteStreamEnded]
                with pytest.raises(UnknownPeerError):
                    await one.service.close_peer(other)

    async def test_closing_a_number_that_is_gone_closes_nothing(self):
        async with ends("ada", "ben") as (ada, ben):
            await connect(ada, ben)
            await replace(ada, ben)
            await has_gone(ada, 1)
            for number in 1, 3, 0, -1:
                await ada.service.close_peer("ben", number)
            assert path(ada, 2) == [CONNECTING, CONNECTED]
            await plays_on(ada, "ben")

    @pytest.mark.parametrize("delay_turns", [0, 1, 3, 10, 30, 100, 300, 1_000, 3_000])
    @pytest.mark.parametrize("closer", ["ada", "ben"])
    async def test_closing_while_replacing_leaves_nothing(self, closer, delay_turns):
        async with ends("ada", "ben") as (ada, ben):
            await connect(ada, ben)
            replacing = asyncio.create_task(replace(ada, ben))
            await turns(delay_turns)
            end = {"ada": ada, "ben": ben}[closer]
            await end.service.close()
            assert end.service.peers == frozenset()
            [error] = await asyncio.gather(replacing, return_exceptions=True)
            about_that = (NoLocalAudioError, PeerClosedError, UnknownPeerError)
            assert error is None or isinstance(error, about_that)

    @pytest.mark.parametrize("moment", [CONNECTING, CONNECTED, CLOSED])
    async def test_closing_at_the_very_moment_of_a_change_leaves_nothing(self, moment):
        """CLOSED is that of the one that was replaced."""
        async with ends("ada", "ben") as (ada, ben):
            await connect(ada, ben)
            closing = []

            def close(change):
                if change.state is moment and not closing:
                    closing.append(asyncio.create_task(ada.service.close()))

            ada.service.on_connection_state_change(close)
            await replace(ada, ben)
            await until(lambda: closing)
            await closing[0]
            assert path(ada, 1)[-1] is path(ada, 2)[-1] is CLOSED
            assert ada.service.peers == frozenset()

    @pytest.mark.parametrize("delay_turns", [0, 1, 2, 3, 5, 8, 13])
    async def test_a_cancelled_step_leaves_the_old_one_playing(self, delay_turns):
        async with ends("ada", "ben") as (ada, ben):
            await connect(ada, ben)

            async def prepare_and_offer():
                await prepare(ada, ben)
                await prepare(ada, ben)
                await ada.service.create_offer("ben")

            working = asyncio.create_task(prepare_and_offer())
            await turns(delay_turns)
            working.cancel()
            with pytest.raises(asyncio.CancelledError):
                await working
            await plays_on(ada, "ben")
            assert path(ada, 1) == [CONNECTING, CONNECTED]


class TestPreparing:
    async def test_without_being_asked_to_nothing_is_replaced(self):
        async with ends("ada", "ben") as (ada, ben):
            await connect(ada, ben)
            offer = await ben.service.create_offer("cleo")
            for call in (
                ada.service.create_peer_connection("ben"),
                ada.service.create_offer("ben"),
                ada.service.handle_offer("ben", offer),
            ):
                with pytest.raises(DuplicatePeerError):
                    await call
            await plays_on(ada, "ben")
            assert path(ada, 1) == [CONNECTING, CONNECTED]

    async def test_uses_the_paths_it_is_given(self):
        """Nothing but relayed candidates, and no relay to ask: no candidates at all."""
        relayed = IceConfiguration("relay", policy="relay")
        async with ends("ada", "ben") as (ada, ben):
            await connect(ada, ben)
            await prepare(ada, ben, ice=relayed)
            assert "a=candidate" not in (await ada.service.create_offer("ben"))["sdp"]
            await prepare(ada, ben)
            assert "a=candidate" in (await ada.service.create_offer("ben"))["sdp"]
            await plays_on(ada, "ben")

    async def test_needs_a_card_as_ever(self):
        async with ends("ada") as (ada,):
            await ada.service.close()
            with pytest.raises(NoLocalAudioError):
                await ada.service.create_peer_connection("ben", replacing=True)


# Two links that drive two services


class Wire:
    """What two links say to each other, each thing several times if that is wanted."""

    def __init__(self, *players, repeats=1):
        self.told, self.links, self.said = [], {}, []
        self._repeats = repeats
        for one, other in players, players[::-1]:
            self.links[one.name] = PeerLink(
                one.name,
                other.name,
                one.service,
                self.sender(one.name),
                lambda kind, _: self.told.append(kind),
                ServerWatch(self.told.append, lambda: None, lambda: None),
                random.Random(1),
            )
            one.service.on_connection_state_change(self.links[one.name].hear)

    def sender(self, name):
        async def send(kind, peer, data):
            self.said.append((kind, name))
            for _ in range(self._repeats):
                self.links[peer].hear(Signal(kind, name, peer, data))

        return send

    async def __aenter__(self):
        self._tasks = [asyncio.create_task(link.run()) for link in self.links.values()]
        return self

    async def __aexit__(self, *exc_info):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def phases(self):
        return {link.reach.phase for link in self.links.values()}


async def test_two_links_replace_what_has_fallen_silent_and_nobody_misses_a_note():
    async with ends("ada", "ben", flow_timeout_s=0.4) as (ada, ben), Wire(ada, ben) as wire:
        wire.links["ada"].meet(ours=True)
        wire.links["ben"].meet(ours=False)
        await until(lambda: wire.phases == {Phase.CONNECTED})
        with cut_off(ada, "ben"):  # ada hears nothing more, and offers
            await until(lambda: path(ada, 2)[-1:] == [CONNECTED])
        await until(lambda: path(ben, 2)[-1:] == [CONNECTED])
        await plays_on(ada, "ben")
        await plays_on(ben, "ada")
        assert wire.told[0] is NoticeKind.RETRYING
        await until(lambda: wire.phases == {Phase.CONNECTED})


async def test_two_links_are_not_disturbed_by_signals_that_come_twice():
    """A signalling service that repeats what it delivered (its retries) must not cost a sound."""
    async with ends("ada", "ben") as (ada, ben), Wire(ada, ben, repeats=2) as wire:
        wire.links["ada"].meet(ours=True)
        wire.links["ben"].meet(ours=False)
        await until(lambda: wire.told or wire.phases == {Phase.CONNECTED})
        assert wire.told == []
        await plays_on(ada, "ben")
        await plays_on(ben, "ada")
        assert wire.said == [(SignalType.OFFER, "ada"), (SignalType.ANSWER, "ben")]
