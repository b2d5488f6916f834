"""A mesh of processes: its record, and its end whatever happens to a player."""

import asyncio
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import psutil
import pytest

from jamlab.measure.latency.example import example_record
from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.latency.run import ONE_WAY, ROUND_TRIP
from jamlab.measure.latency.stages import STAGES
from jamlab.measure.latency.verdicts import floor_ms, paths_table, verdicts
from jamlab.measure.process_mesh import run
from jamlab.measure.process_mesh.run import measure_players, merged
from jamlab.process.child import ChildError
from tests.leaks import DEADLINE_S
from tests.process.parents import lines_of, parent

PLAN = LatencyPlan(peers=3)

STARTED = "import json, sys\nprint(json.dumps({'started': 1}), flush=True)\n"
"""The beginning of a stand-in for a player."""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Return a function that makes a module of some lines the players' process."""

    def use(lines):
        (tmp_path / "stand_in.py").write_text(lines)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
        monkeypatch.setattr(run, "PLAYER", "stand_in")

    return use


def of_listener(record, name):
    """Return what a player records of a run: the paths that end at its loudspeaker."""
    clicks, streams = record.clicks, record.streams
    heard = clicks["receiver"].where(clicks["measurement"] == ONE_WAY, clicks["sender"]) == name
    lag = record.provenance["loop_lag"] | {"p99_ms": {"player 1": 3.0, "player 2": 7.0}[name]}
    provenance = record.provenance | {"loop_lag": lag, "real_time": name == "player 1"}
    mine = streams[streams["receiver"] == name]
    return LatencyRecord(clicks[heard], mine, record.waveforms, provenance)


def test_the_players_records_are_put_together_as_of_one_process():
    """A record of a run in one process, taken apart, is the truth for rows and their order."""
    whole = example_record()
    plan = LatencyPlan(**whole.provenance["parameters"])
    again = merged(plan, [of_listener(whole, name) for name in plan.names])
    pd.testing.assert_frame_equal(again.clicks, whole.clicks)
    in_order = ["session", "measurement", "echoing", "sender", "receiver"]
    pd.testing.assert_frame_equal(
        again.streams.sort_values(in_order, ignore_index=True),
        whole.streams.sort_values(in_order, ignore_index=True),
    )
    assert again.provenance["loop_lag"]["p99_ms"] == 7.0
    assert again.provenance["real_time"] is False
    assert again.provenance["processes"] == 2


async def test_a_player_that_breaks_down_is_one_sentence(stand_in):
    stand_in(STARTED + "sys.stdin.readline()\nraise OSError('no sound\\nat all')\n")
    sentence = r"the process of player \d ended with status 1: .*at all"
    with pytest.raises(ChildError, match=sentence) as caught:
        await measure_players(PLAN, lambda *_: None)
    assert "\n" not in str(caught.value)


async def test_a_player_that_hangs_is_ended(stand_in, monkeypatch):
    stand_in("import sys\nsys.stdin.readline()\nsys.stdin.readline()\n")
    monkeypatch.setattr(run, "PATIENCE_S", 0.2)
    with pytest.raises(ChildError, match=r"player \d was silent for 0 s and has been ended"):
        await measure_players(PLAN, lambda *_: None)
    assert not [child for child in psutil.Process().children() if "stand_in" in child.cmdline()]


async def test_cancelling_ends_all_players(stand_in):
    stand_in("import sys\nsys.stdin.readline()\nsys.stdin.readline()\n")
    told = asyncio.Event()
    running = asyncio.create_task(measure_players(PLAN, lambda *_: told.set()))
    await asyncio.wait_for(told.wait(), DEADLINE_S)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not [child for child in psutil.Process().children() if "stand_in" in child.cmdline()]


