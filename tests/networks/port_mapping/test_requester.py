import asyncio
import gzip

import pytest
from async_upnp_client.const import HttpRequest
from async_upnp_client.exceptions import UpnpCommunicationError

from jamlab.networks.port_mapping import requester
from jamlab.networks.port_mapping.actions import ACTIONS
from jamlab.networks.port_mapping.requester import RouterRequester
from tests.networks.port_mapping.hostile import http, new_route, ok

pytestmark = pytest.mark.usefixtures("nothing_left")


async def answer_of(response, path="/"):
    """Return what a router's response to a request becomes."""
    route = new_route()
    async with http(route, lambda *_: response) as port:
        url = f"http://{route.router}:{port}{path}"
        return await RouterRequester(route, url).async_http_request(
            HttpRequest("GET", url, {}, None)
        )


async def test_an_answer():
    answer = await answer_of(ok("words", "200 OK", "X-Name: value"))
    assert (answer.status_code, answer.body, answer.headers["X-Name"]) == (200, "words", "value")


async def test_bytes_that_are_no_text_are_read_all_the_same():
    assert (await answer_of(ok(b"a\xff"))).body == "a\ufffd"


async def test_a_redirection_is_not_followed():
    other = new_route()
    visited = []
    async with http(other, lambda *asked: visited.append(asked) or ok("")) as port:
        answer = await answer_of(ok("", "302 Found", f"Location: http://{other.router}:{port}/"))
    assert (answer.status_code, visited) == (302, [])


async def test_nobody_but_the_router_is_asked():
    route, other = new_route(), new_route()
    visited = []
    async with http(other, lambda *asked: visited.append(asked) or ok("")) as port:
        url = f"http://{other.router}:{port}/"
        with pytest.raises(UpnpCommunicationError, match="is not at the router"):
            await RouterRequester(route, url).async_http_request(HttpRequest("GET", url, {}, None))
    assert visited == []


async def test_a_long_answer_is_given_up():
    with pytest.raises(UpnpCommunicationError, match="too long"):
        await answer_of(ok(b"x" * (requester.MOST_BYTES + 1)))


async def test_a_packed_bomb_is_given_up():
    """Twelve megabytes in 12 kB."""
    packed = gzip.compress(bytes(12_000_000))
    assert len(packed) < requester.MOST_BYTES
    with pytest.raises(UpnpCommunicationError, match="too long"):
        await answer_of(ok(packed, "200 OK", "Content-Encoding: gzip"))


async def test_a_slow_answer_is_given_up(monkeypatch):
    monkeypatch.setattr(requester, "REQUEST_S", 0.05)

    async def drip(writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    with pytest.raises(UpnpCommunicationError):
        await answer_of(drip)


async def test_descriptions_of_services_are_our_own_and_not_too_many(monkeypatch):
    monkeypatch.setattr(requester, "MOST_SERVICES", 2)
    route, visited = new_route(), []
    async with http(route, lambda *asked: visited.append(asked[:2]) or ok("")) as port:
        url = f"http://{route.router}:{port}/"
        asking = RouterRequester(route, url)

        async def ask(method, path):
            return await asking.async_http_request(HttpRequest(method, url + path, {}, None))

        for path in ("one.xml", "two.xml"):
            assert (await ask("GET", path)).body == ACTIONS
        await ask("GET", "")
        await ask("POST", "control")
        with pytest.raises(UpnpCommunicationError, match="too many services"):
            await ask("GET", "three.xml")
    assert visited == [("GET", "/"), ("POST", "/control")]
