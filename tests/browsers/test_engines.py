"""Tests of jamlab.browsers.engines, with a driver that notes what it is asked for."""

from pathlib import Path

import pytest

from jamlab.browsers.engines import ARGUMENTS, PREFERENCES, Setting, start
from jamlab.browsers.installed import Browser


class Driver:
    """Playwright's driver; each engine notes the options of a start."""

    def __init__(self):
        self.asked = {}
        self.chromium, self.firefox = (
            type("Engine", (), {"launch_persistent_context": self.noting(name)})()
            for name in ("chromium", "firefox")
        )

    def noting(self, name):
        async def launch(_engine, **options):
            self.asked[name] = options
            return name

        return launch


@pytest.mark.parametrize(
    ("name", "engine"), [("chromium", "chromium"), ("edge", "chromium"), ("firefox", "firefox")]
)
async def test_a_browser_is_started_by_its_engine(name, engine):
    driver = Driver()
    setting = Setting(Browser(name, f"/usr/bin/{name}", "150.0"), arguments=("--further",))
    assert await start(driver, setting, Path("profile"), {"A": "b"}) == engine
    asked = driver.asked[engine]
    assert asked["executable_path"] == f"/usr/bin/{name}"
    assert asked["env"] == {"A": "b"}
    assert asked["headless"]
    assert "--further" in asked["args"]


def test_what_differs_from_a_user_s_browser_is_told():
    chromium, firefox = (Setting(Browser(name, "", "1")) for name in ("chromium", "firefox"))
    assert set(ARGUMENTS) < set(chromium.changes)
    assert len(firefox.changes) == len(PREFERENCES)
    assert "media.autoplay.default=0" in firefox.changes


async def test_a_microphone_that_is_not_given_is_asked_for_and_denied():
    driver = Driver()
    for microphone in True, False:
        setting = Setting(Browser("chromium", "chromium", "150.0"), microphone=microphone)
        await start(driver, setting, Path("profile"), {})
        asked = driver.asked["chromium"]
        assert ("--use-fake-ui-for-media-stream" in asked["args"]) is microphone
        assert asked["permissions"] == (["microphone"] if microphone else None)
