"""A real JupyterLab and a real browser."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
CHROMIUM = next(
    filter(
        None, (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    ),
    None,
)
PICTURES = os.environ.get("GRIDGPU_PICTURES")  # a folder to keep screenshots in

TRAIN = [
    "lr = 0.1  # learning rate\nepochs = 5\npause = 0.2",
    "import time\nfrom jupyter_gridgpu import report\n"
    "for epoch in range(epochs):\n"
    "    time.sleep(pause)\n"
    "    report(epoch=epoch + 1, epochs=epochs, loss=lr / (epoch + 1), acc=1 - lr / (epoch + 1))\n"
    "    print('epoch', epoch + 1, 'done')",
]


@dataclass
class Lab:
    """A server, its folder, and how to talk to it."""

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
        _wait_for(f"{self.url}/api", self.process)

    def kill(self) -> None:
        """End the server at once, as a crash does; its kernels go too."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=20)

    @property
    def scans(self) -> Path:
        return self.home / "scans"

    def open(self, page: Page, notebook: str) -> None:
        """Open a notebook in JupyterLab and wait until its kernel is idle."""
        page.goto(f"{self.url}/lab/tree/{notebook}?token={self.token}&reset")
        expect(page.locator(".jp-Notebook")).to_be_visible(timeout=60_000)
        expect(page.locator("#jp-main-statusbar").get_by_text("| Idle")).to_be_visible(
            timeout=60_000
        )

    def shut_down_kernels(self) -> None:
        """End all kernels of the server."""
        for kernel in json.loads(self._ask("GET", "/api/kernels")):
            self._ask("DELETE", f"/api/kernels/{kernel['id']}")

    def set_theme(self, name: str) -> None:
        """Choose the theme of pages that are opened from now on."""
        raw = json.dumps({"raw": json.dumps({"theme": name})}).encode()
        self._ask("PUT", "/lab/api/settings/@jupyterlab/apputils-extension:themes", raw)

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        head = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(self.url + path, body, head, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            data: bytes = answer.read()
        return data

    @staticmethod
    def restart_kernel(page: Page) -> None:
        """Restart the kernel of the open notebook from the menu."""
        page.get_by_role("menuitem", name="Kernel", exact=True).click()
        page.get_by_role("menuitem", name=re.compile("^Restart Kernel…")).first.click()
        page.get_by_role("button", name="Confirm Kernel Restart").click()
        expect(page.locator("#jp-main-statusbar").get_by_text("| Idle")).to_be_visible(
            timeout=60_000
        )


def write_notebook(path: Path, cells: list[str], *, tagged: bool = False) -> None:
    """Write a notebook of code cells for the Python kernel; `tagged`: the first one holds the parameters."""
    code = [nbformat.v4.new_code_cell(cell) for cell in cells]
    if tagged:
        code[0].metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=code, metadata={"kernelspec": kernel}), path)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI needs a browser: apt-get install chromium")
        pytest.skip("no Chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with serve_lab(tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("home")) as lab:
        yield lab


@pytest.fixture
def own_lab(tmp_path: Path) -> Iterator[Lab]:
    """A server for one test, which may kill it; it has a base address as below a hub."""
    (tmp_path / "work").mkdir()
    (tmp_path / "user").mkdir()
    with serve_lab(tmp_path / "work", tmp_path / "user", base="/user/ada") as lab:
        yield lab


@pytest.fixture(scope="module")
def plain_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab that has the widgets but not our extension."""
    with serve_lab(
        tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("home"), extension=False
    ) as lab:
        yield lab


@contextmanager
def serve_lab(folder: Path, home: Path, *, base: str = "", extension: bool = True) -> Iterator[Lab]:
    """A JupyterLab of its own on `folder`, with an empty configuration and home of scans in `home`."""
    port, token = _free_port(), secrets.token_hex(8)
    env = {
        **os.environ,
        "HOME": str(home),
        "GRIDGPU_HOME": str(home / "scans"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
    }
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}", "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}", f"--ServerApp.base_url={base}/",
        f"--LabApp.app_settings_dir={_settings(home, extension)}",
    ]  # fmt: skip
    if not extension:
        command.append("--ServerApp.jpserver_extensions={'jupyter_gridgpu.server': False}")
    lab = Lab(f"http://127.0.0.1:{port}{base}", token, folder, home, command, env)
    try:
        lab.start()
        yield lab
    finally:
        if lab.process is not None:
            lab.process.terminate()
            lab.process.wait(timeout=20)


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    yield page
    if PICTURES:
        name = re.sub(r"\W+", "-", request.node.name)
        page.screenshot(path=Path(PICTURES) / f"{name}.png")
    context.close()


def run_cell(page: Page, index: int) -> None:
    """Run one cell of the open notebook, as a user does: click into it, Shift+Enter, again while no kernel is there."""
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(index)
    prompt = cell.locator(".jp-InputPrompt").first
    for _ in range(20):
        cell.locator(".cm-content").click()
        page.keyboard.press("Shift+Enter")
        page.wait_for_timeout(500)
        if prompt.inner_text() != "[ ]:":
            return
    expect(prompt).not_to_have_text("[ ]:")


def _settings(home: Path, extension: bool) -> Path:
    """A settings folder in which JupyterLab asks nothing about news."""
    folder = home / "lab-settings"
    folder.mkdir()
    quiet = {
        "@jupyterlab/apputils-extension:notification": {
            "fetchNews": "false",
            "checkForUpdates": False,
        }
    }
    (folder / "overrides.json").write_text(json.dumps(quiet))
    (folder / "page_config.json").write_text(
        json.dumps({"disabledExtensions": {} if extension else {"jupyter-gridgpu": True}})
    )
    return folder


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        if server.poll() is not None:
            pytest.fail(f"JupyterLab ended with {server.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail("JupyterLab did not answer within a minute")
