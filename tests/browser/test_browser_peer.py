"""The notebook's browser takes part: heard by a session in the kernel, and hearing it."""

import re

import pytest

pytestmark = pytest.mark.slow

PLAYERS = """
import asyncio
import numpy as np
from jamlab import JamSession, MemoryChannel, VirtualCard
from jamlab.audio.card import Recording
from jamlab.measure.acceptance.sines import tone
from jamlab.widgets import BrowserPeer

room, heard = MemoryChannel(), Recording()
card = VirtualCard(tone((997.0, 997.0), -12.0), block_frames=480, recording=heard)
ben = JamSession("jam", "ben", signaling=lambda _: room, card=card)
await ben.__aenter__()
peer = BrowserPeer("ada", signaling=lambda _: room)

async def until(condition, seconds=60):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)

def level_in_the_kernel():
    return np.abs(heard.block(max(0, len(heard) - 48_000), 48_000)).max()

def ben_in_the_browser():
    return peer.peers["ben"].level_dbfs if "ben" in peer.peers else -120.0
"""
SHOW = "peer"
GONE = "await until(lambda: not ben.members and peer.stage == 'out')"
END = "peer.close()\nawait ben.leave()"


def view(notebook):
    return notebook.page.locator(".jamlab-peer")


def button(notebook, name):
    return view(notebook).get_by_role("button", name=name, exact=True)


def joined(notebook):
    view(notebook).get_by_role("heading", name="Room jam").wait_for()


def kept(notebook):
    """Keep what the page has opened, to see whether it is closed later."""
    return notebook.page.evaluate_handle(
        """() => {
        const { session } = document.querySelector(".jamlab-peer").peer.stay;
        const { graph } = session.service;
        const connections = session.peers.map(peer => session.service.playing(peer)?.pc);
        return {
            context: graph.context,
            track: graph.stream?.getAudioTracks()[0],
            connections: connections.filter(Boolean),
        };
    }"""
    )


def until_all_is_closed(notebook, held):
    notebook.page.wait_for_function(
        """({ context, track, connections }) => context.state === "closed"
            && (!track || track.readyState === "ended")
            && connections.every(pc => pc.connectionState === "closed")""",
        arg=held,
    )


def test_kernel_and_browser_hear_each_other(opened):
    cells = [
        PLAYERS,
        SHOW,
        "await ben.wait_connected(60, 'ada')\n"
        "await until(lambda: -14 < ben_in_the_browser() < -10)\n"
        "await until(lambda: level_in_the_kernel() > 0.01)\n"
        "await until(lambda: peer.level_dbfs > -40)\n"
        "await until(lambda: peer.peers['ben'].round_trip_s is not None)\n"
        "assert peer.permission == 'granted', peer.permission\n"
        "told = [each for each in peer.warnings if 'High latency' not in each]  # busy machine\n"
        "assert (told, peer.problem, peer.hint) == ([], '', '')\n"
        "assert peer.peers['ben'].route == 'direct'\n"
        "assert peer._hides == {False}",
        "peer.muted = True",
        "await until(lambda: level_in_the_kernel() < 0.001)",
        "assert not peer.muted\nawait until(lambda: level_in_the_kernel() > 0.01)",
        GONE,
        END,
    ]
    with opened(cells, microphone=True, height=900) as notebook:
        notebook.run_cell(0)
        notebook.run_cell(1)
        joined(notebook)
        notebook.run_cell(2)
        row = view(notebook).get_by_role("listitem").filter(has_text="ben")
        row.get_by_text("connected · direct").wait_for()
        for theme in ("light", "dark"):
            notebook.theme(theme)
            notebook.screenshot(f"browser-peer-{theme}", view(notebook))
        notebook.run_cell(3)  # muted in the kernel
        button(notebook, "Muted").wait_for()
        notebook.run_cell(4)
        button(notebook, "Muted").click()  # and by the page no more
        button(notebook, "Mute").wait_for()
        notebook.run_cell(5)
        held = kept(notebook)
        button(notebook, "Leave").click()
        until_all_is_closed(notebook, held)
        view(notebook).get_by_text("You have left the room").wait_for()
        notebook.run_cell(6)
        button(notebook, "Take part").click()
        joined(notebook)
        notebook.run_cell(7)
        view(notebook).wait_for(state="detached")
        assert notebook.complaints == []


def test_without_the_microphone_it_listens_and_says_so(opened):
    cells = [
        PLAYERS,
        SHOW,
        "await ben.wait_connected(60, 'ada')\n"
        "await until(lambda: ben_in_the_browser() > -20)\n"
        "assert peer.permission == 'listen only', peer.permission\n"
        "assert 'Microphone access is required for jamming' in peer.warnings[0], peer.warnings\n"
        "assert peer._hides == {True}",  # names of mDNS, which a kernel elsewhere cannot resolve
        END,
    ]
    with opened(cells) as notebook:
        notebook.run_cell(0)
        notebook.run_cell(1)
        dialog = notebook.page.get_by_role("dialog")
        dialog.get_by_text("Microphone access is required for jamming").wait_for()
        notebook.screenshot("browser-peer-asks")
        dialog.get_by_role("button", name="Allow").click()  # which this browser denies
        dialog.get_by_text("it was denied").wait_for()
        dialog.get_by_role("button", name="Listen only").click()
        joined(notebook)
        warning = "⚠ Microphone access is required for jamming: listening only was chosen"
        view(notebook).get_by_text(warning).wait_for()
        notebook.run_cell(2)
        notebook.run_cell(3)
        assert notebook.complaints == []


