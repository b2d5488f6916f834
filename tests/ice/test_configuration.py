"""ICE configurations against what aiortc does with them."""

from dataclasses import replace

import pytest
from aiortc.rtcicetransport import connection_kwargs, parse_stun_turn_uri
from hypothesis import given
from hypothesis import strategies as st

from jamlab.ice.configuration import IceConfiguration, IceConfigurationError, IceServer
from tests.examples import examples

SECRET = "hunter-2-hunter-2"
STUN, TURN = "stun:stun.jamlab.test:3478", "turn:turn.jamlab.test:3478?transport=udp"


USABLE = st.builds(
    "{}:{{}}.example.org{}".format,
    st.sampled_from(["turn", "turns"]),
    st.sampled_from(["", "?transport=udp", "?transport=tcp", "?transport=sctp", "?transport=UDP"]),
) | st.sampled_from(["stun:{}.example.org", "stuns:{}.example.org:5349"])


class TestWarnings:
    @given(st.lists(USABLE, max_size=6))
    def test_name_the_servers_without_which_aiortc_would_do_the_same(self, patterns):
        """What aiortc makes of the list is asked of aiortc, with each server left out in turn."""
        urls = [pattern.format(f"s{n}") for n, pattern in enumerate(patterns)]
        servers = tuple(IceServer(url, "jam", SECRET) for url in urls)
        configuration = IceConfiguration("mine", servers)
        whole = connection_kwargs(configuration.ice_servers)
        idle = [
            server.urls
            for server in servers
            if connection_kwargs(
                replace(configuration, servers=[s for s in servers if s != server]).ice_servers
            )
            == whole
        ]
        assert [warning.split(" is ignored: ")[0] for warning in configuration.warnings] == idle
        assert all(warning.endswith(".") for warning in configuration.warnings)
        assert configuration.has_turn == ("turn_server" in whole)

    def test_give_the_reason(self):
        urls = [
            "stuns:a.org",
            STUN,
            "stun:b.org",
            "turns:c.org?transport=udp",
            "turn:d.org?transport=x",
        ]
        servers = tuple(IceServer(url, "jam", SECRET) for url in [*urls, TURN, "turn:e.org"])
        assert IceConfiguration("mine", servers).warnings == (
            "stuns:a.org is ignored: aiortc does not support STUN over TLS.",
            "stun:b.org is ignored: aiortc uses the first STUN server only.",
            "turns:c.org?transport=udp is ignored: aiortc supports TURN over TLS, not over DTLS.",
            "turn:d.org?transport=x is ignored: aiortc supports the transports udp and tcp only.",
            "turn:e.org is ignored: aiortc uses the first TURN server only.",
        )

    @pytest.mark.parametrize("urls", [[], [STUN], ["turns:c.org?transport=udp"]])
    def test_relayed_paths_need_a_relay(self, urls):
        servers = tuple(IceServer(url, "jam", SECRET) for url in urls)
        warning = IceConfiguration("mine", servers, "relay").warnings[-1]
        assert warning == "mine can never connect: its policy is relay and it has no TURN server."


class TestValues:
    @pytest.mark.parametrize("missing", [{"username": "a"}, {"credential": SECRET}, {}])
    def test_turn_asks_for_both(self, missing):
        with pytest.raises(
            IceConfigurationError, match="lacks its username or credential"
        ) as caught:
            IceServer(TURN, **missing)
        assert SECRET not in str(caught.value)

    @pytest.mark.parametrize(
        "url", ["", "http://a.org", "stun:", "stun:a.org?transport=udp", "turn"]
    )
    def test_no_url(self, url):
        with pytest.raises(IceConfigurationError, match="is not a STUN or TURN URL"):
            IceServer(url, "jam", SECRET)

    @pytest.mark.parametrize("scheme", ["stun", "stuns", "turn", "turns"])
    @pytest.mark.parametrize("transport", ["", "?transport=udp", "?transport=tcp"])
    @given(st.data())
    @examples(20)
    def test_case_is_folded_in_scheme_and_transport_alone(self, scheme, transport, data):
        """RFC 3986, section 3.1; the keyword is a string of ABNF, RFC 5234, section 2.3."""

        def in_any_case(text):
            return "".join(data.draw(st.sampled_from([x.lower(), x.upper()])) for x in text)

        if scheme.startswith("stun"):
            transport = ""
        url = f"{in_any_case(scheme)}:Host.Example.org:3478{in_any_case(transport)}"
        server = IceServer(url, "jam", SECRET)
        assert server.urls == f"{scheme}:Host.Example.org:3478{transport}"
        assert server.parsed == parse_stun_turn_uri(server.urls)
        assert server.is_turn is scheme.startswith("turn")
        assert server == IceServer(server.urls, "jam", SECRET)

    @pytest.mark.parametrize("scheme", ["stun", "TURNS"])
    @given(st.ip_addresses(v=6).map(str), st.sampled_from(["{}", "[{}]", "[{}]:3478"]))
    def test_ipv6_is_refused_by_its_name(self, scheme, address, form):
        with pytest.raises(IceConfigurationError, match=r"has an IPv6 address: .* IPv4 only"):
            IceServer(f"{scheme}:{form.format(address)}", "jam", SECRET)

    @given(st.text(max_size=20) | st.text(max_size=20).map("stun:{}".format))
    def test_any_url_is_one_aiortc_understands_or_refused(self, url):
        try:
            server = IceServer(url, "jam", SECRET)
        except IceConfigurationError:
            return
        assert 0 < server.parsed["port"] < 65536
        assert isinstance(connection_kwargs(IceConfiguration("x", (server,)).ice_servers), dict)

    def test_no_policy(self):
        with pytest.raises(IceConfigurationError, match="policy is 'none': choose all or relay"):
            IceConfiguration("mine", policy="none")


def test_a_page_gets_the_servers_and_the_policy():
    turn = IceServer("turn:t.example", "user", "credential")
    ice = IceConfiguration("mine", (IceServer("stun:s.example"), turn), "relay")
    assert ice.page_configuration == {
        "iceServers": [
            {"urls": "stun:s.example"},
            {"urls": "turn:t.example", "username": "user", "credential": "credential"},
        ],
        "iceTransportPolicy": "relay",
    }
