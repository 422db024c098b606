"""The live table in JupyterLab, as a user meets it."""

from __future__ import annotations

import re

import pytest
from nbconvert.exporters import HTMLExporter
from playwright.sync_api import Locator, Page, expect

from .conftest import TRAIN, Lab, run_cell, write_notebook

pytestmark = pytest.mark.timeout(240)


def scan_notebook(lab: Lab, name: str, options: str, body: str, *more: str) -> str:
    """Write a training notebook and one that scans it; return the name of the second."""
    write_notebook(lab.folder / f"train_{name}.ipynb", TRAIN, tagged=True)
    cell = f"%%gridscan train_{name}.ipynb --name {name} {options}\n{body}"
    write_notebook(lab.folder / f"{name}.ipynb", ["%load_ext jupyter_gridgpu", cell, *more])
    return f"{name}.ipynb"


def table(page: Page) -> Locator:
    return page.locator(".gridgpu-table").first


def row(page: Page, variant: str) -> Locator:
    return table(page).locator(f"[data-id='{variant}']")


def test_rows_change_before_the_scan_ends_also_while_another_cell_runs(
    lab: Lab, page: Page
) -> None:
    busy = "import time\nfor _ in range(120): time.sleep(0.1)\nprint('busy no more')"
    name = scan_notebook(
        lab,
        "live",
        "--minimize loss --parallel 2",
        "lr = [0.1, 0.2, 0.3, 0.4]\nepochs = 8\npause = 0.4",
        busy,
    )
    lab.open(page, name)
    run_cell(page, 0)
    run_cell(page, 1)
    run_cell(page, 2)
    expect(row(page, "v0001")).to_have_attribute("data-state", "running", timeout=30_000)
    epochs = set()
    for _ in range(40):
        epochs.add(row(page, "v0001").locator("[data-col='epoch']").inner_text())
        page.wait_for_timeout(100)
    assert len(epochs) >= 3, epochs
    expect(page.locator(".jp-OutputArea-output").get_by_text("busy no more")).to_have_count(0)
    expect(row(page, "v0004")).to_have_attribute("data-state", "done", timeout=60_000)
    expect(table(page).get_by_text("4 done")).to_be_visible(timeout=10_000)


def test_sort_filter_and_hidden_columns_work_on_live_rows(lab: Lab, page: Page) -> None:
    lab.open(
        page,
        scan_notebook(
            lab,
            "sort",
            "--minimize loss --parallel 2",
            "lr = [0.3, 0.1, 0.4, 0.2]\nepochs = 2\npause = 0.05",
        ),
    )
    run_cell(page, 0)
    run_cell(page, 1)
    expect(table(page).get_by_text("4 done")).to_be_visible(timeout=60_000)
    header = table(page).get_by_role("columnheader", name="lr", exact=False).first
    header.click()
    header.click()
    assert shown(page) in (
        ["v0003", "v0001", "v0004", "v0002"],
        ["v0002", "v0004", "v0001", "v0003"],
    )
    table(page).get_by_label("Filter rows").fill("lr<0.25")
    expect(table(page).locator("[data-id]")).to_have_count(2)
    assert sorted(shown(page)) == ["v0002", "v0004"]
    table(page).get_by_label("Filter rows").fill("")
    expect(table(page).locator("[data-id]")).to_have_count(4)
    table(page).get_by_role("button", name="Columns").click()
    table(page).get_by_role("group", name="Values").get_by_label("acc").uncheck()
    expect(table(page).locator("[data-col='metric:acc']")).to_have_count(0)


