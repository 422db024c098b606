"""A real JupyterLab and a real browser for each process that runs tests."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.lab import Lab, serve_lab, write_notebook
from tests.browser.pages import run_cell, take_picture
from tests.kit import WITHIN_S

# The benchmarks that need a browser take these from here.
__all__ = ["ARGUMENTS", "CHROMIUM", "Lab", "run_cell", "serve_lab", "write_notebook"]

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LIGHT = "JupyterLab Light"

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)  # None where this machine has no browser

# Expectations end as soon as they are met, so a long time costs nothing where all is well.
expect.set_options(timeout=WITHIN_S * 1000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Run a browser; each test opens pages of its own in it."""
    if CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI needs a browser: apt-get install chromium")
        pytest.skip("no Chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run the server that `lab` gives to one test after another."""
    with serve_lab(tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("home")) as lab:
        yield lab


@pytest.fixture
def lab(shared_lab: Lab) -> Iterator[Lab]:
    """A server on which nothing runs. Names of notebooks and scans differ from test to test."""
    yield shared_lab
    shared_lab.shut_down_kernels()
    shared_lab.stop_scans()


@pytest.fixture
def own_lab(tmp_path: Path) -> Iterator[Lab]:
    """A server for one test, which may kill it; it has a base address as below a hub."""
    (tmp_path / "work").mkdir()
    (tmp_path / "user").mkdir()
    with serve_lab(tmp_path / "work", tmp_path / "user", base="/user/ada") as lab:
        yield lab


@pytest.fixture
def plain_lab(tmp_path: Path) -> Iterator[Lab]:
    """A JupyterLab that has the widgets but not our extension."""
    (tmp_path / "work").mkdir()
    (tmp_path / "user").mkdir()
    with serve_lab(tmp_path / "work", tmp_path / "user", extension=False) as lab:
        yield lab


@pytest.fixture
def dark_or_light(lab: Lab, request: pytest.FixtureRequest) -> Iterator[str]:
    """Choose the theme that the test is parametrized with, and the light one afterwards."""
    lab.set_theme(request.param)
    yield request.param
    lab.set_theme(LIGHT)


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page that knows nothing of the pages of other tests.

    An own context costs about half a second: JupyterLab is loaded anew, not from the cache.
    """
    with browser.new_context(viewport={"width": 1400, "height": 900}) as context:
        page = context.new_page()
        yield page
        take_picture(page, re.sub(r"\W+", "-", request.node.name))
