"""The hub on sockets, with Supabase's own clients."""

import asyncio
import json
import logging
import shutil
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from realtime import AsyncRealtimeClient, RealtimeSubscribeStates
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from jamlab.signaling.hub.handshake import HubError
from jamlab.signaling.hub.limits import Limits
from jamlab.signaling.hub.rooms import Rooms
from jamlab.signaling.hub.server import Hub
from jamlab.signaling.supabase.channel import SupabaseChannel
from tests.leaks import until
from tests.signaling.contract import ChannelContract

pytestmark = pytest.mark.usefixtures("nothing_left")

KEY = "sb_test_key_77"
TOPIC = "realtime:room"
GENEROUS = {"events_per_s": 1e9, "socket_events_per_s": 1e9}
JS = Path(__file__).parent / "realtime_js"


@pytest.fixture
async def hub(nothing_left):
    async with Hub(key=KEY) as hub:
        yield hub


class Raw:
    """A socket that speaks vsn 2 word by word."""

    def __init__(self, ws):
        self.ws = ws
        self.last_ref = 0

    async def ask(self, event, payload, topic=TOPIC):
        self.last_ref += 1
        await self.ws.send(json.dumps([None, str(self.last_ref), topic, event, payload]))
        while True:
            _, ref, _, event, payload = json.loads(await self.ws.recv())
            if (ref, event) == (str(self.last_ref), "phx_reply"):
                return payload["status"]

    async def join(self, key=""):
        config = {"broadcast": {"ack": True}, "presence": {"key": key, "enabled": True}}
        return await self.ask("phx_join", {"config": config})

    async def hears(self, event):
        while True:
            *_, heard, payload = json.loads(await self.ws.recv())
            if heard == event:
                return payload

    def freeze(self):
        """Read nothing any more, as if the machine or its network were dead."""
        self.ws.transport.pause_reading()


@asynccontextmanager
async def raw(hub, key=None):
    url = f"{hub.url}/websocket?apikey={KEY}&vsn=2.0.0"
    # what is frozen cannot close in good order
    async with connect(url, close_timeout=0.1, ping_interval=None, max_queue=None) as ws:
        client = Raw(ws)
        if key is not None:
            assert await client.join(key) == "ok"
        yield client


class TestContract(ChannelContract):
    """The hub keeps to what every channel keeps to, with the client others use."""

    @pytest.fixture
    def room(self, hub):
        class Room:
            def channel(self):
                return SupabaseChannel("room", hub.url, KEY, patience_s=0.0)

        return Room()


class TestBeing:
    async def test_it_says_where_it_is_and_not_its_key(self, hub):
        assert hub.url == f"ws://127.0.0.1:{hub.port}/socket"
        assert repr(hub) == f"Hub('{hub.url}')"

    @pytest.mark.parametrize(
        ("host", "url"),
        [("0.0.0.0", "ws://127.0.0.1:0/socket"), ("::", "ws://[::1]:0/socket")],
    )
    def test_everywhere_is_this_machine_for_its_own_clients(self, host, url):
        assert Hub(host, key=KEY).url == url

    def test_it_is_not_elsewhere_with_a_short_key(self):
        with pytest.raises(HubError, match="at least 12"):
            Hub("0.0.0.0", key="jamlab")

    def test_it_makes_a_key_of_its_own(self):
        keys = {Hub("0.0.0.0").key for _ in range(8)}
        assert len(keys) == 8
        assert {len(key) for key in keys} == {32}

    @pytest.mark.parametrize("port", [None, 70000])
    async def test_an_address_it_cannot_have(self, hub, port):
        with pytest.raises(
            HubError, match=r"cannot listen at 127\.0\.0\.1, port .*: choose another"
        ):
            async with Hub(port=port or hub.port):
                pass

    async def test_it_closes_twice_and_before_it_opened(self):
        await Hub().close()
        async with Hub() as hub:
            await hub.close()

    async def test_its_clients_are_told_that_it_goes_and_it_may_come_back(self):
        async with Hub(key=KEY) as first, raw(first, "ada") as ada:
            await first.close()
            await ada.ws.wait_closed()
            assert ada.ws.close_code == 1001
            async with Hub(port=first.port, key=KEY) as second, raw(second, "ada"):
                assert second.url == first.url

    async def test_it_closes_while_somebody_is_asked_for_a_sign_of_life(self):
        async with Hub(key=KEY) as hub, raw(hub, "ada") as ada, raw(hub) as other:
            ada.freeze()
            joining = asyncio.create_task(other.join("ada"))
            await until(lambda: hub._timer)
            await hub.close()
            with pytest.raises(ConnectionClosed):
                await joining


