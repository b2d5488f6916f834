import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from jamlab.signaling.hub.phoenix import Version
from jamlab.signaling.names import digest
from tests.examples import examples

from .lobby import TOPIC, Lobby
from .test_phoenix import REAL, push

OK = ("ok", {})
SIGNAL = {"type": "offer", "senderPeerId": "ada", "targetPeerId": "ben", "data": {"sdp": "x"}}
TAKEN = "the name is taken: another participant in the room has it"


def sent(event, content):
    return ("broadcast", {"type": "broadcast", "event": event, "payload": content})


def metas(payload):
    return {key: value["metas"][0] for key, value in payload.items()}


@pytest.fixture
def lobby():
    return Lobby()


class TestJoining:
    @pytest.mark.parametrize("version", Version)
    def test_the_reply_comes_before_who_is_there(self, lobby, version):
        ada = lobby.client(version)
        ada.join("ada")
        reply, state = ada.heard
        assert (reply.topic, reply.event, reply.ref, reply.join_ref) == (
            TOPIC,
            "phx_reply",
            "1",
            "1",
        )
        assert reply.payload == {"status": "ok", "response": {"postgres_changes": []}}
        assert (state.event, state.payload, state.ref) == ("presence_state", {}, None)

    @pytest.mark.parametrize("payload", [None, {}, {"config": {"broadcast": {"ack": True}}}])
    def test_who_does_not_speak_of_presence_is_told_of_it(self, lobby, payload):
        (ben,) = lobby.members("ben")
        ben.track({})
        ada = lobby.client()
        ada.say("phx_join", payload)
        assert [m.event for m in ada.heard] == ["phx_reply", "presence_state"]
        assert list(ada.events()[0][1]) == ["ben"]

    def test_a_presence_key_that_is_a_number(self, lobby):
        (ben,) = lobby.members("ben")
        ada = lobby.client().joined(42)
        ada.track({"mood": "fine"})
        assert list(ben.events()[-1][1]["joins"]) == ["42"]
        for sender in "42", 42:
            signal = {**SIGNAL, "senderPeerId": sender}
            assert ada.broadcast("webrtc-signal", signal) == OK
        assert ada.broadcast("webrtc-signal", {**SIGNAL, "senderPeerId": 43})[0] == "error"

    def test_who_wants_no_presence_is_told_of_none(self, lobby):
        (ben,) = lobby.members("ben", presence=False)
        (ada,) = lobby.members("ada")
        ada.track({})
        ada.disconnect()
        assert ben.events() == []

    @pytest.mark.parametrize("topic", ["room", "phoenix", "realtime:", "realtime:" + "r" * 129])
    def test_there_are_no_other_topics(self, lobby, topic):
        status, response = lobby.client().ask("phx_join", {}, topic)
        assert status == "error"
        assert response["reason"]

    def test_what_cannot_be_given_is_refused_and_the_room_is_kept(self, lobby):
        (ada,) = lobby.members("ada")
        status, response = ada.ask("phx_join", {"config": {"private": True}})
        assert (status, response["reason"][:23]) == ("error", "a hub has no private ro")
        assert ada.broadcast("hi", {}) == OK

    def test_rooms_do_not_hear_each_other(self, lobby):
        ada, ben = lobby.members("ada", "ben")
        ben.joined("ben", topic="realtime:other")
        ada.broadcast("hi", {})
        assert ben.events() == [sent("hi", {})]
        assert ben.events("realtime:other")[1:] == []

    @pytest.mark.parametrize(("version", "closes"), [(Version.V2, ["1"]), (Version.V1, [])])
    def test_a_second_join_replaces_the_first(self, lobby, version, closes):
        (ben,) = lobby.members("ben")
        ada = lobby.client(version).joined("ada")
        ada.track({"n": 1})
        ada.heard.clear()
        ada.joined("ada", own=True)
        # Phoenix closes the first with its own join_ref; vsn 1 could not tell it from the second
        assert [m.join_ref for m in ada.heard if m.event == "phx_close"] == closes
        assert [event for event, _ in ben.events()] == ["presence_diff", "presence_diff"]
        assert metas(ben.events()[1][1]["leaves"])["ada"]["n"] == 1
        assert ada.broadcast("hi", {}) == OK
        assert sent("hi", {}) in ada.events()
        assert lobby.pinged == []

    def test_what_belongs_to_a_replaced_join_changes_nothing(self, lobby):
        ada, ben = lobby.members("ada", "ben")
        ada.joined("ada")
        assert ada.ask("phx_leave", {}, join_ref="1") == OK
        payload = {"event": "late", "payload": {}}
        assert ada.ask("broadcast", payload, join_ref="1") == (
            "error",
            {"reason": "unmatched topic"},
        )
        assert ada.broadcast("hi", {}) == OK
        assert ben.events() == [sent("hi", {})]


