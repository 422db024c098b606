"""Everything of ours in one JupyterLab: read by axe, used by keyboard, silent in the console; in light and in dark."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from .conftest import TRAIN, Lab, run_cell, write_notebook
from .test_form import form
from .test_live_table import row
from .test_panel import job, panel, scan

pytestmark = pytest.mark.timeout(240)
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = """async () => {
  const found = await axe.run({ include: [['.gridgpu']] }, { resultTypes: ['violations'] });
  const bad = found.violations.filter((one) => ['serious', 'critical'].includes(one.impact));
  return bad.map((one) => [one.id, one.help, one.nodes.slice(0, 3).map((node) => node.html.slice(0, 200))]);
}"""


def picture(page: Page, name: str) -> None:
    if folder := os.environ.get("GRIDGPU_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def prepared(lab: Lab, page: Page) -> None:
    """A notebook with the form and a table, and the panel beside it, with one variant that fails."""
    train = [TRAIN[0], f"assert lr < 0.35, 'lr too large'\n{TRAIN[1]}"]
    write_notebook(lab.folder / "train_all.ipynb", train, tagged=True)
    body = "lr = [0.1, 0.2, 0.3, 0.4]\nepochs = 8\npause = 0.1"
    cell = f"%%gridscan train_all.ipynb --name all --minimize loss --parallel 2\n{body}"
    write_notebook(
        lab.folder / "all.ipynb", ["%load_ext jupyter_gridgpu", "%gridscan train_all.ipynb", cell]
    )
    lab.open(page, "all.ipynb")
    for number in range(3):
        run_cell(page, number)
    expect(row(page, "v0004")).to_have_attribute("data-state", "failed", timeout=90_000)
    expect(form(page).get_by_role("group", name="lr", exact=True)).to_be_visible(timeout=60_000)
    scan(page, "all").click()
    expect(job(page, "v0001")).to_be_visible(timeout=30_000)


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_axe_finds_nothing_serious(lab: Lab, page: Page, theme: str) -> None:
    if not AXE.exists():
        pytest.fail("axe-core is missing: npm ci")
    lab.set_theme(theme)
    prepared(lab, page)
    expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
    page.add_script_tag(path=AXE)
    picture(page, f"all-{theme[-5:].strip().lower()}")
    found: list[Any] = page.evaluate(SERIOUS)
    job(page, "v0001").click()
    expect(page.locator(".gridgpu-job")).to_contain_text("Parameters", timeout=30_000)
    page.wait_for_timeout(1500)
    picture(page, f"job-{theme[-5:].strip().lower()}")
    found += page.evaluate(SERIOUS)
    assert found == []


def test_keys_in_table_and_panel_leave_the_notebook_alone(lab: Lab, page: Page) -> None:
    prepared(lab, page)
    cells = page.locator(".jp-Notebook .jp-Cell")
    before = cells.count()
    row(page, "v0001").locator("[data-col='state']").click()
    for key in "abxm":
        page.keyboard.press(key)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(row(page, "v0002")).to_have_attribute("aria-selected", "true")
    job(page, "v0001").focus()
    for key in ("a", "b", "x", "ArrowDown"):
        page.keyboard.press(key)
    assert cells.count() == before
    expect(panel(page).locator(":focus")).to_have_count(1)


def test_the_console_stays_empty(lab: Lab, page: Page) -> None:
    heard: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if re.search(r"gridgpu", f"{message.text} {message.location['url']}"):
            heard.append(f"{message.type}: {message.text}")

    page.on("console", hear)
    page.on("pageerror", lambda error: heard.append(str(error)))
    prepared(lab, page)
    job(page, "v0001").click()
    expect(page.locator(".gridgpu-job")).to_contain_text("Parameters", timeout=30_000)
    assert heard == []
