"""The Supabase channel on real sockets, with a service that fails on demand."""

import asyncio
import hashlib
import logging
import random
from contextlib import AsyncExitStack, suppress
from urllib.parse import urlsplit

import pytest

from jamlab.signaling.channel import NameTakenError, SignalingError
from jamlab.signaling.endpoint import KEY_VARIABLE, URL_VARIABLE
from jamlab.signaling.messages import (
    MAX_SIGNAL_BYTES,
    MalformedSignalError,
    PeerJoined,
    PeerLeft,
    Signal,
    SignalingLost,
    SignalingRestored,
    SignalType,
)
from jamlab.signaling.supabase import connection, membership
from jamlab.signaling.supabase.channel import SupabaseChannel
from jamlab.signaling.supabase.inbox import FOR_ANOTHER, MALFORMED, UNKNOWN_SENDER, Inbox
from jamlab.signaling.supabase.outbox import REFUSED
from tests.leaks import until
from tests.signaling.contract import Listener, listening, offer
from tests.signaling.service import KEY, Service

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture(name="service")
async def run_service(nothing_left):
    async with Service() as service:
        yield service


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(membership, "FIRST_BACKOFF_S", 0.02)
    monkeypatch.setattr(membership, "MOST_BACKOFF_S", 0.05)
    monkeypatch.setattr(membership, "RETRY_NAME_S", 0.02)
    monkeypatch.setattr(connection, "CLOSE_TIMEOUT_S", 0.2)


def channel(service, **settings):
    return SupabaseChannel("room", service.url, KEY, **{"patience_s": 0.0, **settings})


def kinds(listener):
    """What it heard, losses and restorations without their times."""
    return [
        type(event) if isinstance(event, SignalingLost | SignalingRestored) else event
        for event in listener.events
    ]


async def hears(listener, *expected):
    await until(
        lambda: kinds(listener) == list(expected),
        lambda: f"for {expected}, {listener.member.peer_id} heard {listener.events}",
    )


def tracked(service):
    return [r["payload"]["payload"] for r in service.requests if r["event"] == "presence"]


# Arguments


def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    with pytest.raises(ValueError, match=rf"no URL: .*--hub\) or set {URL_VARIABLE}"):
        SupabaseChannel("room")
    monkeypatch.setenv(URL_VARIABLE, "https://abc.supabase.co")
    assert repr(SupabaseChannel("room")) == (
        "SupabaseChannel('room', 'wss://abc.supabase.co/realtime/v1')"
    )


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 129, "\ud800"])
async def test_a_name_that_cannot_be(name):
    with pytest.raises(ValueError, match="the name of a room has 1 to 128 visible"):
        SupabaseChannel(name, "ws://127.0.0.1:1", KEY)
    with pytest.raises(ValueError, match="the name of a participant has 1 to 128 visible"):
        await SupabaseChannel("room", "ws://127.0.0.1:1", KEY).join(name)


# On the wire


async def test_what_is_said_is_the_products_protocol(service):
    randomness = random.Random(1)
    expected = f"{random.Random(1).getrandbits(128):032x}"
    async with listening(
        (channel(service, randomness=randomness), "ada"), (channel(service), "ben")
    ) as (ada, ben):
        await ada.hears(PeerJoined("ben"))
        await ada.member.send(offer("ada", "ben", 7))
        await ben.hears(offer("ada", "ben", 7))
    joins = [r for r in service.requests if r["event"] == "phx_join"]
    assert {r["topic"] for r in service.requests} <= {"realtime:room", "phoenix"}
    assert [r["payload"]["config"]["presence"]["key"] for r in joins] == ["ada", "ben"]
    first, second = tracked(service)[:2]
    assert joins[0]["payload"]["config"]["presence"]["secret"] == expected
    assert first["instance"] == hashlib.sha256(expected.encode()).hexdigest() != second["instance"]
    assert 0 <= second["joined_at"] - first["joined_at"] < 60
    (broadcast,) = [r["payload"] for r in service.requests if r["event"] == "broadcast"]
    assert broadcast == {
        "type": "broadcast",
        "event": "webrtc-signal",
        "payload": {
            "type": "offer",
            "senderPeerId": "ada",
            "targetPeerId": "ben",
            "data": {"sdp": "7"},
        },
    }
    assert [p.get("leaving") for p in tracked(service)] == [None, None, True, True]


