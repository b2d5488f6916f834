"""`jamlab serve`, as a process and told to stop."""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from jamlab import cli, serve
from jamlab.signaling import endpoint
from jamlab.signaling.handshake import DEFAULT_KEY
from jamlab.signaling.hub import KEY_VARIABLE

DEADLINE_S = 30
KEY = "sb_test_key_77"


@contextmanager
def served(*options, key=None):
    """Run the command; yields the process, the URL and the line for the others."""
    environment = {name: value for name, value in os.environ.items() if name != KEY_VARIABLE}
    if key is not None:
        environment[KEY_VARIABLE] = key
    command = [sys.executable, "-m", "jamlab", "serve", "--port", "0", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            url = re.fullmatch(r"Listening at (ws://\S+)\n", process.stdout.readline())
            yield process, url and url[1], process.stdout.readline()
        finally:
            process.kill()


def test_it_serves_until_ctrl_c():
    with served() as (process, url, invitation):
        assert url.startswith("ws://127.0.0.1:")
        assert repr(DEFAULT_KEY) in invitation
        assert endpoint.KEY_VARIABLE in invitation, "the hub's own variable is another"
        with connect(f"{url}/websocket?apikey={DEFAULT_KEY}", ping_interval=None) as ws:
            ws.send('{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"1"}')
            assert '"ok"' in ws.recv()
            process.send_signal(signal.SIGINT)
            with pytest.raises(ConnectionClosed, match="1001"):
                ws.recv(DEADLINE_S)
        out, err = process.communicate(timeout=DEADLINE_S)
        assert (process.returncode, out, err) == (0, "", "")


def test_the_key_is_the_user_s_and_is_not_shown():
    with served("--host", "0.0.0.0", key=KEY) as (process, url, invitation):
        assert url.startswith("ws://127.0.0.1:")
        assert "on other machines" in invitation
        with connect(f"{url}/websocket?apikey={KEY}", ping_interval=None):
            pass
        with pytest.raises(InvalidStatus, match="401"):
            connect(f"{url}/websocket?apikey={DEFAULT_KEY}")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0
        assert KEY not in url + invitation + out + err


@pytest.mark.parametrize(
    ("options", "environment", "key"),
    [([], None, DEFAULT_KEY), ([], KEY, KEY), (["--key", KEY], "another", KEY)],
)
def test_an_option_comes_before_the_environment(monkeypatch, options, environment, key):
    asked = []

    async def run_hub(*arguments):
        asked.append(arguments[:3])

    monkeypatch.setattr(serve, "run_hub", run_hub)
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    if environment:
        monkeypatch.setenv(KEY_VARIABLE, environment)
    assert cli.main(["serve", *options]) == 0
    assert asked == [("127.0.0.1", 4000, key)]


def test_others_are_not_let_in_with_the_key_everybody_knows(capsys, monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    assert cli.main(["serve", "--host", "0.0.0.0"]) == cli.INVALID
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "give a key of your own" in err


def test_a_port_that_cannot_be_had_is_said_in_a_line(capsys):
    assert cli.main(["serve", "--port", "70000"]) == cli.INVALID
    _, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert "choose another" in err
