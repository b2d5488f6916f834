"""Core of a hub, without I/O: rooms, memberships, and the routing of messages.

Frames go in with the time, and actions come out: messages to send, sockets to close, sockets to
ping. It never waits: `advance`, to be called at `next_at_s`, does what has a deadline. A request
that is refused, or a frame that is not a message, gets Phoenix's error reply and changes nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from websockets.frames import CloseCode

from jamlab.pace import TokenBucket
from jamlab.signaling.hub.actions import Action, Close, HubCounters, Ping, Send
from jamlab.signaling.hub.backlog import OWN
from jamlab.signaling.hub.challenge import Applicant, Challenges
from jamlab.signaling.hub.limits import Limits, RefusedError
from jamlab.signaling.hub.phoenix import (
    MalformedFrameError,
    Message,
    Version,
    broadcast,
    decode,
    reply,
)
from jamlab.signaling.hub.presence import Diff, Presences, read_presence
from jamlab.signaling.hub.room import BURST_S, PAGE_BYTES, Member, Room, Share, Socket
from jamlab.signaling.hub.subscription import Subscription, check_topic
from jamlab.signaling.looks import look
from jamlab.signaling.names import HeldNames, is_same

TAKEN = "the name is taken: another participant in the room has it"
"""Reason for the refusal of a name; clients look for "taken"."""


class Rooms:
    """All rooms of a hub, and the sockets in them.

    `randomness` is the source of presence keys for joins without one, and of a prefix that
    distinguishes this hub's `phx_ref` values from those before a restart, which clients remember.
    """

    def __init__(self, limits: Limits, randomness: Random) -> None:
        self.limits = limits
        self.counters = HubCounters()
        self._random = randomness
        self._ref_prefix = f"{randomness.getrandbits(48):012x}-"
        self._last_ref = 0
        self._last_socket = 0
        self._sockets: dict[int, Socket] = {}
        self._rooms: dict[str, Room] = {}
        self._shares: dict[str, Share] = {}
        self._challenges = Challenges(limits.challenge_s)
        self._held = HeldNames(limits.hold_s)
        self._events = TokenBucket(limits.events_per_s, BURST_S * limits.events_per_s)
        self._actions: list[Action] = []

    # Events

    @property
    def is_full(self) -> bool:
        """Whether the number of sockets has reached its limit."""
        return len(self._sockets) >= self.limits.sockets

    def has_space_for(self, address: str) -> bool:
        """Return whether one more socket from an address may be added."""
        share = self._shares.get(address)
        taken = sum(socket.share is share for socket in self._sockets.values())
        return not self.is_full and taken < self.limits.of_address(self.limits.sockets)

    def connect(self, version: Version, address: str, now_s: float) -> int:
        """Add a socket from an address; return its number."""
        self._last_socket += 1
        self._sockets[self._last_socket] = Socket.new(
            self._last_socket, version, self.limits, self._share_of(address, now_s)
        )
        return self._last_socket

    def receive(
        self, number: int, frame: str | bytes, now_s: float, frames: int = 1
    ) -> list[Action]:
        """Take a message, not validated, that came in some frames; return the actions it causes."""
        socket = self._sockets.get(number)
        if socket is None:
            return []  # the frame was under way when its socket was closed
        if not socket.messages.take(frames + len(frame) // PAGE_BYTES, now_s):
            self.counters.floods += 1
            self._close(socket, CloseCode.POLICY_VIOLATION, "too many messages per second", now_s)
            return self._done()
        try:
            message = decode(frame, socket.version)
        except MalformedFrameError as error:
            self.counters.malformed += 1
            self._refuse(socket, error.to, str(error))
        else:
            length = len(frame if isinstance(frame, bytes) else frame.encode())
            handle = partial(self._handle, socket, message, length, now_s)
            self._try(socket, message, handle)
        return self._done()

    def disconnect(self, number: int, now_s: float, *, left: bool) -> list[Action]:
        """Remove a socket that is lost, or that its client closed to leave (`left`)."""
        if number in self._sockets:
            self._forget(self._sockets[number], now_s, keeps_names=not left)
        return self._done()

    def answer(self, number: int) -> list[Action]:
        """Note a socket's pong, and refuse the applicants for its names."""
        if number in self._sockets:
            for applicant in self._challenges.answer(self._sockets[number]):
                self._refuse(applicant.socket, applicant.join, TAKEN)
        return self._done()

    def advance(self, now_s: float) -> list[Action]:
        """Do what is due: close the sockets that did not answer a ping in time."""
        while (socket := self._challenges.overdue(now_s)) is not None:
            self.counters.evicted += 1
            reason = "no answer to a ping while another client asked for the name"
            self._close(socket, CloseCode.POLICY_VIOLATION, reason, now_s)
        return self._done()

    def next_at_s(self) -> float:
        """Return when `advance` is due; infinity when it is not."""
        return self._challenges.next_at_s()

    # Messages

    def _handle(self, socket: Socket, message: Message, length: int, now_s: float) -> None:
        if (message.topic, message.event) == ("phoenix", "heartbeat"):
            self._reply(socket, message)
        elif message.event == "phx_leave":
            self._leave(socket, message, now_s)
        elif length > self.limits.message_bytes:
            raise RefusedError(f"a message has at most {self.limits.message_bytes} bytes")
        elif message.event == "phx_join":
            self._join(socket, message, now_s)
        else:
            self._handle_members(socket.member(message), message, now_s)

    def _handle_members(self, member: Member | None, message: Message, now_s: float) -> None:
        if member is None:
            raise RefusedError("unmatched topic")
        match message.event:
            case "broadcast":
                self._broadcast(member, message, now_s)
            case "presence":
                self._update_presence(member, message, now_s)
            case "access_token":
                return  # the key was checked when the socket opened; the protocol has no reply
            case _:
                raise RefusedError("unknown event")

    def _join(self, socket: Socket, message: Message, now_s: float) -> None:
        topic = message.topic
        check_topic(topic, self.limits)
        asked = Subscription.from_payload(message.payload, self.limits)
        message = replace(message, payload={})  # an applicant's is kept while it waits
        key = asked.key or f"{self._random.getrandbits(128):032x}"
        room = self._rooms.get(topic)
        self._spend(socket, 1 + (len(room.members) if room else 0), now_s)
        self._challenges.withdraw(socket, topic)
        former = socket.members.get(topic)
        if former is not None:
            self._remove(former)
            if socket.version is Version.V2:  # a client with vsn 1 would close the new one
                self._send_close(former)
        try:
            self._admit(Applicant(socket, message, asked, key), now_s)
        finally:
            self._admit_applicants(socket, now_s)

    def _leave(self, socket: Socket, message: Message, now_s: float) -> None:
        self._reply(socket, message)
        member = socket.member(message)
        if member is not None:
            self._remove(member)
            self._send_close(member)
            self._admit_applicants(socket, now_s)
        elif message.topic not in socket.members:
            self._challenges.withdraw(socket, message.topic)

    def _broadcast(self, member: Member, message: Message, now_s: float) -> None:
        event, content = message.payload.get("event"), message.payload.get("payload", {})
        if not isinstance(event, str):
            raise RefusedError("the event of a broadcast must be a string")
        try:
            member.check_signal(event, content)
        except RefusedError:
            self.counters.forged += 1
            raise
        hearers = self._rooms[member.topic].hearers(member)
        self._spend(member.socket, 1 + len(hearers), now_s)
        self.counters.broadcasts += 1
        self._send(hearers, broadcast(member.topic, event, content), member.socket.number)
        if member.asked.wants_ack:
            self._reply(member.socket, message)

    def _update_presence(self, member: Member, message: Message, now_s: float) -> None:
        room = self._rooms[member.topic]
        member.socket.count_presence_call(now_s)
        said = read_presence(message.payload, self.limits.presence_bytes)
        member.check_instance(said)
        self._spend(member.socket, 1 + len(room.members), now_s)
        if said is None:
            diff = room.presences.untrack(member.key)
        else:
            if not member.has_presence:
                member.has_presence = True
                self._send_state(member)
            diff = room.presences.track(member.key, said)
        self._reply(member.socket, message)
        self._send_diff(member.topic, diff)

    # Rooms and names

    def _admit(self, applicant: Applicant, now_s: float) -> None:
        """Admit an applicant, or let it wait for its name."""
        socket, join = applicant.socket, applicant.join
        room = self._rooms.get(join.topic)
        bearer = self._bearer(join.topic, applicant.key)
        self._check_capacity(socket, room, is_more=bearer is None)
        if room is not None:
            room.check_look(applicant.key)
        if bearer is None:
            socket.count_join(now_s)
        elif not self._gives_way(bearer, applicant, now_s):
            return
        name = join.topic, look(applicant.key)
        if not self._held.allows(name, applicant.asked.secret, now_s):
            raise RefusedError(TAKEN)
        self._held.release(name)
        room = self._rooms.get(join.topic)
        if room is None:
            room = self._rooms[join.topic] = Room(Presences(self._new_ref), opener=socket.share)
        member = Member(socket, join.topic, applicant.key, join.join_ref, applicant.asked)
        room.members[member.key] = socket.members[member.topic] = member
        self.counters.joins += 1
        self._reply(socket, join, {"postgres_changes": []})
        if member.has_presence:
            self._send_state(member)

    def _bearer(self, topic: str, key: str) -> Member | None:
        room = self._rooms.get(topic)
        return room.members.get(key) if room else None

    def _gives_way(self, bearer: Member, applicant: Applicant, now_s: float) -> bool:
        """Return whether the holder of a name is replaced by the applicant, its owner returning.

        Raises `RefusedError` if the holder owns the name by a secret that the applicant lacks.
        """
        if bearer.asked.shown is None:
            if self._challenges.add(bearer.socket, applicant, now_s):
                self._actions.append(Ping(bearer.socket.number))
            return False
        if not is_same(applicant.asked.secret, bearer.asked.shown):
            raise RefusedError(TAKEN)
        applicant.socket.count_join(now_s)  # first, so that a refused join replaces no member
        self.counters.evicted += 1
        reason = "the owner of its name joined again"
        self._close(bearer.socket, CloseCode.POLICY_VIOLATION, reason, now_s)
        return True

    def _check_capacity(self, socket: Socket, room: Room | None, *, is_more: bool) -> None:
        limits = self.limits
        if len(socket.members) + self._challenges.waiting(socket) >= limits.rooms_per_socket:
            raise RefusedError("ChannelRateLimitReached: Too many channels")
        if room is None and len(self._rooms) >= limits.rooms:
            raise RefusedError("ChannelRateLimitReached: Too many rooms")
        opened = sum(each.opener is socket.share for each in self._rooms.values())
        if room is None and opened >= limits.of_address(limits.rooms):
            raise RefusedError("ChannelRateLimitReached: Too many rooms from one address")
        if room is not None and is_more and len(room.members) >= limits.members_per_room:
            raise RefusedError("ConnectionRateLimitReached: Too many connected users")

    def _admit_applicants(self, bearer: Socket, now_s: float) -> None:
        """Admit the applicants for names that this socket no longer has."""
        for applicant in self._challenges.release(bearer):
            admit = partial(self._admit, applicant, now_s)
            self._try(applicant.socket, applicant.join, admit)

    def _remove(self, member: Member) -> None:
        """Remove a member from its room, and send the others the change of presence."""
        room = self._rooms[member.topic]
        del room.members[member.key], member.socket.members[member.topic]
        self._send_diff(member.topic, room.presences.untrack(member.key))
        if not room.members:
            del self._rooms[member.topic]

    def _forget(self, socket: Socket, now_s: float, *, keeps_names: bool = True) -> None:
        del self._sockets[socket.number]
        self._challenges.withdraw(socket)
        for member in list(socket.members.values()):
            if keeps_names and member.asked.shown is not None:
                self._held.hold((member.topic, member.look), member.asked.shown, now_s)
            self._remove(member)
        self._admit_applicants(socket, now_s)

    def _close(self, socket: Socket, code: CloseCode, reason: str, now_s: float) -> None:
        self._actions.append(Close(socket.number, code, reason))
        self._forget(socket, now_s)

    def _spend(self, socket: Socket, events: int, now_s: float) -> None:
        limits = socket.events, socket.share.events, self._events
        if not all(limit.take(events, now_s) for limit in limits):
            raise RefusedError("too many events per second: try again later")

    def _share_of(self, address: str, now_s: float) -> Share:
        """Return the share of an address; drop those that are unused and full."""
        used = {socket.share for socket in self._sockets.values()}
        for at, share in [*self._shares.items()]:
            if share not in used and share.is_full(now_s):
                del self._shares[at]
        return self._shares.setdefault(address, Share.new(self.limits))

    def _new_ref(self) -> str:
        self._last_ref += 1
        return f"{self._ref_prefix}{self._last_ref:x}"

    # Sending

    def _try(self, socket: Socket, message: Message, do: Callable[[], None]) -> None:
        try:
            do()
        except RefusedError as error:
            self._refuse(socket, message, str(error))

    def _refuse(self, socket: Socket, message: Message, reason: str) -> None:
        self.counters.refused += 1
        self._send([socket], reply(message, "error", {"reason": reason}))

    def _reply(
        self, socket: Socket, message: Message, response: Mapping[str, Any] | None = None
    ) -> None:
        self._send([socket], reply(message, "ok", response or {}))

    def _send_close(self, member: Member) -> None:
        ref = member.join_ref
        self._send([member.socket], Message(member.topic, "phx_close", {}, ref, ref))

    def _send_state(self, member: Member) -> None:
        state = self._rooms[member.topic].presences.state()
        self._send([member.socket], Message(member.topic, "presence_state", state))

    def _send_diff(self, topic: str, diff: Diff | None) -> None:
        if diff is not None:
            self._send(self._rooms[topic].watchers(), Message(topic, "presence_diff", diff))

    def _send(self, sockets: Iterable[Socket], message: Message, sender: int = OWN) -> None:
        numbers = tuple(socket.number for socket in sockets)
        if numbers:
            self._actions.append(Send(numbers, message, sender))

    def _done(self) -> list[Action]:
        actions, self._actions = self._actions, []
        return actions
