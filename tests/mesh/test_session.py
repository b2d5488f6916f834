import asyncio
import itertools
from contextlib import AsyncExitStack

import aioice.ice
import hypothesis.strategies as st
import pytest
from hypothesis import given

from jamlab.audio.card import CardChange, VirtualCard
from jamlab.mesh.connection.errors import NoLocalAudioError
from jamlab.mesh.connection.events import ConnectionState
from jamlab.mesh.notices import NoticeKind
from jamlab.mesh.reach import Patience
from jamlab.mesh.session import JamSession
from jamlab.signaling.channel import NameTakenError
from jamlab.signaling.memory import MemoryChannel
from jamlab.signaling.messages import (
    PeerJoined,
    PeerLeft,
    Signal,
    SignalingLost,
    SignalingRestored,
    SignalType,
)
from tests.examples import examples
from tests.leaks import nothing_left, sockets, until
from tests.mesh.jam import CHEAP, NAMES, Member, tone, turns

pytestmark = pytest.mark.usefixtures("nothing_left")


def pairs(members):
    """Connections that stand, counted at both ends."""
    return {
        frozenset((member.name, peer))
        for member in members
        for peer in member.service.peers
        if member.service.connection_state(peer) is ConnectionState.CONNECTED
    }


async def is_full_mesh(members):
    """Wait for exactly the connections of those present, and for exactly their sound."""
    names = {member.name for member in members}
    wanted = {frozenset(pair) for pair in itertools.combinations(names, 2)}
    for member in members:
        await until(lambda m=member: m.service.peers == names - {m.name}, f"at {member.name}")
        await member.session.wait_connected(30)
    assert pairs(members) == wanted
    for member in members:
        others = names - {member.name}
        await until(lambda m=member, o=others: m.hears == o, f"for {member.name} to hear {others}")


MANY = [pytest.param(count, marks=pytest.mark.slow) for count in (4, 5, 6)]
"""In one process they take most of a processor, which a busy machine does not give them."""


@pytest.mark.parametrize("count", [2, 3, *MANY])
async def test_everybody_hears_everybody_else(count):
    channel = MemoryChannel()
    sockets_before = len(sockets())
    async with AsyncExitStack() as stack:
        members = [Member(name, channel) for name in NAMES[:count]]
        for member in members:
            await stack.enter_async_context(member.session)
        await is_full_mesh(members)
        assert len(pairs(members)) == count * (count - 1) // 2
        addresses = len(aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True))
        assert len(sockets()) - sockets_before == count * (count - 1) * addresses

        await members[0].session.leave()
        await is_full_mesh(members[1:])
        assert members[0].service.peers == frozenset()


@pytest.mark.slow
@examples(4)
@given(st.lists(st.sampled_from(NAMES[:4]), min_size=3, max_size=6))
def test_those_present_are_connected_whatever_the_order(comers_and_goers):
    async def play():
        channel, present = MemoryChannel(), {}
        async with AsyncExitStack() as stack:
            for name in comers_and_goers:
                if name in present:
                    await present.pop(name).session.leave()
                else:
                    present[name] = Member(name, channel)
                    await stack.enter_async_context(present[name].session)
                await is_full_mesh(list(present.values()))

    async def play_and_look():
        async with nothing_left():
            await play()

    asyncio.run(play_and_look())


class ListeningChannel(MemoryChannel):
    """A room that notes what is said in it."""

    def __init__(self):
        super().__init__()
        self.said = []

    def deliver(self, signal):
        self.said.append((signal.type, signal.sender_peer_id, signal.target_peer_id))
        super().deliver(signal)


async def test_those_already_there_offer_and_the_newcomer_answers():
    channel = ListeningChannel()
    ada, ben, cleo = (Member(name, channel) for name in NAMES[:3])
    async with ada.session, ben.session:
        await is_full_mesh([ada, ben])
        channel.said.clear()
        async with cleo.session:
            await is_full_mesh([ada, ben, cleo])
    assert sorted(channel.said) == [
        (SignalType.ANSWER, "cleo", "ada"),
        (SignalType.ANSWER, "cleo", "ben"),
        (SignalType.OFFER, "ada", "cleo"),
        (SignalType.OFFER, "ben", "cleo"),
    ]


class ConfusedChannel(MemoryChannel):
    """A room that tells both members of each other, as one that lost the order might."""

    async def join(self, peer_id):
        member = await super().join(peer_id)
        for other in member.peers:
            member.hear(PeerJoined(other))
        return member