def test_what_the_user_arranged_stays_when_the_scan_ends(lab: Lab, page: Page) -> None:
    lab.open(
        page,
        scan_notebook(
            lab,
            "stay",
            "--minimize loss --parallel 2",
            "lr = [0.3, 0.1, 0.2, 0.4]\nepochs = 10\npause = 0.2",
        ),
    )
    run_cell(page, 0)
    run_cell(page, 1)
    expect(row(page, "v0001")).to_have_attribute("data-state", "running", timeout=60_000)
    table(page).get_by_label("Filter rows").fill("lr<0.35")
    header = table(page).get_by_role("columnheader", name="lr").first
    header.click()
    page.mouse.move(5, 5)
    expect(table(page).get_by_text("4 done")).to_be_visible(timeout=60_000)
    page.wait_for_timeout(1500)
    expect(table(page).get_by_label("Filter rows")).to_have_value("lr<0.35")
    expect(header).to_have_attribute("aria-sort", re.compile("ending"))


def test_one_variant_is_stopped_and_run_again_while_the_others_go_on(lab: Lab, page: Page) -> None:
    lab.open(
        page,
        scan_notebook(
            lab, "halt", "--minimize loss --parallel 2", "lr = [0.1, 0.2]\nepochs = 40\npause = 0.2"
        ),
    )
    run_cell(page, 0)
    run_cell(page, 1)
    expect(row(page, "v0001").locator("[data-col='epoch']")).to_contain_text("/40", timeout=60_000)
    row(page, "v0001").hover()
    row(page, "v0001").get_by_role("button", name="Stop v0001").click()
    table(page).get_by_role("button", name="Stop 1 job").click()
    expect(row(page, "v0001")).to_have_attribute("data-state", "cancelled", timeout=20_000)
    expect(row(page, "v0002")).to_have_attribute("data-state", "running")
    expect(row(page, "v0001")).to_contain_text("Stopped by you")
    row(page, "v0001").hover()
    row(page, "v0001").get_by_role("button", name="Run v0001 again").click()
    expect(row(page, "v0001")).to_have_attribute("data-state", "running", timeout=20_000)
    table(page).get_by_role("button", name="Stop the scan").click()
    table(page).get_by_role("button", name="Stop 2 jobs").click()
    expect(row(page, "v0002")).to_have_attribute("data-state", "cancelled", timeout=20_000)


def test_a_restarted_kernel_attaches_to_the_scan_that_never_noticed(lab: Lab, page: Page) -> None:
    name = scan_notebook(
        lab,
        "again",
        "--minimize loss --parallel 2",
        "lr = [0.1, 0.2]\nepochs = 200\npause = 0.2",
        "%gridscan show again",
    )
    lab.open(page, name)
    run_cell(page, 0)
    run_cell(page, 1)
    expect(row(page, "v0001").locator("[data-col='epoch']")).to_contain_text("/200", timeout=60_000)
    lab.restart_kernel(page)
    run_cell(page, 0)
    run_cell(page, 1)
    expect(page.get_by_text("This cell started again before")).to_be_visible(timeout=30_000)
    before = row(page, "v0001").locator("[data-col='epoch']").inner_text()
    expect(row(page, "v0001").locator("[data-col='epoch']")).not_to_have_text(
        before, timeout=10_000
    )
    run_cell(page, 2)
    expect(page.locator(".gridgpu-table")).to_have_count(2)
    scans = [path for path in (lab.folder / "gridscans").iterdir() if path.name.startswith("again")]
    assert [path.name for path in scans] == ["again"]
    attempts = sorted(path.name for path in (scans[0] / "jobs").iterdir())
    assert attempts == ["v0001.1", "v0002.1"]
    table(page).get_by_role("button", name="Stop the scan").click()
    table(page).get_by_role("button", name="Stop 2 jobs").click()
    expect(row(page, "v0002")).to_have_attribute("data-state", "cancelled", timeout=20_000)


def test_the_executed_notebook_opens_from_its_row(lab: Lab, page: Page) -> None:
    lab.open(
        page, scan_notebook(lab, "open", "--minimize loss", "lr = [0.1]\nepochs = 2\npause = 0.05")
    )
    run_cell(page, 0)
    run_cell(page, 1)
    expect(row(page, "v0001")).to_have_attribute("data-state", "done", timeout=60_000)
    row(page, "v0001").hover()
    row(page, "v0001").get_by_label("Open notebook of v0001").click()
    expect(page.locator(".jp-NotebookPanel").get_by_text("epoch 2 done")).to_be_visible(
        timeout=60_000
    )
    expect(page.get_by_text("notebook is read-only")).to_be_visible()


