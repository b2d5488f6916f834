import pytest

from jamlab.signaling.hub.limits import Limits, RefusedError
from jamlab.signaling.hub.phoenix import Message, Version
from jamlab.signaling.hub.presence import Presences
from jamlab.signaling.hub.room import BURST_S, Member, Room, Share, Socket
from jamlab.signaling.hub.subscription import Subscription

LIMITS = Limits(socket_events_per_s=10, presence_calls=2)


def member(key="ada", join_ref="3", *, own=False, presence=True):
    socket = Socket.new(1, Version.V2, LIMITS, Share.new(LIMITS))
    asked = Subscription(key, has_presence=presence, wants_ack=False, wants_own=own)
    made = Member(socket, "realtime:r", key or "generated", join_ref, asked)
    socket.members[made.topic] = made
    return made


class TestSocket:
    @pytest.mark.parametrize(
        ("join_ref", "message_ref", "is_found"),
        [("3", "3", True), ("3", None, True), (None, "3", True), ("3", "1", False)],
    )
    def test_a_message_belongs_to_its_join(self, join_ref, message_ref, is_found):
        made = member(join_ref=join_ref)
        message = Message(made.topic, "broadcast", {}, None, message_ref)
        assert made.socket.member(message) is (made if is_found else None)

    def test_a_message_to_another_room_is_from_nobody(self):
        assert member().socket.member(Message("realtime:s", "broadcast", {})) is None

    def test_its_events_are_limited_before_its_messages(self):
        socket = member().socket
        for _ in range(int(BURST_S * 10)):
            assert socket.events.take(1, 0.0)
            assert socket.messages.take(1, 0.0)
        assert not socket.events.take(1, 0.0)
        assert socket.messages.take(1, 0.0)

    def test_its_presence_calls_are_counted(self):
        socket = member().socket
        socket.count_presence_call(0.0)
        socket.count_presence_call(29.9)
        with pytest.raises(RefusedError, match="at most 2 presence calls in 30 s"):
            socket.count_presence_call(29.9)
        socket.count_presence_call(30.0)


class TestSignals:
    # the last ones are this event to a client that folds case, in English or in Turkish
    @pytest.mark.parametrize("event", ["webrtc-signal", "WebRTC-Signal", "WEBRTC-SİGNAL"])
    @pytest.mark.parametrize(
        "content", [{"senderPeerId": "ben"}, {"senderPeerId": ["ada"]}, {}, None, [], b"ada"]
    )
    def test_nobody_speaks_for_another(self, event, content):
        with pytest.raises(RefusedError, match="the presence key of its sender"):
            member().check_signal(event, content)

    @pytest.mark.parametrize("event", ["webrtc-signal", "WEBRTC-SIGNAL"])
    def test_everybody_speaks_for_oneself(self, event):
        member().check_signal(event, {"senderPeerId": "ada"})

    def test_who_gave_no_name_speaks_for_nobody(self):
        nameless = member(key=None)
        for sender in (None, nameless.key):
            with pytest.raises(RefusedError):
                nameless.check_signal("webrtc-signal", {"senderPeerId": sender})

    @pytest.mark.parametrize("event", ["chat", "webrtc", "webrtc-signals", ""])
    def test_other_events_may_say_anything(self, event):
        member().check_signal(event, {"senderPeerId": "ben"})


class TestRoom:
    def test_who_hears_and_who_watches(self):
        ada, ben, cleo = member(), member("ben", own=True), member("cleo", presence=False)
        room = Room(Presences(str), {m.key: m for m in (ada, ben, cleo)})
        assert room.hearers(ada) == [ben.socket, cleo.socket]
        assert room.hearers(ben) == [ada.socket, ben.socket, cleo.socket]
        assert room.watchers() == [ada.socket, ben.socket]
