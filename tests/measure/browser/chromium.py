"""Short measurements with real Chromiums, for tests."""

import importlib.util
import shutil

import pytest

from jamlab.browsers.installed import INSTALL_DRIVER
from jamlab.measure.browser.plan import BrowserPlan

NEEDS_CHROMIUM = [
    pytest.mark.skipif(
        shutil.which("chromium") is None, reason="there is no Chromium: apt-get install chromium"
    ),
    pytest.mark.skipif(
        importlib.util.find_spec("playwright") is None,
        reason=f"there is no Playwright: {INSTALL_DRIVER}",
    ),
]


def plan_of(url, **options):
    """Return the plan of one short session."""
    return BrowserPlan(url, **{"sessions": 1, "duration_s": 2.0, "settle_s": 0.5, **options})