class TestHandshake:
    @pytest.mark.parametrize(
        ("query", "status"),
        [("", 401), ("?apikey=wrong", 401), (f"?apikey={KEY}&vsn=9", 400)],
    )
    async def test_who_may_not_come_in_is_told_why(self, hub, query, status):
        with pytest.raises(InvalidStatus) as caught:
            await connect(f"{hub.url}/websocket{query}").__aenter__()
        assert caught.value.response.status_code == status
        assert json.loads(caught.value.response.body)["error"]

    async def test_the_key_in_a_header(self, hub):
        async with connect(
            f"{hub.url}/websocket", additional_headers={"x-api-key": KEY}, ping_interval=None
        ) as ws:
            assert await Raw(ws).ws.ping()

    async def test_no_more_than_its_limit(self):
        async with Hub(key=KEY, limits=Limits(sockets=1)) as hub:
            async with raw(hub, "ada"):
                with pytest.raises(InvalidStatus) as caught:
                    await connect(f"{hub.url}/websocket?apikey={KEY}").__aenter__()
                assert caught.value.response.status_code == 429
            async with raw(hub, "ada"):
                pass

    @pytest.mark.parametrize(
        ("request_line", "status"),
        [
            (f"GET /socket/websocket?apikey={KEY} HTTP/1.1", 426),  # not a WebSocket's
            (f"GET /socket/websocket?apikey={KEY} HTTP/1.0", 505),
            (f"POST /socket/websocket?apikey={KEY} HTTP/1.1", 405),
            (f"{KEY}", 400),
        ],
    )
    async def test_the_key_is_not_logged_with_a_bad_request(
        self, hub, caplog, request_line, status
    ):
        caplog.set_level(logging.DEBUG)
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        writer.write(f"{request_line}\r\nHost: 127.0.0.1\r\n\r\n".encode())
        answer = await reader.read()
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        writer.close()
        await writer.wait_closed()
        assert KEY not in caplog.text + answer.decode()

    async def test_the_key_is_not_logged_with_a_good_one(self, hub, caplog):
        caplog.set_level(logging.DEBUG, logger="jamlab.signaling.hub.server")
        caplog.set_level(logging.DEBUG, logger="websockets.server")
        caplog.set_level(logging.INFO, logger="websockets.client")
        async with raw(hub, "ada") as ada:
            payload = {"config": {}, "access_token": KEY}
            assert await ada.ask("phx_join", payload) == "ok"
            await ada.ws.send(KEY)
            assert "JSON" in (await ada.hears("phx_reply"))["response"]["reason"]
        assert "connection open" in caplog.text
        assert KEY not in caplog.text