class TestLeaving:
    def test_a_reply_and_a_close(self, lobby):
        (ada,) = lobby.members("ada")
        ada.say("phx_leave", {})
        reply, close = ada.heard
        assert reply.payload == {"status": "ok", "response": {}}
        assert (close.event, close.payload, close.ref, close.join_ref) == (
            "phx_close",
            {},
            "1",
            "1",
        )

    def test_who_is_not_there_may_leave(self, lobby):
        # Phoenix.Socket answers phx_leave of an unknown topic with ok
        assert lobby.client().leave() == OK

    @pytest.mark.parametrize("way", ["leave", "disconnect"])
    def test_those_who_stay_are_told(self, lobby, way):
        ada, ben = lobby.members("ada", "ben")
        ada.track({"mood": "fine"})
        ben.heard.clear()
        getattr(ada, way)()
        ((event, payload),) = ben.events()
        assert (event, payload["joins"]) == ("presence_diff", {})
        assert metas(payload["leaves"])["ada"]["mood"] == "fine"
        ben.broadcast("hi", {})
        assert sent("hi", {}) not in ada.events()

    def test_a_socket_is_lost_once(self, lobby):
        (ada,) = lobby.members("ada")
        ada.disconnect()
        ada.disconnect()
        ada.receive("garbage")
        ada.answer_ping()
        assert (ada.heard, ada.closed) == ([], None)


class TestAsking:
    def test_a_heartbeat_is_answered(self, lobby):
        assert lobby.client().ask("heartbeat", {}, "phoenix") == OK

    def test_the_heartbeat_of_the_python_client_has_no_ref(self, lobby):
        ada = lobby.client(Version.V1)
        ada.receive('{"topic":"phoenix","event":"heartbeat","payload":{},"ref":null}')
        assert [(m.topic, m.ref, m.payload["status"]) for m in ada.heard] == [
            ("phoenix", None, "ok")
        ]

    def test_an_access_token_is_not_answered(self, lobby):
        (ada,) = lobby.members("ada")
        assert ada.say("access_token", {"access_token": "sb_secret"}) == []

    @pytest.mark.parametrize("version", Version)
    @pytest.mark.parametrize("ref", [7, 1.5, "7", True])
    def test_a_reply_has_the_ref_as_it_came(self, lobby, version, ref):
        ada = lobby.client(version)
        for event, topic in (("phx_join", TOPIC), ("presence", TOPIC), ("heartbeat", "phoenix")):
            ada.say(event, {"event": "track"}, topic, join_ref=ref, ref=ref)
            (reply,) = (m for m in ada.heard if m.event == "phx_reply")
            assert (reply.ref, reply.payload["status"]) == (ref, "ok")
            ada.heard.clear()

    @pytest.mark.parametrize("frame", ['["1","2","realtime:room","presence",[]]', "nonsense"])
    def test_what_is_no_message_is_refused_and_the_socket_kept(self, lobby, frame):
        (ada,) = lobby.members("ada")
        ada.receive(frame)
        (reply,) = ada.heard
        assert (reply.event, reply.payload["status"]) == ("phx_reply", "error")
        assert ada.closed is None
        assert lobby.rooms.counters.malformed == 1
        assert ada.broadcast("hi", {}) == OK

    def test_who_never_sends_a_message_is_cut_off_like_a_flood(self):
        lobby = Lobby(socket_events_per_s=10)
        eve = lobby.client()
        for _ in range(81):
            eve.receive("nonsense")
        assert eve.closed == (1008, "too many messages per second")

    @pytest.mark.parametrize("event", ["phx_reply", "presence_state", "shout", ""])
    def test_unknown_events_are_refused(self, lobby, event):
        (ada,) = lobby.members("ada")
        assert ada.ask(event, {}) == ("error", {"reason": "unknown event"})

    @pytest.mark.parametrize("event", ["broadcast", "presence", "access_token", "shout"])
    def test_nobody_speaks_in_a_room_without_being_there(self, lobby, event):
        assert lobby.client().ask(event, {}) == ("error", {"reason": "unmatched topic"})


