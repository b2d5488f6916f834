"""Tests of jamlab.browsers.steps."""

import pytest

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
    ],
)
async def test_a_step_that_does_not_end_is_told_with_its_line(tmp_path, step, told):
    file = written(tmp_path, f"import asyncio\n\nasync def join(page, player):\n    {step}\n")
    with pytest.raises(StepsError, match=f"join.py, {told}"):
        await steps_in(file, 1.0 if "wait" in step else 60.0)(None, "ada")


def test_an_error_without_words_is_named():
    assert words(KeyError()) == "KeyError"
