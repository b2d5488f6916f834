"""The worker of acceptance tests: the others run when one fails."""

import pytest

from jamlab.measure.acceptance import real_time
from jamlab.measure.acceptance.findings import LOOP_LAG, Finding
from jamlab.measure.acceptance.real_time import failure_of, run_here
from jamlab.measure.acceptance.record import AcceptanceRecord
from tests.process.parents import lines_of, parent


@pytest.fixture
def chosen(monkeypatch):
    """Three tests: one finds something, one raises, one says what loop it ran on."""
    loops = []

    async def finds():
        finding = Finding("finds")
        finding.note(LOOP_LAG, "", 1.0)
        return finding

    async def fails():
        raise TimeoutError("'player 1' has no\nconnection")

    async def notes():
        import asyncio

        loops.append(type(asyncio.get_running_loop()).__name__)
        return Finding("notes")

    tests = {"finds": finds, "fails": fails, "notes": notes}
    monkeypatch.setattr(real_time, "REAL_TIME", tests)
    return loops


def test_a_failure_is_noted_and_the_others_go_on(chosen):
    record = run_here(["finds", "fails", "notes", "elsewhere"], lambda *_: None)
    assert record.tests == ["finds", "fails", "notes", "elsewhere"]
    assert record.figures["test"].tolist() == ["finds"]
    assert record.failed == {"fails": "TimeoutError: 'player 1' has no connection"}
    assert chosen == ["_UnixSelectorEventLoop"]


def test_progress_tells_which_one_begins(chosen):
    told = []
    run_here(["fails", "elsewhere", "finds"], lambda *said: told.append(said))
    assert told == [(0.0, "fails"), (0.5, "finds")]


def test_the_tests_go_by_standard_input_and_the_record_into_the_folder(chosen, capsys, tmp_path):
    with parent([["finds"], str(tmp_path)]):
        real_time.main()
    assert AcceptanceRecord.load(tmp_path).figures["value"].tolist() == [1.0]
    assert lines_of(capsys) == [[0.0, "finds"], None]


def test_an_error_without_words_is_named():
    assert failure_of(KeyError()) == "KeyError"
    assert failure_of(ValueError("two\nlines")) == "ValueError: two lines"
