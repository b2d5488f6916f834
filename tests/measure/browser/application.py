"""A web application to measure: a page, and a relay of its messages, in a thread of its own."""

import asyncio
import logging
import threading
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from websockets.asyncio.server import broadcast, serve
from websockets.datastructures import Headers
from websockets.http11 import Response

PAGE = Path(__file__).with_suffix(".html")
FRAME = b"""<!doctype html>
<iframe src="SOURCE" allow="microphone"></iframe>
<script>navigator.mediaDevices.getUserMedia({ audio: true });</script>"""


@contextmanager
def application():
    """Serve the application; yields its address, to which a query is appended."""
    started, loop = threading.Event(), asyncio.new_event_loop()
    port = []

    async def relay_all():
        rooms = {}

        async def relay(socket):
            room = rooms.setdefault(socket.request.path, set())
            room.add(socket)
            try:
                async for message in socket:
                    broadcast(room - {socket}, message)
            finally:
                room.discard(socket)

        quiet = logging.getLogger("tests.application")
        quiet.disabled = True  # browsers open connections that they do not use
        async with serve(relay, "127.0.0.1", 0, process_request=_page, logger=quiet) as server:
            port.append(server.sockets[0].getsockname()[1])
            ended = loop.create_future()
            port.append(ended)
            started.set()
            await ended

    thread = threading.Thread(target=loop.run_until_complete, args=(relay_all(),))
    thread.start()
    started.wait()
    try:
        yield f"http://127.0.0.1:{port[0]}/"
    finally:
        loop.call_soon_threadsafe(port[1].set_result, None)
        thread.join()
        loop.close()


def _page(_connection, request):
    if request.path.startswith("/relay"):
        return None
    body = PAGE.read_bytes()
    if "framed" in request.path:  # a page that asks for the permission, round the application
        body = FRAME.replace(b"SOURCE", request.path.replace("framed", "inside").encode())
    headers = Headers(
        {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(body))}
    )
    if "forbidden" in request.path:
        headers["Permissions-Policy"] = "microphone=()"
    return Response(HTTPStatus.OK, "OK", headers, body)
