"""Notices to users, against the product's own list of failures and sentences."""

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.mesh.notices import Notice, NoticeBoard, NoticeKind

PRODUCTS_WORDS = {
    NoticeKind.RETRYING: "Direct audio connection failed, retrying",
    NoticeKind.RELAYING: "Direct audio connection failed, using relay mode",
    NoticeKind.MICROPHONE: "Microphone access is required for jamming",
    NoticeKind.HIGH_LATENCY: "High latency detected, audio may be delayed",
}


@pytest.mark.parametrize(("kind", "words"), PRODUCTS_WORDS.items())
def test_the_products_words_are_used(kind, words):
    assert Notice(kind, 0.0).text.rstrip("…") == words


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_kind_is_one_sentence_of_its_own(kind):
    text = Notice(kind, 0.0).text
    assert re.fullmatch(r"[A-Z][^.!?\n]+[a-z…]", text)
    others = [Notice(other, 0.0).text for other in NoticeKind if other is not kind]
    assert text not in others


def test_only_what_goes_on_ends_in_dots():
    going_on = [kind for kind in NoticeKind if Notice(kind, 0.0).text.endswith("…")]
    assert going_on == [NoticeKind.RETRYING]


def test_what_is_lost_and_what_is_back_are_told_of_the_same_thing():
    for subject in "Audio connection", "Connection to the session service":
        texts = [Notice(kind, 0.0).text for kind in NoticeKind]
        assert f"{subject} restored" in texts


def test_what_a_user_can_do_about_it_is_a_half_sentence():
    hints = {kind: hint for kind in NoticeKind if (hint := Notice(kind, 0.0).hint)}
    assert set(hints) == {NoticeKind.HIGH_LATENCY}
    for hint in hints.values():
        assert re.fullmatch(r"[a-z][^.!?\n]+[a-z]", hint)
    assert "wired" in hints[NoticeKind.HIGH_LATENCY]
    assert "Wi-Fi" in hints[NoticeKind.HIGH_LATENCY]


def test_a_reason_is_told_in_place_of_the_hint():
    assert Notice(NoticeKind.CARD_LOST, 0.0, reason="it was unplugged").hint == "it was unplugged"
    assert Notice(NoticeKind.CARD_LOST, 0.0).hint == ""


def test_it_is_about_everybody_unless_it_names_somebody():
    assert Notice(NoticeKind.SIGNALING_LOST, 1.5).peer_id == ""
    assert Notice(NoticeKind.RETRYING, 1.5, "ben").peer_id == "ben"


def test_notices_are_values():
    notice = Notice(NoticeKind.RETRYING, 1.5, "ben")
    assert notice == Notice(NoticeKind.RETRYING, 1.5, "ben")
    assert len({notice, Notice(NoticeKind.RETRYING, 1.5, "ben")}) == 1
    assert notice != Notice(NoticeKind.RETRYING, 1.5, "cleo")
    with pytest.raises(dataclasses.FrozenInstanceError):
        notice.kind = NoticeKind.RESTORED


def test_a_kinds_name_can_be_looked_up_again():
    """A journal keeps the name of the kind, and is read later."""
    for kind in NoticeKind:
        assert NoticeKind(str(kind)) is kind


def test_a_sentence_says_whom_it_is_about():
    assert Notice(NoticeKind.JOINED, 0.0, "ben").sentence == "ben joined the session"
    assert Notice(NoticeKind.NO_AUDIO, 0.0, "ben").sentence.startswith("ben: No audio connection")
    assert Notice(NoticeKind.CARD_BACK, 0.0).sentence == "Sound card is back"