class TestBroadcasts:
    def test_all_others_hear_them_in_order(self, lobby):
        ada, ben, cleo = lobby.members("ada", "ben", "cleo")
        for number in range(3):
            assert ada.broadcast("n", {"n": number}) == OK
        heard = [sent("n", {"n": number}) for number in range(3)]
        assert (ada.events(), ben.events(), cleo.events()) == ([], heard, heard)

    @pytest.mark.parametrize("own", [True, False])
    @pytest.mark.parametrize("ack", [True, False])
    def test_the_sender_hears_what_it_asked_for(self, lobby, own, ack):
        (ada,) = lobby.members("ada", own=own, ack=ack)
        heard = ada.say("broadcast", {"type": "broadcast", "event": "hi", "payload": {}})
        assert [m.event for m in heard] == ["broadcast"] * own + ["phx_reply"] * ack

    def test_nothing_but_the_broadcast_is_passed_on(self, lobby):
        ada, ben = lobby.members("ada", "ben")
        ada.say("broadcast", {"event": "hi", "payload": [1], "meta": {"replayed": 1}, "x": 1})
        assert ben.events() == [sent("hi", [1])]

    def test_in_binary(self, lobby):
        ada, ben = lobby.members("ada", "ben")
        for content, encoding in ((b'{"a":1}', 1), (b"\x00\xff", 0)):
            ada.receive(push(b"hi", content, encoding, topic=TOPIC.encode()))
        assert ben.events() == [sent("hi", {"a": 1}), sent("hi", b"\x00\xff")]
        assert [m.payload["status"] for m in ada.heard] == ["ok", "ok"]

    @pytest.mark.parametrize("event", [None, 1, ["hi"]])
    def test_their_event_is_a_string(self, lobby, event):
        ada, ben = lobby.members("ada", "ben")
        assert ada.broadcast(event, {})[0] == "error"
        assert ben.events() == []

    def test_a_signal_in_the_sender_s_own_name(self, lobby):
        ada, ben = lobby.members("ada", "ben")
        assert ada.broadcast("webrtc-signal", SIGNAL) == OK
        assert ben.events() == [sent("webrtc-signal", SIGNAL)]
        assert lobby.rooms.counters.forged == 0

    @pytest.mark.parametrize("key", ["ben", ""])
    def test_a_signal_in_another_s_name(self, lobby, key):
        (forger,), (cleo,) = lobby.members(key), lobby.members("cleo")
        assert forger.broadcast("webrtc-signal", SIGNAL)[0] == "error"
        assert cleo.events() == []
        assert lobby.rooms.counters.forged == 1


class TestPresence:
    def test_everybody_sees_who_says_something(self, lobby):
        ada, ben = lobby.members("ada", "ben")
        assert ada.track({"mood": "fine"}) == OK
        assert ada.events() == ben.events()
        ((event, payload),) = ben.events()
        assert (event, payload["leaves"]) == ("presence_diff", {})
        cleo = lobby.client().joined("cleo")
        assert cleo.events() == [("presence_state", payload["joins"])]

    def test_until_it_is_taken_back(self, lobby):
        ada, ben = lobby.members("ada", "ben")
        ada.track({})
        ben.heard.clear()
        assert ada.untrack() == ada.untrack() == OK
        ((_, payload),) = ben.events()
        assert list(payload["leaves"]) == ["ada"]
        assert lobby.client().joined().events() == [("presence_state", {})]

    def test_whoever_says_something_is_told_of_the_others_from_then_on(self, lobby):
        (ben,) = lobby.members("ben")
        (ada,) = lobby.members("ada", presence=False)
        ben.track({})
        ada.track({})
        assert [event for event, _ in ada.events()] == ["presence_state", "presence_diff"]
        assert list(ada.events()[0][1]) == ["ben"]

    def test_those_without_a_key_get_one_each(self, lobby):
        one, two = lobby.members("", "")
        one.track({})
        two.track({})
        ((_, state),) = lobby.client().joined().events()
        assert len(state) == 2

    def test_refs_are_never_the_same_again(self, lobby):
        (ada,) = lobby.members("ada")
        for number in range(5):
            ada.track({"n": number})
        joins = [metas(payload["joins"])["ada"] for _, payload in ada.events()]
        assert len({meta["phx_ref"] for meta in joins}) == 5
        assert [m.get("phx_ref_prev") for m in joins[1:]] == [m["phx_ref"] for m in joins[:-1]]


