"""Campaigns: the same table from every executor, continuation, and one-sentence errors."""

import json
import os
import signal
import subprocess
import sys
import warnings
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

import aioice.ice
import numpy as np
import pandas as pd
import pytest

from jamlab.ice.configuration import IceConfiguration, IceServer
from jamlab.ice.file import embedded_configurations
from jamlab.measure.connectivity import campaign as chunks
from jamlab.measure.connectivity import campaign as connectivity
from jamlab.measure.connectivity.campaign import CampaignError, campaign
from jamlab.measure.connectivity.population import load_population
from jamlab.measure.connectivity.record import ATTEMPT_COLUMNS, ATTEMPTS

POPULATION = load_population("mobile")
CONFIGURATIONS = [embedded_configurations()[name] for name in ("STUN", "STUN+TURN/UDP")]
CALLS, CHUNK = 14, 4
CHUNKS = 4  # three whole ones and one of two calls


class Serial(Executor):
    """Work at once, in this process; fail when so many chunks are done, in the future or itself."""

    def __init__(self, breaks_after=None, error=None, itself=False):
        self.done = 0
        self._breaks_after = breaks_after
        self._error = error
        self._itself = itself

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        if self.done == self._breaks_after:
            if self._itself:
                raise self._error
            future.set_exception(self._error)
        else:
            self.done += 1
            future.set_result(fn(*args, **kwargs))
        return future


class Backwards(Executor):
    """Wait until so many chunks are there, then do the last first; the first one fails if told."""

    def __init__(self, count, error=None):
        self.done = 0
        self._count = count
        self._error = error
        self._work = []

    def submit(self, fn, /, *args):
        future = Future()
        self._work.append((future, fn, args))
        if len(self._work) == self._count:
            self._do_all()
        return future

    def _do_all(self):
        for future, fn, args in reversed(self._work[1 if self._error else 0 :]):
            self.done += 1
            future.set_result(fn(*args))
        if self._error:
            self._work[0][0].set_exception(self._error)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(connectivity, "CHUNK_CALLS", CHUNK)


def run(executor=None, calls=CALLS, seed=3, **options):
    return campaign(POPULATION, CONFIGURATIONS, calls, seed, executor, **options)


@pytest.fixture(scope="module")
def serial():
    return run(Serial())


def same(one, other):
    return one.to_csv() == other.to_csv()


class TestTable:
    def test_is_one_a_record_takes(self, serial):
        assert ATTEMPTS.fault(serial) == ""
        assert list(serial.columns) == list(ATTEMPT_COLUMNS)

    def test_has_a_row_per_call_and_configuration_in_order(self, serial):
        names = [configuration.name for configuration in CONFIGURATIONS]
        expected = [(call, name) for call in range(CALLS) for name in names]
        assert list(zip(serial["call"], serial["configuration"], strict=True)) == expected

    def test_a_call_is_the_same_under_every_configuration(self, serial):
        calls = serial[["call", "caller", "callee", "seed"]].drop_duplicates()
        assert len(calls) == CALLS

    def test_another_seed_gives_other_calls(self, serial):
        assert not same(run(Serial(), seed=4), serial)

    def test_whole_connections(self):
        table = run(Serial(), calls=2, level="dtls")
        assert set(table["level"]) == {"dtls"}
        kinds = {kind for states in table["states"] for _, _, kind, _ in json.loads(states)}
        assert kinds == {"ice", "connection"}


