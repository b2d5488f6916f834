"""The decisions of `Reach`: attempts, turns, and two ends that connect over bad networks."""

import heapq
import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.mesh.notices import Notice, NoticeKind
from jamlab.mesh.reach import (
    Close,
    GiveUp,
    Patience,
    Phase,
    Reach,
    SendAnswer,
    SendOffer,
    TakeAnswer,
    Tell,
    number_of,
)

PATIENCE = Patience()


def reach(own="ada", peer="ben"):
    return Reach(own, peer, random.Random(1))


def fail(one, now_s):
    """Let the attempt under way fail and the next one begin; returns what was done, and when."""
    failing = one.failed(now_s)
    assert one.tick(math.nextafter(one.due_s, 0)) == []
    due_s = one.due_s
    return failing, one.tick(due_s), due_s


def tells(actions):
    return [action.kind for action in actions if isinstance(action, Tell)]


class TestAttempts:
    def test_one_follows_another_and_the_user_is_told_once_of_each_kind(self):
        one, told = reach(), []
        assert one.meet(True, 0.0) == [SendOffer(1)]
        now_s = PATIENCE.quiet_s
        for attempt in range(2, 7):
            failing, trying, now_s = fail(one, now_s)
            told += tells(failing)
            assert failing[0] == GiveUp()
            assert trying == [SendOffer(attempt)]
        assert told == [NoticeKind.RETRYING, NoticeKind.NO_AUDIO]

    def test_of_failures_in_the_first_seconds_nobody_is_told(self):
        one, told, now_s = reach(), [], 0.0
        one.meet(True, 0.0)
        while now_s < PATIENCE.quiet_s:
            failing, _, due_s = fail(one, now_s)
            told += [(now_s, kind) for kind in tells(failing)]
            now_s = due_s
        assert told == []
        failing, _, _ = fail(one, now_s)
        assert tells(failing) == [NoticeKind.RETRYING]

    def test_a_connection_that_is_lost_is_told_of_at_once(self):
        one = reach()
        one.meet(True, 0.0)
        one.connected(0.5)
        assert tells(one.silent(1.0)) == [NoticeKind.RETRYING]

    def test_rests_double_with_jitter_up_to_the_longest(self):
        one, now_s = reach(), 0.0
        one.meet(True, now_s)
        for failures in range(1, 12):
            one.hear_answer({"attempt": one.attempt}, now_s)  # its signals reach us, ICE fails
            one.failed(now_s)
            most_s = min(PATIENCE.rest_s * 2 ** (failures - 1), PATIENCE.longest_rest_s)
            assert most_s / 2 <= one.due_s - now_s <= most_s
            now_s = one.due_s
            one.tick(now_s)

    def unanswered(self, one, attempts, now_s=0.0):
        """Let attempts run out without a word of the peer's; returns the rests and when it is."""
        rests_s = []
        for _ in range(attempts):
            if one.phase is Phase.RESTING:
                one.tick(one.due_s)
            now_s = one.due_s
            one.tick(now_s)
            rests_s.append(one.due_s - now_s)
        return rests_s, now_s

    def test_who_never_answers_is_soon_tried_every_few_minutes_only(self):
        one = reach()
        one.meet(True, 0.0)
        rests_s, _ = self.unanswered(one, 16)
        for number, rest_s in enumerate(rests_s):
            most_s = min(PATIENCE.rest_s * 2**number, PATIENCE.longest_silence_s)
            assert most_s / 2 <= rest_s <= most_s
        tried_share = PATIENCE.answer_s / (PATIENCE.answer_s + min(rests_s[-4:]))
        assert tried_share <= 0.1
        assert one.phase is Phase.RESTING

    @pytest.mark.parametrize("word", ["offer", "answer"])
    def test_its_first_word_ends_that(self, word):
        one = reach()
        one.meet(True, 0.0)
        _, now_s = self.unanswered(one, 16)
        if word == "offer":
            assert isinstance(one.hear_offer({}, now_s)[-1], SendAnswer)
        else:
            now_s = one.due_s
            one.tick(now_s)
            one.hear_answer({}, now_s)
        one.failed(now_s)
        assert one.due_s - now_s <= PATIENCE.longest_rest_s

    def test_when_our_signals_were_lost_it_is_tried_soon(self):
        one = reach()
        one.meet(True, 0.0)
        _, now_s = self.unanswered(one, 16)
        assert one.due_s - now_s > PATIENCE.longest_rest_s
        assert one.restored(now_s) == []
        assert one.due_s - now_s <= PATIENCE.longest_rest_s
        assert one.tick(one.due_s) == [SendOffer(17)]

    def test_what_is_put_off_is_due_then(self):
        one = reach()
        one.meet(False, 0.0)
        assert one.will_offer
        one.put_off(7.0, PATIENCE.offer_s)
        assert one.tick(PATIENCE.offer_s) == []
        assert one.tick(PATIENCE.offer_s + 7.0) == [SendOffer(1)]
        assert not one.will_offer

    def test_attempts_are_numbered_on_from_those_the_peer_may_know(self):
        one = Reach("ada", "ben", random.Random(1), attempt=41)
        assert one.meet(True, 0.0) == [SendOffer(42)]

    def test_connections_that_do_not_last_are_made_ever_more_rarely_and_told_of_once(self):
        """Each new one connects, and is silent two seconds later."""
        one, told, now_s, rests_s = reach(), [], 1.0, []
        one.meet(True, 0.0)
        one.connected(now_s)
        for _ in range(12):
            now_s += 2.0
            told += tells(one.silent(now_s))
            rests_s.append(one.due_s - now_s)
            now_s = one.due_s
            assert isinstance(one.tick(now_s)[0], SendOffer)
            told += tells(one.connected(now_s))
        for relapses, rest_s in enumerate(rests_s):
            most_s = min(PATIENCE.rest_s * 2**relapses, PATIENCE.longest_rest_s)
            assert rest_s == 0.0 if relapses == 0 else most_s / 2 <= rest_s <= most_s
        kinds = NoticeKind.RETRYING, NoticeKind.RESTORED, NoticeKind.RETRYING, NoticeKind.NO_AUDIO
        assert told == [*kinds]
        assert one.tick(math.nextafter(now_s + PATIENCE.steady_s, 0)) == []
        assert one.tick(now_s + PATIENCE.steady_s) == [Tell(NoticeKind.RESTORED)]
        assert one.due_s == math.inf
        assert tells(one.silent(now_s + 60)) == [NoticeKind.RETRYING]
        assert one.due_s == now_s + 60  # what lasted is replaced at once

    def test_after_a_connection_the_notices_begin_anew(self):
        one = reach()
        one.meet(True, 0.0)
        assert one.connected(0.1) == []
        one.silent(5.0)
        one.tick(one.due_s)
        assert one.connected(6.0) == [Tell(NoticeKind.RESTORED)]
        assert one.due_s == math.inf
        assert one.silent(10.0) == [Tell(NoticeKind.RETRYING)]
        assert one.tick(one.due_s) == [SendOffer(3)]

    def test_who_only_answers_counts_and_tells_the_same(self):
        """The peer offers again before our own deadline: without that we would never know."""
        one, told = reach("ben", "ada"), []
        one.meet(False, 0.0)
        for attempt in range(1, 5):
            offer = {"attempt": attempt}
            *telling, answering = one.hear_offer(offer, 10.0 * attempt)
            assert answering == SendAnswer(offer)
            told += tells(telling)
        assert told == [NoticeKind.RETRYING, NoticeKind.NO_AUDIO]
        assert one.connected(50.0) == [Tell(NoticeKind.RESTORED)]

    def test_an_attempt_that_had_failed_here_is_not_counted_again(self):
        one = reach("ben", "ada")
        one.meet(False, 0.0)
        one.hear_offer({"attempt": 1}, 0.1)
        assert tells(one.failed(11.0)) == [NoticeKind.RETRYING]
        assert tells(one.hear_offer({"attempt": 2}, 12.0)) == []


