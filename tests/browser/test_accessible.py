"""Form, table and panel in one JupyterLab: read by axe, used by keyboard, silent in the console."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from tests.browser.lab import TRAIN, Lab, write_notebook
from tests.browser.pages import (
    expect_state,
    panel,
    panel_job,
    panel_scan,
    parameter_line,
    row,
    run_cells,
    take_picture,
)

pytestmark = pytest.mark.timeout(240)
# With a row of each kind.
FORM = """\
%%gridscan train_all.ipynb --form --minimize loss --maximize acc
lr = uniform(0.1, 0.3, step=0.1)
if lr > 0.1:  # only for large steps
    epochs = [4, 8]
else:
    epochs = 2
assert lr * epochs < 2
# kept as it is
pause = min(lr, len([1]))"""
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
# Returns [rule, its help, the first elements that break it] of each serious finding.
SERIOUS = """async () => {
  const found = await axe.run({ include: [['.gridgpu']] }, { resultTypes: ['violations'] });
  const bad = found.violations.filter((one) => ['serious', 'critical'].includes(one.impact));
  const html = (node) => node.html.slice(0, 200);
  return bad.map((one) => [one.id, one.help, one.nodes.slice(0, 3).map(html)]);
}"""


def open_all(lab: Lab, page: Page) -> None:
    """Open a notebook with the form and a table, and the panel beside it; one variant has failed.

    On a server on which an earlier test ran the same cells, its scan is shown again.
    """
    train = [TRAIN[0], f"assert lr < 0.35, 'lr too large'\n{TRAIN[1]}"]
    write_notebook(lab.folder / "train_all.ipynb", train, tagged=True)
    body = "lr = [0.1, 0.2, 0.3, 0.4]\nepochs = 8\npause = 0.1"
    scan = f"%%gridscan train_all.ipynb --name all --minimize loss --parallel 2\n{body}"
    cells = ["%load_ext jupyter_gridgpu", FORM, scan]
    write_notebook(lab.folder / "all.ipynb", cells)
    lab.open(page, "all.ipynb")
    run_cells(page, 3)
    expect_state(page, "v0004", "failed")
    expect(parameter_line(page, "lr")).to_be_visible()
    panel_scan(page, "all").click()
    expect(panel_job(page, "v0001")).to_be_visible()


def open_job(page: Page) -> None:
    """Open the view of a job and wait until everything in it is there."""
    panel_job(page, "v0001").click()
    view = page.locator(".gridgpu-job")
    expect(view).to_contain_text("Parameters")
    expect(view).to_contain_text("epoch 8 done")  # the log
    expect(view.locator(".gg-curves svg").first).to_be_visible()


@pytest.mark.parametrize("dark_or_light", ["JupyterLab Light", "JupyterLab Dark"], indirect=True)
def test_axe_finds_nothing_serious(lab: Lab, page: Page, dark_or_light: str) -> None:
    if not AXE.exists():
        pytest.fail("axe-core is missing: npm ci")
    open_all(lab, page)
    expect(page.locator("body")).to_have_attribute("data-jp-theme-name", dark_or_light)
    page.add_script_tag(path=AXE)
    shade = dark_or_light.rpartition(" ")[2].lower()
    take_picture(page, f"all-{shade}")
    found: list[Any] = page.evaluate(SERIOUS)
    open_job(page)
    take_picture(page, f"job-{shade}")
    found += page.evaluate(SERIOUS)
    assert found == []


def test_keys_in_table_and_panel_leave_the_notebook_alone(lab: Lab, page: Page) -> None:
    open_all(lab, page)
    cells = page.locator(".jp-Notebook .jp-Cell")
    before = cells.count()
    row(page, "v0001").locator("[data-col='state']").click()
    for key in "abxm":
        page.keyboard.press(key)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(row(page, "v0002")).to_have_attribute("aria-selected", "true")
    panel_job(page, "v0001").focus()
    for key in ("a", "b", "x", "ArrowDown"):
        page.keyboard.press(key)
    assert cells.count() == before
    expect(panel(page).locator(":focus")).to_have_count(1)


def test_the_console_stays_empty(lab: Lab, page: Page) -> None:
    heard: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        # JupyterLab itself and its other extensions write into the console too.
        if "gridgpu" in f"{message.text} {message.location['url']}":
            heard.append(f"{message.type}: {message.text}")

    page.on("console", hear)
    page.on("pageerror", lambda error: heard.append(str(error)))
    open_all(lab, page)
    open_job(page)
    assert heard == []
