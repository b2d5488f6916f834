"""HTTP for async-upnp-client, limited to one router, in size, in number and in time.

Only the router's description is fetched, and actions are sent. The descriptions of services come
from `jamlab.networks.port_mapping.actions`.
"""

import asyncio

import aiohttp
from async_upnp_client.client import UpnpRequester
from async_upnp_client.const import HttpRequest, HttpResponse
from async_upnp_client.exceptions import UpnpCommunicationError

from jamlab.networks.port_mapping.actions import ACTIONS
from jamlab.networks.port_mapping.mapping import Route
from jamlab.networks.port_mapping.ssdp import is_of

REQUEST_S = 5.0
"""Time limit of a request and its answer."""

MOST_BYTES = 1 << 18
"""Longest document; the longest of a real router is a tenth of that."""

MOST_SERVICES = 40
"""Most services of a router; real ones have about six."""


class RouterRequester(UpnpRequester):
    """Sends HTTP requests to the router of a route, and to nobody else; follows no redirection."""

    def __init__(self, route: Route, description_url: str) -> None:
        self._route = route
        self._description_url = description_url
        self._left = MOST_SERVICES

    async def async_http_request(self, http_request: HttpRequest) -> HttpResponse:
        """Send a request, and return the answer; raises `UpnpCommunicationError`."""
        if not is_of(self._route.router, http_request.url):
            raise UpnpCommunicationError(f"{http_request.url[:200]!r} is not at the router")
        if http_request.method == "GET" and http_request.url != self._description_url:
            return await self._describe_service()
        try:
            async with asyncio.timeout(REQUEST_S):
                return await self._request(http_request)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UpnpCommunicationError(str(error) or type(error).__name__) from error

    async def _describe_service(self) -> HttpResponse:
        self._left -= 1
        if self._left < 0:
            raise UpnpCommunicationError("the router has too many services")
        await asyncio.sleep(0)  # the library reads each in one go
        return HttpResponse(200, {}, ACTIONS)

    async def _request(self, request: HttpRequest) -> HttpResponse:
        connector = aiohttp.TCPConnector(local_addr=(self._route.own, 0), force_close=True)
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.request(
                request.method,
                request.url,
                headers=request.headers,
                data=request.body,
                allow_redirects=False,
            ) as response,
        ):
            body = b""
            async for part in response.content.iter_any():
                body += part
                if len(body) > MOST_BYTES:
                    raise UpnpCommunicationError("the router's answer is too long")
            text = body.decode("utf-8", "replace")
            return HttpResponse(response.status, dict(response.headers), text)
