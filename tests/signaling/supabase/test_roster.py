import math
from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import given

from jamlab.signaling.messages import PeerJoined, PeerLeft, SignalingLost, SignalingRestored
from jamlab.signaling.supabase.roster import UNHEARD_S, Occupant, Roster, read_presence
from tests.examples import examples

GRACE_S = 20.0


def meta(instance, joined_at=0.0, **more):
    return {"presence_ref": "F" + instance, "instance": instance, "joined_at": joined_at, **more}


def state(*members):
    """A presence state of `name/instance`, the later ones come later; `!` says it leaves."""
    result = {}
    for number, member in enumerate(members):
        name, _, instance = member.rstrip("!").partition("/")
        leaving = {"leaving": True} if member.endswith("!") else {}
        result.setdefault(name, []).append(meta(instance or name, float(number), **leaving))
    return result


def member(*others):
    """A roster of `me`, who came to those."""
    roster = Roster("me", "me", grace_s=GRACE_S)
    assert roster.update(state(*others), 0.0) == []
    assert roster.update(state(*others, "me"), 0.0) == []
    assert roster.is_member
    return roster


# Coming and going


def test_a_newcomer_hears_of_nobody_it_saw_before():
    roster = member("ada", "ben")
    assert roster.peers == roster.present == {"ada", "ben"}


def test_it_hears_of_whom_it_did_not_see_before_it_was_in():
    roster = Roster("me", "me", grace_s=GRACE_S)
    roster.update(state("ada"), 0.0)
    assert roster.update(state("ada", "ben", "me"), 0.0) == [PeerJoined("ben")]


def test_it_hears_of_one_who_came_again_in_between():
    roster = Roster("me", "me", grace_s=GRACE_S)
    roster.update(state("ada/1"), 0.0)
    assert roster.update(state("ada/2", "me"), 0.0) == [PeerJoined("ada")]


def test_who_comes_later_is_told():
    roster = member("ada")
    assert roster.update(state("ada", "me", "ben"), 1.0) == [PeerJoined("ben")]
    assert roster.peers == {"ada", "ben"}


def test_who_says_so_has_left_at_once():
    roster = member("ada", "ben")
    assert roster.update(state("ada!", "ben", "me"), 1.0) == [PeerLeft("ada")]
    assert roster.update(state("ben", "me"), 1.1) == []
    assert roster.peers == {"ben"}
    assert roster.next_at_s() == math.inf


def test_who_vanishes_is_kept_for_the_grace():
    roster = member("ada", "ben")
    assert roster.update(state("ben", "me"), 1.0) == []
    assert roster.peers == {"ada", "ben"}
    assert roster.present == {"ben"}
    assert roster.next_at_s() == 1.0 + GRACE_S
    assert roster.advance(0.9 + GRACE_S) == []
    assert roster.advance(1.0 + GRACE_S) == [PeerLeft("ada")]
    assert roster.peers == {"ben"}


def test_who_vanishes_and_is_not_heard_any_more_has_left():
    """A browser's tab that was closed: socket and sound end at once, one of them first."""
    roster = member("ada", "ben")
    assert roster.note_heard("ada", True) == roster.note_heard("ben", True) == []
    assert roster.note_heard("ben", False) == []
    roster.update(state("me"), 1.0)  # ben was not heard, and ada is
    assert roster.next_at_s() == 1.0 + UNHEARD_S
    assert roster.advance(1.0 + UNHEARD_S) == [PeerLeft("ben")]
    assert roster.note_heard("ada", False) == [PeerLeft("ada")]
    assert roster.peers == frozenset()


def test_who_is_heard_again_or_was_never_heard_is_kept_for_the_grace():
    roster = member("ada", "ben")
    roster.note_heard("ada", False)
    roster.note_heard("ada", True)
    assert roster.note_heard("nobody", False) == []
    roster.update(state("me"), 1.0)
    assert roster.next_at_s() == 1.0 + GRACE_S


