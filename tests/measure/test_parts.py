"""Finished chunks on the disk: whole ones, of one campaign."""

import json

import pandas as pd
import pytest

from jamlab.measure.parts import CampaignError, Parts

DESCRIPTION = json.dumps({"seed": 1, "population": "mobile"})
ROWS = [pd.DataFrame({"call": [first, first + 1]}) for first in (0, 2)]


def written(folder):
    parts = Parts(folder, DESCRIPTION)
    for rows in reversed(ROWS):
        parts.write(int(rows["call"].iloc[0]), rows)
    return parts


def test_chunks_are_read_in_order_whatever_the_order_they_were_written_in(tmp_path):
    table = written(tmp_path).read_all([0, 2])
    assert list(table["call"]) == [0, 1, 2, 3]
    assert list(table.index) == [0, 1, 2, 3]


def test_nothing_is_left_when_all_is_read(tmp_path):
    written(tmp_path).read_all([0, 2])
    assert list(tmp_path.iterdir()) == []


def test_the_same_campaign_finds_its_chunks_again(tmp_path):
    written(tmp_path)
    again = Parts(tmp_path, DESCRIPTION)
    assert [again.has(first) for first in (0, 1, 2)] == [True, False, True]


def test_another_campaign_is_told_what_differs(tmp_path):
    written(tmp_path)
    with pytest.raises(CampaignError, match=r"\(seed 1 instead of 2\): finish it first"):
        Parts(tmp_path, json.dumps({"seed": 2, "population": "mobile"}))


def test_a_chunk_without_room_is_told_and_loses_nothing(tmp_path, monkeypatch):
    parts = written(tmp_path)

    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.raises(CampaignError, match=r"No space left on device.*free space there"):
        parts.write(4, ROWS[0])
    assert [parts.has(first) for first in (0, 2, 4)] == [True, True, False]


def test_a_chunk_that_cannot_be_read_is_named_and_the_others_stay(tmp_path):
    parts = written(tmp_path)
    [second] = (tmp_path / "parts").glob("*2.parquet")
    second.write_bytes(second.read_bytes()[:50])
    with pytest.raises(CampaignError, match=r"2\.parquet cannot be read .*: delete it"):
        parts.read_all([0, 2])
    second.unlink()
    again = Parts(tmp_path, DESCRIPTION)
    assert [again.has(first) for first in (0, 2)] == [True, False]


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", b"[]", b"3", b"null", b'"seed"'])
def test_a_description_of_another_kind_is_another_campaign(tmp_path, content):
    written(tmp_path)
    (tmp_path / "parts" / "campaign.json").write_bytes(content)
    with pytest.raises(CampaignError, match="holds an unfinished campaign with other parameters"):
        Parts(tmp_path, DESCRIPTION)
