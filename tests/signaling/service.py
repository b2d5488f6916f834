"""A small Realtime service for tests, which behaves like the hosted one where the hub does not.

Two sockets may have the same name, the presence of a lost socket stays for a configured time, and
it misbehaves on demand. It is written from the protocol (Phoenix channels, vsn 1.0.0),
independently of the hub, so that the client is tested against a second reading of the protocol.
"""

import asyncio
import json
from http import HTTPStatus
from itertools import count
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

KEY = "sb_test_key_77"


class Service:
    """``async with Service() as service: service.url``."""

    def __init__(self, port=0):
        self.port = port
        self.keeps_ghosts = False
        self.refuses_broadcasts = False
        self.joins_to_refuse = []
        self.mute_events = set()
        self.sockets = {}
        self.presence = {}
        self.requests = []
        self._refs = count(1)

    @property
    def url(self):
        return f"ws://127.0.0.1:{self.port}/realtime/v1"

    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, *exc_info):
        await self.stop()

    async def start(self):
        self._server = await serve(
            self._attend, "127.0.0.1", self.port, process_request=self._admit, close_timeout=0.2
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self):
        self._server.close()
        await self._server.wait_closed()
        self.presence.clear()

    def named(self, name):
        """Return the sockets under a name."""
        return [ws for ws, key in self.sockets.items() if key == name]

    def kill(self, name):
        """Cut somebody's connection without a word."""
        for ws in self.named(name):
            ws.transport.abort()

    def expire(self, name):
        """Miss somebody whose socket is lost."""
        gone = [ref for ref, (key, ws, _) in self.presence.items() if key == name and not ws]
        self._diff({}, {name: [self.presence.pop(ref)[2] for ref in gone]})

    def forget(self, name):
        """Lose the presence of somebody who is still connected."""
        gone = [ref for ref, (key, _, _) in self.presence.items() if key == name]
        self._diff({}, {name: [self.presence.pop(ref)[2] for ref in gone]})

    def haunt(self, name, instance, joined_at):
        """Show a presence that has no socket."""
        ref = f"ghost{next(self._refs)}"
        meta = {"phx_ref": ref, "instance": instance, "joined_at": joined_at}
        self.presence[ref] = (name, None, meta)
        self._diff({name: [meta]}, {})

    def tell(self, ws, event, payload, ref=None, topic="realtime:room"):
        message = {"topic": topic, "event": event, "payload": payload, "ref": ref}
        return asyncio.ensure_future(self._send(ws, json.dumps(message)))

    async def _send(self, ws, text):
        try:
            await ws.send(text)
        except ConnectionClosed:
            return

    def _admit(self, ws, request):
        if parse_qs(urlsplit(request.path).query).get("apikey") != [KEY]:
            return ws.respond(HTTPStatus.UNAUTHORIZED, json.dumps({"error": "wrong API key"}))
        return None

    async def _attend(self, ws):
        try:
            async for text in ws:
                message = json.loads(text)
                self.requests.append(message)
                if message["event"] not in self.mute_events:
                    self._handle(ws, message["event"], message["payload"], message["ref"])
        except ConnectionClosed:
            pass
        finally:
            self._drop(ws)

    def _handle(self, ws, event, payload, ref):
        match event:
            case "heartbeat":
                self.tell(ws, "phx_reply", {"status": "ok", "response": {}}, ref, "phoenix")
            case "phx_join" if self.joins_to_refuse:
                reason = {"reason": self.joins_to_refuse.pop(0)}
                self.tell(ws, "phx_reply", {"status": "error", "response": reason}, ref)
            case "phx_join":
                self.sockets[ws] = payload["config"]["presence"]["key"]
                response = {"postgres_changes": []}
                self.tell(ws, "phx_reply", {"status": "ok", "response": response}, ref)
                self.tell(ws, "presence_state", self._state())
            case "presence":
                self._track(ws, payload["payload"])
                self.tell(ws, "phx_reply", {"status": "ok", "response": {}}, ref)
            case "broadcast":
                self._broadcast(ws, payload, ref)
            case "phx_leave":
                self.tell(ws, "phx_reply", {"status": "ok", "response": {}}, ref)
                self.tell(ws, "phx_close", {}, ref)
                self._drop(ws, left=True)

    def _broadcast(self, ws, payload, ref):
        if self.refuses_broadcasts:
            reason = {"reason": "no"}
            self.tell(ws, "phx_reply", {"status": "error", "response": reason}, ref)
            return
        for other in self.sockets:
            if other is not ws:
                self.tell(other, "broadcast", payload)
        self.tell(ws, "phx_reply", {"status": "ok", "response": {}}, ref)

    def _state(self):
        state = {}
        for name, _, meta in self.presence.values():
            state.setdefault(name, {"metas": []})["metas"].append(meta)
        return state

    def _track(self, ws, payload):
        name = self.sockets[ws]
        old = {ref: meta for ref, (_, owner, meta) in self.presence.items() if owner is ws}
        for ref in old:
            del self.presence[ref]
        ref = f"F{next(self._refs)}"
        meta = {**payload, "phx_ref": ref}
        self.presence[ref] = (name, ws, meta)
        self._diff({name: [meta]}, {name: list(old.values())} if old else {})

    def _drop(self, ws, left=False):
        name = self.sockets.pop(ws, None)
        gone = {ref: meta for ref, (_, owner, meta) in self.presence.items() if owner is ws}
        for ref, meta in gone.items():
            if self.keeps_ghosts and not left:
                self.presence[ref] = (name, None, meta)
            else:
                del self.presence[ref]
        if gone and not (self.keeps_ghosts and not left):
            self._diff({}, {name: list(gone.values())})

    def _diff(self, joins, leaves):
        payload = {
            kind: {name: {"metas": metas} for name, metas in changes.items()}
            for kind, changes in (("joins", joins), ("leaves", leaves))
        }
        for ws in self.sockets:
            self.tell(ws, "presence_diff", payload)