async def test_of_two_that_offer_to_each_other_one_gives_way(caplog):
    channel = ConfusedChannel()
    ada, ben = Member("ada", channel), Member("ben", channel)
    async with ada.session, ben.session:
        await is_full_mesh([ada, ben])
    assert [r.name for r in caplog.records if r.levelname == "ERROR"] == []


async def test_a_room_of_one_is_connected():
    member = Member("ada", MemoryChannel())
    async with member.session as session:
        await session.wait_connected(0)
    assert member.service.peers == frozenset()


async def test_waiting_in_vain_names_who_is_missing():
    channel = MemoryChannel()
    member = Member("ada", channel)
    async with member.session as session:
        await channel.join("mute")
        with pytest.raises(TimeoutError, match="'ada' has no connection to mute after"):
            await session.wait_connected(0.05)


async def test_leaving_twice_and_together_is_harmless():
    channel = MemoryChannel()
    ada, ben = Member("ada", channel), Member("ben", channel)
    async with ada.session, ben.session:
        await is_full_mesh([ada, ben])
        await asyncio.gather(ada.session.leave(), ada.session.leave())
        await ada.session.leave()
        await until(lambda: ben.service.peers == frozenset())
    assert channel.members == frozenset()


async def test_a_session_is_entered_once():
    session = Member("ada", MemoryChannel()).session
    async with session:
        with pytest.raises(RuntimeError, match="make a new JamSession"):
            await session.__aenter__()
    with pytest.raises(RuntimeError, match="make a new JamSession"):
        await session.__aenter__()


async def test_a_taken_name_leaves_nothing_running():
    channel = MemoryChannel()
    async with Member("ada", channel).session:
        second = Member("ada", channel)
        with pytest.raises(NameTakenError):
            await second.session.__aenter__()
        blocks = second.card.counters.blocks
        with pytest.raises(NoLocalAudioError):
            await second.service.create_offer("ben")
        assert second.card.counters.blocks == blocks
        assert channel.members == {"ada"}


async def test_a_card_that_cannot_start_leaves_nobody_in_the_room():
    channel = MemoryChannel()
    used = VirtualCard()
    used.start(lambda block: block)
    used.stop()
    with pytest.raises(RuntimeError, match="started before"):
        await JamSession("room", "ada", signaling=lambda _: channel, card=used).__aenter__()
    assert channel.members == frozenset()


@pytest.mark.parametrize("delay_turns", [0, 1, 2, 3, 5, 10, 30, 100, 300, 1_000, 3_000])
async def test_cancelled_while_it_joins_it_leaves_nothing(delay_turns):
    channel = MemoryChannel()
    ada, ben = Member("ada", channel), Member("ben", channel)

    async def take_part():
        async with ben.session:
            await ben.session.wait_connected(30)
            await asyncio.Event().wait()

    async with ada.session:
        joining = asyncio.create_task(take_part())
        await turns(delay_turns)
        joining.cancel()
        with pytest.raises(asyncio.CancelledError):
            await joining
        await until(lambda: channel.members == {"ada"})
        await until(lambda: ada.service.peers == frozenset())


async def test_leaving_goes_on_when_nobody_waits_for_it():
    channel = MemoryChannel()
    ada, ben = Member("ada", channel), Member("ben", channel)
    async with ada.session, ben.session:
        await is_full_mesh([ada, ben])
        leaving = asyncio.create_task(ben.session.leave())
        await turns(1)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        await until(lambda: ada.service.peers == ben.service.peers == frozenset())


async def test_bad_signals_hurt_nobody(caplog):
    channel = MemoryChannel()
    ada, ben = Member("ada", channel), Member("ben", channel)
    async with ada.session, ben.session:
        await is_full_mesh([ada, ben])
        stranger = await channel.join("stranger")
        await until(lambda: "stranger" in ada.service.peers)
        for kind in SignalType:
            for data in ({"type": kind.value, "sdp": "v=0"}, {"candidate": "x"}, {"sdp": None}):
                await stranger.send(Signal(kind, "stranger", "ada", data))
                await stranger.send(Signal(kind, "unheard", "ada", data))
                await stranger.send(Signal(kind, "ben", "ada", data))
        await until(lambda: len(caplog.records) >= 27)
        await stranger.leave()
        await is_full_mesh([ada, ben])
    assert {record.levelname for record in caplog.records} == {"WARNING"}


