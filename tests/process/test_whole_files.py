from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jamlab.process.whole_files import finish_writing, written_whole


def test_files_come_with_all_that_was_written(tmp_path):
    with written_whole(tmp_path / "deep" / "folder", "last") as aside:
        for name in ("last", "first"):
            (aside / name).write_text(name)
        (aside / "part").mkdir()
        (aside / "part" / "last").write_text("a part's")
        assert not (tmp_path / "deep" / "folder" / "first").exists()
    folder = tmp_path / "deep" / "folder"
    assert {path.name for path in folder.iterdir()} == {"first", "last", "part"}
    assert (folder / "last").read_text() == "last"
    assert (folder / "part" / "last").read_text() == "a part's"


def test_a_failure_leaves_what_was_there(tmp_path):
    (tmp_path / "page").write_text("as before")

    def write():
        with written_whole(tmp_path, "page") as aside:
            (aside / "page").write_text("half of")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert [path.name for path in tmp_path.iterdir()] == ["page"]
    assert (tmp_path / "page").read_text() == "as before"


def test_what_a_killed_process_left_is_not_taken(tmp_path):
    left = tmp_path / ".page.unfinished"
    left.mkdir()
    (left / "other").write_text("of a process that was killed")
    with written_whole(tmp_path, "page") as aside:
        (aside / "page").write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["page"]


def killed_before_any_file_moved(folder, monkeypatch):
    """Write two files over those of before, and be killed once both are complete."""

    class KilledError(BaseException):
        pass

    def killed(self, target):
        raise KilledError

    def write():
        with written_whole(folder, "last") as aside:
            for name in ("first", "last"):
                (aside / name).write_text("new")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", killed)
        with pytest.raises(KilledError):
            write()


def test_complete_files_of_a_killed_process_take_their_places(tmp_path, monkeypatch):
    for name in ("first", "last", "other"):
        (tmp_path / name).write_text("old")
    killed_before_any_file_moved(tmp_path, monkeypatch)
    assert (tmp_path / "first").read_text() == "old"
    finish_writing(tmp_path, "last")
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"first": "new", "last": "new", "other": "old"}


def test_they_do_so_before_others_are_written(tmp_path, monkeypatch):
    killed_before_any_file_moved(tmp_path, monkeypatch)
    with written_whole(tmp_path, "last") as aside:
        (aside / "last").write_text("newest")
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"first": "new", "last": "newest"}


def test_where_nothing_is_left_nothing_is_done(tmp_path):
    (tmp_path / "last").write_text("old")
    finish_writing(tmp_path, "last")
    finish_writing(tmp_path / "nowhere", "last")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_writers_of_one_folder_take_turns(tmp_path):
    """Two at once shared a temporary folder, and what they left was of both."""

    def write(number):
        with written_whole(tmp_path, "last") as aside:
            for name in ("first", "second", "last"):
                (aside / name).write_text(str(number))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(100)))
    assert len({(tmp_path / name).read_text() for name in ("first", "second", "last")}) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"first", "second", "last"}
