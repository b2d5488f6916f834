"""What holds for a record of any kind, however its folder is damaged."""

import errno
import gc
import hashlib
import json
import os
import shutil
import subprocess
import weakref
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from jamlab.measure.across_networks.kernel_record import KernelMeshRecord, KernelRecord
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.live_mesh.record import MeshRecord
from jamlab.measure.record import Record, RecordError, once_per_record
from tests.examples import examples
from tests.measure.kinds import KINDS, latency

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
VALUES = st.sampled_from([None, "word", b"bytes", 1, -7.5, float("nan"), True, [1], {"a": 1}])


ALL_SAY = {"created": str, "machine": dict, "parameters": dict, "versions": dict}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return the folder of a record of every kind, which nobody changes."""
    folder = tmp_path_factory.mktemp("kinds")
    return {kind: make().save(folder / kind.__name__) for kind, make in KINDS.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("damaged")


def kept_as(kind):
    """Return the kind whose files are in the folder: of a case on the kernel its mesh's."""
    return KernelMeshRecord if kind is KernelRecord else kind


def copied(saved, kind, folder):
    """Return a copy of the folder of a record, in place of the last one."""
    shutil.rmtree(folder / "record", ignore_errors=True)
    return Path(shutil.copytree(saved[kind], folder / "record"))


def files_of(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def tell_digests(folder):
    """Make the files of a folder those its provenance names, whatever is in them now."""
    path = folder / "provenance.json"
    told = json.loads(path.read_text())
    for name in told["files"]:
        told["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    path.write_text(json.dumps(told))


def sentence_on(kind, folder):
    """Read a record that may be damaged; returns the sentence on it, or nothing if it is read."""
    try:
        kind.load(folder)
    except RecordError as error:
        return str(error)
    return ""


def refused(kind, folder):
    """Read a record that is damaged; returns the sentence on it."""
    sentence = sentence_on(kind, folder)
    assert str(folder) in sentence
    return sentence


def test_all_kinds_are_here():
    def below(kind):
        return {kind}.union(*map(below, kind.__subclasses__()))

    assert below(Record) - {Record} == {*KINDS, *map(kept_as, KINDS)}


@pytest.mark.parametrize("kind", KINDS)
def test_it_comes_back_with_columns_of_the_declared_types(kind, saved):
    record = kept_as(kind).load(saved[kind])
    tables = {name: each for name, each in record.TABLES.items() if each.kept(record.provenance)}
    assert tables
    for name, table in tables.items():
        found = getattr(record, name).dtypes.astype(str)
        assert found[list(table.columns)].to_dict() == dict(table.columns)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_key_that_is_declared_is_asked_for_and_its_type(kind, saved, folder):
    for name, wanted in {**kept_as(kind).KEYS, **ALL_SAY}.items():
        *above, last = name.split(".")
        for value in ({}, [], "word", 1.5, None):
            copy = copied(saved, kind, folder)
            told = json.loads((copy / "provenance.json").read_text())
            within = told
            for each in above:
                within = within[each]
            within[last] = value
            (copy / "provenance.json").write_text(json.dumps(told))
            sentence = sentence_on(kind, copy)
            named = f"has {value!r} for {name}: measure", f"lacks ['{name}."
            assert isinstance(value, wanted) or any(words in sentence for words in named)
        del within[last]
        (copy / "provenance.json").write_text(json.dumps(told))
        assert f"lacks ['{name}" in refused(kind, copy)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "is not a JSON object"),
        ("null", "is not a JSON object"),
        ('"provenance"', "is not a JSON object"),
        ("7", "is not a JSON object"),
        ("{}", "lacks ["),
        ("", "cannot be read"),
        ("{nonsense", "cannot be read"),
        ("[" * 100_000, "nested too deep"),
    ],
)
def test_a_provenance_that_is_none_is_one_sentence(kind, saved, folder, text, words):
    copy = copied(saved, kind, folder)
    (copy / "provenance.json").write_text(text)
    sentence = refused(kind, copy)
    assert f"{copy / 'provenance.json'} {words}" in sentence or "nested too deep" in sentence
    assert words in sentence


@pytest.mark.parametrize("kind", KINDS)
@examples(30)
@given(data=st.data())
def test_a_file_that_was_truncated_is_named(kind, saved, folder, data):
    copy = copied(saved, kind, folder)
    path = data.draw(st.sampled_from(files_of(copy)))
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole.rstrip()) - 1))])
    sentence = refused(kind, copy)
    assert str(path) in sentence
    assert "cannot be read" in sentence


@pytest.mark.parametrize("kind", KINDS)
@examples(30)
@given(data=st.data())
def test_a_byte_that_is_another_is_noticed(kind, saved, folder, data):
    copy = copied(saved, kind, folder)
    tables = [path for path in files_of(copy) if path.suffix == ".parquet"]
    path = data.draw(st.sampled_from(tables))
    changed = bytearray(path.read_bytes())
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(changed)
    refused(kind, copy)


@pytest.mark.parametrize("kind", KINDS)
@examples(30)
@given(data=st.data())
def test_files_of_another_kind_are_refused(kind, saved, folder, data):
    copy = copied(saved, kind, folder)
    path = data.draw(st.sampled_from(files_of(copy)))
    others = [each for other in KINDS if other is not kind for each in files_of(saved[other])]
    other = data.draw(st.sampled_from(others)).read_bytes()
    assume(other != path.read_bytes())  # there are latencies of acceptance tests, too
    path.write_bytes(other)
    refused(kind, copy)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@examples(30)
