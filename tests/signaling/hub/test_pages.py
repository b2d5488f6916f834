"""The hub's pages, asked for by plain HTTP."""

import asyncio
import datetime
import json
import socket
import ssl
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from jamlab.certificate import self_signed, server_context
from jamlab.resources import client_folder
from jamlab.signaling.hub.handshake import HubError
from jamlab.signaling.hub.pages import Site, read_pages
from jamlab.signaling.hub.server import Hub

pytestmark = pytest.mark.usefixtures("nothing_left")

KEY = "sb_test_key_77"
ICE = {"iceServers": [{"urls": "turn:t.example", "username": "u", "credential": "hidden"}]}
PAGES = read_pages(client_folder())


@pytest.fixture
async def hub(nothing_left):
    async with Hub(key=KEY, site=Site(PAGES, ICE)) as hub:
        yield hub


async def asked(hub, path, **headers):
    """Return status, headers and content of the answer to a GET request."""
    return await in_thread(_ask, hub.page_at("127.0.0.1").rstrip("/") + path, headers)


async def in_thread(call, *args):
    """Call a function in a thread that does not stay."""
    with ThreadPoolExecutor(1) as pool:
        return await asyncio.get_running_loop().run_in_executor(pool, call, *args)


def _ask(url, headers, context=None):
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


async def raw_status(hub, path):
    """Return the status for a path that is sent as it is: urllib would tidy it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{hub.port}\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return int(answer.split(b" ", 2)[1]), answer


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/?room=jam&name=ada", "text/html; charset=utf-8"),
        ("/index.html", "text/html; charset=utf-8"),
        ("/webrtcAudio.js", "text/javascript; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
    ],
)
async def test_files_have_their_types_and_a_strict_policy(hub, path, kind):
    status, headers, content = await asked(hub, path)
    assert (status, headers.get_all("Content-Type")) == (200, [kind])
    name = path.partition("?")[0].lstrip("/") or "index.html"
    assert content == (client_folder() / name).read_bytes()
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


async def test_every_file_the_page_refers_to_is_there_and_all_are_local(hub):
    for path, page in PAGES.items():
        text = page.content.decode()
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in text
        for line in text.splitlines():
            if " from " in line and line.startswith(("import", "}")):
                module = line.split(" from ")[1].strip('";')
                assert urljoin(path, module) in PAGES, f"{path}: {module}"


@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml",
        "/%2e%2e/resources.py",
        "/..%2fresources.py",
        "/./index.html",
        "//index.html",
        "/client/../index.html",
        "/etc/passwd",
        "/__init__.py",
        "http://127.0.0.1/index.html",
        "/socket",
    ],
)
async def test_no_path_leads_out_of_the_folder(hub, path):
    status, answer = await raw_status(hub, path)
    assert status == 404
    assert b"there is no such page: the hub's page is /" in answer


@given(st.text())
def test_arbitrary_paths_are_files_or_nothing(path):
    found = PAGES.get(path)
    assert found is None or path == "/" or (client_folder() / path[1:]).is_file()


async def test_the_configuration_needs_the_key(hub):
    status, headers, content = await asked(hub, "/configuration.json", apikey=KEY)
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(content) == ICE
    for wrong in {}, {"apikey": "wrong"}, {"apikey": ""}:
        status, _, content = await asked(hub, "/configuration.json", **wrong)
        assert status == 401
        assert b"hidden" not in content
    assert (await asked(hub, f"/configuration.json?apikey={KEY}"))[0] == 401


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
async def test_neither_a_rebound_name_nor_a_strange_page_gets_one(hub, headers):
    status, _, content = await asked(hub, "/configuration.json", apikey=KEY, **headers)
    assert status == 403
    assert b"hidden" not in content


async def test_without_a_site_there_is_only_the_socket():
    async with Hub(key=KEY) as hub:
        status, _, content = await asked(hub, "/")
    assert status == 404
    assert b"the path is /socket" in content


async def test_the_socket_is_where_it_was(hub):
    async with connect(f"{hub.url}/websocket?apikey={KEY}"):
        pass
    with pytest.raises(InvalidStatus, match="401"):
        await connect(f"{hub.url}/websocket")


async def test_page_and_socket_over_tls():
    certificate, key = self_signed(["127.0.0.1"], datetime.datetime.now(datetime.UTC))
    trusting = ssl.create_default_context(cadata=certificate)
    tls = server_context(certificate, key)
    async with Hub(key=KEY, site=Site(PAGES), tls=tls) as hub:
        assert hub.url.startswith("wss://127.0.0.1:")
        url = hub.page_at("127.0.0.1")
        assert url.startswith("https://127.0.0.1:")
        status, _, content = await in_thread(_ask, url, {}, trusting)
        assert (status, content) == (200, PAGES["/"].content)
        async with connect(f"{hub.url}/websocket?apikey={KEY}", ssl=trusting):
            pass


async def test_sockets_opened_in_advance_are_not_worth_a_line(hub, caplog):
    with socket.create_connection(("127.0.0.1", hub.port)):
        pass
    await asked(hub, "/")
    assert caplog.text == ""


def test_a_folder_without_a_page_is_refused(tmp_path):
    with pytest.raises(HubError, match=r"has no index\.html"):
        read_pages(tmp_path)