class TestNames:
    def test_a_bearer_who_answers_keeps_the_name(self, lobby):
        (ada,) = lobby.members("ada")
        other = lobby.client()
        assert other.join("ada") == []
        assert lobby.pinged == [ada]
        lobby.pass_time(1.9)
        ada.answer_ping()
        (reply,) = other.heard
        assert reply.payload == {"status": "error", "response": {"reason": TAKEN}}
        assert reply.ref == "1"
        lobby.pass_time(10)
        assert ada.closed is other.closed is None
        assert ada.broadcast("hi", {}) == OK
        assert other.broadcast("hi", {})[0] == "error"

    def test_a_bearer_who_does_not_loses_it(self, lobby):
        ada, ben = lobby.members("ada", "ben")
        ada.track({"n": 1})
        other = lobby.client()
        other.join("ada")
        assert lobby.rooms.next_at_s() == lobby.now_s + 2.0
        lobby.pass_time(1.99)
        assert other.heard == []
        lobby.pass_time(0.01)
        assert ada.closed[0] == 1008
        assert [m.event for m in other.heard] == ["phx_reply", "presence_state"]
        assert list(ben.events()[-1][1]["leaves"]) == ["ada"]
        assert other.broadcast("webrtc-signal", SIGNAL) == OK
        assert lobby.rooms.counters.evicted == 1

    @pytest.mark.parametrize("way", ["leave", "disconnect"])
    def test_a_name_given_up_meanwhile_goes_to_who_waits(self, lobby, way):
        (ada,) = lobby.members("ada")
        other = lobby.client()
        other.join("ada")
        getattr(ada, way)()
        assert other.heard[0].payload["status"] == "ok"
        lobby.pass_time(10)
        assert ada.closed is None

    def test_of_two_who_wait_the_second_is_held_against_the_first(self, lobby):
        (ada,) = lobby.members("ada")
        first, second = lobby.client(), lobby.client()
        first.join("ada")
        second.join("ada")
        assert lobby.pinged == [ada]
        lobby.pass_time(2)
        assert first.heard[0].payload["status"] == "ok"
        assert lobby.pinged == [ada, first]
        first.answer_ping()
        assert second.heard[0].payload["response"] == {"reason": TAKEN}

    @pytest.mark.parametrize("way", ["leave", "disconnect"])
    def test_nobody_loses_the_name_to_who_has_gone(self, lobby, way):
        (ada,) = lobby.members("ada")
        other = lobby.client()
        other.join("ada")
        getattr(other, way)()
        lobby.pass_time(10)
        assert ada.closed is None

    def test_a_bearer_may_join_again_while_somebody_waits(self, lobby):
        (ada,) = lobby.members("ada")
        other = lobby.client()
        other.join("ada")
        ada.joined("ada")
        ada.answer_ping()
        assert other.heard[0].payload["response"] == {"reason": TAKEN}
        assert ada.broadcast("hi", {}) == OK

    def test_who_waits_may_ask_for_another_name(self, lobby):
        (ada,) = lobby.members("ada")
        other = lobby.client()
        other.join("ada")
        other.joined("ben")
        ada.disconnect()
        assert [m.payload["status"] for m in other.heard if m.event == "phx_reply"] == ["ok"]

    def test_who_holds_it_by_a_secret_is_not_even_asked(self, lobby):
        (ada,) = lobby.members("ada", secret="s3cret")
        for secret in None, "other", digest("s3cret"):
            (reply,) = lobby.client().join("ada", secret=secret)
            assert reply.payload == {"status": "error", "response": {"reason": TAKEN}}
        lobby.pass_time(10)
        assert (lobby.pinged, ada.closed) == ([], None)

    def test_who_has_the_secret_comes_again_at_once(self, lobby):
        ada, ben = lobby.members("ada", "ben", secret="s3cret")
        again = lobby.client().joined("ada", secret="s3cret")
        assert ada.closed == (1008, "the owner of its name joined again")
        assert again.broadcast("webrtc-signal", SIGNAL) == OK
        assert ben.closed is None

    def test_a_name_that_was_lost_is_kept_for_who_has_the_secret(self, lobby):
        ada, _ben = lobby.members("ada", "ben", secret="s3cret")
        ada.disconnect()
        (reply,) = lobby.client().join("ada")
        assert reply.payload == {"status": "error", "response": {"reason": TAKEN}}
        lobby.client().joined("ada", secret="s3cret").disconnect()
        lobby.pass_time(lobby.limits.hold_s)
        lobby.client().joined("ada")

    def test_a_name_that_was_given_up_is_free(self, lobby):
        (ada,) = lobby.members("ada", secret="s3cret")
        ada.leave()
        (ada,) = lobby.members("ada", secret="another")
        ada.disconnect(left=True)
        lobby.client().joined("ada")

    def test_nobody_shows_another_s_instance(self, lobby):
        ada, eve = lobby.members("ada", secret="s3cret")[0], lobby.client().joined("eve")
        other = lobby.client().joined("other", secret="other")
        shown = {"instance": digest("s3cret"), "joined_at": 0}
        assert ada.track(shown) == OK
        for forger in eve, other:
            status, response = forger.track(shown)
            assert (status, "SHA-256" in response["reason"]) == ("error", True)
        assert other.track({"instance": digest("other")}) == OK
        assert eve.track({"mood": "fine"}) == OK

    @pytest.mark.parametrize("alike", ["ada ", " ada", "\u0430da", "a\u200dda", "ada\u00a0"])
    @pytest.mark.parametrize("secret", [None, "s3cret"])
    def test_nobody_comes_in_under_a_name_that_looks_like_another_s(self, lobby, alike, secret):
        (ada,) = lobby.members("ada", secret="s3cret")
        eve = lobby.client()
        (reply,) = eve.join(alike, secret=secret)
        assert reply.payload["status"] == "error"
        assert "the name is taken: it looks like" in reply.payload["response"]["reason"]
        assert (ada.closed, lobby.pinged) == (None, [])
        lobby.client().joined(alike, topic="realtime:other")
        ada.leave()
        eve.joined(alike)

    def test_nor_while_the_name_is_kept_for_its_owner(self, lobby):
        ada, _ben = lobby.members("ada", "ben", secret="s3cret")
        ada.disconnect()
        (reply,) = lobby.client().join("ada ")
        assert reply.payload == {"status": "error", "response": {"reason": TAKEN}}
        lobby.client().joined("ada", secret="s3cret")

    @pytest.mark.parametrize(
        "name", ["\u0645\u06cc\u200c\u062e", "\U0001f469\u200d\U0001f3a4", "J\u00a0P"]
    )
    def test_names_of_people(self, lobby, name):
        (ada,) = lobby.members(name, topic=f"realtime:{name}")
        assert ada.broadcast("hi", {}, f"realtime:{name}") == OK

    def test_a_name_is_one_room_s(self, lobby):
        lobby.members("ada")
        lobby.members("ada", topic="realtime:other")
        assert lobby.pinged == []