class TestTurns:
    def test_the_newcomer_waits_for_an_offer_but_not_for_ever(self):
        one = reach()
        assert one.meet(False, 0.0) == []
        assert one.phase is Phase.AWAITING
        assert one.tick(PATIENCE.offer_s) == [SendOffer(1)]

    def test_whose_name_sorts_first_offers_at_once_when_it_is_silent(self):
        first, second = reach("ada", "ben"), reach("ben", "ada")
        for one in first, second:
            one.meet(True, 0.0)
            one.connected(1.0)
            one.silent(5.0)
        assert first.due_s == 5.0
        assert second.due_s == 5.0 + PATIENCE.offer_s

    def test_of_two_offers_that_of_the_name_that_sorts_first_stands(self):
        first, second = reach("ada", "ben"), reach("ben", "ada")
        offers = [one.meet(True, 0.0)[0] for one in (first, second)]
        said = [{"attempt": offer.attempt} for offer in offers]
        assert first.hear_offer(said[1], 0.1) == []
        assert second.hear_offer(said[0], 0.1) == [SendAnswer(said[0])]

    def test_an_offer_is_answered_once(self):
        one, offer = reach(), {"attempt": 3, "route": "relay"}
        one.meet(False, 0.0)
        assert one.hear_offer(offer, 0.1) == [SendAnswer(offer)]
        assert one.hear_offer(offer, 0.2) == []
        assert one.hear_offer({"attempt": 2}, 0.3) == []

    def test_a_browsers_offers_have_no_number_and_are_taken(self):
        one = reach()
        one.meet(False, 0.0)
        assert one.hear_offer({}, 0.1) == [SendAnswer({})]
        assert one.hear_offer({}, 0.2) == [SendAnswer({})]

    def test_only_the_answer_to_the_attempt_under_way_is_taken(self):
        one = reach()
        assert one.hear_answer({"attempt": 1}, 0.0) == []
        one.meet(True, 0.0)
        fail(one, 1.0)
        assert one.hear_answer({"attempt": 1}, 2.0) == []
        assert one.hear_answer({"attempt": 2}, 2.0) == [TakeAnswer({"attempt": 2})]
        assert one.due_s == 2.0 + PATIENCE.checks_s

    @pytest.mark.parametrize("answer", [{"attempt": 1}, {}])
    def test_an_answer_that_is_repeated_changes_nothing(self, answer):
        one = reach()
        one.meet(True, 0.0)
        assert one.hear_answer(answer, 1.0) == [TakeAnswer(answer)]
        assert one.hear_answer(answer, 2.0) == []
        assert (one.phase, one.due_s) == (Phase.TRYING, 1.0 + PATIENCE.checks_s)
        fail(one, 3.0)
        assert one.hear_answer({**answer, "attempt": 2}, 4.0) == [TakeAnswer({"attempt": 2})]

    def test_an_attempt_has_a_deadline(self):
        one = reach()
        one.meet(True, 0.0)
        assert one.due_s == PATIENCE.answer_s
        assert one.tick(PATIENCE.answer_s)[0] == GiveUp()

    def test_a_late_candidate_gets_its_time(self):
        one = reach()
        one.meet(True, 0.0)
        one.hear_candidate(0.5)
        assert one.due_s == PATIENCE.answer_s  # without an answer none of them can be checked
        one.hear_answer({"attempt": 1}, 1.0)
        one.hear_candidate(1.5)
        assert one.due_s == 1.0 + PATIENCE.checks_s
        one.hear_candidate(10.0)
        assert one.due_s == 10.0 + PATIENCE.candidate_s

    def test_a_candidate_is_no_attempt(self):
        one = reach()
        one.meet(False, 0.0)
        due_s = one.due_s
        one.hear_candidate(due_s - 0.1)
        assert (one.phase, one.due_s) == (Phase.AWAITING, due_s)


