"""A machine without any network: a namespace whose only interface is the loopback, up or down."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from jamlab.measure.acceptance.sound import THREE_USERS
from jamlab.measure.reaches_itself import NO_LOOPBACK

PATIENCE_S = 300
_UP = "ip link set lo up"

SESSION = """
import asyncio
from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.latency.participants import Rig

async def main():
    async with Rig.build(LatencyPlan(peers=2)):
        print("connected")

asyncio.run(main())
"""


def _why_not():
    if os.geteuid() != 0:
        return "needs root, for a network namespace: sudo pytest tests/test_no_network.py"
    missing = [tool for tool in ("unshare", "ip") if shutil.which(tool) is None]
    if missing:
        return f"{' and '.join(missing)} missing: apt-get install -y util-linux iproute2"
    tried = subprocess.run(["unshare", "--net", "sh", "-c", _UP], capture_output=True, text=True)
    return f"no network namespace can be made here: {tried.stderr}" if tried.returncode else None


@pytest.fixture(autouse=True, scope="module")
def _namespaces():
    reason = _why_not()
    if reason is not None:
        pytest.skip(reason)


def offline(*command, loopback=_UP):
    """Run Python with no interface except the loopback."""
    shell = f'{loopback} && exec "$0" "$@"'
    return subprocess.run(
        ["unshare", "--net", "sh", "-c", shell, sys.executable, *command],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


def test_a_session_connects():
    run = offline("-c", SESSION)
    assert run.stdout == "connected\n", run.stderr


@pytest.mark.slow
def test_the_doctor_finds_that_participants_connect():
    run = offline("-m", "jamlab", "doctor")
    assert "no other network" in " ".join(run.stdout.replace("│", " ").split()), run.stdout
    assert run.returncode == 0


@pytest.mark.slow
def test_verify_measures_and_writes_its_page(tmp_path):
    """The verdict is not FAIL; on a busy machine it may be INCONCLUSIVE."""
    options = ["--here-only", "--json", "--only", THREE_USERS, "--out", str(tmp_path)]
    run = offline("-m", "jamlab", "verify", *options)
    assert run.stdout, run.stderr
    (judged,) = json.loads(run.stdout)
    assert judged["value"] is not None
    assert judged["verdict"] in ("PASS", "INCONCLUSIVE")
    assert run.returncode == (2 if judged["verdict"] == "INCONCLUSIVE" else 0)
    assert (tmp_path / "acceptance.html").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["doctor", "verify"])
def test_with_the_loopback_down_a_sentence_says_what_to_do(command, tmp_path):
    options = ["--out", str(tmp_path)] if command == "verify" else []
    run = offline("-m", "jamlab", command, *options, loopback="true")
    said = " ".join((run.stdout + run.stderr).replace("│", " ").split())
    assert run.returncode == {"doctor": 1, "verify": 2}[command]
    assert "Traceback" not in said
    if command == "verify":
        assert said == f"jamlab: {NO_LOOPBACK}"
        assert not any(tmp_path.iterdir())