class TestJoins:
    """Everybody in a room offers a connection to each who comes, so who comes is counted."""

    LIMITED = ("error", {"reason": "ClientJoinRateLimitReached: Too many joins per second"})

    def status(self, lobby, name, address="192.0.2.1"):
        client = lobby.client(address=address)
        (reply,) = client.join(name)
        client.disconnect()
        return reply.payload["status"], reply.payload["response"]

    def test_a_room_full_at_once_and_then_the_rate_on_sockets_old_and_new(self):
        lobby = Lobby(joins_burst=3, joins_per_s=0.5)
        statuses = [self.status(lobby, f"eve {n}")[0] for n in range(5)]
        assert statuses == ["ok"] * 3 + ["error"] * 2
        assert self.status(lobby, "eve") == self.LIMITED
        lobby.pass_time(2.0)
        assert [self.status(lobby, "eve")[0] for _ in range(2)] == ["ok", "error"]

    def test_to_come_again_on_the_same_socket_counts(self):
        lobby = Lobby(joins_burst=3)
        eve = lobby.client()
        replies = [eve.join("eve")[0].payload["status"] for _ in range(4)]
        assert replies == ["ok"] * 3 + ["error"]

    def test_who_may_not_join_now_takes_nobody_s_place(self):
        lobby = Lobby(joins_burst=1, joins_per_s=0.5)
        ada = lobby.client().joined("ada", secret="s3cret")
        (reply,) = lobby.client().join("ada", secret="s3cret")
        assert reply.payload["status"] == "error"
        assert ada.closed is None
        lobby.pass_time(2.0)
        lobby.client().joined("ada", secret="s3cret")
        assert ada.closed == (1008, "the owner of its name joined again")

    def test_others_come_in_meanwhile(self):
        lobby = Lobby(joins_burst=3)
        assert [self.status(lobby, "eve")[0] for _ in range(4)][-1] == "error"
        assert self.status(lobby, "ada", "192.0.2.2")[0] == "ok"

    def test_a_socket_that_waits_gets_its_address_no_second_share(self):
        lobby = Lobby(joins_burst=3, joins_per_s=1.0)
        waiting = lobby.client()
        lobby.pass_time(100.0)
        lobby.client(address="192.0.2.2")
        statuses = [self.status(lobby, "eve")[0] for _ in range(3)]
        assert statuses == ["ok"] * 3
        (reply,) = waiting.join("mallory")
        assert reply.payload["status"] == "error"

    def test_nobody_is_remembered_for_long(self):
        lobby = Lobby()
        for number in range(50):
            self.status(lobby, "eve", f"192.0.2.{number}")
            lobby.pass_time(1.0)
        assert len(lobby.rooms._shares) <= 2