async def test_the_key_is_in_no_log_and_no_error(service, caplog):
    caplog.set_level(logging.DEBUG)
    async with listening((channel(service), "ada"), (channel(service), "ben")) as (ada, ben):
        await ada.member.send(offer("ada", "ben"))
        await ben.hears(offer("ada", "ben"))
        service.kill("ben")
        await hears(ben, offer("ada", "ben"), SignalingLost, SignalingRestored)
    service.joins_to_refuse = [f"the key {KEY} is not enough"]
    with pytest.raises(SignalingError, match="refused: the key REDACTED is not enough"):
        await channel(service).join("ada")
    ours = [r.getMessage() for r in caplog.records if r.name != "websockets.server"]
    assert any("> GET /realtime/v1/websocket?apikey=REDACTED" in line for line in ours)
    joins = [r for r in service.requests if r["event"] == "phx_join"]
    secrets = {r["payload"]["config"]["presence"]["secret"] for r in joins}
    assert len(secrets) == 3
    assert not any(secret in line for line in ours for secret in (KEY, *secrets))
    assert logging.getLogger("websockets.client").filters == []


# Not let in


async def test_a_wrong_key_is_said_without_it(service):
    with pytest.raises(SignalingError, match=r"refused the key \(HTTP 401\): check") as caught:
        await SupabaseChannel("room", service.url, "sb_wrong").join("ada")
    assert "sb_wrong" not in str(caught.value)
    assert service.url in str(caught.value)


async def test_a_wrong_address(service):
    await service.stop()
    with pytest.raises(SignalingError, match=r"cannot be reached .*: check that it runs there"):
        await channel(service).join("ada")


@pytest.mark.parametrize("event", ["phx_join", "presence"])
async def test_a_service_that_does_not_answer(service, monkeypatch, event):
    monkeypatch.setattr(connection, "OPEN_TIMEOUT_S", 0.3)
    monkeypatch.setattr(membership, "OPEN_TIMEOUT_S", 0.3)
    service.mute_events = {event}
    with pytest.raises(SignalingError, match=r"did not answer within|does not show our presence"):
        await channel(service, patience_s=5.0).join("ada")


async def test_a_service_that_refuses_says_why(service):
    service.joins_to_refuse = ["ClientJoinRateLimitReached: Too many joins"]
    with pytest.raises(SignalingError, match="refused: ClientJoinRateLimitReached: Too many"):
        await channel(service).join("ada")


@pytest.mark.parametrize("event", ["phx_join", "presence"])
async def test_a_join_cancelled_while_it_waits(service, event):
    service.mute_events = {event}
    joining = asyncio.create_task(channel(service).join("ada"))
    await until(lambda: event in [r["event"] for r in service.requests])
    joining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await joining
    await until(lambda: not service.sockets)


# Names


async def test_a_refused_name_is_asked_for_again_until_it_is_free(service):
    service.joins_to_refuse = ["name taken"] * 3
    async with listening((channel(service, patience_s=30.0), "ada")) as (ada,):
        assert ada.member.peers == frozenset()
    service.joins_to_refuse = ["name taken"]
    with pytest.raises(NameTakenError, match="the name 'ada' is taken in the room"):
        await channel(service).join("ada")


async def test_a_ghost_is_waited_for(service):
    async with listening((channel(service), "ada")) as (ada,):
        service.haunt("ben", "crashed", 0.0)
        await ada.hears(PeerJoined("ben"))
        joining = asyncio.create_task(channel(service, patience_s=30.0).join("ben"))
        await until(lambda: service.named("ben"))
        assert not joining.done()
        service.expire("ben")
        ben = Listener(await joining)
        await ada.hears(PeerJoined("ben"), PeerLeft("ben"), PeerJoined("ben"))
        assert ben.member.peers == {"ada"}
        await ben.leave()


async def test_a_name_that_stays_taken_is_left_alone(service):
    service.haunt("ben", "there", 1e12)  # by a clock that is far ahead
    with pytest.raises(NameTakenError, match="the name 'ben' is taken in the room"):
        await channel(service, patience_s=0.1).join("ben")
    assert tracked(service) == []


async def test_of_two_at_the_same_moment_one_has_the_name(service):
    async with listening((channel(service), "ada")) as (ada,):
        results = await asyncio.gather(
            *(channel(service, patience_s=0.3).join("ben") for _ in range(2)),
            return_exceptions=True,
        )
        refused = [r for r in results if isinstance(r, NameTakenError)]
        (ben,) = [r for r in results if not isinstance(r, Exception)]
        assert len(refused) == 1
        await until(lambda: len(service.named("ben")) == 1)
        await ada.member.send(offer("ada", "ben"))
        listener = Listener(ben)
        await listener.hears(offer("ada", "ben"))
        await listener.leave()


