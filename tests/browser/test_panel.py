"""The session panel as it is used: pressed in JupyterLab in Chromium, and heard in the kernel."""

import re

import pytest

from tests.audio.jack import jack, needs_jack

PLAYERS = """
import os
from jamlab import JamSession, MemoryChannel, VirtualCard
from jamlab.measure.acceptance.sines import tone
from jamlab.widgets import MicrophonePermission, SessionPanel

room = MemoryChannel()

def player(name, level_dbfs=-12.0, **options):
    options.setdefault("card", VirtualCard(tone((997.0, 997.0), level_dbfs), block_frames=480))
    return JamSession("jam", name, signaling=lambda _: room, **options)

ben = None
async def ben_joins():
    global ben
    ben = await player("ben").__aenter__()
    await ben.wait_connected(30, "ada")
"""
PANEL = "panel = SessionPanel(lambda: player('ada'))\npanel"
ASKING = """
from jamlab.audio.device import DeviceCard
permission = MicrophonePermission()
def on_the_card():
    return player("ada", card=DeviceCard(access=permission.access, block_frames=480))
panel = SessionPanel(on_the_card, permission=permission)
panel
"""
MUTED, LEVEL = -70.0, -12.0


def button(notebook, name):
    return notebook.page.get_by_role("button", name=name, exact=True)


def until_reads(notebook, name, low, high):
    """Wait until the meter of somebody reads between two levels, as a screen reader is told."""
    notebook.page.wait_for_function(
        """([label, low, high]) => {
            const shown = document.querySelector(`[role=meter][aria-label="${label}"]`);
            const now = shown && Number(shown.getAttribute("aria-valuenow"));
            return shown && shown.hasAttribute("aria-valuenow") && low <= now && now <= high; }""",
        arg=[f"{name}, left, dBFS", low, high],
    )


def until_at(notebook, name, level_dbfs):
    until_reads(notebook, name, level_dbfs - 0.5, level_dbfs + 0.5)


def shown(notebook):
    return notebook.page.locator(".jamlab-panel")


@pytest.mark.slow
def test_gain_mute_quality_and_peers_who_come_and_go(opened):
    cells = [PLAYERS, PANEL, "await ben_joins()", "await ben.leave()", "await panel.leave()"]
    with opened(cells, height=900) as notebook:
        notebook.run_cell(0)
        notebook.run_cell(1)
        button(notebook, "Join").click()
        button(notebook, "Leave").wait_for()
        notebook.page.get_by_role("heading", name="ada in jam").wait_for()
        until_at(notebook, "ada", LEVEL)

        notebook.run_cell(2)  # a peer joins
        gain = notebook.page.get_by_role("slider", name="Gain of ben")
        gain.wait_for()
        until_at(notebook, "ben", LEVEL)

        gain.fill("-20")
        until_at(notebook, "ben", LEVEL - 20)
        assert gain.get_attribute("aria-valuetext") == "−20.0 dB"
        gain.press("ArrowRight")  # keys are the panel's, not the notebook's
        notebook.page.locator("[aria-valuetext='−19.5 dB']").wait_for()
        gain.press("x")  # cuts a cell elsewhere
        assert gain.is_visible()
        gain.press("Home")  # the bottom of the scale
        until_reads(notebook, "ben", MUTED, MUTED)
        assert gain.get_attribute("aria-valuetext") == "silent"
        notebook.page.get_by_role("button", name="Gain of ben to 0 dB").click()
        until_at(notebook, "ben", LEVEL)

        button(notebook, "Mute").click()
        until_reads(notebook, "ada", MUTED, MUTED)
        assert button(notebook, "Muted").get_attribute("aria-pressed") == "true"
        gain.fill("-6")
        notebook.page.get_by_role("combobox", name="Quality").select_option("high quality")
        for theme in ("light", "dark"):
            notebook.theme(theme)
            notebook.screenshot(f"panel-muted-{theme}", shown(notebook))
        button(notebook, "Muted").click()
        until_at(notebook, "ada", LEVEL)

        notebook.run_cell(3)  # the peer leaves
        gain.wait_for(state="detached")
        button(notebook, "Leave").click()
        button(notebook, "Join").wait_for()
        assert notebook.page.get_by_role("meter").count() == 0
        assert notebook.complaints == []


