"""Output arguments: paths are accepted exactly when they can be written."""

import contextlib
from argparse import ArgumentTypeError

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.cli import arguments

NAMES = st.text("ab./", min_size=1, max_size=8).filter(lambda name: ".." not in name)


def written(path):
    """Write a file, with the folders it needs; returns whether that went well."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        return True
    return False


def accepted(kind, path):
    try:
        kind(str(path))
    except ArgumentTypeError:
        return False
    return True


@pytest.fixture(name="place", scope="module")
def make_place(tmp_path_factory):
    """A folder with a folder ``a`` and a file ``b`` in it."""

    def make():
        place = tmp_path_factory.mktemp("place")
        (place / "a").mkdir()
        (place / "b").write_text("")
        return place

    return make


@given(name=NAMES)
def test_a_folder_is_accepted_where_a_file_can_be_put_into_it(place, name):
    wanted = place() / name.lstrip("/")
    assert accepted(arguments.folder, wanted) == written(wanted / "file")


@given(name=NAMES)
def test_a_page_is_accepted_where_it_can_be_written(place, name):
    wanted = place() / name.lstrip("/")
    assert accepted(arguments.page, wanted) == written(wanted)


@pytest.mark.parametrize("name", ["a" * 300, "bad\udcffname"])
def test_a_name_that_cannot_be_is_told_before_anything_is_measured(tmp_path, name):
    with pytest.raises(ArgumentTypeError, match=r"choose another folder$"):
        arguments.folder(str(tmp_path / name))
    with pytest.raises(ArgumentTypeError, match=r"choose another file$"):
        arguments.page(str(tmp_path / name))


def test_a_circle_of_links_is_no_folder(tmp_path):
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(ArgumentTypeError, match="circle cannot be used"):
        arguments.folder(str(tmp_path / "circle"))


def test_what_is_in_the_way_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArgumentTypeError, match=f"^you cannot write to {tmp_path}/file: "):
        arguments.folder(str(tmp_path / "file" / "below"))
    with pytest.raises(ArgumentTypeError, match=f"^you cannot write to {tmp_path}: "):
        arguments.page(str(tmp_path))


@given(text=st.one_of(st.text(max_size=6), st.floats().map(str), st.integers().map(str)))
def test_a_percentage_is_a_number_from_0_to_100_or_nothing(text):
    try:
        expected = text == "" or float(text) in pd.Interval(0, 100, closed="both")
    except ValueError:
        expected = False
    assert accepted(arguments.percent, text) == expected