async def test_who_lost_its_name_is_out_until_it_has_it_again(service):
    async with listening((channel(service), "ada"), (channel(service), "ben")) as (ada, ben):
        await ada.hears(PeerJoined("ben"))
        service.haunt("ben", "usurper", 0.0)
        await hears(ben, SignalingLost)
        await ada.hears(PeerJoined("ben"), PeerLeft("ben"), PeerJoined("ben"))
        service.expire("ben")
        await hears(ben, SignalingLost, SignalingRestored)


# Losses


async def test_the_service_restarts(service):
    async with listening(*((channel(service), name) for name in ("ada", "ben", "cleo"))) as (
        ada,
        ben,
        cleo,
    ):
        begun = [PeerJoined("ben"), PeerJoined("cleo")]
        await ada.hears(*begun)
        await service.stop()
        await hears(ada, *begun, SignalingLost)
        for number in range(3):
            await ada.member.send(offer("ada", "ben", number))
        assert ada.member.peers == {"ben", "cleo"}
        await service.start()
        await hears(ada, *begun, SignalingLost, SignalingRestored)
        sent = [offer("ada", "ben", number) for number in range(3)]
        await hears(ben, PeerJoined("cleo"), SignalingLost, SignalingRestored, *sent)
        await hears(cleo, SignalingLost, SignalingRestored)
        for listener in (ada, ben, cleo):
            lost, restored = [
                e.at_s for e in listener.events if isinstance(e, SignalingLost | SignalingRestored)
            ]
            assert lost < restored <= asyncio.get_running_loop().time()


async def test_it_comes_back_after_more_attempts_than_the_client_makes(service, caplog):
    caplog.set_level(logging.INFO)
    async with listening((channel(service), "ada")) as (ada,):
        await service.stop()
        await until(lambda: caplog.text.count("ada is not back in its room") > 8)
        await service.start()
        await hears(ada, SignalingLost, SignalingRestored)


async def test_a_socket_killed_hard_is_noticed_by_its_owner_only(service):
    async with listening((channel(service), "ada"), (channel(service), "ben")) as (ada, ben):
        await ada.hears(PeerJoined("ben"))
        service.joins_to_refuse = ["not now"] * 3
        service.kill("ben")
        await hears(ben, SignalingLost)
        await ada.member.send(offer("ada", "ben"))
        await ben.member.send(offer("ben", "ada"))
        await hears(ben, SignalingLost, SignalingRestored, offer("ada", "ben"))
        await ada.hears(PeerJoined("ben"), offer("ben", "ada"))


async def test_a_signal_the_service_did_not_confirm_is_sent_again(service):
    async with listening((channel(service), "ada"), (channel(service), "ben")) as (ada, ben):
        service.mute_events = {"broadcast"}
        await ada.member.send(offer("ada", "ben"))
        await until(lambda: "broadcast" in [r["event"] for r in service.requests])
        service.mute_events = set()
        service.kill("ada")
        await ben.hears(offer("ada", "ben"))


async def test_who_vanishes_for_good_has_left_after_the_grace(service):
    async with listening((channel(service, grace_s=0.2), "ada")) as (ada,):
        service.haunt("ben", "crashed", 0.0)
        await ada.hears(PeerJoined("ben"))
        service.expire("ben")
        await ada.hears(PeerJoined("ben"), PeerLeft("ben"))
        assert ada.member.peers == frozenset()


async def test_a_crashed_one_comes_back_as_another(service):
    async with listening((channel(service), "ada")) as (ada,):
        service.haunt("ben", "crashed", 0.0)
        await ada.hears(PeerJoined("ben"))
        service.expire("ben")
        async with listening((channel(service), "ben")):
            await ada.hears(PeerJoined("ben"), PeerLeft("ben"), PeerJoined("ben"))


async def test_what_was_kept_for_one_who_left_is_not_for_who_comes_after(service):
    async with listening((channel(service), "ada")) as (ada,):
        service.haunt("ben", "crashed", 0.0)
        await ada.hears(PeerJoined("ben"))
        service.expire("ben")
        async with listening((channel(service), "cleo")) as (cleo,):
            await ada.member.send(offer("ada", "ben", 1))  # which waits for ben to come back
            await ada.member.send(offer("ada", "cleo"))
            await cleo.hears(offer("ada", "cleo"))
            async with listening((channel(service), "ben")) as (ben,):
                await ada.hears_at_last(PeerLeft("ben"))
                await ada.member.send(offer("ada", "ben", 2))
                await ben.hears(offer("ada", "ben", 2))