@pytest.mark.slow
def test_warnings_in_the_products_words(opened):
    tell = "from jamlab.mesh.notices import NoticeKind\npanel.session._tell(NoticeKind.{}, 'ben')"
    cells = [
        PLAYERS,
        PANEL,
        "await panel.join()\nawait ben_joins()",
        f"{tell.format('HIGH_LATENCY')}\n{tell.format('NO_AUDIO')}",
        tell.format("NORMAL_LATENCY"),
        "await panel.leave()\nawait ben.leave()",
    ]
    with opened(cells) as notebook:
        for cell in range(4):
            notebook.run_cell(cell)
        warnings = notebook.page.get_by_role("list", name="Warnings").get_by_role("listitem")
        warnings.nth(1).wait_for()
        assert warnings.nth(0).inner_text() == (
            "⚠ ben: High latency detected, audio may be delayed: use a wired network, or move "
            "nearer to the Wi-Fi access point"
        )
        for theme in ("light", "dark"):
            notebook.theme(theme)
            notebook.screenshot(f"panel-warnings-{theme}", shown(notebook))
        notebook.resize(560)
        notebook.screenshot("panel-narrow", shown(notebook))
        notebook.run_cell(4)
        notebook.page.get_by_text("✓ ben: Latency is back to normal").wait_for()
        assert warnings.count() == 1
        notebook.run_cell(5)
        assert notebook.complaints == []


@pytest.mark.slow
def test_permission_is_asked_denied_and_thought_over_again(opened):
    """With the devices this machine has, which may be none."""
    cells = [PLAYERS, ASKING, "await panel.permission.asked()", "await panel.leave()"]
    with opened(cells) as notebook:
        notebook.run_cell(0)
        notebook.run_cell(1)
        button(notebook, "Join").click()
        question = notebook.page.get_by_role(
            "group", name="Microphone access is required for jamming"
        )
        question.wait_for()
        assert "the machine this notebook’s kernel runs on" in question.inner_text()
        status = notebook.page.locator(".jamlab-permission [role=status]")
        assert "No microphone yet" in status.inner_text()
        for theme in ("light", "dark"):
            notebook.theme(theme)
            notebook.screenshot(f"permission-asked-{theme}", shown(notebook))
        notebook.page.evaluate(
            "() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 2;"
            " window.jupyterapp.commands.execute('notebook:run-cell'); }"
        )  # a cell that waits for the answer
        button(notebook, "Deny").click()
        button(notebook, "Leave").wait_for()
        notebook.page.get_by_text("access was denied: you only listen").wait_for()
        assert question.is_hidden()
        notebook.screenshot("permission-denied-dark", shown(notebook))

        button(notebook, "Change…").press("Enter")  # by the keyboard
        button(notebook, "Listen only").press("Enter")
        notebook.page.get_by_text("you only listen", exact=True).wait_for()
        notebook.run_cell(3)
        assert notebook.complaints == []


@pytest.mark.slow
@needs_jack
def test_permission_granted_captures_from_the_input_that_was_chosen(opened):
    """JACK without hardware is the sound card; its input is fed with what its output plays."""
    with jack(256) as server:
        names = ("JACK_DEFAULT_SERVER", "JACK_NO_START_SERVER")
        environment = {name: server.env[name] for name in names}
        cells = [
            f"{PLAYERS}\nos.environ.update({environment!r})",
            ASKING,
            "import asyncio\n"
            "assert panel.session.microphone_problem == '', panel.session.microphone_problem\n"
            "while panel.session.card.counters.blocks == 0:\n    await asyncio.sleep(0.01)",
            "await panel.leave()",
        ]
        with opened(cells) as notebook:
            notebook.run_cell(0)
            notebook.run_cell(1)
            choice = notebook.page.get_by_label(re.compile("^Input"))
            options = choice.locator("option").all_inner_texts()
            assert options[0].startswith("The system’s: ")
            assert any(re.match(r"system \(JACK", option) for option in options[1:]), options
            choice.select_option(
                label=next(each for each in options if each.startswith("system ("))
            )
            notebook.screenshot("permission-devices", shown(notebook))
            button(notebook, "Join").click()
            button(notebook, "Allow").click()
            button(notebook, "Leave").wait_for()
            notebook.page.get_by_text(re.compile("Microphone on")).wait_for()
            notebook.run_cell(2)
            for theme in ("light", "dark"):
                notebook.theme(theme)
                notebook.screenshot(f"permission-granted-{theme}", shown(notebook))
            notebook.run_cell(3)
            assert notebook.complaints == []
