import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.server import ServerProtocol

from jamlab.signaling.hub.handshake import (
    Door,
    HubError,
    check_key,
    is_loopback,
    network_of,
    read_host,
    read_origin,
    version_of,
)
from jamlab.signaling.hub.phoenix import Version
from jamlab.signaling.hub.server import Hub

KEY = "a kéy & more"
QUOTED = "a%20k%C3%A9y+%26%20more"


class Connection:
    """As much of a connection as a refusal needs."""

    def respond(self, status, text):
        return ServerProtocol().reject(status, text)


DOOR = Door.new(KEY, ["jam.local", "Proxy.Example"], ["https://app.example", "http://[::2]:8080"])


def refused(path, address="127.0.0.1", headers=(), **more):
    """Return the status and the error of the answer, None for none."""
    given = Headers(headers or [("Host", "127.0.0.1:4000")])
    for name, value in more.items():
        given[name.replace("_", "-")] = value
    response = DOOR.refusal(Connection(), Request(path, given), address)
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
    as_it_comes = KEY.encode().decode("ascii", "surrogateescape")
    assert refused("/socket/websocket", **{header: as_it_comes}) is None


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


GOOD = f"/socket/websocket?apikey={QUOTED}"


def with_host(host, address="127.0.0.1", **more):
    return refused(GOOD, address, [("Host", host)], **more)


class TestHost:
    """A name that leads here and is not the hub's is somebody's trick (DNS rebinding)."""

    @pytest.mark.parametrize(
        ("host", "address"),
        [
            ("127.0.0.1:4000", "127.0.0.1"),
            ("127.0.0.1", "127.0.0.1"),
            ("localhost:4000", "127.0.0.1"),
            ("LocalHost:4000", "::1"),
            ("[::1]:4000", "::1"),
            ("192.0.2.7:4000", "192.0.2.7"),
            ("192.0.2.7:4000", "::ffff:192.0.2.7"),
            ("127.0.0.1:4000", "::ffff:127.0.0.1"),
            ("[2001:db8::7]:4000", "2001:db8::7"),
            ("jam.local:4000", "192.0.2.7"),
            ("proxy.example", "127.0.0.1"),
        ],
    )
    def test_where_it_listens_and_what_was_named(self, host, address):
        assert with_host(host, address) is None

    @pytest.mark.parametrize(
        ("host", "address"),
        [
            ("evil.example:4000", "127.0.0.1"),
            ("evil.example", "192.0.2.7"),
            ("127.0.0.1.evil.example", "127.0.0.1"),
            ("localhost.evil.example:4000", "127.0.0.1"),
            ("localhost:4000", "192.0.2.7"),
            ("192.0.2.8:4000", "192.0.2.7"),
            ("user@127.0.0.1", "127.0.0.1"),
            ("127.0.0.1/x", "127.0.0.1"),
            ("127.0.0.1#", "127.0.0.1"),
            ("[", "127.0.0.1"),
            ("", "127.0.0.1"),
        ],
    )
    def test_any_other(self, host, address):
        status, error = with_host(host, address)
        assert status == 403
        assert "--allow-host" in error

    @pytest.mark.parametrize("hosts", [[], ["127.0.0.1", "127.0.0.1"], ["127.0.0.1", "evil"]])
    def test_none_or_two(self, hosts):
        headers = [("Host", host) for host in hosts] or [("X-Other", "1")]
        assert refused(GOOD, "127.0.0.1", headers)[0] == 403