def test_while_our_own_signalling_is_lost_nobody_leaves():
    roster = member("ada")
    roster.note_heard("ada", True)
    roster.lose(1.0)
    assert roster.note_heard("ada", False) == []
    assert roster.peers == {"ada"}


def test_the_grace_does_not_begin_again_with_every_snapshot():
    roster = member("ada")
    roster.update(state("me"), 1.0)
    roster.update(state("me", "cleo"), 15.0)
    assert roster.next_at_s() == 1.0 + GRACE_S


def test_who_comes_back_within_the_grace_was_never_away():
    roster = member("ada")
    roster.update(state("me"), 1.0)
    assert roster.update(state("me", "ada"), 5.0) == []
    assert roster.present == {"ada"}
    assert roster.advance(1e6) == []


@pytest.mark.parametrize("between", [[], [("me",)]], ids=["one change", "two changes"])
def test_another_instance_is_another_one(between):
    roster = member("ada/1")
    for names in between:
        assert roster.update(state(*names), 1.0) == []
    assert roster.update(state("me", "ada/2"), 2.0) == [PeerLeft("ada"), PeerJoined("ada")]
    assert roster.present == {"ada"}


def test_a_ghost_holds_its_name_until_it_disappears():
    roster = member("ada/1")
    assert roster.update(state("ada/1", "me", "ada/2"), 1.0) == []
    assert roster.update(state("me", "ada/2"), 2.0) == [PeerLeft("ada"), PeerJoined("ada")]


def test_one_instance_on_two_sockets_is_one():
    roster = member("ada/1")
    assert roster.update(state("ada/1", "me", "ada/1"), 1.0) == []
    assert roster.update(state("me", "ada/1"), 2.0) == []
    assert roster.advance(1e6) == []


def test_who_leaves_while_its_ghost_stays_has_left():
    roster = member("ada/1")
    assert roster.update(state("ada/1", "me", "ada/1!"), 1.0) == [PeerLeft("ada")]
    assert roster.update(state("ada/1!", "me"), 2.0) == []


def test_one_who_leaves_is_not_met():
    roster = member()
    assert roster.update(state("me", "ada!"), 1.0) == []
    assert roster.peers == frozenset()


# One's own name


def test_a_name_somebody_has_is_taken():
    roster = Roster("me", "2", grace_s=GRACE_S)
    assert roster.update(state("ada", "me/1"), 0.0) == []
    assert (roster.is_taken, roster.is_member) == (True, False)
    assert roster.update(state("ada", "me/1", "me/2"), 0.0) == []
    assert (roster.is_taken, roster.is_member) == (True, False)
    assert roster.update(state("ada", "me/2"), 1.0) == []
    assert (roster.is_taken, roster.is_member) == (False, True)
    assert roster.peers == {"ada"}


@pytest.mark.parametrize("times", [(1.0, 2.0), (2.0, 1.0), (1.0, 1.0)])
def test_of_two_at_the_same_moment_exactly_one_has_the_name(times):
    presence = {"me": [meta(str(n), joined_at) for n, joined_at in enumerate(times)]}
    rosters = [Roster("me", str(n), grace_s=GRACE_S) for n in range(2)]
    for roster in rosters:
        roster.update(presence, 0.0)
    first = 0 if times[0] <= times[1] else 1
    assert [roster.is_member for roster in rosters] == [first == 0, first == 1]
    assert [roster.is_taken for roster in rosters] == [first == 1, first == 0]


# Signalling lost


def test_a_loss_is_told_once_and_nobody_leaves_while_it_lasts():
    roster = member("ada", "ben")
    roster.update(state("ben", "me"), 1.0)
    assert roster.lose(2.0) == [SignalingLost(2.0)]
    assert roster.lose(3.0) == []
    assert roster.advance(1e6) == []
    assert roster.next_at_s() == math.inf
    assert roster.peers == {"ada", "ben"}
    assert roster.present == frozenset()


