"""Output that survives: the table under a cell after the kernel, the page or the server went away."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from .conftest import Lab, run_cell
from .test_live_table import row, scan_notebook, table

pytestmark = pytest.mark.timeout(240)
MIME = "application/vnd.gridgpu.scan+json"
SLOW = "lr = [0.1, 0.2]\nepochs = 150\npause = 0.2"


def save(page: Page) -> None:
    page.locator(".jp-Notebook").click(position={"x": 5, "y": 5})
    page.keyboard.press("Control+s")
    page.wait_for_timeout(2000)


def test_a_reloaded_page_shows_the_table_live_again_without_a_kernel(lab: Lab, page: Page) -> None:
    lab.open(page, scan_notebook(lab, "reload", "--minimize loss --parallel 2", SLOW))
    run_cell(page, 0)
    run_cell(page, 1)
    expect(row(page, "v0001").locator("[data-col='epoch']")).to_contain_text("/150", timeout=60_000)
    save(page)
    lab.shut_down_kernels()
    page.reload()
    epoch = row(page, "v0001").locator("[data-col='epoch']")
    expect(epoch).to_contain_text("/150", timeout=60_000)
    before = epoch.inner_text()
    expect(epoch).not_to_have_text(before, timeout=10_000)
    table(page).get_by_role("button", name="Stop the scan").click()
    table(page).get_by_role("button", name="Stop 2 jobs").click()
    expect(row(page, "v0002")).to_have_attribute("data-state", "cancelled", timeout=20_000)


def test_stop_works_while_the_kernel_is_busy(lab: Lab, page: Page) -> None:
    busy = "import time\nfor _ in range(600): time.sleep(0.1)\nprint('busy no more')"
    lab.open(page, scan_notebook(lab, "busy", "--minimize loss --parallel 2", SLOW, busy))
    for cell in range(3):
        run_cell(page, cell)
    expect(row(page, "v0001").locator("[data-col='epoch']")).to_contain_text("/150", timeout=60_000)
    row(page, "v0001").hover()
    row(page, "v0001").get_by_role("button", name="Stop v0001").click()
    table(page).get_by_role("button", name="Stop 1 job").click()
    expect(row(page, "v0001")).to_have_attribute("data-state", "cancelled", timeout=15_000)
    expect(row(page, "v0002")).to_have_attribute("data-state", "running")
    assert page.locator(".jp-OutputArea-output").get_by_text("busy no more").count() == 0
    table(page).get_by_role("button", name="Stop the scan").click()
    table(page).get_by_role("button", name="Stop 1 job").click()
    expect(row(page, "v0002")).to_have_attribute("data-state", "cancelled", timeout=15_000)


def test_a_notebook_from_elsewhere_shows_the_table_as_it_was_saved(lab: Lab, page: Page) -> None:
    name = scan_notebook(
        lab, "away", "--minimize loss --parallel 2", "lr = [0.1, 0.2]\nepochs = 2\npause = 0.05"
    )
    lab.open(page, name)
    run_cell(page, 0)
    run_cell(page, 1)
    expect(row(page, "v0002")).to_have_attribute("data-state", "done", timeout=60_000)
    page.wait_for_timeout(1000)
    save(page)
    notebook = json.loads((lab.folder / name).read_text())
    data = notebook["cells"][1]["outputs"][0]["data"]
    assert data[MIME]["id"]
    data[MIME]["id"] = "20200101-000000-abcdef"  # of another home
    data[MIME]["snapshot"]["scan"]["id"] = data[MIME]["id"]
    (lab.folder / "from_elsewhere.ipynb").write_text(json.dumps(notebook))
    lab.open(page, "from_elsewhere.ipynb")
    expect(row(page, "v0002")).to_have_attribute("data-state", "done", timeout=30_000)
    expect(table(page)).to_contain_text("not on this server")


def test_without_our_extension_the_widget_draws_the_same_table(plain_lab: Lab, page: Page) -> None:
    busy = "import time\nfor _ in range(120): time.sleep(0.1)"
    body = "lr = [0.1, 0.2]\nepochs = 20\npause = 0.3"
    plain_lab.open(
        page, scan_notebook(plain_lab, "plain", "--minimize loss --parallel 2", body, busy)
    )
    for cell in range(3):
        run_cell(page, cell)
    epoch = row(page, "v0001").locator("[data-col='epoch']")
    expect(epoch).to_contain_text("/20", timeout=60_000)
    before = epoch.inner_text()
    expect(epoch).not_to_have_text(before, timeout=10_000)
    row(page, "v0001").hover()
    row(page, "v0001").get_by_role("button", name="Stop v0001").click()
    table(page).get_by_role("button", name="Stop 1 job").click()
    expect(table(page)).to_contain_text("waits until the running cell ends", timeout=10_000)
