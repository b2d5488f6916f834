"""Tests of jamlab.browsers.audio_contexts."""

import pytest

from jamlab.browsers.audio_contexts import context_remarks

GOOD = {"wanted": None, "state": "running", "allowed": True}


@pytest.mark.parametrize(
    ("contexts", "words"),
    [
        ([GOOD | {"wanted": 44_100}], ["44100 Hz"]),
        (
            [GOOD | {"wanted": 44_100}, GOOD | {"wanted": 22_050}],
            ["22050 Hz", "44100 Hz", "uses 2"],
        ),
        ([GOOD, GOOD, GOOD], ["uses 3 AudioContexts"]),
        ([GOOD | {"state": "suspended"}], ["plays nothing"]),
        ([GOOD | {"allowed": False}], ["before any click or key"]),
        ([GOOD, GOOD | {"state": "closed", "wanted": 44_100}], []),
        ([GOOD], []),
        ([GOOD | {"wanted": 48_000}], []),
        ([], []),
    ],
)
def test_what_a_user_would_notice_is_remarked(contexts, words):
    remarks = context_remarks({"ada": contexts})
    assert len(remarks) == len(words)
    assert all(word in remark for word, remark in zip(words, remarks, strict=True))


def test_players_with_the_same_remark_share_it():
    (remark,) = context_remarks({name: [GOOD | {"wanted": 44_100}] for name in ("ada", "ben")})
    assert remark.startswith("the page of ada and ben asks")
