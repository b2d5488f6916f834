"""Clients of a hub's core without sockets: they write frames and record the ones they receive."""

import json
import random

from jamlab.signaling.hub.actions import Close, Ping, Send
from jamlab.signaling.hub.limits import Limits
from jamlab.signaling.hub.phoenix import Version
from jamlab.signaling.hub.rooms import Rooms

TOPIC = "realtime:room"


class Lobby:
    """The core and a clock."""

    def __init__(self, **limits):
        self.limits = Limits(**limits)
        self.rooms = Rooms(self.limits, random.Random(7))
        self.now_s = 1000.0
        self.clients = {}
        self.pinged = []

    def client(self, version=Version.V2, address="192.0.2.1"):
        number = self.rooms.connect(version, address, self.now_s)
        self.clients[number] = Client(self, number, version)
        return self.clients[number]

    def members(self, *keys, topic=TOPIC, **config):
        """Return clients who are in a room under these keys, and have heard nothing yet."""
        clients = [self.client().joined(key, topic=topic, **config) for key in keys]
        for client in clients:
            client.heard.clear()
        return clients

    def do(self, actions):
        for action in actions:
            match action:
                case Send(numbers, message):
                    for number in numbers:
                        self.clients[number].heard.append(message)
                case Close(number, code, reason):
                    self.clients[number].closed = (code, reason)
                case Ping(number):
                    self.pinged.append(self.clients[number])

    def pass_time(self, seconds):
        self.now_s += seconds
        self.do(self.rooms.advance(self.now_s))


class Client:
    """One socket."""

    def __init__(self, lobby, number, version):
        self.lobby, self.number, self.version = lobby, number, version
        self.heard = []
        self.closed = None
        self.last_ref = 0

    def receive(self, frame, frames=1):
        self.lobby.do(self.lobby.rooms.receive(self.number, frame, self.lobby.now_s, frames))

    def say(self, event, payload, topic=TOPIC, join_ref=None, ref=None):
        """Send a message; returns what was heard since."""
        before = len(self.heard)
        self.last_ref += 1
        ref = str(self.last_ref) if ref is None else ref
        if self.version is Version.V2:
            frame = [join_ref, ref, topic, event, payload]
        else:
            names = ("join_ref", "ref", "topic", "event", "payload")
            frame = dict(zip(names, (join_ref, ref, topic, event, payload), strict=True))
        self.receive(json.dumps(frame))
        return self.heard[before:]

    def ask(self, event, payload, topic=TOPIC, join_ref=None):
        """Send a message; returns the status and the response of the reply to it."""
        replies = [
            message.payload
            for message in self.say(event, payload, topic, join_ref)
            if (message.event, message.ref) == ("phx_reply", str(self.last_ref))
        ]
        assert len(replies) == 1, replies
        return replies[0]["status"], replies[0]["response"]

    def join(self, key="", topic=TOPIC, *, presence=True, ack=True, own=False, secret=None):
        config = {
            "broadcast": {"ack": ack, "self": own},
            "presence": {"key": key, "enabled": presence, "secret": secret},
            "private": False,
            "postgres_changes": [],
        }
        heard = self.say("phx_join", {"config": config}, topic, str(self.last_ref + 1))
        return [message for message in heard if message.event == "phx_reply"]

    def joined(self, key="", **config):
        (reply,) = self.join(key, **config)
        assert reply.payload["status"] == "ok", reply.payload
        return self

    def leave(self, topic=TOPIC):
        return self.ask("phx_leave", {}, topic)

    def broadcast(self, event, content, topic=TOPIC):
        payload = {"type": "broadcast", "event": event, "payload": content}
        return self.ask("broadcast", payload, topic)

    def track(self, said, topic=TOPIC):
        return self.ask("presence", {"type": "presence", "event": "track", "payload": said}, topic)

    def untrack(self, topic=TOPIC):
        return self.ask("presence", {"type": "presence", "event": "untrack"}, topic)

    def answer_ping(self):
        self.lobby.do(self.lobby.rooms.answer(self.number))

    def disconnect(self, *, left=False):
        self.lobby.do(self.lobby.rooms.disconnect(self.number, self.lobby.now_s, left=left))

    def events(self, topic=TOPIC):
        """Return the events heard that nobody asked for, and their payloads."""
        return [(m.event, m.payload) for m in self.heard if m.ref is None and m.topic == topic]