def test_after_a_restart_everybody_comes_back_one_after_the_other():
    roster = member("ada", "ben")
    roster.lose(1.0)
    assert roster.update({}, 30.0) == []
    assert roster.update(state("me"), 31.0) == [SignalingRestored(31.0)]
    assert (roster.peers, roster.present) == ({"ada", "ben"}, frozenset())
    assert roster.update(state("me", "ben"), 32.0) == []
    assert roster.present == {"ben"}
    assert roster.advance(31.0 + GRACE_S) == [PeerLeft("ada")]


def test_a_restoration_tells_who_came_and_went_meanwhile():
    roster = member("ada", "ben/1")
    roster.lose(1.0)
    roster.update(state("ben/2", "cleo"), 2.0)
    assert roster.update(state("ben/2", "cleo", "me"), 3.0) == [
        SignalingRestored(3.0),
        PeerLeft("ben"),
        PeerJoined("ben"),
        PeerJoined("cleo"),
    ]
    assert roster.peers == {"ada", "ben", "cleo"}


def test_not_being_in_the_presence_is_a_loss():
    roster = member("ada")
    assert roster.update(state("ada"), 1.0) == [SignalingLost(1.0)]
    assert roster.update(state("ada", "me"), 2.0) == [SignalingRestored(2.0)]


# Whatever comes

names = st.sampled_from(["me", "ada", "ben", "cleo"])
metas = st.builds(meta, st.sampled_from("12"), st.sampled_from([0.0, 1.0]), leaving=st.booleans())
snapshots = st.dictionaries(names, st.lists(metas, max_size=3))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("update"), snapshots),
        st.tuples(st.just("lose"), st.none()),
        st.tuples(st.just("wait"), st.floats(0, 30)),
    )
)


def holder(metas_of_name):
    """The rule, in other words: the first by time and instance, unless that one leaves."""
    if not metas_of_name:
        return None
    _, first = min((m["joined_at"], m["instance"]) for m in metas_of_name)
    leaves = any(m.get("leaving") for m in metas_of_name if m["instance"] == first)
    return None if leaves else first


@examples(150)
@given(steps)
def test_what_is_told_adds_up_to_who_is_there(steps):
    roster, now_s, told, lost = Roster("me", "1", grace_s=GRACE_S), 0.0, None, None
    for step, argument in steps:
        was_member = roster.is_member
        match step:
            case "update":
                events = roster.update(argument, now_s)
            case "lose":
                events = roster.lose(now_s)
            case "wait":
                now_s += argument
                events = roster.advance(now_s)
        if told is None and roster.is_member:
            told = roster.peers - {e.peer_id for e in events if isinstance(e, PeerJoined)}
        for event in events:
            match event:
                case PeerJoined(name):
                    assert name not in told
                    told |= {name}
                case PeerLeft(name):
                    assert name in told
                    told -= {name}
                case SignalingLost(at_s):
                    assert was_member
                    assert at_s == now_s
                    lost = True
                case SignalingRestored(at_s):
                    assert lost
                    assert at_s == now_s
                    lost = False
        assert roster.peers == (told or frozenset())
        assert bool(lost) == (told is not None and not roster.is_member)
        if step == "update" and roster.is_member:
            there = {n for n, of_name in argument.items() if holder(of_name)} - {"me"}
            assert roster.present == there
    before = roster.present
    roster.advance(now_s + GRACE_S + 1)
    assert roster.present == before
    if roster.is_member:
        assert roster.peers == before


class Service:
    """Presence on nodes that hear of each other later, and clients that see some snapshots."""

    def __init__(self, random, nodes):
        self.views = [{} for _ in range(nodes)]
        self.late = []
        self.random = random

    def track(self, name):
        node = self.node(name)
        self.views[node][name] = [meta(name, self.random.random())]
        self.late += [(n, name) for n in range(len(self.views)) if n != node]

    def node(self, name):
        return int(name) % len(self.views)

    def gossip(self):
        if self.late:
            node, name = self.late.pop(self.random.randrange(len(self.late)))
            self.views[node][name] = [meta(name, self.random.random())]