def test_a_page_of_an_insecure_address_says_why_it_only_listens(opened):
    cells = [
        PLAYERS,
        SHOW,
        "await ben.wait_connected(60, 'ada')\nawait until(lambda: peer.permission == 'insecure')",
        END,
    ]
    with opened(cells, host="insecure.test") as notebook:
        assert notebook.page.evaluate("navigator.mediaDevices === undefined")
        notebook.run_cell(0)
        notebook.run_cell(1)
        joined(notebook)
        view(notebook).get_by_text(re.compile("only over https or on their own machine")).wait_for()
        assert notebook.page.get_by_role("dialog").count() == 0
        notebook.run_cell(2)
        notebook.screenshot("browser-peer-insecure", view(notebook))
        notebook.run_cell(3)
        assert notebook.complaints == []


def test_a_cleared_cell_and_a_reloaded_page_leave_the_room(opened):
    cells = [PLAYERS, SHOW, GONE, END]
    with opened(cells, microphone=True) as notebook:
        notebook.run_cell(0)
        notebook.run_cell(1)
        joined(notebook)
        held = kept(notebook)
        notebook.page.evaluate("window.jupyterapp.shell.currentWidget.content.activeCellIndex = 1")
        notebook.command("notebook:clear-cell-output")
        until_all_is_closed(notebook, held)
        notebook.run_cell(2)

        notebook.run_cell(1)  # shown again: another view, which waits to be asked
        button(notebook, "Take part").click()
        joined(notebook)
        notebook.command("docmanager:save")
        notebook.reload()
        notebook.run_cell(2)
        button(notebook, "Take part").click()
        joined(notebook)
        notebook.run_cell(3)
        assert notebook.complaints == []


def test_a_microphone_that_is_granted_too_late_is_released(opened):
    slow = """() => {
        const { mediaDevices } = navigator, ask = mediaDevices.getUserMedia.bind(mediaDevices);
        mediaDevices.getUserMedia = async wish => {
            await new Promise(resolve => { window.grant = resolve; });
            window.granted = await ask(wish);
            return window.granted;
        };
    }"""
    with opened([PLAYERS, SHOW, "assert not ben.members", END], microphone=True) as notebook:
        notebook.page.evaluate(slow)
        notebook.run_cell(0)
        notebook.run_cell(1)
        notebook.page.wait_for_function("() => window.grant")
        notebook.page.evaluate("window.jupyterapp.shell.currentWidget.content.activeCellIndex = 1")
        notebook.command("notebook:clear-cell-output")
        view(notebook).wait_for(state="detached")
        notebook.page.evaluate("window.grant()")
        notebook.page.wait_for_function(
            "() => window.granted?.getTracks().every(track => track.readyState === 'ended')"
        )
        notebook.run_cell(2)
        notebook.run_cell(3)
        notebook.page.evaluate("() => { delete navigator.mediaDevices.getUserMedia; }")
        assert notebook.complaints == []


def test_two_views_of_one_widget_take_turns(opened):
    with opened([PLAYERS, SHOW, SHOW, END], microphone=True, height=1200) as notebook:
        notebook.run_cell(0)
        notebook.run_cell(1)
        joined(notebook)
        held = kept(notebook)
        notebook.run_cell(2)
        second = view(notebook).nth(1)
        second.get_by_text("ada does not take part from this page").wait_for()
        second.get_by_role("button", name="Take part").click()
        second.get_by_role("heading", name="Room jam").wait_for()
        until_all_is_closed(notebook, held)
        first = view(notebook).nth(0)
        first.get_by_text("Another view of this notebook takes part now").wait_for()
        notebook.run_cell(3)
        assert notebook.complaints == []


def test_the_page_lets_go_of_everything_when_the_kernel_restarts(opened):
    with opened([PLAYERS, SHOW], microphone=True) as notebook:
        notebook.run_cell(0)
        notebook.run_cell(1)
        joined(notebook)
        held = kept(notebook)
        notebook.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
        )
        until_all_is_closed(notebook, held)
        view(notebook).get_by_text("The kernel is not there any more").wait_for()
        assert button(notebook, "Take part").is_hidden()
        assert notebook.complaints == []


def test_it_answers_a_mesh_measurement(opened):
    """Not judged by its figures: on a busy machine no click may be heard."""
    cells = [
        """
import asyncio
from jamlab import MemoryChannel, measure_mesh, measuring_participant
from jamlab.measure.live_mesh.pairs import pairs_table
from jamlab.widgets import BrowserPeer
room = MemoryChannel()
me = measuring_participant("jam", "ben", lambda _: room)
await me.session.__aenter__()
peer = BrowserPeer("ada", signaling=lambda _: room)
""",
        SHOW,
        "await me.session.wait_connected(60, 'ada')\n"
        "while not peer.is_playing:\n    await asyncio.sleep(0.05)\n"
        "mesh = await measure_mesh(me, 5.0)\n"
        "pairs = pairs_table(mesh)\n"
        "assert list(pairs.sender + ' ' + pairs.receiver) == ['ada ben', 'ben ada'], pairs\n"
        "assert (pairs.clicks > 30).all(), pairs\n"
        "known = pairs[pairs.both_ways_ms.notna()]\n"
        "assert (known.both_ways_ms > 12.5).all(), pairs\n"  # the frames of both
        "assert (known.one_way_min_ms <= known.one_way_max_ms).all(), pairs",
        "peer.close()\nawait me.session.leave()",
    ]
    with opened(cells, microphone=True) as notebook:
        notebook.run_cell(0)
        notebook.run_cell(1)
        joined(notebook)
        notebook.run_cell(2)
        notebook.run_cell(3)
        assert notebook.complaints == []
