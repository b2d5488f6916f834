"""``jamlab serve``, as a process and stopped by signals."""

import asyncio
import datetime
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from contextlib import contextmanager

import pytest
from websockets.asyncio import client
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from jamlab.certificate import fingerprint, self_signed
from jamlab.cli import commands as cli
from jamlab.cli import serve
from jamlab.signaling import endpoint
from jamlab.signaling.hub.addresses import own_addresses
from jamlab.signaling.hub.server import KEY_VARIABLE

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
            url = re.fullmatch(r"Listening at (wss?://\S+)\n", process.stdout.readline())
            lines = [*iter(process.stdout.readline, "Ctrl-C ends it.\n")]
            yield process, url and url[1], "".join(lines)
        finally:
            process.kill()


def key_in(invitation):
    """Return the key of the command that others are to run."""
    return re.search(rf"{endpoint.KEY_VARIABLE}=(\S+) jamlab join ROOM --hub wss?://", invitation)[
        1
    ]


@pytest.mark.slow
def test_it_serves_until_ctrl_c_with_a_key_of_its_own():
    with served() as (process, url, invitation), served() as (_, _, another):
        assert url.startswith("ws://127.0.0.1:")
        assert f"jamlab join ROOM --hub {url}" in invitation
        assert "from this machine only; --host admits others" in invitation
        page = re.search(
            r"In a browser: (http://127\.0\.0\.1:\d+/)\?room=ROOM#key=(\S+)", invitation
        )
        key = key_in(invitation)
        assert re.fullmatch("[0-9a-f]{32}", key)
        assert page[2] == key
        for guess in "jamlab", key_in(another):
            with pytest.raises(InvalidStatus, match="401"):
                connect(f"{url}/websocket?apikey={guess}")
        with urllib.request.urlopen(page[1], timeout=DEADLINE_S) as answer:
            assert b"<title>jamlab</title>" in answer.read()
        with connect(f"{url}/websocket?apikey={key}", ping_interval=None) as ws:
            ws.send('{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"1"}')
            assert '"ok"' in ws.recv()
            process.send_signal(signal.SIGINT)
            with pytest.raises(ConnectionClosed, match="1001"):
                ws.recv(DEADLINE_S)
        out, err = process.communicate(timeout=DEADLINE_S)
        assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.slow
def test_the_key_is_the_user_s_and_is_not_shown():
    with served("--host", "0.0.0.0", key=KEY) as (process, url, invitation):
        assert url.startswith("ws://127.0.0.1:")
        assert f"--hub ws://{next(own_addresses(), socket.gethostname())}:" in invitation
        assert "#key=…\n" in invitation
        line = next(line for line in invitation.splitlines() if "Not encrypted" in line)
        assert "can read the key" in line
        assert "Add --tls" in line
        assert key_in(invitation) == "…"
        with connect(f"{url}/websocket?apikey={KEY}", ping_interval=None):
            pass
        with pytest.raises(InvalidStatus, match="401"):
            connect(f"{url}/websocket?apikey=jamlab")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0
        assert KEY not in url + invitation + out + err


@pytest.mark.slow
def test_pages_and_names_the_user_names_come_in():
    options = "--allow-origin", "https://jam.example", "--allow-host", "proxy.example"
    with served(*options) as (_, url, invitation):
        address = f"{url}/websocket?apikey={key_in(invitation)}"
        with connect(address, origin="https://jam.example", ping_interval=None):
            pass
        at = url.removeprefix("ws://").partition("/")[0].split(":")
        proxy = socket.create_connection((at[0], int(at[1])))
        with connect(address.replace(at[0], "proxy.example"), sock=proxy, ping_interval=None):
            pass
        with pytest.raises(InvalidStatus, match="403"):
            connect(address, origin="https://other.example")


@pytest.mark.slow
def test_tls_beyond_this_machine_is_encrypted():
    with served("--host", "0.0.0.0", "--https") as (_, url, invitation):
        assert url.startswith("wss://127.0.0.1:")
        assert "Not encrypted" not in invitation
        assert "--save-certificate" in invitation
        with pytest.raises(ssl.SSLCertVerificationError):
            connect(f"{url}/websocket?apikey={key_in(invitation)}")


