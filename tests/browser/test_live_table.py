"""The live table in JupyterLab, as a user meets it."""

from __future__ import annotations

import re

import pytest
from nbconvert.exporters import HTMLExporter
from playwright.sync_api import Page, expect

from tests.browser.lab import BUSY, ENDLESS, Lab, write_notebook, write_scan_notebook
from tests.browser.pages import (
    epoch,
    expect_live,
    expect_state,
    restart_kernel,
    row,
    run_cell,
    run_cells,
    save_until,
    saved_text,
    stop_scan,
    stop_variant,
    table,
)
from tests.kit import eventually

pytestmark = pytest.mark.timeout(240)
TWO_AT_A_TIME = "--minimize loss --parallel 2"
BY_LR = ["v0002", "v0004", "v0001", "v0003"]  # the rows of the test of sorting, ascending


def shown(page: Page) -> list[str]:
    """Return the ids of the rows from top to bottom."""
    # All places are asked for at once, since a row may move between two questions.
    places = (
        table(page)
        .locator("[data-id]")
        .evaluate_all(
            "rows => rows.map((row) => [row.getBoundingClientRect().top, row.dataset.id])"
        )
    )
    return [ident for _, ident in sorted(places)]


def test_rows_change_before_the_scan_ends_also_while_another_cell_runs(
    lab: Lab, page: Page
) -> None:
    body = "lr = [0.1, 0.2, 0.3, 0.4]\nepochs = 8\npause = 0.4"
    lab.open(page, write_scan_notebook(lab, "live", TWO_AT_A_TIME, body, BUSY))
    run_cells(page, 3)
    expect_state(page, "v0001", "running")
    epochs: set[str] = set()

    def changes() -> bool:
        epochs.add(epoch(page, "v0001").inner_text())
        return len(epochs) >= 3

    eventually(changes, "the row of v0001 changes twice")
    expect(page.locator(".jp-OutputArea-output").get_by_text("busy no more")).to_have_count(0)
    expect_state(page, "v0004", "done")
    expect(table(page).get_by_text("4 done")).to_be_visible()


def test_sort_filter_and_hidden_columns_work_on_live_rows(lab: Lab, page: Page) -> None:
    body = "lr = [0.3, 0.1, 0.4, 0.2]\nepochs = 2\npause = 0.05"
    lab.open(page, write_scan_notebook(lab, "sort", TWO_AT_A_TIME, body))
    run_cells(page, 2)
    expect(table(page).get_by_text("4 done")).to_be_visible()
    header = table(page).get_by_role("columnheader", name="lr", exact=False).first
    descending = BY_LR[::-1]
    header.click()
    eventually(lambda: shown(page) in (BY_LR, descending), "the rows are sorted")
    before = shown(page)
    header.click()
    eventually(lambda: shown(page) == before[::-1], "the rows are sorted the other way")
    table(page).get_by_label("Filter rows").fill("lr<0.25")
    expect(table(page).locator("[data-id]")).to_have_count(2)
    assert sorted(shown(page)) == ["v0002", "v0004"]
    table(page).get_by_label("Filter rows").fill("")
    expect(table(page).locator("[data-id]")).to_have_count(4)
    table(page).get_by_role("button", name="Columns").click()
    table(page).get_by_role("group", name="Values").get_by_label("acc").uncheck()
    expect(table(page).locator("[data-col='metric:acc']")).to_have_count(0)


def test_what_the_user_arranged_stays_when_the_scan_ends(lab: Lab, page: Page) -> None:
    body = "lr = [0.3, 0.1, 0.2, 0.4]\nepochs = 10\npause = 0.2"
    name = write_scan_notebook(lab, "stay", TWO_AT_A_TIME, body)
    lab.open(page, name)
    run_cells(page, 2)
    expect_state(page, "v0001", "running")
    table(page).get_by_label("Filter rows").fill("lr<0.35")
    header = table(page).get_by_role("columnheader", name="lr").first
    header.click()
    page.mouse.move(5, 5)
    expect(table(page).get_by_text("4 done")).to_be_visible()
    # The kernel renews the output once the scan has ended, and JupyterLab may draw it anew.
    save_until(page, lab, name, lambda notebook: "4 done" in saved_text(notebook, 1))
    expect(table(page).get_by_label("Filter rows")).to_have_value("lr<0.35")
    expect(header).to_have_attribute("aria-sort", re.compile("ending"))


def test_one_variant_is_stopped_and_run_again_while_the_others_go_on(lab: Lab, page: Page) -> None:
    lab.open(page, write_scan_notebook(lab, "halt", TWO_AT_A_TIME, f"lr = [0.1, 0.2]\n{ENDLESS}"))
    run_cells(page, 2)
    expect(epoch(page, "v0001")).to_contain_text("/3000")
    expect_state(page, "v0002", "running")
    stop_variant(page, "v0001")
    expect_state(page, "v0001", "cancelled")
    expect_state(page, "v0002", "running")
    expect(row(page, "v0001")).to_contain_text("Stopped by you")
    row(page, "v0001").hover()
    row(page, "v0001").get_by_role("button", name="Run v0001 again").click()
    expect_state(page, "v0001", "running")
    stop_scan(page, running=2)
    expect_state(page, "v0002", "cancelled")


