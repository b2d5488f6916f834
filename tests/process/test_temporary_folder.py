"""What a process leaves is removed by the next one; what others hold, or own, is not."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from jamlab.process import temporary_folder as module
from jamlab.process.temporary_folder import sweep, temporary_folder

OWNER = (
    "import signal\n"
    "from jamlab.process.temporary_folder import temporary_folder\n"
    "with temporary_folder('test') as folder:\n"
    "    (folder / 'password').write_text('secret')\n"
    "    print(folder, flush=True)\n"
    "    signal.pause()\n"
)
needs_locks = pytest.mark.skipif(module.fcntl is None, reason="no locks of folders on Windows")


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    """Be where all temporary files go, of child processes too."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def owner():
    """Run another process that has a temporary folder."""
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True) as it:
        try:
            it.folder = Path(it.stdout.readline().strip())
            yield it
        finally:
            it.kill()


def names(place):
    return [path.name for path in place.iterdir()]


def left(place, name="jamlab-test-abcdefgh.tmp"):
    """Make a folder as one that a killed process left."""
    (place / name).mkdir()
    (place / name / "password").write_text("secret")
    return place / name


def test_it_is_there_while_the_context_lasts(place):
    with temporary_folder("test") as folder:
        assert (folder.parent, folder.stat().st_mode & 0o777) == (place, 0o700)
        (folder / "password").write_text("secret")
        sweep()
        assert (folder / "password").exists()
    assert names(place) == []


@needs_locks
def test_its_own_lock_is_free_for_those_who_write_into_it():
    """A record is written under the lock of its folder, by another process perhaps."""
    with temporary_folder("test") as folder:
        descriptor = os.open(folder, os.O_RDONLY)
        module.fcntl.flock(descriptor, module.fcntl.LOCK_EX | module.fcntl.LOCK_NB)
        os.close(descriptor)


def test_it_is_removed_after_an_error(place):
    with pytest.raises(ZeroDivisionError), temporary_folder("test"):
        raise ZeroDivisionError
    assert names(place) == []


def test_it_may_be_removed_inside_the_context(place):
    with temporary_folder("test") as folder:
        shutil.rmtree(folder)
    assert names(place) == []


@needs_locks
def test_that_of_a_killed_process_is_removed_by_the_next(place, owner):
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert (owner.folder / "password").exists()
    with temporary_folder("other") as folder:
        assert names(place) == [folder.name]


@needs_locks
@pytest.mark.parametrize("state", ["it waits", "it is stopped"])
def test_that_of_a_live_process_stays(owner, state):
    if state == "it is stopped":
        owner.send_signal(signal.SIGSTOP)
    sweep()
    assert (owner.folder / "password").exists()


@needs_locks
@pytest.mark.parametrize(
    "name",
    ["jamlab-record-abcdefgh", "jamlab-results", "jamlab-my.tmp", "xjamlab-test-abcdefgh.tmp"],
)
def test_folders_of_other_names_stay(place, name):
    left(place, name)
    sweep()
    assert (place / name / "password").exists()


@needs_locks
def test_those_of_other_users_stay(place, monkeypatch):
    folder = left(place)
    own = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    sweep()
    assert (folder / "password").exists()


@needs_locks
def test_what_a_link_points_to_stays(place, tmp_path_factory):
    aim = left(tmp_path_factory.mktemp("home"))
    (place / "jamlab-test-abcdefgh.tmp").symlink_to(aim)
    sweep()
    assert (aim / "password").exists()


@needs_locks
def test_a_file_of_such_a_name_stays(place):
    (place / "jamlab-test-abcdefgh.tmp").write_text("a user's")
    sweep()
    assert names(place) == ["jamlab-test-abcdefgh.tmp"]


@needs_locks
@pytest.mark.parametrize("moment", ["open", "flock"])
def test_one_that_is_swept_before_it_is_held_is_made_again(place, monkeypatch, moment):
    """Between its making and its lock, a new folder looks like one that was left."""
    owner = os if moment == "open" else module.fcntl
    original, taken = getattr(owner, moment), []

    def late(target, *arguments, **options):
        if not taken:
            taken.extend(place.iterdir())
            shutil.rmtree(taken[0])
        return original(target, *arguments, **options)

    monkeypatch.setattr(owner, moment, late)
    with temporary_folder("test") as folder:
        assert names(place) == [folder.name] != [taken[0].name]


def test_without_locks_nothing_is_removed(place, monkeypatch):
    monkeypatch.setattr(module, "fcntl", None)
    folder = left(place)
    with temporary_folder("test") as made:
        assert made.is_dir()
    assert names(place) == [folder.name]


@needs_locks
def test_a_file_system_without_locks_keeps_them_all(place, monkeypatch):
    def refused(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(module.fcntl, "flock", refused)
    folder = left(place)
    with temporary_folder("test"):
        assert folder.is_dir()


def test_no_place_for_temporary_files_is_no_fault_of_a_sweep(place, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(place / "gone"))
    sweep()
