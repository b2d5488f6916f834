"""A JupyterLab server of its own: no settings, extensions or kernels of the user's, no internet."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager, suppress

import psutil

DEADLINE_S = 120.0

_SERVER = {
    "IdentityProvider": {"token": secrets.token_hex(16)},
    "ServerApp": {
        "ip": "127.0.0.1",
        "open_browser": False,
        "allow_root": True,  # CI is
        "local_hostnames": ["localhost", "insecure.test"],
        "terminals_enabled": False,
    },
    "LabApp": {
        "expose_app_in_browser": True,  # as window.jupyterapp, which the tests talk to
        "extension_manager": "readonly",
        "check_for_updates_class": "jupyterlab.handlers.announcements.NeverCheckForUpdate",
    },
    "KernelSpecManager": {"allowed_kernelspecs": ["python3"]},
}
_FRONT_END = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/apputils-extension:themes": {"adaptive-theme": False},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},  # all outputs are there
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}


class Lab:
    """A server at work.

    Attributes
    ----------
    folder : Path
        Its root, for notebooks.
    """

    def __init__(self, home):
        self.folder = home / "notebooks"
        self._home = home
        self._runtime = home / "runtime"
        self._log = home / "lab.log"
        self._write_settings(home / "config")
        kept = {name: os.environ[name] for name in os.environ if not name.startswith("JUPYTER")}
        env = kept | {
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(self._runtime),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
            "JUPYTER_PLATFORM_DIRS": "1",
            "IPYTHONDIR": str(home / "ipython"),
        }
        for folder in (self.folder, self._runtime, home / "ipython"):
            folder.mkdir(parents=True)
        command = sys.executable, "-m", "jupyterlab", f"--ServerApp.port={_free_port()}"
        with self._log.open("wb") as log:
            self._server = subprocess.Popen(
                command, cwd=self.folder, env=env, stdout=log, stderr=log
            )
        try:
            self.url, self.token = self._started()
        except BaseException:
            self.end()
            raise

    def notebook_url(self, name, host="127.0.0.1"):
        """Return where JupyterLab shows one notebook alone, whatever it showed before."""
        return self.page_url(f"/tree/{name}", host)

    def page_url(self, path="", host="127.0.0.1"):
        """Return where JupyterLab shows nothing, or a path, whatever it showed before."""
        url = self.url.replace("127.0.0.1", host)
        return f"{url}lab{path}?token={self.token}&reset"

    def end(self):
        """Stop the server and its kernels; fails when the server ends and leaves a process.

        On a busy machine a server sometimes does not end within minutes, however often it gets
        SIGTERM; then it is killed with its kernels.
        """
        family = psutil.Process(self._server.pid).children(recursive=True)
        self._server.terminate()
        left = []
        try:
            with suppress(subprocess.TimeoutExpired):
                self._server.wait(60)
                _, left = psutil.wait_procs(family, 60)
        finally:
            for process in [*family, self._server]:
                _kill(process)
            self._server.wait()
        assert not left, f"JupyterLab left processes behind: {left}"

    @staticmethod
    def _write_settings(config):
        (config / "labconfig").mkdir(parents=True)
        (config / "jupyter_server_config.json").write_text(json.dumps(_SERVER))
        overrides = config / "labconfig" / "default_setting_overrides.json"
        overrides.write_text(json.dumps(_FRONT_END))

    def _started(self):
        """Wait for the server to answer; returns its address and token."""
        deadline_s = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline_s and self._server.poll() is None:
            for told in self._runtime.glob(f"jpserver-{self._server.pid}.json"):
                info = json.loads(told.read_text() or "{}")
                if info and self._answers(info):
                    return info["url"], info["token"]
            time.sleep(0.02)
        raise AssertionError(f"JupyterLab did not start:\n{self._log.read_text()[-2000:]}")

    @staticmethod
    def _answers(info):
        try:
            with urllib.request.urlopen(f"{info['url']}api?token={info['token']}", timeout=10):
                return True
        except OSError:
            return False


@contextmanager
def lab_server(home):
    """Run a server in a folder."""
    lab = Lab(home)
    try:
        yield lab
    finally:
        lab.end()


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _kill(process):
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return
