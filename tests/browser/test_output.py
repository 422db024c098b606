"""Output that survives: the table under a cell after kernel, page or server have gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from jupyter_gridgpu.client import ScanHandle
from tests.browser.lab import BUSY, ENDLESS, Lab, write_scan_notebook
from tests.browser.pages import (
    epoch,
    expect_live,
    expect_state,
    form,
    output_data,
    panel,
    run_cells,
    save_until,
    saved_text,
    stop_scan,
    stop_variant,
    table,
    take_picture,
)

pytestmark = pytest.mark.timeout(240)
MIME = "application/vnd.gridgpu.scan+json"
WIDGET = "application/vnd.jupyter.widget-view+json"
TWO_AT_A_TIME = "--minimize loss --parallel 2"
SLOW = f"lr = [0.1, 0.2]\n{ENDLESS}"


@pytest.fixture
def other_home(tmp_path: Path) -> Iterator[Path]:
    """A home of scans that the server does not know; what still runs in it is stopped."""
    yield tmp_path / "apart"
    for spec in tmp_path.glob("apart/*/scan.json"):
        handle = ScanHandle(spec.parent)
        handle.refresh()
        if not handle.ended:
            handle.stop()


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


def test_the_saved_notebook_shows_the_end_though_the_page_was_reloaded(
    lab: Lab, page: Page
) -> None:
    body = "lr = [0.1, 0.2]\nepochs = 40\npause = 0.2"
    name = write_scan_notebook(lab, "renewed", TWO_AT_A_TIME, body)
    lab.open(page, name)
    run_cells(page, 2)
    expect_state(page, "v0001", "running")
    begun = save_until(page, lab, name, lambda notebook: saved_text(notebook, 1))
    assert "v0001" in saved_text(begun, 1)
    page.reload()
    expect_state(page, "v0002", "done")
    notebook = save_until(page, lab, name, lambda saved: "2 done" in saved_text(saved, 1))
    data = output_data(notebook, 1)
    assert "2 done" in "".join(data["text/plain"])
    assert data[MIME]["snapshot"]["scan"]["state"] == "done"
    assert WIDGET in data
    # The notebook is not touched again, whoever looks at it.
    page.reload()
    expect_state(page, "v0002", "done")
    page.wait_for_timeout(4000)
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)
    assert lab.read_notebook(name) == notebook


def test_scans_of_a_kernel_that_has_another_home_are_live_and_the_page_says_so(
    lab: Lab, page: Page, other_home: Path
) -> None:
    name = write_scan_notebook(lab, "apart", TWO_AT_A_TIME, SLOW, "%gridscan train_apart.ipynb")
    notebook = lab.read_notebook(name)
    home = f"import os\nos.environ['GRIDGPU_HOME'] = {str(other_home)!r}\n"
    notebook["cells"][0]["source"] = home + "%load_ext jupyter_gridgpu"
    (lab.folder / name).write_text(json.dumps(notebook))
    lab.open(page, name)
    run_cells(page, 3)
    expect(epoch(page, "v0001")).to_contain_text("/3000")
    expect_live(page, "v0001")
    expect(form(page)).to_contain_text("The kernel keeps its scans in")
    expect(panel(page)).to_contain_text("apart is kept where this server does not see it")
    expect(panel(page)).to_contain_text("The kernel keeps its scans in")
    take_picture(page, "apart")
    stop_scan(page)
    expect_state(page, "v0002", "cancelled")


def test_a_page_that_the_server_does_not_know_any_more_is_told_to_reload(
    own_lab: Lab, page: Page
) -> None:
    own_lab.open(page, write_scan_notebook(own_lab, "hub", TWO_AT_A_TIME, SLOW))
    run_cells(page, 2)
    expect(epoch(page, "v0001")).to_contain_text("/3000")
    own_lab.kill()
    # The page came in with the old token, and its cookie was made with the old secret.
    for secret in own_lab.home.rglob("jupyter_cookie_secret"):
        secret.unlink()
    new = own_lab.token[::-1]
    own_lab.command = [word.replace(own_lab.token, new) for word in own_lab.command]
    own_lab.token = new
    own_lab.start()
    page.add_locator_handler(page.locator(".jp-Dialog"), lambda: page.keyboard.press("Escape"))
    expect(table(page)).to_contain_text("reload the page")
    expect(panel(page)).to_contain_text("Reload the page")
    take_picture(page, "refused")


def test_without_our_extension_the_widget_draws_the_same_table(plain_lab: Lab, page: Page) -> None:
    plain_lab.open(page, write_scan_notebook(plain_lab, "plain", TWO_AT_A_TIME, SLOW, BUSY))
    run_cells(page, 3)
    expect(epoch(page, "v0001")).to_contain_text("/3000")
    expect_live(page, "v0001")
    stop_variant(page, "v0001")
    expect(table(page)).to_contain_text("waits until the running cell ends")
