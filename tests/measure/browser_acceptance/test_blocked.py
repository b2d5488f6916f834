"""Tests of jamlab.measure.browser_acceptance.blocked; browsers play it in test_run."""

from jamlab.measure.browser_acceptance.blocked import RETRYING, WITHOUT_AUDIO, block_script
from jamlab.mesh.notices import Notice, NoticeKind


def test_the_words_are_the_products():
    assert Notice(NoticeKind.RETRYING, 0.0).text == RETRYING
    assert Notice(NoticeKind.NO_AUDIO, 0.0).text.startswith(WITHOUT_AUDIO)


def test_a_name_is_text_in_the_script():
    assert 'const BLOCKED = "a\\"; alert(1)";' in block_script('a"; alert(1)')
