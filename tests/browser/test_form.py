"""The form: from a training notebook to a scan whose cell records what was done."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from .conftest import TRAIN, Lab, run_cell, write_notebook
from .test_live_table import row, table

pytestmark = pytest.mark.timeout(240)


def form(page: Page) -> Locator:
    return page.locator(".gridgpu-form").first


def choose(page: Page, parameter: str, kind: str, **values: str) -> None:
    """Say how a parameter is varied, and its values by the names of the inputs."""
    line = form(page).get_by_role("group", name=parameter, exact=True)
    line.get_by_role("radio", name=kind).click()
    for name, value in values.items():
        line.get_by_role("textbox", name=re.compile(name, re.IGNORECASE)).fill(value)


def test_from_the_toolbar_to_a_running_scan_and_back_after_reload(lab: Lab, page: Page) -> None:
    write_notebook(lab.folder / "train_form.ipynb", TRAIN, tagged=True)
    lab.open(page, "train_form.ipynb")
    page.locator(".jp-NotebookPanel-toolbar").get_by_role(
        "button", name=re.compile("many other parameters")
    ).click()
    expect(form(page)).to_be_visible(timeout=90_000)
    choose(page, "lr", "list", value="0.1, 0.2, 0.3, 0.4")
    choose(page, "epochs", "fixed", value="200")
    choose(page, "pause", "fixed", value="0,2")
    expect(form(page)).to_contain_text("1 value to correct", timeout=60_000)
    choose(page, "pause", "fixed", value="0.2")
    start = form(page).get_by_role("button", name="Start 4 jobs")
    expect(start).to_be_visible(timeout=60_000)
    start.click()
    expect(row(page, "v0001")).to_have_attribute("data-state", "running", timeout=60_000)
    page.keyboard.press("Control+s")
    page.wait_for_timeout(2000)
    cells = json.loads((lab.folder / "scan_train_form.ipynb").read_text())["cells"]
    written = next(
        "".join(cell["source"]) for cell in cells if "%%gridscan" in "".join(cell["source"])
    )
    assert written.startswith("%%gridscan train_form.ipynb")
    assert re.search(r"lr\s+= \[0\.1, 0\.2, 0\.3, 0\.4\]", written)
    row(page, "v0001").hover()
    row(page, "v0001").get_by_role("button", name="Stop v0001").click()
    table(page).get_by_role("button", name="Stop 1 job").click()
    expect(row(page, "v0001")).to_have_attribute("data-state", "cancelled", timeout=20_000)
    lab.restart_kernel(page)
    page.goto(f"{lab.url}/lab/tree/scan_train_form.ipynb?token={lab.token}&reset")
    expect(row(page, "v0001")).to_have_attribute("data-state", "cancelled", timeout=60_000)
    epoch = row(page, "v0002").locator("[data-col='epoch']")
    expect(epoch).to_contain_text("/200", timeout=30_000)
    before = epoch.inner_text()
    expect(epoch).not_to_have_text(before, timeout=10_000)
    table(page).get_by_role("button", name="Stop the scan").click()
    table(page).get_by_role("button", name=re.compile("^Stop . jobs?$")).click()
    expect(row(page, "v0002")).to_have_attribute("data-state", "cancelled", timeout=20_000)


def test_the_magic_alone_opens_the_form_in_its_notebook(lab: Lab, page: Page) -> None:
    write_notebook(lab.folder / "train_magic.ipynb", TRAIN, tagged=True)
    cells = [
        "%load_ext jupyter_gridgpu",
        "%gridscan train_magic.ipynb --minimize loss --name magic",
    ]
    write_notebook(lab.folder / "magic.ipynb", cells)
    lab.open(page, "magic.ipynb")
    run_cell(page, 0)
    run_cell(page, 1)
    expect(form(page).get_by_role("group", name="lr", exact=True)).to_be_visible(timeout=60_000)
    choose(page, "lr", "list", value="0.1, 0.2")
    choose(page, "epochs", "fixed", value="2")
    form(page).get_by_role("button", name="Start 2 jobs").click(timeout=20_000)
    expect(row(page, "v0002")).to_have_attribute("data-state", "done", timeout=60_000)
    expect(page.locator(".jp-Notebook .jp-CodeCell").nth(2)).to_contain_text(
        "%%gridscan train_magic.ipynb --minimize loss"
    )
