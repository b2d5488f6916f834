import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.port_mapping.mapping import NoAnswerError
from jamlab.networks.port_mapping.ssdp import (
    GATEWAYS,
    GROUP,
    description_url,
    find_description,
    is_of,
    search_request,
)
from tests.examples import examples
from tests.leaks import DEADLINE_S
from tests.networks.port_mapping.hostile import datagrams, new_route

ROUTER = "192.168.7.1"
URL = f"http://{ROUTER}:5000/rootDesc.xml"


def answer(url=URL, target=GATEWAYS[0], status="HTTP/1.1 200 OK"):
    """An answer as miniupnpd gives it."""
    return (
        f"{status}\r\nCACHE-CONTROL: max-age=120\r\nST: {target}\r\n"
        f"USN: uuid:2f6b::{target}\r\nEXT:\r\nSERVER: Debian UPnP/1.1 MiniUPnPd/2.3.1\r\n"
        f'LOCATION: {url}\r\nOPT: "http://schemas.upnp.org/upnp/1/0/"; ns=01\r\n\r\n'
    ).encode()


def test_the_search():
    """UPnP Device Architecture 1.1, section 1.3.2."""
    assert search_request(GATEWAYS[0]).decode() == (
        "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n"
        'MAN: "ssdp:discover"\r\nMX: 1\r\n'
        "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n"
    )


@pytest.mark.parametrize("target", GATEWAYS)
def test_the_routers_answer_has_the_url(target):
    assert description_url(answer(target=target), ROUTER, ROUTER) == URL


def test_names_of_headers_may_have_any_case():
    datagram = answer().replace(b"LOCATION", b"Location").replace(b"ST:", b"st:")
    assert description_url(datagram, ROUTER, ROUTER) == URL


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\xff\xfe",
        answer(status="HTTP/1.1 404 Not Found"),
        answer(status="NOTIFY * HTTP/1.1"),
        answer(target="urn:schemas-upnp-org:device:MediaRenderer:1"),
        answer("http://192.168.7.9:5000/rootDesc.xml"),
        answer().replace(b"LOCATION", b"X-LOCATION"),
        answer() + bytes(4000),
    ],
)
def test_another_message_is_none(datagram):
    assert description_url(datagram, ROUTER, ROUTER) is None


def test_an_answer_of_anybody_else_is_none():
    assert description_url(answer(), "192.168.7.9", ROUTER) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:5000/rootDesc.xml",
        "http://169.254.169.254/latest/meta-data",
        "https://192.168.7.1/",
        "file:///etc/passwd",
        "ftp://192.168.7.1/",
        "http://192.168.7.1@evil.example/",
        "http://user@192.168.7.1/",
        "http://192.168.7.1.evil.example/",
        "http://3232237313/",
        "http://[::1]/",
        "http://[bad/",
        "http://192.168.7.1:99999/",
        "http://192.168.7.1:0/",
        "http://192.168.7.1/\x1b[2J",
        "//192.168.7.1/",
        "",
    ],
)
def test_a_url_of_anybody_else_is_not_the_routers(url):
    assert not is_of(ROUTER, url)


@examples(500)
@given(st.one_of(st.binary(max_size=3000), st.text().map(lambda url: answer(url))))
def test_garbage_is_none_or_at_the_router(datagram):
    url = description_url(datagram, ROUTER, ROUTER)
    assert url is None or url.startswith(f"http://{ROUTER}")


@pytest.mark.usefixtures("nothing_left")
async def test_the_router_is_also_asked_by_itself():
    route = new_route()
    url = f"http://{route.router}:80/d.xml"
    async with datagrams(route, GROUP[1], lambda _: [b"\xff", answer(url)]):
        assert await find_description(route, (DEADLINE_S,)) == url


@pytest.mark.usefixtures("nothing_left")
async def test_silence_ends_in_a_sentence():
    with pytest.raises(NoAnswerError, match="does not answer a search"):
        await find_description(new_route(), (0.01,))
