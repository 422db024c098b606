"""Parameters that are not active, the Pareto front and the menu 'Rank by', in JupyterLab."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.lab import Lab, write_notebook
from tests.browser.pages import panel, panel_job, panel_scan, row, run_cells, table, take_picture
from tests.kit import eventually

pytestmark = pytest.mark.timeout(240)
ON_FRONT = "on the Pareto front"


def open_scan(lab: Lab, page: Page, name: str, train: list[str], cell: str) -> None:
    """Run a scan of a training notebook from a cell, and wait until it is done."""
    write_notebook(lab.folder / f"train_{name}.ipynb", train, tagged=True)
    first = f"%%gridscan train_{name}.ipynb --name {name} --parallel 3"
    write_notebook(lab.folder / f"{name}.ipynb", ["%load_ext jupyter_gridgpu", f"{first} {cell}"])
    lab.open(page, f"{name}.ipynb")
    run_cells(page, 2)
    expect(table(page).locator(".gg-hd")).to_contain_text("done on this machine")


def shown(page: Page) -> list[str]:
    """Return the ids of the rows from top to bottom."""
    script = "rows => rows.map((row) => [row.getBoundingClientRect().top, row.dataset.id])"
    return [ident for _, ident in sorted(table(page).locator("[data-id]").evaluate_all(script))]


def expect_order(page: Page, *ids: str) -> None:
    """Wait until the table has these rows from top to bottom."""
    eventually(lambda: shown(page) == list(ids), f"the rows are in the order {ids}")


def choose(page: Page, within: Locator, steps: int) -> None:
    """Choose in the menu 'Rank by' with keys alone, `steps` entries below the chosen one."""
    button = within.get_by_role("button", name=re.compile("^Rank by"))
    button.focus()
    page.keyboard.press("Enter")
    expect(within.get_by_role("menu", name="Rank by")).to_be_visible()
    for _ in range(steps):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(button).to_be_focused()


def test_a_parameter_that_is_not_active_is_a_dash_in_every_face(lab: Lab, page: Page) -> None:
    train = [
        'opt = "adam"\nmomentum = 0.9',
        "from jupyter_gridgpu import report\nreport(epoch=1, epochs=1, loss=momentum)",
    ]
    body = 'opt = ["adam", "sgd"]\nif opt == "sgd":\n    momentum = [0.5, 0.8]'
    open_scan(lab, page, "active", train, f"--minimize loss\n{body}")
    cell = row(page, "v0001").locator("[data-col='momentum']")
    expect(cell).to_have_text("–")
    expect(cell).to_have_attribute("title", "not active: the notebook's own value counts")
    # The notebook ran with its own value there.
    expect(row(page, "v0001").locator("[data-col='metric:loss']")).to_have_text("0.9000")
    header = table(page).get_by_role("columnheader", name="momentum")
    header.click()
    expect_order(page, "v0002", "v0003", "v0001")
    header.click()
    expect_order(page, "v0003", "v0002", "v0001")
    table(page).get_by_label("Filter rows").fill("momentum=-")
    expect(table(page).locator("[data-id]")).to_have_count(1)
    row(page, "v0001").get_by_text("v0001").click()
    line = page.locator(".gridgpu-job").get_by_role("row", name="momentum")
    expect(line).to_have_text("momentum– not active0.9")
    expect(line.get_by_title("not active, notebook's default 0.9")).to_be_visible()
    take_picture(page, "not-active")


@pytest.mark.parametrize("dark_or_light", ["JupyterLab Dark"], indirect=True)
def test_the_front_is_marked_and_another_metric_ranks_with_no_new_run(
    lab: Lab, page: Page, dark_or_light: str
) -> None:
    train = [
        "x = 1",
        "from jupyter_gridgpu import report\n"
        "for epoch in (1, 2):\n"
        "    report(epoch=epoch, epochs=2, rej=x * epoch, loss=(x - 3) ** 2 + 1 / epoch, size=-x)",
    ]
    body = "x = [1, 2, 3, 4]"
    open_scan(lab, page, "front", train, f"--maximize rej --minimize loss\n{body}")
    jobs = sorted(path.name for path in lab.home.glob("scans/front*/jobs/*"))
    marks = table(page).get_by_role("img", name=ON_FRONT)
    expect(marks).to_have_count(2)
    expect(table(page).locator(".gg-hd")).to_contain_text("front of 2maximize rej, minimize loss")
    expect_order(page, "v0004", "v0003", "v0002", "v0001")
    panel_scan(page, "front").click()
    expect(panel(page).get_by_text("Pareto front: 2 of 4 done")).to_be_visible()
    expect(panel_job(page, "v0004")).to_contain_text("front")
    take_picture(page, "front-dark")
    # Above it are those of the scan's own metrics.
    choose(page, table(page), steps=5)
    expect_order(page, "v0001", "v0002", "v0003", "v0004")
    expect(row(page, "v0001").get_by_role("img", name="best")).to_be_visible()
    expect(marks).to_have_count(0)
    # The panel follows the table, and the table the panel.
    expect(panel_job(page, "v0001")).to_contain_text("best")
    take_picture(page, "ranked-dark")
    choose(page, panel(page), steps=1)
    expect(row(page, "v0004").get_by_role("img", name="best")).to_be_visible()
    assert sorted(path.name for path in lab.home.glob("scans/front*/jobs/*")) == jobs
