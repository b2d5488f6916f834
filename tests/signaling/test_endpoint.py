import pickle
from contextlib import suppress

import hypothesis.strategies as st
import pytest
from hypothesis import given

from jamlab.signaling.endpoint import KEY_VARIABLE, URL_VARIABLE, Endpoint
from tests.examples import examples

SECRET = "sb_secret_5f2"


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch):
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


@pytest.mark.parametrize(
    ("given_url", "socket_url"),
    [
        ("https://abc.supabase.co", "wss://abc.supabase.co/realtime/v1"),
        ("https://abc.supabase.co/", "wss://abc.supabase.co/realtime/v1"),
        ("wss://abc.supabase.co/realtime/v1", "wss://abc.supabase.co/realtime/v1"),
        ("wss://abc.supabase.co/realtime/v1/websocket", "wss://abc.supabase.co/realtime/v1"),
        ("ws://127.0.0.1:4000/socket", "ws://127.0.0.1:4000/socket"),
        ("ws://127.0.0.1:4000", "ws://127.0.0.1:4000/realtime/v1"),
        (" http://[::1]:4000/socket/ ", "ws://[::1]:4000/socket"),
    ],
)
def test_urls_of_the_service(given_url, socket_url):
    assert Endpoint(given_url, SECRET).url == socket_url
    assert Endpoint(socket_url, SECRET).url == socket_url


@pytest.mark.parametrize(
    "url",
    [
        "abc.supabase.co",
        "ftp://abc.supabase.co",
        "https://",
        "ws://host:0",
        "ws://host:99999",
        "ws://host:port",
        "ws://[::1",
        f"wss://abc.supabase.co/realtime/v1?apikey={SECRET}",
        f"wss://{SECRET}@abc.supabase.co",
        f"wss://abc.supabase.co/realtime/v1#{SECRET}",
        SECRET,
    ],
)
def test_a_url_that_cannot_be_one_is_not_repeated(url):
    with pytest.raises(ValueError, match="the signalling URL") as caught:
        Endpoint(url, SECRET)
    assert SECRET not in str(caught.value)


@examples(100)
@given(st.text() | st.text().map("https://{}".format) | st.text().map("ws://h{}".format))
def test_anything_is_a_url_or_a_value_error(url):
    with suppress(ValueError):
        assert Endpoint(url, SECRET).url.startswith(("ws://", "wss://"))


def test_the_environment_is_asked_for_what_is_not_given(monkeypatch):
    monkeypatch.setenv(URL_VARIABLE, "https://abc.supabase.co")
    monkeypatch.setenv(KEY_VARIABLE, SECRET)
    assert Endpoint.find() == Endpoint("https://abc.supabase.co", SECRET)
    assert Endpoint.find("ws://h:1", "k") == Endpoint("ws://h:1", "k")


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [((), f"no URL: .* set {URL_VARIABLE}"), (("ws://h:1", ""), f"no key: .* set {KEY_VARIABLE}")],
)
def test_what_is_missing_is_named(arguments, missing):
    with pytest.raises(ValueError, match=missing):
        Endpoint.find(*arguments)


def test_the_key_is_not_shown():
    endpoint = Endpoint("ws://h:1", SECRET)
    assert SECRET not in f"{endpoint} {endpoint!r}"
    assert pickle.loads(pickle.dumps(endpoint)).key == SECRET