async def test_one_peers_signals_wait_for_each_other_and_for_nobody_else(monkeypatch):
    channel, may_go_on, handled = MemoryChannel(), asyncio.Event(), []
    ada = Member("ada", channel)

    async def create_offer(peer_id):
        if peer_id == "slow":
            await may_go_on.wait()
        handled.append((peer_id, "offer"))
        return {"type": "offer", "sdp": ""}

    async def handle_ice_candidate(peer_id, candidate):
        handled.append((peer_id, candidate["candidate"]))

    monkeypatch.setattr(ada.service, "create_offer", create_offer)
    monkeypatch.setattr(ada.service, "handle_ice_candidate", handle_ice_candidate)
    async with ada.session:
        for sender in [await channel.join("slow"), await channel.join("quick")]:
            for number in range(3):
                data = {"candidate": str(number)}
                signal = Signal(SignalType.ICE_CANDIDATE, sender.peer_id, "ada", data)
                await sender.send(signal)
        await until(lambda: len(handled) == 4)
        may_go_on.set()
        await until(lambda: len(handled) == 8)
    slow, quick = (
        [(name, "offer"), *((name, str(n)) for n in range(3))] for name in ("slow", "quick")
    )
    assert handled == [*quick, *slow]


class BrokenMembership:
    """A place in a room whose line breaks at every use."""

    peer_id = "ada"
    peers = frozenset()

    def __init__(self):
        self.heard = asyncio.Event()

    async def events(self):
        yield PeerJoined("ben")
        yield PeerLeft("nobody")
        self.heard.set()
        raise ConnectionError("the line is cut")

    async def send(self, signal):
        raise ConnectionError("the line is cut")

    async def leave(self):
        raise ConnectionError("the line is cut")


class BrokenChannel:
    async def join(self, peer_id):
        self.membership = BrokenMembership()
        return self.membership


async def test_a_broken_line_is_told_and_everything_closed(caplog):
    channel = BrokenChannel()
    session = Member("ada", channel).session
    await session.__aenter__()
    await until(lambda: len(caplog.records) == 2)
    await until(lambda: session.service.peers == frozenset())
    with pytest.raises(ConnectionError):
        await session.leave()
    assert "ada gets no more events of its room" in caplog.text
    assert "about ben: the line is cut" in caplog.text
    with pytest.raises(NoLocalAudioError):
        await session.service.create_offer("ben")


async def test_signalling_that_is_lost_is_told_and_nothing_else_happens():
    channel, notices = MemoryChannel(), []
    ada, ben = Member("ada", channel, figures_every_s=3600.0), Member("ben", channel)
    ada.session.on_notice(notices.append)
    async with ada.session, ben.session:
        await is_full_mesh([ada, ben])
        for event in SignalingLost(1.0), SignalingRestored(2.0):
            channel._members["ada"].hear(event)
        await until(lambda: len(notices) == 3)
        await is_full_mesh([ada, ben])
    assert [notice.kind for notice in notices] == [
        NoticeKind.JOINED,
        NoticeKind.SIGNALING_LOST,
        NoticeKind.SIGNALING_RESTORED,
    ]


async def test_without_a_microphone_it_only_listens():
    channel, notices = MemoryChannel(), []
    ada, ben = Member("ada", channel, figures_every_s=3600.0), Member("ben", channel)
    ada.card = VirtualCard(tone("ada"), block_frames=480, recording=ada.recording, microphone=False)
    ada.session.card = ada.card
    ada.session.on_notice(notices.append)
    async with ada.session, ben.session:
        await until(lambda: ada.hears == {"ben"})
        await ben.session.wait_connected(30)
        assert ben.hears == frozenset()
    [notice] = [notice for notice in notices if notice.kind is not NoticeKind.JOINED]
    assert notice.text == "Microphone access is required for jamming"
    assert notice.hint == "this virtual card has no microphone: only listen"


async def test_what_becomes_of_the_sound_card_is_told():
    notices, ada = [], Member("ada", MemoryChannel())
    ada.session.on_notice(notices.append)
    async with ada.session:
        ada.card.on_change(CardChange(False, "it was unplugged", 1.0))
        ada.card.on_change(CardChange(True, "it is back", 2.0))
    assert [(notice.kind, notice.hint) for notice in notices] == [
        (NoticeKind.CARD_LOST, "it was unplugged"),
        (NoticeKind.CARD_BACK, ""),
    ]


class AbsentCard(VirtualCard):
    """A card that is not there when it is started, as a `DeviceCard` tells it."""

    def start(self, callback, *, capture=True):
        super().start(callback, capture=capture)
        self.on_change(CardChange(False, "there is no output device", 1.0))