class TestLimits:
    def test_sockets(self):
        lobby = Lobby(sockets=2)
        first, _ = lobby.client(), lobby.client()
        assert lobby.rooms.is_full
        first.disconnect()
        assert not lobby.rooms.is_full

    def test_members_of_a_room(self):
        lobby = Lobby(members_per_room=2)
        ada, _ = lobby.members("ada", "ben")
        assert lobby.client().join()[0].payload["response"]["reason"].startswith("ConnectionRate")
        ada.leave()
        lobby.client().joined()

    def test_a_name_can_be_taken_over_in_a_full_room(self):
        lobby = Lobby(members_per_room=1)
        lobby.members("ada")
        other = lobby.client()
        other.join("ada")
        lobby.pass_time(2)
        assert other.heard[0].payload["status"] == "ok"

    def test_rooms(self):
        lobby = Lobby(rooms=1)
        (ada,) = lobby.members("ada")
        other = lobby.client()
        (reply,) = other.join(topic="realtime:other")
        assert reply.payload["response"] == {"reason": "ChannelRateLimitReached: Too many rooms"}
        ada.leave()
        other.joined(topic="realtime:other")

    def test_rooms_of_a_socket_with_those_it_waits_for(self):
        lobby = Lobby(rooms_per_socket=2)
        lobby.members("ada")
        other = lobby.client().joined(topic="realtime:other")
        assert other.join("ada") == []
        (reply,) = other.join(topic="realtime:third")
        assert reply.payload["response"]["reason"].startswith("ChannelRateLimitReached")
        other.joined(topic="realtime:other")  # again, which is no more

    def test_length_of_a_message(self):
        lobby = Lobby(message_bytes=1000)
        ada, ben = lobby.members("ada", "ben")
        status, response = ada.broadcast("hi", {"a": "é" * 500})  # escaped, so 6 bytes each
        assert (status, response) == ("error", {"reason": "a message has at most 1000 bytes"})
        ada.receive(
            json.dumps([None, "9", TOPIC, "broadcast", {"event": "é" * 450}], ensure_ascii=False)
        )
        assert [event for event, _ in ben.events()] == ["broadcast"]

    def test_length_of_what_a_member_says_about_itself(self):
        lobby = Lobby(presence_bytes=100)
        (ada,) = lobby.members("ada")
        assert ada.track({"a": "x" * 100})[0] == "error"
        assert ada.track({"a": "x" * 80}) == OK

    def test_presence_calls(self, lobby):
        (ada,) = lobby.members("ada")
        for number in range(5):
            assert ada.track({"n": number}) == OK
        status, response = ada.untrack()
        assert status == "error"
        assert response["reason"].startswith("ClientPresenceRateLimitReached: at most 5")
        lobby.pass_time(30)
        assert ada.untrack() == OK

    def test_events_of_a_socket_count_what_they_cause(self):
        # 10 a second and as many as two seconds' at once: of broadcasts in a room of 4, which are
        # 4 events each, 5 at once
        lobby = Lobby(socket_events_per_s=10)
        ada, ben, *_ = lobby.members("ada", "ben", "cleo", "dan")
        lobby.pass_time(10)
        assert [ada.broadcast("hi", {})[0] for _ in range(6)] == ["ok"] * 5 + ["error"]
        assert ada.ask("heartbeat", {}, "phoenix") == OK
        assert ben.broadcast("hi", {}) == OK
        lobby.pass_time(0.4)
        assert [ada.broadcast("hi", {})[0] for _ in range(2)] == ["ok", "error"]

    def test_events_of_all_together(self):
        lobby = Lobby(events_per_s=10, address_share=1)
        ada, ben = lobby.members("ada", "ben")
        lobby.pass_time(10)
        results = [ada.broadcast("hi", {})[0] for _ in range(5)]
        results += [ben.broadcast("hi", {})[0] for _ in range(6)]
        assert results == ["ok"] * 10 + ["error"]
        assert ben.leave() == OK

    def test_nobody_takes_all_from_one_address(self):
        lobby = Lobby(events_per_s=10, rooms=4, sockets=4)
        (ada,), (eve,) = lobby.members("ada"), lobby.members("eve", topic="realtime:eve")
        far = [lobby.client(address="192.0.2.2") for _ in range(2)]
        assert not lobby.rooms.has_space_for("192.0.2.1")
        far.pop().disconnect()
        assert not lobby.rooms.has_space_for("192.0.2.1")
        assert lobby.rooms.has_space_for("192.0.2.2")
        assert lobby.rooms.has_space_for("192.0.2.3")
        (reply,) = eve.join("eve", topic="realtime:third")
        assert "Too many rooms from one address" in reply.payload["response"]["reason"]
        lobby.pass_time(10)
        for _ in range(10):
            assert ada.broadcast("hi", {}) == OK
        assert eve.broadcast("hi", {}, "realtime:eve")[0] == "error"
        far[0].joined("ben", topic="realtime:ben")
        assert far[0].broadcast("hi", {}, "realtime:ben") == OK

    def test_a_new_socket_has_no_new_share_of_events(self):
        lobby = Lobby(events_per_s=10)
        (ada,) = lobby.members("ada")
        lobby.pass_time(10)
        while ada.broadcast("hi", {}) == OK:
            pass
        ada.disconnect()
        (reply,) = lobby.client().join("ada")
        assert reply.payload["response"]["reason"].startswith("too many events")

    def test_each_frame_of_a_message_counts(self):
        lobby = Lobby(socket_events_per_s=10)
        (ada,) = lobby.members("ada")
        lobby.pass_time(10)
        ada.receive('[null,"1","phoenix","heartbeat",{}]', frames=80)
        assert ada.closed is None
        ada.receive('[null,"1","phoenix","heartbeat",{}]')
        assert ada.closed == (1008, "too many messages per second")

    def test_a_flood_is_cut_off(self):
        lobby = Lobby(socket_events_per_s=10)
        ada, ben = lobby.members("ada", "ben")
        lobby.pass_time(10)
        for _ in range(80):  # four times as much as it may cause
            ada.ask("heartbeat", {}, "phoenix")
        ada.say("heartbeat", {}, "phoenix")
        assert ada.closed == (1008, "too many messages per second")
        assert ben.broadcast("hi", {}) == OK

    def test_what_is_long_is_a_flood_sooner(self):
        lobby = Lobby(socket_events_per_s=10)
        ada, ben = lobby.members("ada", "ben")
        lobby.pass_time(10)
        # 80 messages or 320 KiB at once, so of 70 KB each, which are 18 messages long, 4
        results = [ada.broadcast("hi", {"a": "x" * 70_000})[0] for _ in range(4)]
        assert results == ["ok"] * 4
        ada.say("broadcast", {"event": "hi", "payload": {"a": "x" * 70_000}})
        assert ada.closed == (1008, "too many messages per second")
        assert len(ben.events()) == 4


