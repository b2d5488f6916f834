"""The notebook's browser as a participant, without a browser: what the kernel does for the page."""

import json
import shutil
import subprocess
import threading

import pytest

from jamlab.ice.configuration import HOST_ONLY, IceConfiguration, IceServer
from jamlab.media.quality import HIGH_QUALITY, Quality
from jamlab.mesh.reach import Phase
from jamlab.signaling.channel import SignalingError
from jamlab.signaling.memory import MemoryChannel
from jamlab.widgets import BrowserPeer
from jamlab.widgets.browser_peer import ELSEWHERE, HIDDEN, NO_SERVERS
from tests.leaks import until
from tests.widgets.page import OTHER_PAGE, PAGE, PagedPeer, candidate, reading

pytestmark = pytest.mark.usefixtures("nothing_left")

RESTING = {"ben": {"state": "resting"}}


class Joined:
    """A peer whose page is in the room."""

    def __init__(self, **options):
        self.room = MemoryChannel()
        self.peer = PagedPeer("ada", signaling=lambda _: self.room, **options)

    async def __aenter__(self):
        self.peer.joins()
        await until(lambda: self.peer.stage == "in")
        return self

    async def __aexit__(self, *_):
        await self.peer.leave()
        self.peer.close()


async def test_a_view_is_told_what_it_needs():
    turn = IceServer("turn:t.example", "user", "credential")
    ice = IceConfiguration("mine", (turn,))
    peer = PagedPeer("ada", room="r", signaling=None, ice=ice, quality=HIGH_QUALITY)
    peer.says("hello")
    await until(lambda: peer.told)
    assert peer.told == [
        {
            "kind": "settings",
            "page": PAGE,
            "name": "ada",
            "room": "r",
            "quality": "high quality",
            "configuration": {
                "iceServers": [
                    {"urls": "turn:t.example", "username": "user", "credential": "credential"}
                ],
                "iceTransportPolicy": "all",
            },
            "first": True,
        }
    ]
    assert "credential" not in json.dumps(peer.get_state(), default=str)  # a notebook may keep it
    peer.close()


@pytest.mark.parametrize("kind", ["name", "room"])
@pytest.mark.parametrize("name", ["", "a\nb", "a" * 129, 7])
async def test_a_name_that_cannot_be_shown_is_refused(kind, name):
    given = {"name": "ada", "room": "jam"} | {kind: name}
    with pytest.raises(ValueError, match="1 to 128 visible characters"):
        BrowserPeer(given["name"], room=given["room"], signaling=None)


async def test_a_quality_that_no_browser_has_is_refused():
    with pytest.raises(ValueError, match="choose 'low latency', 'high quality'"):
        BrowserPeer("ada", signaling=None, quality=Quality("mine", 64_000, 960, "audio"))


def test_it_needs_an_event_loop():
    with pytest.raises(RuntimeError, match="no running event loop"):
        BrowserPeer("ada", signaling=None)


async def test_the_page_joins_and_leaves():
    async with Joined() as ada:
        assert ada.room.members == {"ada"}
        assert ada.peer.of_kind("joined") == [{"kind": "joined", "peers": [], "page": PAGE}]
        ada.peer.says("hello", OTHER_PAGE)
        await until(lambda: ada.peer.of_kind("settings", OTHER_PAGE))
        assert not ada.peer.of_kind("settings", OTHER_PAGE)[0]["first"]
        ada.peer.says("leave")
        await until(lambda: ada.peer.stage == "out")
        assert (ada.room.members, ada.peer.problem) == (frozenset(), "")
        ada.peer.joins()
        await until(lambda: ada.peer.stage == "in")


async def test_readings_and_signals_of_the_page():
    async with Joined() as ada:
        ben = await ada.room.join("ben")
        peers = {"ben": {"state": "connected", "levelDbfs": -6.0, "roundTripS": 0.004}}
        warnings = ["ben: <b>High latency</b>"]
        ada.peer._hear(None, reading(peers=peers, warnings=warnings, news="n"), None)
        await until(lambda: ada.peer.peers)
        assert (ada.peer.permission, ada.peer.level_dbfs) == ("granted", -12.5)
        assert ada.peer.is_playing
        assert (ada.peer.warnings, ada.peer.news) == (warnings, "n")
        heard = ada.peer.peers["ben"]
        assert (heard.state, heard.level_dbfs, heard.route) == (Phase.CONNECTED, -6.0, None)
        ada.peer.says("signal", type="ice-candidate", target="ben", data=candidate())
        events = ben.events()
        signal = await anext(events)
        assert (signal.sender_peer_id, signal.data) == ("ada", candidate())
        await events.aclose()
        await ben.leave()
    assert (ada.peer.peers, ada.peer.level_dbfs) == ({}, -120.0)