@examples(120)
@given(st.integers(), st.integers(2, 5), st.integers(1, 2))
def test_of_any_two_who_come_one_is_told_to_begin(seed, members, nodes):
    """Whatever the clocks say, and however late and merged the news is."""
    random = Random(seed)
    service = Service(random, nodes)
    rosters = {str(n): Roster(str(n), str(n), grace_s=GRACE_S) for n in range(members)}
    looked, tracked, heard = set(), set(), set()

    def see(name):
        for event in rosters[name].update(service.views[service.node(name)], 0.0):
            heard.add((name, event.peer_id))

    for _ in range(members * 20):
        name = random.choice(list(rosters))
        match random.randrange(3):
            case 0:
                see(name)
                looked.add(name)
            case 1 if name in looked - tracked:
                service.track(name)
                tracked.add(name)
            case 2:
                service.gossip()
    while service.late:
        service.gossip()
    for name in rosters:
        see(name)
    for name in tracked:
        assert rosters[name].peers == tracked - {name}
        for other in tracked - {name}:
            assert (name, other) in heard or (other, name) in heard


def test_one_after_the_other_exactly_one_of_two_is_told():
    service = Service(Random(0), 1)
    rosters = {str(n): Roster(str(n), str(n), grace_s=GRACE_S) for n in range(5)}
    heard = []
    for name, roster in rosters.items():
        roster.update(service.views[0], 0.0)
        service.track(name)
        for each in list(rosters)[: int(name) + 1]:
            heard += [(each, e.peer_id) for e in rosters[each].update(service.views[0], 0.0)]
    assert sorted(heard) == [(a, b) for a in rosters for b in rosters if a < b]


# Reading presence


def test_the_payload_is_read_as_it_was_written():
    for occupant in (Occupant(12.5, "x"), Occupant(12.5, "x", True)):
        assert read_presence({"ada": [{"presence_ref": "F", **occupant.to_payload()}]}) == {
            "ada": occupant
        }
    assert Occupant(12.5, "x").to_payload() == {"instance": "x", "joined_at": 12.5}


def test_a_member_that_is_not_ours_is_known_by_its_reference_and_came_last():
    """A browser tracks what it likes."""
    assert read_presence({"web": [{"presence_ref": "F1", "user": 3}]}) == {
        "web": Occupant(math.inf, "F1")
    }
    both = {"ada": [{"presence_ref": "F1"}, meta("x", 5.0)]}
    assert read_presence(both) == {"ada": Occupant(5.0, "x")}


keys = st.sampled_from(["me", "instance", "joined_at", "presence_ref", "leaving"])
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | keys, inner),
    max_leaves=8,
)


@examples(60)
@given(st.lists(json, max_size=5))
def test_malformed_presence_never_raises(states):
    roster = Roster("me", "1", grace_s=GRACE_S)
    for number, anything in enumerate(states):
        for event in roster.update(anything, float(number)):
            assert isinstance(event, PeerJoined | PeerLeft | SignalingLost | SignalingRestored)
        assert roster.present <= roster.peers


@pytest.mark.parametrize("name", ["", "a\x1b[2J", "two\nlines", "x" * 129])
def test_a_name_that_cannot_be_shown_is_not_seen(name):
    assert read_presence({name: [meta("x")], "ada": [meta("y")]}).keys() == {"ada"}


@examples(60)
@given(st.dictionaries(names, st.lists(st.dictionaries(keys, json), max_size=3)))
def test_nearly_right_presence_never_raises(anything):
    for name, occupant in read_presence(anything).items():
        assert name
        assert isinstance(occupant.instance, str)
        assert isinstance(occupant.joined_at_s, float)
        assert not math.isnan(occupant.joined_at_s)


@pytest.mark.parametrize("joined_at", [None, "1", True, 10**400, math.nan, -math.inf, [], 1e300])
def test_a_time_that_cannot_be_is_none(joined_at):
    assert read_presence({"ada": [meta("x", joined_at)]}) == {"ada": Occupant(math.inf, "x")}