async def test_a_service_that_forgets_us_is_told_again(service):
    async with listening((channel(service), "ada"), (channel(service), "ben")) as (ada, ben):
        await ada.hears(PeerJoined("ben"))
        service.forget("ben")
        await hears(ben, SignalingLost, SignalingRestored)
        await ada.member.send(offer("ada", "ben"))
        await hears(ben, SignalingLost, SignalingRestored, offer("ada", "ben"))
        assert ada.events == [PeerJoined("ben")]


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("presence_state", {"x": {"metas": [{}]}}),
        ("phx_error", {"reason": "channel crashed"}),
        ("phx_close", {}),
        ("system", {"channel": "room", "extension": "x", "message": "y", "status": "error"}),
    ],
)
async def test_what_ends_the_clients_channel_is_a_loss(service, event, payload):
    async with listening((channel(service), "ada")) as (ada,):
        (socket,) = service.named("ada")
        await service.tell(socket, event, payload)
        await hears(ada, SignalingLost, SignalingRestored)


@pytest.mark.parametrize("muted", ["phx_leave", "presence"])
async def test_leaving_a_service_that_does_not_answer(service, muted):
    member = await channel(service).join("ada")
    service.mute_events = {muted}
    await member.leave()
    await until(lambda: not service.sockets)


async def test_leaving_while_signalling_is_lost(service):
    member = Listener(await channel(service).join("ada"))
    await service.stop()
    await hears(member, SignalingLost)
    await member.leave()
    await member.member.leave()


async def test_leaving_a_network_that_swallows_everything(service):
    """The WebSocket library alone would wait for 10 s."""
    member = await channel(service).join("ada")
    (socket,) = service.named("ada")
    socket.transport.pause_reading()
    async with asyncio.timeout(5):
        await member.leave()
    socket.transport.abort()


async def test_leaving_while_the_lost_connection_closes(service):
    member = await channel(service).join("ada")
    (socket,) = service.named("ada")
    await service.tell(socket, "phx_error", {})
    assert isinstance(await anext(member.events()), SignalingLost)
    await member.leave()


async def test_leaving_cancelled_leaves_nevertheless(service):
    member = await channel(service).join("ada")
    service.mute_events = {"phx_leave"}
    leaving = asyncio.create_task(member.leave())
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await until(lambda: not service.sockets)


# Signals


async def test_a_signal_may_overtake_the_presence_of_its_sender(service):
    async with listening((channel(service), "ada")) as (ada,):
        (socket,) = service.named("ada")
        payload = offer("ben", "ada").to_payload()
        await service.tell(socket, "broadcast", {"event": "webrtc-signal", "payload": payload})
        service.haunt("ben", "there", 0.0)
        await ada.hears(PeerJoined("ben"), offer("ben", "ada"))


async def test_what_is_not_for_us_is_dropped_and_counted(service, monkeypatch):
    monkeypatch.setattr(membership, "HOLD_S", 0.05)
    async with listening((channel(service), "ada"), (channel(service), "ben")) as (ada, ben):
        await ada.hears(PeerJoined("ben"))
        (socket,) = service.named("ada")
        too_long = {**offer("ben", "ada").to_payload(), "data": {"sdp": "x" * MAX_SIGNAL_BYTES}}
        for payload in (
            {},
            {"type": "offer"},
            too_long,
            offer("ben", "cleo").to_payload(),
            offer("nobody", "ada").to_payload(),
        ):
            message = {"event": "webrtc-signal", "payload": payload}
            await service.tell(socket, "broadcast", message)
        other = {"event": "chat", "payload": offer("ben", "ada").to_payload()}
        await service.tell(socket, "broadcast", other)
        await ben.member.send(offer("ben", "ada", 1))
        await ada.hears(PeerJoined("ben"), offer("ben", "ada", 1))
        expected = {MALFORMED: 3, FOR_ANOTHER: 1, UNKNOWN_SENDER: 1}
        await until(lambda: +ada.member.dropped == expected, lambda: f"{ada.member.dropped}")