def test_saved_output_has_a_static_table_for_those_who_only_look(lab: Lab, page: Page) -> None:
    name = scan_notebook(
        lab, "saved", "--minimize loss", "lr = [0.1, 0.2]\nepochs = 2\npause = 0.05"
    )
    lab.open(page, name)
    run_cell(page, 0)
    run_cell(page, 1)
    expect(row(page, "v0002")).to_have_attribute("data-state", "done", timeout=60_000)
    page.wait_for_timeout(1000)
    page.keyboard.press("Control+s")
    page.wait_for_timeout(2000)
    html, _ = HTMLExporter(template_name="basic").from_filename(str(lab.folder / name))
    assert "<td>v0002</td><td>done</td>" in html
    assert "2 done" in html


def test_hostile_metric_names_are_text(lab: Lab, page: Page) -> None:
    hostile = "from jupyter_gridgpu import report\nreport({'<img src=x onerror=document.title=1>': 1.0, 'loss': float('nan')}, epoch=1)"
    write_notebook(lab.folder / "train_bad.ipynb", ["lr = 0.1", hostile], tagged=True)
    cell = "%%gridscan train_bad.ipynb --name bad --minimize loss\nlr = [0.1, 0.2]"
    write_notebook(lab.folder / "bad.ipynb", ["%load_ext jupyter_gridgpu", cell])
    lab.open(page, "bad.ipynb")
    run_cell(page, 0)
    run_cell(page, 1)
    expect(row(page, "v0002")).to_have_attribute("data-state", "done", timeout=60_000)
    expect(row(page, "v0001")).to_contain_text("NaN")
    expect(table(page)).to_contain_text("<img src=x")
    assert table(page).locator("img").count() == 0
    assert page.title() != "1"


def test_a_slip_in_the_cell_is_one_sentence(lab: Lab, page: Page) -> None:
    lab.open(page, scan_notebook(lab, "slip", "", "lrr = [0.1]"))
    run_cell(page, 0)
    run_cell(page, 1)
    expect(
        page.get_by_text("lrr is no parameter of train_slip.ipynb; did you mean lr?")
    ).to_be_visible(timeout=30_000)
    assert page.get_by_text("Traceback").count() == 0
    assert page.locator(".gridgpu-table").count() == 0


def shown(page: Page) -> list[str]:
    """The ids of the rows from top to bottom."""
    rows = table(page).locator("[data-id]")
    places = [(rows.nth(i).bounding_box() or {"y": 0})["y"] for i in range(rows.count())]
    ids = [rows.nth(i).get_attribute("data-id") or "" for i in range(rows.count())]
    return [ident for _, ident in sorted(zip(places, ids, strict=True))]


def test_the_same_table_shows_in_notebook_7(lab: Lab, page: Page) -> None:
    name = scan_notebook(
        lab, "seven", "--minimize loss --parallel 2", "lr = [0.1, 0.2]\nepochs = 3\npause = 0.1"
    )
    page.goto(f"{lab.url}/notebooks/{name}?token={lab.token}")
    expect(page.locator(".jp-Notebook")).to_be_visible(timeout=60_000)
    expect(page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']")).to_be_visible(
        timeout=60_000
    )
    run_cell(page, 0)
    run_cell(page, 1)
    expect(row(page, "v0002")).to_have_attribute("data-state", "done", timeout=60_000)
    row(page, "v0001").hover()
    with page.context.expect_page() as opened:
        row(page, "v0001").get_by_label("Open notebook of v0001").click()
    expect(opened.value.get_by_text("epoch 3 done")).to_be_visible(timeout=60_000)