class TestExecutors:
    @pytest.mark.slow
    @pytest.mark.parametrize("workers", [1, 2])
    def test_processes(self, serial, workers):
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            assert same(run(pool), serial)

    def test_in_any_order(self, serial):
        assert same(run(Backwards(CHUNKS)), serial)

    def test_threads_take_turns(self, serial):
        """What aioice sees is replaced for the whole process, so two at a time would mix it up."""
        original = aioice.ice.get_host_addresses
        with ThreadPoolExecutor(CHUNKS) as threads:
            assert same(run(threads), serial)
        assert aioice.ice.get_host_addresses is original

    def test_no_more_than_so_many_chunks_are_under_way(self, serial, monkeypatch):
        monkeypatch.setattr(connectivity, "_UNDER_WAY", 2)
        with Watched(1) as pool:
            assert same(run(pool), serial)
        assert len(pool.futures) == CHUNKS
        assert pool.most <= 2

    @pytest.mark.slow
    def test_a_pool_of_its_own(self, serial):
        assert same(run(), serial)

    @pytest.mark.slow
    def test_another_process_with_other_hashes(self, serial, tmp_path):
        script = (
            "from tests.measure.connectivity.test_campaign import Serial, campaign, connectivity\n"
            "from tests.measure.connectivity.test_campaign import CALLS, POPULATION\n"
            "from tests.measure.connectivity.test_campaign import CONFIGURATIONS\n"
            f"connectivity.CHUNK_CALLS = {CHUNK + 1}\n"
            "table = campaign(POPULATION, CONFIGURATIONS, CALLS, 3, Serial())\n"
            f"table.to_csv({str(tmp_path / 't')!r})"
        )
        environment = os.environ | {"PYTHONHASHSEED": "11"}
        subprocess.run([sys.executable, "-c", script], check=True, env=environment)
        assert (tmp_path / "t").read_text() == serial.to_csv()

    @pytest.mark.slow
    def test_a_cluster_that_loses_a_worker(self, serial):
        """Dask gives the dead worker's chunks to the other one, and nobody can tell."""
        distributed = pytest.importorskip(
            "distributed", reason="needs Dask: .venv/bin/pip install -e '.[distributed]'"
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a dying worker leaves is Dask's business
            cluster = distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
            )
            with cluster, distributed.Client(cluster) as client:
                killing = Killing(client.get_executor(), _worker_processes(client))
                assert same(run(killing), serial)
        assert killing.killed

    def test_a_dead_pool_is_told(self):
        broken = Serial(breaks_after=1, error=BrokenProcessPool("gone"))
        with pytest.raises(CampaignError, match="a worker process died"):
            run(broken)


class Watched(ThreadPoolExecutor):
    """Note how many chunks were under way at most: not taken back by the campaign yet."""

    def __init__(self, workers):
        super().__init__(workers)
        self.futures = []
        self.most = 0

    def submit(self, fn, /, *args):
        self.futures.append(super().submit(fn, *args))
        self.most = max(self.most, sum(not future.done() for future in self.futures))
        return self.futures[-1]


class Killing(Executor):
    """Pass work on, and kill a worker half-way."""

    def __init__(self, executor, processes):
        self._executor = executor
        self._processes = processes
        self._submitted = 0
        self.killed = False

    def submit(self, fn, /, *args, **kwargs):
        future = self._executor.submit(fn, *args, **kwargs)
        self._submitted += 1
        if self._submitted == CHUNKS // 2:
            os.kill(self._processes[0], signal.SIGKILL)
            self.killed = True
        return future


def _worker_processes(client):
    return list(client.run(os.getpid).values())