async def test_what_was_told_on_the_way_in_stands_for_who_looks_later():
    ada = Member("ada", MemoryChannel())
    ada.session.card = AbsentCard(block_frames=480)
    async with ada.session:
        [warning] = ada.session.board.warnings
        assert (warning.kind, warning.hint) == (NoticeKind.CARD_LOST, "there is no output device")
        ada.session.card.on_change(CardChange(True, "it is back", 2.0))
        assert ada.session.board.warnings == ()


async def test_a_microphone_that_is_there_after_all_ends_the_warning():
    ada = Member("ada", MemoryChannel())
    ada.session.card = VirtualCard(block_frames=480, microphone=False)
    async with ada.session:
        assert [each.kind for each in ada.session.board.warnings] == [NoticeKind.MICROPHONE]
        ada.session.card = ada.new_card()
        await ada.session.start_card()
        assert ada.session.board.warnings == ()


async def test_a_card_that_is_started_anew_is_lost_no_longer_unless_it_says_so():
    ada = Member("ada", MemoryChannel())
    async with ada.session:
        ada.card.on_change(CardChange(False, "it was unplugged", 1.0))
        ada.session.card = ada.new_card()
        await ada.session.start_card()
        assert ada.session.board.warnings == ()
        ada.session.card = AbsentCard(block_frames=480)
        await ada.session.start_card()
        assert [each.hint for each in ada.session.board.warnings] == ["there is no output device"]


async def test_what_is_tapped_goes_on_with_a_card_that_is_started_anew():
    ada = Member("ada", MemoryChannel())
    async with ada.session:
        tap = ada.service.tap()
        await until(tap.take)
        ada.session.card = ada.new_card()
        await ada.session.start_card()
        tap.take()
        await until(tap.take)
        tap.close()


async def test_no_audio_stands_through_all_attempts_until_the_peer_has_left():
    quick = Patience(offer_s=0.01, answer_s=0.05, checks_s=0.05, rest_s=0.01, quiet_s=0.0)
    channel, standing = MemoryChannel(), []
    ada = Member("ada", channel, patience=quick)
    board = ada.session.board
    async with ada.session:
        silent = await channel.join("silent")
        await until(lambda: NoticeKind.NO_AUDIO in [each.kind for each in board.warnings])
        begun = ada.session._links["silent"].reach.attempt
        ada.service.on_connection_state_change(lambda _: standing.append(board.warnings))
        await until(lambda: ada.session._links["silent"].reach.attempt > begun + 3)
        stood = {tuple(each.kind for each in warnings) for warnings in standing}
        assert stood == {(NoticeKind.NO_AUDIO,)}
        await silent.leave()
        await until(lambda: board.warnings == ())


def test_quality_is_the_services():
    assert Member("ada", MemoryChannel()).service.quality is CHEAP


async def test_who_leaves_is_said_to_have_gone_once_however_often_it_is_tried():
    channel, gone = MemoryChannel(), []
    ada, ben = (Member(name, channel) for name in NAMES[:2])
    async with ada.session:
        stop = ada.session.on_departure(gone.append)
        async with ben.session:
            await is_full_mesh([ada, ben])
            await ada.service.close_peer("ben")  # one connection of several
            await is_full_mesh([ada, ben])
            assert gone == []
        await until(lambda: gone)
        again = Member("ben", channel)
        async with again.session:
            await is_full_mesh([ada, again])
        await until(lambda: len(gone) > 1)
        stop()
        async with Member("ben", channel).session as third:
            await third.wait_connected(20, "ada")
    assert gone == ["ben", "ben"]


class TestWhoHasGone:
    """Nothing is kept of a name that was in the room once, and whoever returns is met again."""

    async def test_tasks_end_with_those_they_are_about(self):
        channel = MemoryChannel()
        ada = Member("ada", channel)
        async with ada.session:
            before = len(asyncio.all_tasks())
            for number in range(30):
                stranger = await channel.join(f"stranger {number}")
                await until(lambda n=f"stranger {number}": n in ada.session._links)
                await stranger.leave()
            await until(lambda: not ada.session._links)
            await until(lambda: len(asyncio.all_tasks()) <= before)

    async def test_attempts_are_numbered_on(self):
        """To a peer that never saw us leave, a number below the last one it heard is stale."""
        channel = ListeningChannel()
        numbers = []
        channel.deliver = lambda signal, deliver=channel.deliver: (
            numbers.append(signal.data["attempt"]) if signal.type is SignalType.OFFER else None,
            deliver(signal),
        )
        ada = Member("ada", channel)
        async with ada.session:
            for _ in range(3):
                async with Member("ben", channel).session as ben:
                    await ben.wait_connected(20, "ada")
                await until(lambda: not ada.session._links)
        assert numbers == [1, 2, 3]