malformed = st.binary() | st.text()
event_names = st.sampled_from(
    ["phx_join", "phx_leave", "broadcast", "presence", "access_token", "heartbeat", "x"]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab\u20ac"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["config", "presence", "key", "event", "payload", "senderPeerId"]),
            inner | st.sampled_from(["track", "untrack", "webrtc-signal", "ben"]),
            max_size=3,
        )
    ),
    max_leaves=8,
)
well_formed = st.builds(
    lambda *fields: json.dumps(fields),
    st.none() | st.sampled_from("12"),
    st.none() | st.sampled_from("12"),
    st.sampled_from([TOPIC, "realtime:other", "phoenix", "x"]),
    event_names,
    st.dictionaries(st.sampled_from(["config", "event", "payload"]), json_values),
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from([0, 1]), malformed | well_formed), max_size=12))
def test_whatever_two_send_the_others_do_not_suffer(frames):
    lobby = Lobby()
    ada, ben = lobby.members("ada", "ben")
    others = [lobby.client().joined("eve"), lobby.client()]
    for which, frame in frames:
        others[which].receive(frame)
        lobby.pass_time(0.3)
    for other in others:
        other.disconnect()
    ada.heard.clear()
    assert ada.closed is ben.closed is None
    assert ben.broadcast("webrtc-signal", {"senderPeerId": "ben"}) == OK
    assert ada.events() == [sent("webrtc-signal", {"senderPeerId": "ben"})]
    # one in their names there never was
    signals = [
        p
        for m in ben.heard
        if m.event == "broadcast"
        for p in [m.payload]
        if p["event"] == "webrtc-signal"
    ]
    assert all(p["payload"]["senderPeerId"] not in ("ada", "ben") for p in signals)


