import asyncio
from contextlib import nullcontext

import pandas as pd
import psutil
import pytest

from jamlab.measure.latency import worker
from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.latency.worker import measure_in_worker, replaced
from jamlab.measure.processes import MeasurementError, run_worker
from jamlab.process.child import ChildError
from tests.measure import killed
from tests.measure.killed import NEW_MS, OLD_MS


@pytest.mark.slow
def test_the_record_is_what_is_on_the_disk(real_run):
    record, folder, _ = real_run
    pd.testing.assert_frame_equal(LatencyRecord.load(folder).clicks, record.clicks)


@pytest.mark.slow
def test_progress_goes_from_nothing_to_all(real_run):
    shares = [share for share, _ in real_run[2]]
    assert shares[0] == 0.0
    assert shares[-1] == 1.0
    assert shares == sorted(shares)


@pytest.mark.parametrize("below", [".", "deeper"])
async def test_where_nothing_can_be_kept_nothing_is_measured(tmp_path, below):
    blocked = tmp_path / "file"
    blocked.write_text("a file where the folder should be")
    told = []
    with pytest.raises(
        MeasurementError, match=r"the folder .*file.* cannot be made .*: choose another"
    ):
        await measure_in_worker(LatencyPlan(), blocked / below, lambda *said: told.append(said))
    assert told == []
    assert blocked.read_text() == "a file where the folder should be"


@pytest.mark.parametrize("works", [True, False])
async def test_what_belonged_to_an_earlier_record_goes_with_it(tmp_path, monkeypatch, works):
    """The parts of an earlier run are gone before there is a record they do not belong to."""
    killed.latency_of(OLD_MS).save(tmp_path)
    part = tmp_path / "acceptance"
    part.mkdir()
    found = []

    async def run(_module, _task, folder, _progress):
        if not works:
            raise ChildError("the measurement", "broke down")
        killed.latency_of(NEW_MS).save(folder)

    rmtree = worker.shutil.rmtree

    def remove(folder, **options):
        if folder == part:
            found.append(LatencyRecord.load(tmp_path).provenance["marker"])
        rmtree(folder, **options)

    monkeypatch.setattr(worker, "run_worker", run)
    monkeypatch.setattr(worker.shutil, "rmtree", remove)
    outcome = nullcontext() if works else pytest.raises(ChildError)
    with outcome:
        await measure_in_worker(LatencyPlan(), tmp_path, outdated=[part])
    assert found == ([OLD_MS] if works else [])
    assert part.exists() is not works


async def test_a_failure_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "failing.py").write_text("raise OSError('the disk\\nis full')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    sentence = r"the process of the measurement ended with status 1: .*full"
    with pytest.raises(ChildError, match=sentence) as caught:
        await run_worker("failing", {}, tmp_path, lambda *_: None)
    assert "\n" not in str(caught.value)


async def test_any_module_can_be_a_worker(tmp_path, monkeypatch):
    (tmp_path / "echoing.py").write_text(
        "import json, sys\n"
        "task, folder = json.loads(sys.stdin.readline())\n"
        "print(json.dumps([0.5, task['say']]), flush=True)\n"
        "open(folder, 'w').write(task['say'])\n"
        "print('null')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    told = []
    await run_worker("echoing", {"say": "hé"}, tmp_path / "out", lambda *said: told.append(said))
    assert told[-1] == (0.5, "hé")
    assert (tmp_path / "out").read_text() == "hé"


async def test_cancelling_kills_the_worker(tmp_path):
    begun = asyncio.Event()
    others = psutil.Process().children()  # such as the resource tracker of other tests' pools
    running = asyncio.create_task(
        measure_in_worker(LatencyPlan(), tmp_path, lambda *_: begun.set())
    )
    await begun.wait()
    children = [child for child in psutil.Process().children() if child not in others]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert children
    assert not any(child.is_running() for child in children)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def parts(tmp_path):
    """Folders of an earlier record: one that is there, and one that is not."""
    (tmp_path / "card").mkdir()
    (tmp_path / "card" / "file").write_text("measured")
    return [tmp_path / "card", tmp_path / "networks"]


def test_what_is_outdated_is_gone_before_the_record_is_saved(parts, tmp_path):
    with replaced(parts):
        assert not parts[0].exists()
    assert list(tmp_path.iterdir()) == []


def test_what_is_outdated_comes_back_where_the_record_cannot_be_saved(parts, tmp_path):
    with pytest.raises(OSError, match="full"), replaced(parts):
        raise OSError("full")
    assert list(tmp_path.iterdir()) == [parts[0]]
    assert (parts[0] / "file").read_text() == "measured"