async def opened_and_closed(address, trusting):
    """Connect; the library's client for threads misreads a TLS socket now and then."""
    async with client.connect(address, ssl=trusting, ping_interval=None):
        pass


@pytest.mark.parametrize("is_apart", [True, False])
@pytest.mark.slow
def test_tls_with_a_certificate_that_is_given(tmp_path, is_apart):
    certificate, key = self_signed(["127.0.0.1"], datetime.datetime.now(datetime.UTC))
    mine, private = tmp_path / "mine.pem", tmp_path / "key.pem"
    mine.write_text(certificate + "" if is_apart else certificate + key)
    private.write_text(key)
    options = ["--tls", str(mine), *(["--tls-key", str(private)] if is_apart else [])]
    with served(*options) as (_, url, invitation):
        assert fingerprint(certificate) in invitation
        trusting = ssl.create_default_context(cadata=certificate)
        address = f"{url}/websocket?apikey={key_in(invitation)}"
        asyncio.run(opened_and_closed(address, trusting))


@pytest.mark.slow
def test_tls_has_a_certificate_for_this_run_that_a_participant_can_trust(tmp_path, monkeypatch):
    file = tmp_path / "made" / "hub.pem"
    with served("--tls", "--save-certificate", str(file)) as (process, url, invitation):
        assert url.startswith("wss://127.0.0.1:")
        assert fingerprint(file.read_text()) in invitation
        assert f"SSL_CERT_FILE={file} {endpoint.KEY_VARIABLE}=" in invitation
        page = re.search(r"In a browser: (https://\S+)\?room", invitation)[1]
        trusting = ssl.create_default_context(cafile=file)
        with urllib.request.urlopen(page, timeout=DEADLINE_S, context=trusting) as answer:
            assert answer.status == 200
        monkeypatch.setenv(endpoint.KEY_VARIABLE, key_in(invitation))
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        assert cli.main(["join", "jam", "--hub", url, "--duration", "0.1"]) == 0
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=DEADLINE_S) == ("", "")


@pytest.mark.parametrize(
    ("options", "environment", "key"),
    [([], None, None), ([], KEY, KEY), (["--key", KEY], "another", KEY)],
)
def test_an_option_comes_before_the_environment(monkeypatch, options, environment, key):
    asked = []

    async def run_hub(hub, _invite):
        asked.append((hub.host, hub.port, hub.key))

    monkeypatch.setattr(serve, "run_hub", run_hub)
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    if environment:
        monkeypatch.setenv(KEY_VARIABLE, environment)
    assert cli.main(["serve", *options]) == 0
    (hub,) = asked
    assert hub[:2] == ("127.0.0.1", 4000)
    assert hub[2] == key or (key is None and len(hub[2]) == 32)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--host", "0.0.0.0", "--key", "jamlab"], "at least 12"),
        (["--allow-origin", "jam.example"], "not an origin"),
        (["--port", "70000"], "choose another"),
        (["--host", "x" * 70], "choose another"),
        (["--tls", ""], "--tls: . cannot be read"),
        (["--save-certificate", "hub.pem"], "needs --tls without a file"),
        (["--tls", "missing.pem"], "--tls: missing.pem cannot be read"),
        (["--tls", __file__], "has no certificate in PEM"),
        (["--tls", __file__, "--save-certificate", "hub.pem"], "needs --tls without a file"),
        (["--tls-key", __file__], "name it with --tls FILE"),
        (["--tls", "--tls-key", __file__], "name it with --tls FILE"),
        (["--configuration", "mine"], "needs a file"),
        (["--ice", "missing.toml"], "missing.toml cannot be read"),
    ],
)
def test_a_hub_that_cannot_be_is_refused_in_a_line(capsys, monkeypatch, options, words):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    assert cli.main(["serve", *options]) == cli.INVALID
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert words in err