def test_a_restarted_kernel_attaches_to_the_scan_that_never_noticed(lab: Lab, page: Page) -> None:
    body = f"lr = [0.1, 0.2]\n{ENDLESS}"
    name = write_scan_notebook(lab, "again", TWO_AT_A_TIME, body, "%gridscan show again")
    lab.open(page, name)
    run_cells(page, 2)
    expect(epoch(page, "v0001")).to_contain_text("/3000")
    restart_kernel(page)
    run_cells(page, 2)
    expect(page.get_by_text("This cell started again before")).to_be_visible()
    expect_live(page, "v0001")
    run_cell(page, 2)
    expect(page.locator(".gridgpu-table")).to_have_count(2)
    scans = [path for path in (lab.folder / "gridscans").iterdir() if path.name.startswith("again")]
    assert [path.name for path in scans] == ["again"]
    attempts = sorted(path.name for path in (scans[0] / "jobs").iterdir())
    assert attempts == ["v0001.1", "v0002.1"]
    stop_scan(page, running=2)
    expect_state(page, "v0002", "cancelled")


def test_the_executed_notebook_opens_from_its_row(lab: Lab, page: Page) -> None:
    body = "lr = [0.1]\nepochs = 2\npause = 0.05"
    lab.open(page, write_scan_notebook(lab, "open", "--minimize loss", body))
    run_cells(page, 2)
    expect_state(page, "v0001", "done")
    row(page, "v0001").hover()
    row(page, "v0001").get_by_label("Open notebook of v0001").click()
    expect(page.locator(".jp-NotebookPanel").get_by_text("epoch 2 done")).to_be_visible()
    expect(page.get_by_text("notebook is read-only")).to_be_visible()


def test_saved_output_has_a_static_table_for_those_who_only_look(lab: Lab, page: Page) -> None:
    body = "lr = [0.1, 0.2]\nepochs = 2\npause = 0.05"
    name = write_scan_notebook(lab, "saved", "--minimize loss", body)
    lab.open(page, name)
    run_cells(page, 2)
    expect_state(page, "v0002", "done")
    save_until(page, lab, name, lambda notebook: "2 done" in saved_text(notebook, 1))
    html, _ = HTMLExporter(template_name="basic").from_filename(str(lab.folder / name))
    assert "<td>v0002</td><td>done</td>" in html
    assert "2 done" in html


def test_hostile_metric_names_are_text(lab: Lab, page: Page) -> None:
    hostile = (
        "from jupyter_gridgpu import report\n"
        "report({'<img src=x onerror=document.title=1>': 1.0, 'loss': float('nan')}, epoch=1)"
    )
    write_notebook(lab.folder / "train_bad.ipynb", ["lr = 0.1", hostile], tagged=True)
    cell = "%%gridscan train_bad.ipynb --name bad --minimize loss\nlr = [0.1, 0.2]"
    write_notebook(lab.folder / "bad.ipynb", ["%load_ext jupyter_gridgpu", cell])
    lab.open(page, "bad.ipynb")
    run_cells(page, 2)
    expect_state(page, "v0002", "done")
    expect(row(page, "v0001")).to_contain_text("NaN")
    expect(table(page)).to_contain_text("<img src=x")
    assert table(page).locator("img").count() == 0
    assert page.title() != "1"


def test_a_slip_in_the_cell_is_one_sentence(lab: Lab, page: Page) -> None:
    lab.open(page, write_scan_notebook(lab, "slip", "", "lrr = [0.1]"))
    run_cells(page, 2)
    expect(
        page.get_by_text("lrr is no parameter of train_slip.ipynb; did you mean lr?")
    ).to_be_visible()
    assert page.get_by_text("Traceback").count() == 0
    assert page.locator(".gridgpu-table").count() == 0


def test_the_same_table_shows_in_notebook_7(lab: Lab, page: Page) -> None:
    body = "lr = [0.1, 0.2]\nepochs = 3\npause = 0.1"
    name = write_scan_notebook(lab, "seven", TWO_AT_A_TIME, body)
    page.goto(f"{lab.url}/notebooks/{name}?token={lab.token}")
    expect(page.locator(".jp-Notebook")).to_be_visible()
    # Its indicator says "idle" also before it knows a kernel.
    lab.wait_for_kernel(name)
    expect(page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']")).to_be_visible()
    run_cells(page, 2)
    expect_state(page, "v0002", "done")
    row(page, "v0001").hover()
    with page.context.expect_page() as opened:
        row(page, "v0001").get_by_label("Open notebook of v0001").click()
    expect(opened.value.get_by_text("epoch 3 done")).to_be_visible()