class TestMakeBeforeBreak:
    def test_what_is_heard_again_ends_the_attempt_under_way(self):
        one = reach()
        one.meet(True, 0.0)
        one.connected(1.0)
        one.silent(5.0)
        assert one.tick(one.due_s) == [SendOffer(2)]
        assert one.resumed(7.0) == [GiveUp(), Tell(NoticeKind.RESTORED)]
        assert (one.phase, one.due_s) == (Phase.CONNECTED, math.inf)

    def test_what_is_heard_again_while_it_rests_ends_the_rest(self):
        one = reach("ben", "ada")
        one.meet(True, 0.0)
        one.connected(1.0)
        one.silent(5.0)
        assert one.resumed(5.5) == [Tell(NoticeKind.RESTORED)]

    def test_what_is_heard_all_the_while_is_not_given_up_for_a_late_offer(self):
        """The peer had made it when it did not hear us, and does again."""
        one = reach("ben", "ada")
        one.meet(False, 0.0)
        one.connected(1.0)
        offer = {"attempt": 2}
        assert one.hear_offer(offer, 5.0) == [SendAnswer(offer)]
        assert one.tick(one.due_s) == [GiveUp()]
        assert (one.phase, one.due_s) == (Phase.CONNECTED, math.inf)
        assert one.silent(50.0) == [Tell(NoticeKind.RETRYING)]

    @pytest.mark.parametrize("lost", [Reach.silent, Reach.closed])
    def test_what_is_lost_meanwhile_is_sought(self, lost):
        one = reach("ben", "ada")
        one.meet(False, 0.0)
        one.connected(1.0)
        one.hear_offer({"attempt": 2}, 5.0)
        assert lost(one, 6.0) == []
        assert tells(one.tick(one.due_s)) == [NoticeKind.RETRYING]
        assert one.tick(one.due_s) == [SendOffer(1)]


