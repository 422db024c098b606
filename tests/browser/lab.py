"""A JupyterLab server of the tests, and the notebooks that they put into its folder."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Page, expect

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.errors import UsageError
from tests.engines.ports import free_port
from tests.kit import eventually

TRAIN = [
    "lr = 0.1  # learning rate\nepochs = 5\npause = 0.2",
    "import time\nfrom jupyter_gridgpu import report\n"
    "for epoch in range(epochs):\n"
    "    time.sleep(pause)\n"
    "    report(epoch=epoch + 1, epochs=epochs, loss=lr / (epoch + 1), acc=1 - lr / (epoch + 1))\n"
    "    print('epoch', epoch + 1, 'done')",
]
# Ten minutes: a scan that a test stops must not end by itself before, however busy the machine is.
ENDLESS = "epochs = 3000\npause = 0.2"
BUSY = "import time\nfor _ in range(6000): time.sleep(0.1)\nprint('busy no more')"
ANSWER_S = 20  # for one request
SCANS_END_S = 60  # for jobs that are stopped; they are given some seconds to save


@dataclass
class Lab:
    """A server that runs, its folder of notebooks, and how to ask it.

    `home` holds the configuration of the server and the scans.
    """

    url: str
    token: str
    folder: Path
    home: Path
    command: list[str]
    env: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with open(self.home / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, env=self.env, stdout=log, stderr=log
            )
        eventually(self._answers, "JupyterLab answers")

    def kill(self) -> None:
        """End the server at once, as a crash does. Its kernels end too."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=ANSWER_S)

    def stop(self) -> None:
        """End the server as an interrupt by its user does."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=ANSWER_S)

    def open(self, page: Page, notebook: str) -> None:
        """Open a notebook in JupyterLab and wait until its kernel is idle.

        `reset` in the address keeps JupyterLab from opening what an earlier test had open.
        """
        page.goto(f"{self.url}/lab/tree/{notebook}?token={self.token}&reset")
        expect(page.locator(".jp-Notebook")).to_be_visible()
        wait_until_idle(page)

    def wait_for_kernel(self, notebook: str) -> None:
        """Wait until a page is connected to the kernel of a notebook and the kernel is idle."""

        def ready() -> bool:
            kernels = [
                session["kernel"]
                for session in self.ask_json("/api/sessions")
                if session["path"] == notebook
            ]
            return any(
                kernel["connections"] > 0 and kernel["execution_state"] == "idle"
                for kernel in kernels
            )

        eventually(ready, f"the kernel of {notebook} is idle")

    def shut_down_kernels(self) -> None:
        """End all kernels of the server."""
        for kernel in self.ask_json("/api/kernels"):
            self.ask("DELETE", f"/api/kernels/{kernel['id']}")

    def stop_scans(self) -> None:
        """Stop every scan that has not ended, and wait for the end."""
        handles = [ScanHandle(spec.parent) for spec in self.home.glob("scans/*/scan.json")]
        for handle in handles:
            handle.refresh()
            # A scan that ends just now refuses to be stopped.
            with suppress(UsageError):
                if not handle.ended:
                    handle.stop()
        for handle in handles:
            handle.wait(timeout_s=SCANS_END_S)

    def set_theme(self, name: str) -> None:
        """Choose the theme of pages that are opened from now on."""
        raw = json.dumps({"raw": json.dumps({"theme": name})}).encode()
        self.ask("PUT", "/lab/api/settings/@jupyterlab/apputils-extension:themes", raw)

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Return the body of the server's answer. Raises HTTPError if it refuses."""
        head = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(self.url + path, body, head, method=method)
        with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
            data: bytes = answer.read()
        return data

    def ask_json(self, path: str) -> Any:
        """Return what the server has at `path`, read from JSON."""
        return json.loads(self.ask("GET", path))

    def read_notebook(self, name: str) -> Any:
        """Return a notebook of the folder as it is on disk now.

        Raises ValueError while the server writes it.
        """
        return json.loads((self.folder / name).read_text())

    def _answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            log = (self.home / "server.log").read_text(errors="replace")[-2000:]
            pytest.fail(f"JupyterLab ended with {self.process.returncode}: {log}")
        try:
            with urllib.request.urlopen(f"{self.url}/api", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False


def wait_until_idle(page: Page) -> None:
    """Wait until the status bar of JupyterLab says that the kernel is idle."""
    expect(page.locator("#jp-main-statusbar").get_by_text("| Idle")).to_be_visible()


def write_notebook(path: Path, cells: list[str], *, tagged: bool = False) -> None:
    """Write a notebook of code cells for the Python kernel.

    With `tagged`, the first cell is the one that holds the parameters.
    """
    code = [nbformat.v4.new_code_cell(cell) for cell in cells]
    if tagged:
        code[0].metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=code, metadata={"kernelspec": kernel}), path)


def write_scan_notebook(lab: Lab, name: str, options: str, body: str, *more: str) -> str:
    """Write a training notebook and one that scans it, with `more` cells after the scan's.

    Returns the file name of the second one.
    """
    write_notebook(lab.folder / f"train_{name}.ipynb", TRAIN, tagged=True)
    cell = f"%%gridscan train_{name}.ipynb --name {name} {options}\n{body}"
    write_notebook(lab.folder / f"{name}.ipynb", ["%load_ext jupyter_gridgpu", cell, *more])
    return f"{name}.ipynb"


@contextmanager
def serve_lab(folder: Path, home: Path, *, base: str = "", extension: bool = True) -> Iterator[Lab]:
    """Run a JupyterLab on `folder`, with an empty configuration in `home`, until the block ends.

    `base` is its base address. Without `extension`, it has our widgets but not our extension.
    """
    port = free_port()
    token = secrets.token_hex(8)
    env = {
        **os.environ,
        "HOME": str(home),
        "GRIDGPU_HOME": str(home / "scans"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
    }
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={folder}",
        f"--ServerApp.base_url={base}/",
        f"--LabApp.app_settings_dir={_write_settings(home, extension)}",
    ]
    if not extension:
        command.append("--ServerApp.jpserver_extensions={'jupyter_gridgpu.server': False}")
    lab = Lab(f"http://127.0.0.1:{port}{base}", token, folder, home, command, env)
    try:
        lab.start()
        yield lab
    finally:
        lab.stop()
        # Runners outlive the server, so a scan of a test that failed would go on.
        lab.stop_scans()


def _write_settings(home: Path, extension: bool) -> Path:
    """Return a settings folder in which JupyterLab asks nothing about news."""
    folder = home / "lab-settings"
    folder.mkdir()
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    overrides = {"@jupyterlab/apputils-extension:notification": quiet}
    (folder / "overrides.json").write_text(json.dumps(overrides))
    disabled = {} if extension else {"jupyter-gridgpu": True}
    (folder / "page_config.json").write_text(json.dumps({"disabledExtensions": disabled}))
    return folder