async def test_mute_from_both_sides():
    async with Joined() as ada:
        ada.peer.says("mute", on=True)
        await until(lambda: ada.peer.muted)
        ada.peer.muted = False
        assert ada.peer.get_state(["muted"]) == {"muted": False}


async def test_messages_may_come_on_another_thread():
    async with Joined() as ada:
        thread = threading.Thread(target=ada.peer.says, args=("mute",), kwargs={"on": True})
        thread.start()
        thread.join()
        await until(lambda: ada.peer.muted)


async def test_nonsense_changes_nothing(caplog):
    async with Joined() as ada:
        for content in (None, 7, {"kind": "mute", "page": PAGE}, reading(levelDbfs="loud")):
            ada.peer._hear(None, content, None)
        ada.peer.says("signal", type="shout", target="ben", data={"a": 1})
        ada.peer.says("mute", on=True)
        await until(lambda: ada.peer.muted)
        assert (ada.peer.stage, ada.peer.level_dbfs) == ("in", -120.0)
    assert caplog.text.count("a message of the page of 'ada' is ignored") == 5


async def test_of_two_views_one_takes_part():
    async with Joined() as ada:
        ada.peer.joins(OTHER_PAGE)
        await until(lambda: ada.peer.of_kind("refused", OTHER_PAGE))
        assert ada.peer.of_kind("refused", OTHER_PAGE)[0]["reason"] == ELSEWHERE
        ada.peer.says("leave", OTHER_PAGE)  # it has no part to leave
        ada.peer.joins(OTHER_PAGE, take_over=True)
        await until(lambda: ada.peer.of_kind("joined", OTHER_PAGE))
        (ended,) = ada.peer.of_kind("ended")
        assert ended["reason"] == "another view of this notebook takes part now"
        assert (ada.peer.stage, ada.room.members) == ("in", {"ada"})
        ada.peer.says("mute", on=True)  # the first view is out of it
        ada.peer.says("leave", OTHER_PAGE)
        await until(lambda: ada.peer.stage == "out")
        assert not ada.peer.muted


async def test_the_kernel_may_leave_and_the_page_is_told():
    async with Joined() as ada:
        await ada.peer.leave()
        assert (ada.peer.stage, ada.room.members) == ("out", frozenset())
        (ended,) = ada.peer.of_kind("ended")
        assert "kernel has left" in ended["reason"]
        await ada.peer.leave()


async def test_closing_leaves_the_room_even_before_it_was_joined():
    async with Joined() as ada:
        ada.peer.close()
        await until(lambda: not ada.room.members)
    room = MemoryChannel()
    peer = PagedPeer("ada", signaling=lambda _: room)
    peer._join(PAGE, take_over=False)
    peer.close()
    await until(lambda: peer.stage == "out")
    assert room.members == frozenset()


async def test_a_room_that_fails_is_told_on_both_sides():
    def refuses(_room):
        raise SignalingError("the service is down: start it")

    peer = PagedPeer("ada", signaling=refuses)
    peer.joins()
    await until(lambda: peer.stage == "out")
    assert peer.problem == "the service is down: start it"
    assert [each["reason"] for each in peer.of_kind("ended")] == [peer.problem]
    peer.close()


@pytest.mark.parametrize(
    ("ice", "addresses", "hint"),
    [
        (HOST_ONLY, ["x.local"], HIDDEN),
        (HOST_ONLY, ["x.local", "192.0.2.7"], NO_SERVERS),
        (IceConfiguration("one", (IceServer("stun:s.example"),)), ["x.local"], HIDDEN),
        (IceConfiguration("one", (IceServer("stun:s.example"),)), ["192.0.2.7"], ""),
    ],
)
async def test_a_likely_reason_is_given_for_a_connection_tried_in_vain(ice, addresses, hint):
    async with Joined(ice=ice) as ada:
        for address in addresses:
            ada.peer.says("signal", type="ice-candidate", target="ben", data=candidate(address))
        ada.peer._hear(None, reading(peers={"ben": {"state": "trying"}}, news="1"), None)
        await until(lambda: ada.peer.news == "1")
        assert ada.peer.hint == ""
        ada.peer._hear(None, reading(peers=RESTING, news="2"), None)
        await until(lambda: ada.peer.news == "2")
        assert ada.peer.hint == hint
        ada.peer._hear(None, reading(peers={"ben": {"state": "connected"}}, news="3"), None)
        await until(lambda: ada.peer.news == "3")
        assert ada.peer.hint == ""


def test_its_script_is_one_module(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node.js: apt-get install nodejs")
    script = tmp_path / "script.mjs"
    script.write_text(f"{BrowserPeer._esm}\nexport const style = STYLE;", encoding="utf-8")
    told = (
        f"import whole, {{ style }} from {json.dumps(script.as_uri())};\n"
        "console.log(typeof whole.render, style.includes(':host'), style.includes(':root'));"
    )
    done = subprocess.run(
        [node, "--input-type=module", "--eval", told],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("function true false\n", "")