class TestOthers:
    """Whatever becomes of one client, the others go on."""

    @pytest.mark.parametrize("garbage", [b"\xff\x00", "nonsense", "[]", "[" * 100_000])
    async def test_garbage_is_refused_and_costs_nobody_the_socket(self, hub, garbage):
        async with raw(hub, "ada") as ada, raw(hub, "eve") as eve:
            await eve.ws.send(garbage)
            assert (await eve.hears("phx_reply"))["status"] == "error"
            assert await eve.ask("broadcast", {"event": "hi", "payload": {}}) == "ok"
            assert (await ada.hears("broadcast"))["event"] == "hi"
            assert hub.counters.malformed == 1

    async def test_a_message_beyond_all_measure_costs_the_socket_it_came_from(self):
        async with (
            Hub(key=KEY, limits=Limits(message_bytes=1000)) as hub,
            raw(hub, "ada") as ada,
            raw(hub, "eve") as eve,
        ):
            broadcast = {"event": "e", "payload": "x" * 1500}
            assert await eve.ask("broadcast", broadcast) == "error"
            await eve.ws.send("x" * 2001)
            await eve.ws.wait_closed()
            assert eve.ws.close_code == 1009
            assert await ada.ask("heartbeat", {}, "phoenix") == "ok"

    @pytest.mark.slow
    async def test_a_message_of_frames_without_end_costs_the_socket_it_came_from(self, hub):
        async def frames():
            while True:
                yield ""

        async with raw(hub, "ada") as ada, raw(hub, "eve") as eve:
            with pytest.raises(ConnectionClosed):
                await eve.ws.send(frames())
            assert eve.ws.close_code == 1008
            assert await ada.ask("heartbeat", {}, "phoenix") == "ok"

    async def test_a_message_in_several_frames_is_one(self, hub):
        async with raw(hub, "ada") as ada, raw(hub, "ben") as ben:
            text = json.dumps(
                [None, "9", TOPIC, "broadcast", {"event": "hi", "payload": "\U0001f3b8"}]
            )
            await ada.ws.send(iter(text))
            assert (await ben.hears("broadcast"))["payload"] == "\U0001f3b8"

    async def test_a_lost_socket_is_a_leave(self, hub):
        async with raw(hub, "ada") as ada, raw(hub, "ben") as ben:
            await ben.ask("presence", {"event": "track", "payload": {}})
            ben.ws.transport.abort()
            while "ben" not in (await ada.hears("presence_diff"))["leaves"]:
                pass

    async def test_a_dead_client_is_missed_soon(self):
        async with (
            Hub(key=KEY, ping_interval_s=0.05, ping_timeout_s=0.05) as hub,
            raw(hub, "ada") as ada,
            raw(hub, "ben") as ben,
        ):
            await ben.ask("presence", {"event": "track", "payload": {}})
            ben.freeze()
            while "ben" not in (await ada.hears("presence_diff"))["leaves"]:
                pass

    async def test_who_reads_slowly_misses_what_is_too_much_of_one_and_stays(self):
        """However much somebody sends, the others hear each other, and nobody is dropped."""
        limits = Limits(unsent_bytes=100_000, sender_unsent_bytes=20_000, **GENEROUS)
        async with (
            Hub(key=KEY, limits=limits) as hub,
            raw(hub, "eve") as eve,
            raw(hub, "ada") as ada,
            raw(hub, "cleo") as cleo,
        ):
            cleo.freeze()
            flood = {"event": "e", "payload": "x" * 100_000}
            while hub.counters.withheld < 50:
                assert await eve.ask("broadcast", flood) == "ok"
            assert await ada.ask("broadcast", {"event": "word", "payload": "!"}) == "ok"
            cleo.ws.transport.resume_reading()
            while (heard := await cleo.hears("broadcast"))["event"] == "e":
                pass
            assert heard["payload"] == "!"
            assert await ada.ask("heartbeat", {}, "phoenix") == "ok"
            assert hub.counters.slow == 0

    async def test_who_reads_nothing_the_hub_says_is_dropped(self):
        generous = {"joins_per_s": 1e9, "joins_burst": 10**9, **GENEROUS}
        limits = Limits(unsent_bytes=100_000, presence_bytes=60_000, **generous)
        async with (
            Hub(key=KEY, limits=limits) as hub,
            raw(hub, "ada") as ada,
            raw(hub, "cleo") as cleo,
        ):
            assert await ada.ask("presence", {"event": "track", "payload": {"a": "x" * 50_000}})
            cleo.freeze()
            while not hub.counters.slow:
                # each join is answered by all presences
                await cleo.ws.send(json.dumps([None, "1", TOPIC, "phx_join", {}]))
                await asyncio.sleep(0)

    async def test_a_bearer_who_lives_keeps_the_name(self, hub):
        async with raw(hub, "ada") as ada, raw(hub) as other:
            listening = asyncio.create_task(ada.hears("broadcast"))  # it need not say anything
            assert await other.join("ada") == "error"
            listening.cancel()
            assert ada.ws.close_code is None

    async def test_a_dead_bearer_loses_it(self):
        async with (
            Hub(key=KEY, limits=Limits(challenge_s=0.05)) as hub,
            raw(hub, "ada") as ada,
            raw(hub) as other,
        ):
            ada.freeze()
            assert await other.join("ada") == "ok"
            assert hub.counters.evicted == 1

    async def test_an_error_of_the_hub_s_own_costs_one_socket(self, hub, monkeypatch, caplog):
        async with raw(hub, "ada") as ada, raw(hub, "ben") as ben:
            receive = Rooms.receive
            with monkeypatch.context() as patch:
                patch.setattr(Rooms, "receive", lambda *_: 1 / 0)
                await ben.ws.send("[]")
                await ben.ws.wait_closed()
            assert ben.ws.close_code == 1011
            assert "ZeroDivisionError" in caplog.text
            assert Rooms.receive is receive
            assert await ada.ask("heartbeat", {}, "phoenix") == "ok"