@given(data=st.data())
def test_values_of_other_types_in_the_provenance_are_a_sentence_or_no_matter(
    kind, saved, folder, data
):
    copy = copied(saved, kind, folder)
    path = copy / "provenance.json"
    told = json.loads(path.read_text())
    below = [value for value in told.values() if value and isinstance(value, dict)]
    within = data.draw(st.sampled_from([told, *below]))
    name = data.draw(st.sampled_from(sorted(within)) | st.text(max_size=5))
    within[name] = data.draw(JSON)
    path.write_text(json.dumps(told))
    sentence = sentence_on(kind, copy)
    assert sentence == "" or str(copy) in sentence


@pytest.mark.parametrize("kind", KINDS)
@examples(30)
@given(data=st.data())
def test_columns_of_other_types_are_a_sentence_or_of_the_declared_type(kind, saved, folder, data):
    copy = copied(saved, kind, folder)
    tables = sorted(copy.glob("*.parquet"))
    path = data.draw(st.sampled_from(tables))
    table = pd.read_parquet(path)
    column = data.draw(st.sampled_from(list(table.columns)))
    value = data.draw(VALUES)
    table[column] = pd.Series([value] * len(table), index=table.index)
    table.to_parquet(path, index=False)
    tell_digests(copy)
    sentence = sentence_on(kind, copy)
    assert sentence == "" or str(copy) in sentence


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_of_another_kind_says_which_command_writes_this_one(kind, saved):
    readable = {kind} | {each for each in KINDS if issubclass(kept_as(each), kind)}
    for other in set(KINDS) - readable:
        assert f"name a folder that {kept_as(kind).WRITTEN_BY}" in refused(kind, saved[other])


def test_a_case_on_the_kernel_can_be_read_as_a_mesh(saved):
    assert MeshRecord.load(saved[KernelRecord]).provenance["number"] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_where_it_lies_is_known_by_its_first_table(kind, saved, tmp_path):
    assert kept_as(kind).lies_in(saved[kind])
    assert not kind.lies_in(tmp_path)
    assert not kind.lies_in(tmp_path / "nowhere")


@pytest.fixture
def spare(tmp_path, monkeypatch):
    """A folder for temporary files, where a record is kept that its own folder does not take."""
    folder = tmp_path / "spare"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def kept_in(spare, sentence):
    """Return the latency record that is the only content of a folder, which a sentence names."""
    (kept,) = spare.iterdir()
    assert f"this one is kept in {kept}, whole" in sentence
    return LatencyRecord.load(kept)


def test_a_folder_that_cannot_be_made_is_one_sentence_and_loses_nothing(tmp_path, spare):
    (tmp_path / "file").touch()
    record = latency()
    with pytest.raises(RecordError, match=r"file/below.*name another folder") as caught:
        record.save(tmp_path / "file" / "below")
    assert_frame_equal(kept_in(spare, str(caught.value)).clicks, record.clicks)


@pytest.mark.parametrize("size", ["4k", "8k", "16k"])
def test_a_full_disk_loses_neither_the_earlier_record_nor_the_new_one(tmp_path, spare, size):
    """The disk is a small one in memory."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(disk)]
    if os.name != "posix" or os.geteuid() != 0 or subprocess.run(mount).returncode != 0:
        pytest.skip("a small disk cannot be mounted: run as root on Linux")
    try:
        (disk / "record").mkdir()
        (disk / "record" / "earlier").write_text("here")
        with pytest.raises(RecordError, match="No space left on device") as caught:
            latency().save(disk / "record")
        assert [path.name for path in (disk / "record").iterdir()] == ["earlier"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    kept_in(spare, str(caught.value))


class TestWhereNothingTakesIt:
    @pytest.fixture
    def full(self, monkeypatch):
        """Every table ends in a full disk; returns the folders that were tried."""
        tried = []

        def to_parquet(_table, path, **_):
            tried.append(path.parent)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(pd.DataFrame, "to_parquet", to_parquet)
        return tried

    def test_it_is_said(self, tmp_path, spare, full, monkeypatch):
        (tmp_path / "here").mkdir()
        monkeypatch.chdir(tmp_path / "here")
        with pytest.raises(RecordError, match="this one is lost, as no other folder takes it"):
            latency().save(tmp_path / "record")
        places = {folder.parent.parent for folder in full}
        assert {spare, tmp_path / "here"} <= places
        assert [folder for folder in full if folder.exists()] == []
        assert list(spare.iterdir()) == []


class TestOncePerRecord:
    @pytest.fixture
    def made(self):
        return []

    @pytest.fixture
    def table_of(self, made):
        @once_per_record
        def table_of(record):
            made.append(record.provenance["created"])
            return pd.DataFrame({"x": [1.0, 2.0]})

        return table_of

    def test_is_made_once_and_everybody_has_a_copy(self, made, table_of):
        record, other = latency(), latency()
        table = table_of(record)
        table["x"] = 0.0
        assert table_of(record)["x"].tolist() == [1.0, 2.0]
        assert len(made) == 1
        table_of(other)
        assert len(made) == 2

    def test_goes_with_its_record(self, table_of):
        record = latency()
        table_of(record)
        gone = weakref.ref(record)
        del record
        gc.collect()
        assert gone() is None
