"""One server and one browser for all tests of this folder; plain functions, no coroutines.

Playwright's synchronous interface keeps a loop running in this thread while it is open, so
modules that use these fixtures have no ``async def`` tests.
"""

import importlib.util
from contextlib import contextmanager

import pytest

from jamlab.browsers.installed import INSTALL_DRIVER
from tests.browser import notebook as nb
from tests.browser.lab import lab_server


@pytest.fixture(scope="package")
def lab(tmp_path_factory):
    with lab_server(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture(scope="package")
def browser():
    if nb.CHROMIUM is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    if importlib.util.find_spec("playwright") is None:
        pytest.skip(f"there is no Playwright: {INSTALL_DRIVER}")
    with nb.chromium() as started:
        yield started


@pytest.fixture(scope="package")
def pages(browser, lab):
    return nb.LabPages(browser, lab)


@pytest.fixture
def opened(pages, request):
    """Return a context manager that opens a notebook under the test's own name."""

    @contextmanager
    def open_(source, **options):
        name = f"{request.node.name}.ipynb"
        with pages.open(source, name, **options) as shown:
            yield shown

    return open_