class PythonClient:
    """Supabase's Python client as it is, and what it heard."""

    def __init__(self, hub, name):
        self.client = AsyncRealtimeClient(hub.url, KEY, auto_reconnect=False)
        config = {
            "broadcast": {"ack": True, "self": False},
            "presence": {"key": name, "enabled": True},
            "private": False,
        }
        self.channel = self.client.channel("room", {"config": config})
        self.states, self.heard, self.joined, self.left = [], [], [], []
        self.channel.on_broadcast("*", self.heard.append)
        self.channel.on_presence_join(lambda key, *_: self.joined.append(key))
        self.channel.on_presence_leave(lambda key, *_: self.left.append(key))

    async def __aenter__(self):
        await self.client.connect()
        await self.channel.subscribe(lambda state, error: self.states.append((state, error)))
        return self

    async def __aexit__(self, *exc_info):
        await self.client.close()
        for push in self.channel.messages_waiting_for_ack.values():
            push.destroy()
        self.channel.rejoin_timer.reset()

    @property
    def present(self):
        state = self.channel.presence_state()
        return {key: [p["mood"] for p in presences] for key, presences in state.items()}


class TestPythonClient:
    async def test_a_conversation(self, hub):
        async with PythonClient(hub, "ada") as ada, PythonClient(hub, "ben") as ben:
            assert ada.states == ben.states == [(RealtimeSubscribeStates.SUBSCRIBED, None)]
            await ada.channel.track({"mood": "fine"})
            await ben.channel.track({"mood": "fine"})
            await ben.channel.track({"mood": "tired"})
            for client in (ada, ben):
                await until(lambda c=client: c.present == {"ada": ["fine"], "ben": ["tired"]})
            for number in range(3):
                await ada.channel.send_broadcast("hi", {"n": number, "text": "ü€\U0001f3b8"})
            await until(lambda: len(ben.heard) == 3)
            assert [message["payload"]["n"] for message in ben.heard] == [0, 1, 2]
            assert ben.heard[0]["payload"]["text"] == "ü€\U0001f3b8"
            assert ada.heard == []
            await until(lambda: not ada.channel.messages_waiting_for_ack)
            await ben.channel.unsubscribe()
            await until(lambda: ada.present == {"ada": ["fine"]})
            await until(lambda: ben.states[-1][0] is RealtimeSubscribeStates.CLOSED)
            assert "ben" in ada.left
            await ada.client.set_auth("another token")
            await ada.channel.untrack()
            await until(lambda: ada.present == {})
            for push in ada.channel.messages_waiting_for_ack.values():
                push.destroy()  # an access token has no reply, so its push waits for its timeout

    async def test_a_name_that_is_taken(self, hub):
        async with PythonClient(hub, "ada"), PythonClient(hub, "ada") as other:
            ((state, error),) = other.states
            assert state is RealtimeSubscribeStates.CHANNEL_ERROR
            assert "the name is taken" in str(error)

    async def test_it_comes_back_to_a_hub_that_was_away(self, nothing_left):
        async with Hub(key=KEY) as hub, PythonClient(hub, "ada") as ada:
            ada.client.auto_reconnect, ada.client.initial_backoff = True, 0.05
            await hub.close()
            await until(lambda: not ada.client.is_connected)
            async with Hub(port=hub.port, key=KEY), PythonClient(hub, "ben") as ben:
                await until(lambda: len([s for s, _ in ada.states if s == "SUBSCRIBED"]) == 2)
                await ben.channel.send_broadcast("hi", {})
                await until(lambda: len(ada.heard) == 1)
                ada.client.auto_reconnect = False
                await ada.client.close()


def skip_without_js():
    if shutil.which("node") is None:
        pytest.skip("no Node.js: apt-get install nodejs npm")
    if not (JS / "node_modules").is_dir():
        pytest.skip(
            "no Supabase client for JavaScript: npm install --no-package-lock --prefix "
            "tests/signaling/hub/realtime_js"
        )


class JsClient:
    """Supabase's JavaScript client as it is, in a process of its own."""

    def __init__(self, process):
        self.process = process
        self.heard = []

    async def hears(self, what):
        """Wait for the next line about something; what is said before is kept in `heard`."""
        async with asyncio.timeout(20):
            while line := await self.process.stdout.readline():
                self.heard.append(json.loads(line))
                if self.heard[-1][0] == what:
                    return self.heard[-1][1]
        raise AssertionError(f"no {what}, but {self.heard}")

    async def do(self, *command):
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        await self.process.stdin.drain()


