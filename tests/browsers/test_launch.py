"""Tests of jamlab.browsers.launch; the browsers themselves are started by other tests."""

import signal
import subprocess
import sys

import pytest

from jamlab.browsers.engines import Setting
from jamlab.browsers.installed import Browser
from jamlab.browsers.launch import browser_of, lacking


def test_a_browser_that_runs_here_is_started_by_its_own_program(tmp_path):
    browser = Browser("chromium", "/usr/bin/chromium", "156.0.1")
    assert browser_of(Setting(browser), "player 1", tmp_path) == browser
    assert list(tmp_path.iterdir()) == []


def test_one_that_runs_elsewhere_is_started_by_a_script_with_all_arguments(tmp_path):
    place = tmp_path / "a place"
    place.mkdir()
    shown = place / "show"
    shown.write_text('#!/bin/sh\nprintf "%s|" "$WHERE" "$@"\n')
    shown.chmod(0o700)
    browser = Browser("chromium", str(shown), "156.0.1")
    within = {"player 1": lambda *command: ("env", "WHERE=in a namespace", *command)}
    setting = Setting(browser, within=within)
    started = browser_of(setting, "player 1", tmp_path)
    command = [started.path, "--one", "two words", "$3"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "in a namespace|--one|two words|$3|"
    assert started.version == browser.version
    assert browser_of(setting, "player 2", tmp_path) == browser


PLAYING = """
import asyncio

from jamlab.browsers.engines import Setting
from jamlab.browsers.installed import installed
from jamlab.browsers.launch import browsers
from jamlab.process.signals import sigterm_unwinds


async def play():
    async with browsers(Setting(installed()), {"player 1": {}}, lambda _: "void 0"):
        print("playing", flush=True)
        await asyncio.sleep(3600)


with sigterm_unwinds():
    asyncio.run(play())
"""


@pytest.mark.slow
@pytest.mark.skipif(lacking() is not None, reason=lacking() or "")
def test_sigterm_ends_it_although_the_driver_does_not_answer_any_more():
    command = [sys.executable, "-c", PLAYING]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "playing\n"
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=120)
        finally:
            process.kill()
    assert process.returncode == 128 + signal.SIGTERM
