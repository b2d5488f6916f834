"""Tests of jamlab.browsers.steps."""

import asyncio
import signal
import sys

import pytest

from jamlab.browsers import steps
from jamlab.browsers.steps import StepsError, no_steps, steps_in, words


def written(folder, text):
    file = folder / "join.py"
    file.write_text(text)
    return file


async def test_the_steps_get_the_page_and_the_player(tmp_path):
    file = written(tmp_path, "async def join(page, player):\n    page.append(player)\n")
    page = []
    await steps_in(file, 60.0)(page, "player 1")
    await no_steps(page, "player 2")
    assert page == ["player 1"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no `async def join"),
        ("def join(page, player): pass", "has no `async def join"),
        ("async def join(page): pass", "has to take two arguments"),
        ("x = (", "line 1"),
        ("raise SyntaxError", r"join.py: it is not Python$"),
        ("raise GeneratorExit('top')", "line 1: top"),
        ("raise SystemExit(3)", r"line 1: it ended the program \(exit status 3\)"),
        ("\nimport nothing_of_that_name", "line 2: No module named 'nothing_of_that_name'"),
    ],
)
def test_a_file_without_steps_is_told(tmp_path, text, told):
    with pytest.raises(StepsError, match=told) as raised:
        steps_in(written(tmp_path, text), 60.0)
    assert "join.py" in str(raised.value)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(StepsError, match="cannot be read"):
        steps_in(tmp_path / "nowhere.py", 60.0)


async def test_a_step_that_fails_is_told_with_its_line(tmp_path):
    file = written(
        tmp_path,
        "def deeper():\n    raise ValueError('no room\\nCall log:')\n\n"
        "async def join(page, player):\n    deeper()\n",
    )
    with pytest.raises(StepsError, match=r"join.py, line 2, for ada: no room$"):
        await steps_in(file, 60.0)(None, "ada")


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("await asyncio.Event().wait()", r"line 4, for ada: not done after 1 s; give it more"),
        ("raise SystemExit", r"line 4, for ada: it ended the program"),
        ("raise TimeoutError('no answer')", r"line 4, for ada: no answer$"),
        ("raise asyncio.CancelledError('left')", r"line 4, for ada: left$"),
        ("raise type('Odd', (BaseException,), {})('odd')", r"line 4, for ada: odd$"),
        ("raise type('Mute', (Exception,), {'__str__': lambda _: 1 / 0})", "line 4, for ada: Mute"),
    ],
)
async def test_a_step_that_does_not_end_is_told_with_its_line(tmp_path, step, told):
    file = written(tmp_path, f"import asyncio\n\nasync def join(page, player):\n    {step}\n")
    with pytest.raises(StepsError, match=f"join.py, {told}"):
        await steps_in(file, 1.0 if "wait" in step else 60.0)(None, "ada")


@pytest.mark.parametrize("blocking", ["time.sleep(1000)", "while True: pass"])
@pytest.mark.parametrize("place", ["", "async def join(page, player):\n    "])
async def test_steps_that_never_await_are_told_with_their_line(
    tmp_path, monkeypatch, place, blocking
):
    monkeypatch.setattr(steps, "_BEYOND_S", 0.01)
    file = written(tmp_path, f"import time\n{place}{blocking}\n")
    earlier = signal.getsignal(signal.SIGALRM)
    with pytest.raises(StepsError, match=r"join.py, line [23].*: not done after 0.1 s, and"):
        await steps_in(file, 0.1)(None, "ada")
    assert signal.getsignal(signal.SIGALRM) is earlier
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


@pytest.mark.parametrize("place", ["", "async def join(page, player):\n    "])
async def test_ctrl_c_within_the_steps_interrupts(tmp_path, place):
    file = written(tmp_path, f"{place}raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        await steps_in(file, 60.0)(None, "ada")


async def test_steps_are_cancelled_from_outside(tmp_path):
    file = written(
        tmp_path,
        "import asyncio\n\nasync def join(page, player):\n    await asyncio.Event().wait()\n",
    )
    task = asyncio.ensure_future(steps_in(file, 60.0)(None, "ada"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_modules_beside_the_steps_are_imported(tmp_path, monkeypatch):
    (tmp_path / "jam_test_helper.py").write_text("NAME = 'ada'\n")
    monkeypatch.chdir(tmp_path.parent)
    before = list(sys.path)
    body = "from jam_test_helper import NAME\nasync def join(page, player): page.append(NAME)\n"
    page = []
    await steps_in(written(tmp_path, body), 60.0)(page, "ben")
    assert (page, sys.path) == (["ada"], before)
    monkeypatch.delitem(sys.modules, "jam_test_helper")


def test_the_reason_in_a_log_is_told():
    said = (
        "Page.click: Timeout 900ms exceeded.\nCall log:\n"
        '\x1b[2m  - waiting for locator("#join")\x1b[22m\n  - locator resolved to nothing\n'
    )
    assert words(Exception(said)) == (
        'Page.click: Timeout 900ms exceeded: waiting for locator("#join")'
    )


def test_an_error_without_words_is_named():
    assert words(KeyError()) == "KeyError"