@asynccontextmanager
async def js_client(hub, vsn):
    process = await asyncio.create_subprocess_exec(
        *("node", "client.mjs", hub.url, KEY, vsn),
        cwd=JS,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield JsClient(process)
        process.stdin.close()
        assert await asyncio.wait_for(process.wait(), 20) == 0
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def js_config(name):
    return {
        "broadcast": {"ack": True, "self": True},
        "presence": {"key": name, "enabled": True},
    }


@pytest.mark.parametrize("vsn", ["1.0.0", "2.0.0"])
class TestJavaScriptClient:
    async def test_a_conversation_with_the_python_client(self, hub, vsn):
        skip_without_js()
        async with js_client(hub, vsn) as js, PythonClient(hub, "ada") as ada:
            await ada.channel.track({"mood": "fine"})
            await js.do("join", "room", js_config("js"))
            await js.hears("SUBSCRIBED")
            assert await js.hears("present") == ["ada"]
            await js.do("track", {"mood": "fine"})
            assert await js.hears("tracked") == "ok"
            await until(lambda: set(ada.present) == {"ada", "js"})

            text = {"text": "ü€\U0001f3b8"}
            await js.do("send", "hi", text)
            assert await js.hears("hi") == text
            assert await js.hears("sent") == "ok"
            await until(lambda: len(ada.heard) == 1)
            assert ada.heard[0]["payload"] == text
            await ada.channel.send_broadcast("hello", text)
            assert await js.hears("hello") == text

            await js.do("heartbeat")
            while await js.hears("heartbeat") != "ok":
                pass
            await js.do("untrack")
            assert await js.hears("untracked") == "ok"
            await until(lambda: set(ada.present) == {"ada"})
            await js.do("leave")
            assert await js.hears("unsubscribed") == "ok"

    async def test_it_speaks_for_itself_only(self, hub, vsn):
        skip_without_js()
        async with js_client(hub, vsn) as js:
            await js.do("join", "room", js_config("js"))
            await js.hears("SUBSCRIBED")
            for sender, result in (("js", "ok"), ("ada", "error")):
                await js.do("send", "webrtc-signal", {"senderPeerId": sender})
                assert await js.hears("sent") == result
            assert hub.counters.forged == 1

    async def test_a_name_that_is_taken(self, hub, vsn):
        skip_without_js()
        async with PythonClient(hub, "ada"), js_client(hub, vsn) as js:
            await js.do("join", "room", js_config("ada"))
            assert "the name is taken" in await js.hears("CHANNEL_ERROR")
            await js.do("leave")


async def test_bytes_reach_those_who_can_read_them(hub):
    skip_without_js()
    async with js_client(hub, "2.0.0") as js, PythonClient(hub, "ada") as ada:
        await js.do("join", "room", js_config("js"))
        await js.hears("SUBSCRIBED")
        await js.do("sendBytes", "raw", "abc")
        assert await js.hears("raw") == {"bytes": [97, 98, 99]}
        assert await js.hears("sent") == "ok"
        await js.do("send", "hi", {})
        await until(lambda: ada.heard)
        assert [message["event"] for message in ada.heard] == ["hi"]


class TestPages:
    """What a browser asks in the name of a page, sent word by word."""

    async def status(self, hub, **headers):
        """Return the status of the answer to a request as a browser makes it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        lines = [
            f"GET /socket/websocket?apikey={hub.key}&vsn=1.0.0 HTTP/1.1",
            *(f"{name}: {value}" for name, value in headers.items()),
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        answer = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return int(answer.split()[1])

    async def test_a_page_of_another_origin_does_not_come_in(self, hub):
        here = f"127.0.0.1:{hub.port}"
        assert await self.status(hub, Host=here) == 101
        assert await self.status(hub, Host=here, Origin="http://localhost:8888") == 101
        assert await self.status(hub, Host=here, Origin="https://evil.example") == 403
        assert await self.status(hub, Host=here, Origin="null") == 403

    async def test_a_name_that_was_rebound_does_not_come_in(self, hub):
        rebound = f"evil.example:{hub.port}"
        assert await self.status(hub, Host=rebound, Origin=f"http://{rebound}") == 403
        assert await self.status(hub, Host=rebound) == 403

    async def test_those_the_user_named_come_in(self, nothing_left):
        named = {"allow_origins": ["https://app.example"], "allow_hosts": ["proxy.example"]}
        async with Hub(**named) as hub:
            named = {"Host": "proxy.example", "Origin": "https://app.example"}
            assert await self.status(hub, **named) == 101