class TestTakenUpAgain:
    @pytest.mark.parametrize("itself", [False, True])
    @pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("no space left")])
    def test_nothing_is_done_twice(self, serial, tmp_path, error, itself):
        with pytest.raises(type(error)):
            run(Serial(2, error, itself), folder=tmp_path)
        rest = Serial()
        assert same(run(rest, folder=tmp_path), serial)
        assert rest.done == CHUNKS - 2
        assert list(tmp_path.iterdir()) == []

    def test_what_is_done_when_another_fails_is_kept(self, serial, tmp_path):
        some = Backwards(CHUNKS, BrokenProcessPool("gone"))
        with pytest.raises(CampaignError, match="a worker process died"):
            run(some, folder=tmp_path)
        rest = Serial()
        assert same(run(rest, folder=tmp_path), serial)
        assert (some.done, rest.done) == (CHUNKS - 1, 1)

    def test_chunks_of_who_knows_what_count_for_none(self, serial, tmp_path):
        with pytest.raises(KeyboardInterrupt):
            run(Serial(2, KeyboardInterrupt()), seed=9, folder=tmp_path)
        (tmp_path / "parts" / "campaign.json").unlink()
        assert same(run(Serial(), folder=tmp_path), serial)

    def test_other_versions_are_another_campaign(self, tmp_path, monkeypatch):
        with pytest.raises(KeyboardInterrupt):
            run(Serial(1, KeyboardInterrupt()), folder=tmp_path)
        monkeypatch.setattr(chunks, "versions", lambda: {"aioice": "0.0"})
        with pytest.raises(CampaignError, match=r"or versions \(versions\): finish it"):
            run(Serial(), folder=tmp_path)

    def test_half_a_chunk_counts_for_none(self, serial, tmp_path):
        with pytest.raises(KeyboardInterrupt):
            run(Serial(2, KeyboardInterrupt()), folder=tmp_path)
        (tmp_path / "parts" / "000000012.unfinished").write_bytes(b"PAR1")
        assert same(run(Serial(), folder=tmp_path), serial)

    def test_another_campaign_is_not_mixed_in(self, tmp_path):
        with pytest.raises(KeyboardInterrupt):
            run(Serial(1, KeyboardInterrupt()), folder=tmp_path)
        calls = CALLS + CHUNK
        with pytest.raises(CampaignError, match="unfinished campaign with other") as refused:
            run(Serial(), seed=9, calls=calls, folder=tmp_path)
        told = str(refused.value)
        assert f"(seed 3 instead of 9, calls {CALLS} instead of {calls}): finish it" in told

    @pytest.mark.parametrize("kept", ["", "[1]", "12", '{"seed"'])
    def test_a_campaign_that_cannot_be_read_is_not_mixed_in(self, tmp_path, kept):
        (tmp_path / "parts").mkdir()
        (tmp_path / "parts" / "campaign.json").write_text(kept)
        with pytest.raises(CampaignError, match=r"its campaign.json cannot be read\): finish"):
            run(Serial(), folder=tmp_path)

    def test_no_credential_is_written(self, tmp_path):
        secret = IceConfiguration(
            "mine", (IceServer("turn:turn.example.org", "jam", "a secret word"),), "relay"
        )
        with pytest.raises(KeyboardInterrupt):
            campaign(POPULATION, [secret], 9, 1, Serial(1, KeyboardInterrupt()), folder=tmp_path)
        kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
        assert kept
        assert not any(b"a secret word" in each for each in kept)


class TestProgress:
    @pytest.mark.parametrize("calls", [1, CHUNK, CHUNK + 1, CALLS])
    def test_is_the_share_of_calls_that_are_done(self, calls):
        told = []
        run(Serial(), calls=calls, progress=lambda done, _words: told.append(done))
        assert told == [pytest.approx(n / calls) for n in [*range(0, calls, CHUNK), calls]]
        assert told[-1] == 1

    def test_goes_on_where_it_was(self, tmp_path):
        with pytest.raises(KeyboardInterrupt):
            run(Serial(2, KeyboardInterrupt()), folder=tmp_path)
        told = []
        run(Serial(), folder=tmp_path, progress=lambda done, _words: told.append(done))
        assert told == [pytest.approx(n / CALLS) for n in (2 * CHUNK, 3 * CHUNK, CALLS)]


class TestMistakes:
    @pytest.mark.parametrize(
        ("parameters", "words"),
        [
            ({"calls": 0}, "calls is 0: choose a whole number from 1 to 10000000"),
            ({"calls": 2.5}, "calls is 2.5: choose a whole number"),
            ({"calls": "many"}, "calls is many: choose a whole number"),
            ({"seed": -1}, "seed is -1: choose a whole number from 0 to 9223372036854775807"),
            ({"seed": 2**63}, "seed is 9223372036854775808: choose"),
            ({"deadline_s": 0.5}, "deadline_s is 0.5: choose a number from 1 to 600"),
            ({"deadline_s": float("nan")}, "deadline_s is nan: choose"),
            ({"deadline_s": None}, "deadline_s is None: choose"),
            ({"level": "tcp"}, "level is 'tcp': choose ice or dtls"),
        ],
    )
    def test_parameters_out_of_range(self, parameters, words):
        with pytest.raises(CampaignError, match=words):
            run(Serial(), **parameters)

    def test_numbers_as_a_table_has_them_are_numbers(self, serial):
        assert same(run(Serial(), calls=np.int64(CALLS), seed=np.int64(3)), serial)

    @pytest.mark.parametrize("configurations", [[], CONFIGURATIONS[:1] * 2])
    def test_configurations_without_names_of_their_own(self, configurations):
        with pytest.raises(CampaignError, match="each with its own name"):
            campaign(POPULATION, configurations, 3, 1, Serial())


def test_the_table_reads_back_as_it_was(serial, tmp_path):
    serial.to_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), serial)
