"""Tests of jamlab.measure.rig.record."""

import pytest

from jamlab.measure.record import RecordError
from jamlab.measure.rig.record import RigRecord, folder_name, load_systems
from tests.measure.rig.records import rig_record, steady


def test_it_comes_back(tmp_path):
    record = rig_record(steady(30.0))
    assert not RigRecord.lies_in(tmp_path)
    folder = record.save(tmp_path / "record")
    assert RigRecord.lies_in(folder)
    again = RigRecord.load(folder)
    assert again.system == "jamulus"
    assert again.clicks.equals(record.clicks)
    assert again.punctuality.equals(record.punctuality)


@pytest.mark.parametrize(
    ("system", "name"),
    [
        ("jamulus", "jamulus"),
        ("../../etc", "etc"),
        ("a/b c", "a-b-c"),
        ("…", "system"),
        ("é", "é"),
        ("x" * 500, "x" * 60),
    ],
)
def test_a_folder_has_a_name_that_any_file_system_takes(system, name):
    assert folder_name(system) == name


def test_systems_of_one_name_are_numbered(tmp_path):
    folders = [rig_record(steady(30.0)).save(tmp_path / str(number)) for number in range(3)]
    assert [each.system for each in load_systems(folders)] == [
        "jamulus",
        "jamulus (2)",
        "jamulus (3)",
    ]


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(RecordError, match="`jamlab rig`"):
        load_systems([tmp_path])