@given(st.sampled_from([frame for frame, version in REAL if version is Version.V2]), st.data())
def test_a_mutated_message_closes_at_most_its_own_socket(frame, data):
    position = data.draw(st.integers(0, len(frame) - 1))
    inserted = (
        data.draw(st.binary(max_size=3))
        if isinstance(frame, bytes)
        else data.draw(st.text(max_size=3))
    )
    lobby = Lobby()
    ada, ben = lobby.members("ada", "ben", topic="realtime:r")
    eve = lobby.client()
    eve.receive(frame[:position] + inserted + frame[position + 1 :])
    assert ada.closed is ben.closed is None
    assert ada.broadcast("hi", {}, "realtime:r") == OK


class RoomModel(RuleBasedStateMachine):
    """Who is there and what they say, against two dictionaries."""

    sockets = Bundle("sockets")
    keys = st.sampled_from(["ada", "ben", "cleo"])

    def __init__(self):
        super().__init__()
        self.lobby = Lobby(
            socket_events_per_s=1e6,
            events_per_s=1e6,
            presence_calls=10**6,
            sockets=100,
            joins_burst=10**6,
        )
        self.bearers = {}
        self.said = {}

    @rule(target=sockets)
    def connect(self):
        return self.lobby.client()

    @rule(client=sockets, key=keys)
    def join(self, client, key):
        if client.closed:
            return
        self.gone(client)
        bearer = self.bearers.get(key)
        if bearer is not None:
            assert client.join(key) == []
            bearer.answer_ping()
            assert client.heard[-1].payload["response"] == {"reason": TAKEN}
            return
        client.joined(key)
        self.bearers[key] = client

    @rule(client=sockets, key=keys)
    def take_over(self, client, key):
        """Join under a name whose bearer is dead, if there is a bearer."""
        if client.closed:
            return
        self.gone(client)
        bearer = self.bearers.get(key)
        client.join(key)
        if bearer is not None:
            self.lobby.pass_time(2)
            assert bearer.closed
            self.gone(bearer)
        self.bearers[key] = client

    @rule(client=sockets, word=st.dictionaries(st.sampled_from("xy"), st.integers(0, 1)))
    def track(self, client, word):
        key = self.key_of(client)
        if client.closed is None:
            assert client.track(word)[0] == ("ok" if key else "error")
        if key:
            self.said[key] = word

    @rule(client=sockets)
    def untrack(self, client):
        if self.key_of(client):
            assert client.untrack() == OK
            self.said.pop(self.key_of(client), None)

    @rule(client=sockets)
    def leave(self, client):
        if client.closed is None:
            assert client.leave() == OK
        self.gone(client)

    @rule(client=consumes(sockets))
    def disconnect(self, client):
        client.disconnect()
        self.gone(client)

    @rule(client=sockets)
    def speak(self, client):
        key = self.key_of(client)
        if key is None:
            return
        for other in self.bearers.values():
            other.heard.clear()
        content = {"senderPeerId": key}
        assert client.broadcast("webrtc-signal", content) == OK
        for other in self.bearers.values():
            heard = [] if other is client else [sent("webrtc-signal", content)]
            assert other.events() == heard

    @invariant()
    def what_a_newcomer_sees(self):
        watcher = self.lobby.client().joined()
        state = dict(watcher.events())["presence_state"]
        watcher.disconnect()
        seen = {
            key: {name: meta[name] for name in meta if not name.startswith("phx_")}
            for key, meta in metas(state).items()
        }
        assert seen == self.said
        assert not self.lobby.rooms.is_full

    def key_of(self, client):
        return next((key for key, bearer in self.bearers.items() if bearer is client), None)

    def gone(self, client):
        key = self.key_of(client)
        if key:
            del self.bearers[key]
            self.said.pop(key, None)


RoomModel.TestCase.settings = examples(40, stateful_step_count=25)
TestRoomModel = RoomModel.TestCase
