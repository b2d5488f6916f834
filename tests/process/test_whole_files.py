import pytest

from jamlab.process.whole_files import written_whole


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
