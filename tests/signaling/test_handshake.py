import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.server import ServerProtocol

from jamlab.signaling.handshake import (
    DEFAULT_KEY,
    HubError,
    check_key,
    is_loopback,
    refusal,
    version_of,
)
from jamlab.signaling.phoenix import Version

KEY = "a kéy & more"
QUOTED = "a%20k%C3%A9y+%26%20more"


class Connection:
    """As much of a connection as a refusal needs."""

    def respond(self, status, text):
        return ServerProtocol().reject(status, text)


def refused(path, **headers):
    """Return the status and the error of the answer, None for none."""
    request = Request(path, Headers({name.replace("_", "-"): v for name, v in headers.items()}))
    response = refusal(Connection(), request, KEY)
    if response is None:
        return None
    assert response.headers.get_all("Content-Type") == ["application/json"]
    body = json.loads(response.body)
    assert list(body) == ["error"]
    assert KEY not in body["error"]
    return response.status_code, body["error"]


@pytest.mark.parametrize("path", ["/socket/websocket", "/realtime/v1/websocket"])
@pytest.mark.parametrize("vsn", ["", "&vsn=1.0.0", "&vsn=2.0.0"])
def test_who_has_the_key_comes_in(path, vsn):
    assert refused(f"{path}?apikey={QUOTED}{vsn}") is None


@pytest.mark.parametrize("header", ["x_api_key", "apikey", "X_API_KEY"])
def test_the_key_may_be_in_a_header(header):
    assert refused("/socket/websocket", **{header: KEY}) is None


@pytest.mark.parametrize("query", ["", "?vsn=1.0.0", "?apikey=", "?key=" + QUOTED])
def test_without_a_key(query):
    # what RealtimeWeb.UserSocket answers
    assert refused(f"/socket/websocket{query}") == (401, "API key is missing")


@pytest.mark.parametrize("query", ["?apikey=wrong", f"?apikey={QUOTED}x", "?apikey=%ff"])
def test_with_a_wrong_key(query):
    assert refused(f"/socket/websocket{query}") == (401, "API key is wrong")


@pytest.mark.parametrize("path", ["/", "/socket", "/socket/websocket/", "//[", "/api/broadcast"])
def test_elsewhere(path):
    assert refused(f"{path}?apikey={QUOTED}")[0] == 404


def test_another_version():
    assert refused(f"/socket/websocket?apikey={QUOTED}&vsn=3.0.0")[0] == 400


@pytest.mark.parametrize(
    ("query", "version"),
    [("", Version.V1), ("?vsn=1.0.0", Version.V1), ("?vsn=2.0.0", Version.V2)],
)
def test_the_version(query, version):
    assert version_of(Request("/socket/websocket" + query, Headers())) is version


@given(st.text("/socketwb?&=%[]apikeyvsn.012ü\x00"))
def test_arbitrary_paths_are_refused(path):
    assert refused("/" + path) is not None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_the_default_key_is_good_on_this_machine(host):
    assert is_loopback(host)
    check_key(DEFAULT_KEY, host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "", "example.com"])
def test_the_default_key_is_not_good_elsewhere(host):
    assert not is_loopback(host)
    with pytest.raises(HubError, match="give a key of your own"):
        check_key(DEFAULT_KEY, host)
    check_key("my own", host)


def test_a_hub_has_a_key():
    with pytest.raises(HubError, match="not empty"):
        check_key("", "127.0.0.1")