class TestBoard:
    """What stands of a sequence of notices."""

    def told(self, *told):
        board = NoticeBoard()
        for kind, peer_id in told:
            board.note(Notice(kind, 0.0, peer_id))
        return board

    def standing(self, board):
        return [(notice.kind, notice.peer_id) for notice in board.warnings]

    @pytest.mark.parametrize(
        ("warning", "good"),
        [
            (NoticeKind.RETRYING, NoticeKind.RESTORED),
            (NoticeKind.RELAYING, NoticeKind.RESTORED),
            (NoticeKind.NO_AUDIO, NoticeKind.RESTORED),
            (NoticeKind.HIGH_LATENCY, NoticeKind.NORMAL_LATENCY),
            (NoticeKind.CARD_LOST, NoticeKind.CARD_BACK),
            (NoticeKind.SIGNALING_LOST, NoticeKind.SIGNALING_RESTORED),
            (NoticeKind.SERVERS_USELESS, NoticeKind.SERVERS_BACK),
        ],
    )
    def test_good_news_ends_its_warning_and_no_other(self, warning, good):
        others = [(warning, "cleo"), (NoticeKind.MICROPHONE, "")]
        board = self.told((warning, "ben"), *others, (good, "ben"))
        assert self.standing(board) == others
        assert (board.news.kind, board.news.peer_id) == (good, "ben")

    def test_of_the_ways_tried_the_latest_stands(self):
        ways = NoticeKind.RETRYING, NoticeKind.RELAYING, NoticeKind.NO_AUDIO
        board = self.told(*((kind, "ben") for kind in ways))
        assert self.standing(board) == [(NoticeKind.NO_AUDIO, "ben")]

    def test_the_same_twice_stands_once(self):
        board = self.told(*[(NoticeKind.HIGH_LATENCY, "ben")] * 2)
        assert self.standing(board) == [(NoticeKind.HIGH_LATENCY, "ben")]

    def test_news_is_over_when_something_else_is_told(self):
        board = self.told((NoticeKind.RESTORED, "ben"), (NoticeKind.RETRYING, "cleo"))
        assert board.news is None

    def test_who_joins_is_news_and_ends_no_warning(self):
        board = self.told((NoticeKind.SIGNALING_LOST, ""), (NoticeKind.JOINED, "ben"))
        assert self.standing(board) == [(NoticeKind.SIGNALING_LOST, "")]
        assert (board.news.kind, board.news.peer_id) == (NoticeKind.JOINED, "ben")

    def test_nothing_stands_about_who_has_gone(self):
        board = self.told((NoticeKind.RETRYING, "ben"), (NoticeKind.SIGNALING_LOST, ""))
        board.note(Notice(NoticeKind.NORMAL_LATENCY, 0.0, "ben"))
        board.forget("ben")
        assert self.standing(board) == [(NoticeKind.SIGNALING_LOST, "")]
        assert board.news is None

    def test_a_warning_about_everybody_can_end_without_news(self):
        others = [(NoticeKind.CARD_LOST, ""), (NoticeKind.RETRYING, "ben")]
        board = self.told(*others, (NoticeKind.MICROPHONE, ""))
        board.end(NoticeKind.MICROPHONE)
        assert self.standing(board) == others
        assert board.news is None

    @given(st.lists(st.tuples(st.sampled_from(NoticeKind), st.sampled_from(["", "ben", "cleo"]))))
    def test_what_stands_was_told_and_not_ended_since(self, told):
        ends = {
            NoticeKind.JOINED: set(),
            NoticeKind.RESTORED: {NoticeKind.RETRYING, NoticeKind.RELAYING, NoticeKind.NO_AUDIO},
            NoticeKind.CARD_BACK: {NoticeKind.CARD_LOST},
            NoticeKind.SIGNALING_RESTORED: {NoticeKind.SIGNALING_LOST},
            NoticeKind.SERVERS_BACK: {NoticeKind.SERVERS_USELESS},
            NoticeKind.NORMAL_LATENCY: {NoticeKind.HIGH_LATENCY},
        }
        ways = ends[NoticeKind.RESTORED]
        expected = []
        for number, (kind, peer) in enumerate(told):
            if kind in ends:
                continue
            over = ways if kind in ways else {kind}
            later = [(later, whom) for later, whom in told[number + 1 :] if whom == peer]
            if not any(later in over or kind in ends.get(later, ()) for later, _ in later):
                expected.append((kind, peer))
        assert self.standing(self.told(*told)) == expected