async def test_progress_is_told_while_players_start(stand_in, monkeypatch):
    stand_in("import sys\nsys.stdin.readline()\nsys.stdin.readline()\n")
    monkeypatch.setattr(run, "_TELL_EVERY_S", 0.01)
    told, enough = [], asyncio.Event()

    def tell(*said):
        told.append(said)
        if len(told) == 5:
            enough.set()

    running = asyncio.create_task(measure_players(PLAN, tell))
    await asyncio.wait_for(enough.wait(), DEADLINE_S)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert {doing for _, doing in told} == {"starting 3 participants"}
    assert told[0][0] == 0
    assert told == sorted(told)


def test_the_plan_goes_by_standard_input(monkeypatch, capsys, tmp_path):
    """The worker's own side: it reads the plan, and reports in lines of JSON."""
    seen = []

    async def measured(plan, report):
        seen.append(plan)
        report(0.5, "measuring")

        class Saved:
            def save(self, folder):
                seen.append(folder)

        return Saved()

    plan = LatencyPlan(peers=3)
    monkeypatch.setattr(run, "measure_players", measured)
    with parent([plan.to_dict(), str(tmp_path)]):
        run.main()
    assert seen == [plan, tmp_path]
    assert lines_of(capsys) == [[0.5, "measuring"], None]


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_the_end_of_the_worker_is_the_players_too(tmp_path, end, stand_in):
    stand_in(
        "from jamlab.process.parent import ending_with_parent, receive, send\n"
        "with ending_with_parent():\n"
        "    receive()\n"
        "    send({'started': 1})\n"
        "    receive()\n"
        "    receive()\n"
    )
    script = "from jamlab.measure.process_mesh import run; run.PLAYER = 'stand_in'; run.main()"
    command = [sys.executable, "-c", script]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **pipes) as worker:
        worker.stdin.write(json.dumps([PLAN.to_dict(), str(tmp_path)]).encode() + b"\n")
        worker.stdin.flush()
        while b"connecting" not in worker.stdout.readline():
            pass
        players = psutil.Process(worker.pid).children(recursive=True)
        worker.send_signal(end)
        assert worker.wait(DEADLINE_S) == -end
    _, alive = psutil.wait_procs(players, timeout=DEADLINE_S)
    assert len(players) == 3
    assert alive == []


@pytest.fixture(scope="module")
def six():
    """A real run of six participants, as short as can be, and what it told.

    A machine that is too busy to play most clicks has up to three tries.
    """
    plan = LatencyPlan(peers=6, duration_s=1, round_trip_s=0, settle_s=1, sessions=1)
    for _ in range(3):
        told = []
        record = asyncio.run(measure_players(plan, lambda *said, told=told: told.append(said)))
        if record.clicks["network_ms"].notna().mean() > 0.3:
            break
    return record, told


@pytest.mark.slow
def test_six_participants_hear_each_other(six):
    """No figure here depends on the machine's speed."""
    record, told = six
    paths = paths_table(record)
    names = record.provenance["parameters"]["peers"]
    assert len(paths) == names * (names - 1)
    assert record.clicks.groupby(["sender", "receiver"]).size().between(8, 11).all()
    heard = record.clicks["latency_ms"].notna().mean()
    assert heard > 0.8 or any("does not count" in each.reason for each in verdicts(record))
    assert record.clicks["latency_ms"].min() > floor_ms(record) - 0.021
    assert [share for share, _ in told] == sorted(share for share, _ in told)
    assert told[-1][0] == 1.0


@pytest.mark.slow
def test_times_of_two_processes_explain_what_is_heard(six):
    """One clock for all: the stages come from two processes, the correlation from sound alone."""
    known = six[0].clicks.dropna(subset=["latency_ms", "network_ms"])
    explained = known[[f"{stage}_ms" for stage in STAGES]].sum(axis=1)
    assert len(known) > 3  # of 300, on the busiest machine
    assert np.median(np.abs(known["latency_ms"] - explained)) < 0.02
    assert (known["network_ms"] > 0).all()
    assert ROUND_TRIP not in set(six[0].clicks["measurement"])