class TestParting:
    def test_who_leaves_and_is_heard_is_dropped_when_it_is_silent(self):
        one = reach()
        one.meet(True, 0.0)
        one.connected(1.0)
        assert one.leave(2.0) == []
        assert one.silent(4.0) == [Close()]
        assert one.phase is Phase.GONE

    def test_who_had_only_lost_its_signalling_plays_on(self):
        one = reach()
        one.meet(True, 0.0)
        one.connected(1.0)
        one.leave(2.0)
        assert one.meet(True, 3.0) == []
        assert one.phase is Phase.CONNECTED

    def test_who_restarted_is_heard_though_its_numbers_begin_again(self):
        one = reach("ben", "ada")
        one.meet(False, 0.0)
        one.hear_offer({"attempt": 7}, 0.1)
        one.connected(1.0)
        one.leave(2.0)
        one.meet(True, 3.0)
        assert one.hear_offer({"attempt": 1}, 3.1) == [SendAnswer({"attempt": 1})]

    @pytest.mark.parametrize("connected", [True, False])
    def test_a_closed_connection_is_nobodys_failure_until_the_farewell_is_due(self, connected):
        one = reach()
        one.meet(True, 0.0)
        one.connected(1.0)
        assert one.closed(5.0) == []
        assert one.due_s == 5.0 + PATIENCE.farewell_s
        if connected:
            assert one.leave(5.5) == [Close()]
        else:
            assert one.tick(one.due_s) == [SendOffer(2)]

    def test_nothing_is_done_about_who_is_gone(self):
        one = reach()
        one.meet(True, 0.0)
        assert one.leave(1.0) == [Close()]
        happenings = (one.connected, one.resumed, one.silent, one.closed, one.failed, one.tick)
        assert [happening(2.0) for happening in happenings] == [[]] * 6
        assert one.hear_offer({}, 2.0) == one.hear_answer({}, 2.0) == []


@given(
    st.dictionaries(st.sampled_from(["attempt", "route"]), st.none() | st.booleans() | st.text())
)
def test_what_a_description_says_besides_may_be_anything(description):
    assert number_of(description) is None


def test_every_notice_has_its_words():
    assert all(Notice(kind, 0.0).text for kind in NoticeKind)


# Two ends


class World:
    """Two ends, the line their signals take, and paths that work or not."""

    def __init__(self, seed, lossy_until_s, works):
        self.rng = random.Random(seed)
        self.lossy_until_s = lossy_until_s
        self.works = works
        self.now_s = 0.0
        self._numbers = itertools.count()
        self._queue = []
        self.ends = {name: reach(*pair) for name, pair in (("a", ("a", "b")), ("b", ("b", "a")))}
        self.sides = {"a": None, "b": None}

    def at(self, delay_s, name, happening):
        entry = (self.now_s + delay_s, next(self._numbers), name, happening)
        heapq.heappush(self._queue, entry)

    def do(self, name, actions):
        other = "b" if name == "a" else "a"
        for action in actions:
            match action:
                case SendOffer(attempt):
                    self.sides[name] = ("offered", attempt)
                    said = {"attempt": attempt}
                    self.say(other, lambda end, now_s, said=said: end.hear_offer(said, now_s))
                case SendAnswer(offer):
                    self.sides[name] = ("answered", offer["attempt"])
                    self.say(other, lambda end, now_s, said=offer: end.hear_answer(said, now_s))
                case TakeAnswer(answer) if self.works(self.now_s):
                    attempt = answer["attempt"]
                    if self.sides[other] == ("answered", attempt):
                        for each in "ab":
                            self.at(0.2, each, lambda end, now_s: end.connected(now_s))

    def say(self, to, happening):
        """Lose, repeat and delay signals for as long as the line is bad."""
        bad = self.now_s < self.lossy_until_s
        for _ in range(self.rng.choice((0, 1, 1, 2)) if bad else 1):
            self.at(self.rng.uniform(0.01, 2.0 if bad else 0.2), to, happening)

    def run(self, until_s):
        while True:
            timers = [(end.due_s, name) for name, end in self.ends.items()]
            due_s, name = min(timers)
            if self._queue and self._queue[0][0] <= due_s:
                self.now_s, _, name, happening = heapq.heappop(self._queue)
            else:
                self.now_s, happening = max(due_s, self.now_s), lambda end, now_s: end.tick(now_s)
            if self.now_s > until_s:
                return
            end = self.ends[name]
            self.do(name, happening(end, self.now_s))
            assert end.due_s > self.now_s or end.phase is Phase.RESTING


@given(
    st.integers(0, 2**32),
    st.sampled_from([(True, False), (False, True), (True, True), (False, False)]),
)
def test_two_ends_meet_once_a_path_and_the_line_are_good(seed, whose_turn):
    good_s = 60.0
    world = World(seed, good_s, lambda now_s: now_s > good_s)
    for (name, end), ours in zip(world.ends.items(), whose_turn, strict=True):
        world.do(name, end.meet(ours, 0.0))
    world.run(good_s + 120)
    assert {end.phase for end in world.ends.values()} == {Phase.CONNECTED}
    for name, end in world.ends.items():
        end.leave(world.now_s)
        world.do(name, end.silent(world.now_s))
        assert end.phase is Phase.GONE
