"""A notebook in JupyterLab in Chromium: what a user does with it, and what they would see."""

import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path

import nbformat

SCREENSHOTS = Path(os.environ.get("JAMLAB_SCREENSHOTS", "reports/screenshots"))
"""Where screenshots go; CI keeps them."""

THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}

CHROMIUM = shutil.which("chromium")

INSECURE_HOST = "insecure.test"
"""A name of this machine for which a browser gives no page the microphone."""

CHROMIUM_FLAGS = (
    f"--host-resolver-rules=MAP {INSECURE_HOST} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--use-fake-device-for-media-stream",  # a microphone that beeps once a second
    "--allow-loopback-in-peer-connection",  # as jamlab's own, where there is no other address
)

COMMAND_TIMEOUT_MS = 300_000
TIMEOUT_MS = 30_000

_RESTORED = "() => Boolean(window.jupyterapp) && window.jupyterapp.restored.then(() => true)"
_READY = """() => {
    const app = window.jupyterapp, shown = app && app.shell.currentWidget;
    const session = shown && shown.sessionContext && shown.sessionContext.session;
    return Boolean(session && session.kernel && session.kernel.connectionStatus === 'connected'
        && session.kernel.status === 'idle' && shown.context.isReady);
}"""
_CLOSE = """async () => {
    const { shell } = window.jupyterapp, shown = shell.currentWidget;
    await shown.sessionContext.shutdown();
    shown.context.model.dirty = false; // nothing is asked
    shown.close();
}"""
_ERRORS = """() => window.jupyterapp.shell.currentWidget.content.widgets
    .filter(cell => cell.model.type === 'code')
    .flatMap(cell => cell.model.sharedModel.outputs)
    .filter(output => output.output_type === 'error')
    .map(output => output.ename + ': ' + output.evalue + '\\n' + output.traceback.join('\\n'))"""


class OpenNotebook:
    """A notebook that is open in a page.

    Attributes
    ----------
    page : playwright.sync_api.Page
        Everything Playwright can do: ``page.get_by_role(...)``, ``page.wait_for_function(...)``.
    complaints : list of str
        What the page's scripts threw and nobody caught.
    """

    def __init__(self, page, url):
        self.page = page
        self.complaints = []
        self._url = url
        page.on("pageerror", self._complain)

    def _complain(self, error):
        if "Canceled future for" not in str(error):  # of a kernel that was shut down
            self.complaints.append(str(error))

    def open(self, name):
        """Show a notebook, and wait for its kernel to be idle."""
        self.command("docmanager:open", path=name)
        self._until_ready()

    def reload(self):
        """Load the page again with the notebook as it is saved; its kernel goes on."""
        self.page.goto(self._url)
        self._until_ready()

    def close(self):
        """Shut its kernel down, and leave the page to the next notebook."""
        self.page.evaluate(_CLOSE)
        self.page.remove_listener("pageerror", self._complain)

    def _until_ready(self):
        self.page.wait_for_function(_READY, timeout=2 * TIMEOUT_MS)
        self._without_splash()

    def command(self, name, **arguments):
        """Execute one of JupyterLab's commands; returns what it resolves to, if that is plain."""
        return self.page.evaluate(
            """([name, args, ms]) => Promise.race([
                window.jupyterapp.commands.execute(name, args)
                    .then(done => typeof done === 'object' ? null : done),
                new Promise((_, fail) => setTimeout(() => fail(`${name} does not end`), ms)),
            ])""",
            [name, arguments, COMMAND_TIMEOUT_MS],
        )

    def run_all(self):
        """Run every cell and wait for the last; fails with the first error's text."""
        self.check(self.command("notebook:run-all-cells"))

    def run_cell(self, index):
        """Run one cell and wait for it; fails with its error's text."""
        self.page.evaluate(
            "i => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = i; }", index
        )
        self.check(self.command("notebook:run-cell"))

    def check(self, ran=True):
        """Fail with the text of the first cell's error, if there is one."""
        errors = [re.sub(r"\x1b\[[\d;]*m", "", error) for error in self.page.evaluate(_ERRORS)]
        assert not errors, errors[0]
        assert ran is not False, "JupyterLab did not run the cells"

    def theme(self, name):
        """Switch JupyterLab to ``"light"`` or ``"dark"``, and wait for it."""
        self.command("apputils:change-theme", theme=THEMES[name])
        light = "true" if name == "light" else "false"
        there = f'body[data-jp-theme-light="{light}"]'
        self.page.wait_for_selector(there, state="attached")
        self._without_splash()

    def reduce_motion(self, reduce=True):
        """Set the user's preference for less motion (CSS Media Queries 5 §11.1)."""
        self.page.emulate_media(reduced_motion="reduce" if reduce else "no-preference")

    def resize(self, width, height=800):
        """Give the page a size in CSS pixels."""
        self.page.set_viewport_size({"width": width, "height": height})

    def _without_splash(self):
        """Wait for what JupyterLab shows while it loads to fade: it would be in the pictures."""
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def screenshot(self, name, locator=None):
        """Keep a picture of the page, or of one element; returns its path."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        (locator or self.page).screenshot(path=path)
        return path


@contextmanager
def chromium():
    """Start Debian's Chromium, which can reach this machine alone."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=CHROMIUM_FLAGS,
        )
        try:
            yield browser
        finally:
            browser.close()


class LabPages:
    """JupyterLab in a page of each host, in which one notebook after another is opened.

    The page takes longer to load than most tests. One whose notebook failed is not used again.
    """

    def __init__(self, browser, lab):
        self._browser = browser
        self._lab = lab
        self._pages = {}

    @contextmanager
    def open(
        self,
        source,
        name="notebook.ipynb",
        *,
        width=1280,
        height=800,
        microphone=False,
        host="127.0.0.1",
    ):
        """Open a notebook: a stored one's path, or the sources of code cells.

        Yields an `OpenNotebook`. Its kernel is shut down at the end. The browser has a microphone,
        and `microphone` says whether the notebook may use it.
        """
        nbformat.write(notebook_of(source), self._lab.folder / name)
        page = self._pages.pop(host, None) or self._loaded(host)
        try:
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(reduced_motion="null")
            page.context.clear_permissions()
            if microphone:
                page.context.grant_permissions(["microphone"])
            opened = OpenNotebook(page, self._lab.notebook_url(name, host))
            opened.theme("light")
            opened.open(name)
            yield opened
            opened.close()
        except BaseException:
            page.context.close()
            raise
        self._pages[host] = page

    def _loaded(self, host):
        """Load JupyterLab, without its file browser, which takes a third of the page."""
        page = self._browser.new_context().new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.goto(self._lab.page_url(host=host))
        page.wait_for_function(_RESTORED, timeout=2 * TIMEOUT_MS)
        page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
        page.wait_for_function("() => window.jupyterapp.shell.leftCollapsed")
        return page


def notebook_of(source):
    """Return a stored notebook, by its path, or one of the sources of code cells."""
    if isinstance(source, Path):
        notebook = nbformat.read(source, as_version=4)
    else:
        cells = [nbformat.v4.new_code_cell(cell) for cell in source]
        notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    return notebook
