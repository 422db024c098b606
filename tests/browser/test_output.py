"""Output that survives: the table under a cell after kernel, page or server have gone."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from tests.browser.lab import BUSY, ENDLESS, Lab, write_scan_notebook
from tests.browser.pages import (
    epoch,
    expect_live,
    expect_state,
    output_data,
    run_cells,
    save_until,
    saved_text,
    stop_scan,
    stop_variant,
    table,
)

pytestmark = pytest.mark.timeout(240)
MIME = "application/vnd.gridgpu.scan+json"
TWO_AT_A_TIME = "--minimize loss --parallel 2"
SLOW = f"lr = [0.1, 0.2]\n{ENDLESS}"


def test_a_reloaded_page_shows_the_table_live_again_without_a_kernel(lab: Lab, page: Page) -> None:
    name = write_scan_notebook(lab, "reload", TWO_AT_A_TIME, SLOW)
    lab.open(page, name)
    run_cells(page, 2)
    expect(epoch(page, "v0001")).to_contain_text("/3000")
    save_until(page, lab, name, lambda notebook: MIME in output_data(notebook, 1))
    lab.shut_down_kernels()
    page.reload()
    expect(epoch(page, "v0001")).to_contain_text("/3000")
    expect_live(page, "v0001")
    stop_scan(page, running=2)
    expect_state(page, "v0002", "cancelled")


def test_stop_works_while_the_kernel_is_busy(lab: Lab, page: Page) -> None:
    lab.open(page, write_scan_notebook(lab, "busy", TWO_AT_A_TIME, SLOW, BUSY))
    run_cells(page, 3)
    expect(epoch(page, "v0001")).to_contain_text("/3000")
    expect_state(page, "v0002", "running")
    stop_variant(page, "v0001")
    expect_state(page, "v0001", "cancelled")
    expect_state(page, "v0002", "running")
    assert page.locator(".jp-OutputArea-output").get_by_text("busy no more").count() == 0
    stop_scan(page, running=1)
    expect_state(page, "v0002", "cancelled")


def test_a_notebook_from_elsewhere_shows_the_table_as_it_was_saved(lab: Lab, page: Page) -> None:
    body = "lr = [0.1, 0.2]\nepochs = 2\npause = 0.05"
    name = write_scan_notebook(lab, "away", TWO_AT_A_TIME, body)
    lab.open(page, name)
    run_cells(page, 2)
    expect_state(page, "v0002", "done")
    notebook = save_until(page, lab, name, lambda saved: "2 done" in saved_text(saved, 1))
    data = output_data(notebook, 1)
    assert data[MIME]["id"]
    data[MIME]["id"] = "20200101-000000-abcdef"  # of another home
    data[MIME]["snapshot"]["scan"]["id"] = data[MIME]["id"]
    (lab.folder / "from_elsewhere.ipynb").write_text(json.dumps(notebook))
    lab.open(page, "from_elsewhere.ipynb")
    expect_state(page, "v0002", "done")
    expect(table(page)).to_contain_text("not on this server")


def test_without_our_extension_the_widget_draws_the_same_table(plain_lab: Lab, page: Page) -> None:
    plain_lab.open(page, write_scan_notebook(plain_lab, "plain", TWO_AT_A_TIME, SLOW, BUSY))
    run_cells(page, 3)
    expect(epoch(page, "v0001")).to_contain_text("/3000")
    expect_live(page, "v0001")
    stop_variant(page, "v0001")
    expect(table(page)).to_contain_text("waits until the running cell ends")