class TestOrigin:
    """Who asks from a page says whose page it is, and cannot say otherwise."""

    @pytest.mark.parametrize(
        ("origin", "host", "address"),
        [
            ("http://127.0.0.1:8888", "127.0.0.1:4000", "127.0.0.1"),
            ("http://localhost:8888", "127.0.0.1:4000", "127.0.0.1"),
            ("http://192.0.2.7", "192.0.2.7:4000", "192.0.2.7"),
            ("https://jam.local", "jam.local:4000", "192.0.2.7"),
            ("https://app.example", "127.0.0.1:4000", "127.0.0.1"),
            ("https://app.example:443", "127.0.0.1:4000", "127.0.0.1"),
            ("HTTPS://App.Example", "192.0.2.7", "192.0.2.7"),
            ("http://[::2]:8080", "127.0.0.1:4000", "127.0.0.1"),
        ],
    )
    def test_pages_of_its_own_host_and_those_named(self, origin, host, address):
        assert with_host(host, address, Origin=origin) is None

    @pytest.mark.parametrize(
        "origin",
        [
            "https://evil.example",
            "http://app.example",
            "https://app.example:8443",
            "https://app.example.evil.example",
            "https://evil.example/https://app.example",
            "http://127.0.0.1@evil.example",
            "http://192.0.2.7",
            "null",
            "file://",
            "",
            "https://[",
            "https://app.example:port",
        ],
    )
    def test_any_other(self, origin):
        status, error = with_host("127.0.0.1:4000", Origin=origin)
        assert status == 403
        assert "--allow-origin" in error

    def test_of_two_both_count(self):
        headers = [("Host", "127.0.0.1")]
        headers += [("Origin", "https://app.example"), ("Origin", "https://evil.example")]
        assert refused(GOOD, "127.0.0.1", headers)[0] == 403

    def test_a_rebound_name_is_not_its_own_host(self):
        """Host and Origin agree, and both are the attacker's."""
        assert with_host("evil.example:4000", Origin="http://evil.example:4000")[0] == 403

    @given(st.text() | st.from_regex(r"https?://[^/]*", fullmatch=True))
    def test_arbitrary_ones_are_strangers_or_ours(self, origin):
        if with_host("192.0.2.7", "192.0.2.7", Origin=origin) is None:
            at = read_origin(origin)
            ours = at in DOOR.origins or at.split("://")[1].rpartition(":")[0] == "192.0.2.7"
            assert ours

    @pytest.mark.parametrize("origin", ["", "*", "app.example", "https://a/b", "ftp://a", "null"])
    def test_what_the_user_names_is_an_origin(self, origin):
        with pytest.raises(HubError, match="not an origin"):
            Door.new(KEY, [], [origin])


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_any_key_is_good_on_this_machine(host):
    assert is_loopback(host)
    check_key("jamlab", host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "", "example.com"])
def test_a_short_key_is_not_good_elsewhere(host):
    assert not is_loopback(host)
    with pytest.raises(HubError, match="at least 12"):
        check_key("x" * 11, host)
    check_key("x" * 12, host)


def test_a_hub_has_a_key():
    with pytest.raises(HubError, match="is empty"):
        check_key("", "127.0.0.1")


@pytest.mark.parametrize(
    "key",
    ["\udcff" * 12, "twelve\x00letters", "twelve\nletters"],
)
def test_a_key_that_cannot_be_sent_is_refused(key):
    with pytest.raises(HubError, match="printable"):
        check_key(key, "127.0.0.1")


@pytest.mark.parametrize("key", [" twelve letters", "twelve letters "])
def test_a_key_with_a_space_at_its_end_is_refused(key):
    with pytest.raises(HubError, match="ends with a space"):
        check_key(key, "127.0.0.1")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_what_of_an_address_its_owner_cannot_choose(address, network):
    assert network_of(address) == network


def test_the_key_is_not_shown():
    assert KEY not in repr(DOOR)


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("Jam.Example.org", "jam.example.org"),
        ("jam.example.org.", "jam.example.org"),
        ("[::1]", "::1"),
        ("2001:DB8::1", "2001:db8::1"),
    ],
)
def test_a_host_is_compared_as_a_request_names_it(name, host):
    assert read_host(name) == host


@pytest.mark.parametrize("name", ["", ".", "jam.example.org:4000", "http://jam.example.org", "a b"])
def test_what_is_no_host_is_refused_rather_than_never_met(name):
    with pytest.raises(HubError, match="is not a host: give one such as"):
        Hub(allow_hosts=[name])