async def test_a_callback_that_raises_does_not_deafen(service, monkeypatch):
    receive, failures = Inbox.receive, iter([RuntimeError("once")])

    def failing(*arguments):
        for failure in failures:
            raise failure
        return receive(*arguments)

    async with listening((channel(service), "ada"), (channel(service), "ben")) as (ada, ben):
        await ada.hears(PeerJoined("ben"))
        monkeypatch.setattr(Inbox, "receive", failing)
        await ben.member.send(offer("ben", "ada", 1))
        await ben.member.send(offer("ben", "ada", 2))
        await ada.hears(PeerJoined("ben"), offer("ben", "ada", 2))


async def test_what_the_service_refuses_is_counted(service):
    async with listening((channel(service), "ada"), (channel(service), "ben")) as (ada, ben):
        service.refuses_broadcasts = True
        await ben.member.send(offer("ben", "ada", 1))
        await until(lambda: ben.member.dropped[REFUSED] == 1)
        service.refuses_broadcasts = False
        await ben.member.send(offer("ben", "ada", 2))
        await ada.hears(PeerJoined("ben"), offer("ben", "ada", 2))


async def test_what_cannot_be_written_does_not_hold_up_the_rest(service):
    async with listening((channel(service), "ada"), (channel(service), "ben")) as (ada, ben):
        half = Signal(SignalType.OFFER, "ben", "ada", {"sdp": "\ud800"})
        await ben.member.send(half)
        await ben.member.send(offer("ben", "ada"))
        await ada.hears(PeerJoined("ben"), offer("ben", "ada"))
        assert ben.member.dropped[REFUSED] == 1
        with pytest.raises(MalformedSignalError, match="at most 65536 bytes"):
            await ben.member.send(
                Signal(SignalType.OFFER, "ben", "ada", {"sdp": "x" * MAX_SIGNAL_BYTES})
            )


async def test_more_signals_than_the_limit_allows_wait_and_arrive(service):
    async with listening(
        (channel(service), "ada"), (channel(service, events_per_s=40.0), "ben")
    ) as (ada, ben):
        for number in range(25):  # the burst is 80 events, 20 signals at 2 times 2
            await ben.member.send(offer("ben", "ada", number))
        await ada.hears(PeerJoined("ben"), *(offer("ben", "ada", n) for n in range(25)))


# The hub


def new_hub(port=0):
    module = pytest.importorskip("jamlab.signaling.hub.server")
    return module.Hub(host="127.0.0.1", port=port, key=KEY)


class Cable:
    """What carries the bytes between a client and a port of this machine, until it is cut."""

    def __init__(self, port):
        self._port = port
        self._transports = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc_info):
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    def cut(self):
        for transport in self._transports:
            transport.abort()
        self._transports.clear()

    async def _carry(self, reader, writer):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._transports |= {writer.transport, far_writer.transport}
        await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))

    async def _copy(self, reader, writer):
        with suppress(OSError):
            while data := await reader.read(4096):
                writer.write(data)
        writer.close()


async def test_the_hub_restarts():
    async with AsyncExitStack() as members:
        async with new_hub() as first:
            url, port = first.url, urlsplit(first.url).port
            people = [(SupabaseChannel("room", url, KEY), name) for name in ("ada", "ben")]
            ada, ben = await members.enter_async_context(listening(*people))
            await ada.hears(PeerJoined("ben"))
        await hears(ada, PeerJoined("ben"), SignalingLost)
        await hears(ben, SignalingLost)
        for number in range(3):
            await ada.member.send(offer("ada", "ben", number))
        async with new_hub(port):
            sent = [offer("ada", "ben", number) for number in range(3)]
            await hears(ben, SignalingLost, SignalingRestored, *sent)
            await hears(ada, PeerJoined("ben"), SignalingLost, SignalingRestored)
            assert (ada.member.peers, ben.member.peers) == ({"ben"}, {"ada"})
            await members.aclose()


async def test_a_cable_to_the_hub_is_cut():
    async with new_hub() as hub, Cable(urlsplit(hub.url).port) as cable:
        by_cable = hub.url.replace(f":{urlsplit(hub.url).port}", f":{cable.port}")
        async with listening(
            (SupabaseChannel("room", hub.url, KEY), "ada"),
            (SupabaseChannel("room", by_cable, KEY), "ben"),
        ) as (ada, ben):
            await ada.hears(PeerJoined("ben"))
            cable.cut()
            await hears(ben, SignalingLost, SignalingRestored)
            await ada.member.send(offer("ada", "ben"))
            await hears(ben, SignalingLost, SignalingRestored, offer("ada", "ben"))
            assert ada.events == [PeerJoined("ben")]
