"""The answer to the microphone permission, and the error a card raises without it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.card import MicrophoneUnavailableError
from jamlab.audio.permission import REQUIRED, MicrophoneAccess, PermissionState

ANSWERS = st.sampled_from(["allow", "deny", "listen_only"])
STATES = {
    "allow": PermissionState.GRANTED,
    "deny": PermissionState.DENIED,
    "listen_only": PermissionState.LISTEN_ONLY,
}


def test_nobody_was_asked_at_first_so_nothing_may_be_used():
    access = MicrophoneAccess()
    assert access.state is PermissionState.PROMPT
    sentence = f"{REQUIRED}: the user has not been asked"
    with pytest.raises(MicrophoneUnavailableError, match=sentence):
        access.check()


@pytest.mark.parametrize(
    ("answer", "why"), [("deny", "it was denied"), ("listen_only", "listening only was chosen")]
)
def test_who_has_not_allowed_it_is_told_what_was_answered(answer, why):
    access = MicrophoneAccess()
    getattr(access, answer)()
    with pytest.raises(MicrophoneUnavailableError, match=why):
        access.check()


def test_allowed_it_may_be_used():
    MicrophoneAccess.granted().check()
    assert MicrophoneAccess.granted(3).input_device == 3


@given(st.lists(ANSWERS, min_size=1))
def test_the_last_answer_counts_whatever_came_before(answers):
    access = MicrophoneAccess()
    for number, answer in enumerate(answers):
        if answer == "allow":
            access.allow(number)
        else:
            getattr(access, answer)()
    assert access.state is STATES[answers[-1]]
    chosen = len(answers) - 1 if answers[-1] == "allow" else None
    assert access.input_device == chosen


def test_two_sessions_have_answers_of_their_own():
    one, other = MicrophoneAccess(), MicrophoneAccess()
    one.allow()
    assert other.state is PermissionState.PROMPT


def test_it_is_the_products_sentence():
    assert REQUIRED == "Microphone access is required for jamming"
