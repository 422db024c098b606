"""Where things are on a page, and what a user does there."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, Response, expect

from tests.browser.lab import Lab, wait_until_idle
from tests.kit import eventually

PICTURES = os.environ.get("GRIDGPU_PICTURES")  # a folder to keep screenshots in


def take_picture(page: Page, name: str) -> None:
    """Keep a screenshot of the page where somebody asked for pictures."""
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


# notebooks ------------------------------------------------------------------------------


def run_cell(page: Page, index: int) -> None:
    """Run a cell of the open notebook as a user does: click into it and press Shift+Enter.

    Returns when the cell has been sent to the kernel. Cells run in the order in which they are
    sent, so the next one can be sent at once.
    """
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(index)
    editor = cell.locator(".cm-content")
    editor.click()
    expect(editor).to_be_focused()
    page.keyboard.press("Shift+Enter")
    expect(cell.locator(".jp-InputPrompt").first).not_to_have_text("[ ]:")


def run_cells(page: Page, count: int) -> None:
    """Run the first `count` cells of the open notebook."""
    for index in range(count):
        run_cell(page, index)


def restart_kernel(page: Page) -> None:
    """Restart the kernel of the open notebook from the menu, and wait until the new one is idle."""
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("^Restart Kernel…")).first.click()
    # The status bar says "Idle" of the old kernel too, until the server has answered.
    with page.expect_response(_answers_restart):
        page.get_by_role("button", name="Confirm Kernel Restart").click()
    wait_until_idle(page)


def _answers_restart(response: Response) -> bool:
    return response.url.partition("?")[0].endswith("/restart")


def save_until(page: Page, lab: Lab, notebook: str, complete: Callable[[Any], object]) -> Any:
    """Save the notebook that has a table until its file is `complete`; return its content.

    The output of a cell is renewed some time after the table under it, and JupyterLab does not tell
    when a notebook has been written.
    """
    # A click at the edge takes the focus out of editors and tables, which have keys of their own.
    page.locator(".jp-Notebook", has=table(page)).click(position={"x": 5, "y": 5})

    def saved() -> Any:
        page.keyboard.press("Control+s")
        page.wait_for_timeout(200)
        try:
            content = lab.read_notebook(notebook)
        except ValueError:  # the server is just writing it
            return None
        if complete(content):
            return content
        return None

    return eventually(saved, f"{notebook} is saved")


def output_data(content: Any, cell: int) -> dict[str, Any]:
    """Return the first output of a cell of a notebook, by MIME type; empty if it has none."""
    for output in content["cells"][cell]["outputs"]:
        if "data" in output:
            data: dict[str, Any] = output["data"]
            return data
    return {}


def saved_text(content: Any, cell: int) -> str:
    """Return the static table below a cell of a notebook, as HTML; empty if it has none."""
    return "".join(output_data(content, cell).get("text/html", ""))


# the table below a cell -----------------------------------------------------------------


def table(page: Page) -> Locator:
    """Return the first table of a scan on the page."""
    return page.locator(".gridgpu-table").first


def row(page: Page, variant: str) -> Locator:
    """Return the row of a variant in that table."""
    return table(page).locator(f"[data-id='{variant}']")


def epoch(page: Page, variant: str) -> Locator:
    """Return the cell that says in which epoch a variant is, like 3/8."""
    return row(page, variant).locator("[data-col='epoch']")


def expect_state(page: Page, variant: str, state: str) -> None:
    """Wait until the table shows a variant in this state."""
    expect(row(page, variant)).to_have_attribute("data-state", state)


def expect_live(page: Page, variant: str) -> None:
    """Wait until the table shows another epoch of a variant than now."""
    before = epoch(page, variant).inner_text()
    expect(epoch(page, variant)).not_to_have_text(before)


def stop_variant(page: Page, variant: str) -> None:
    """Stop one variant by the button in its row."""
    row(page, variant).hover()
    row(page, variant).get_by_role("button", name=f"Stop {variant}").click()
    table(page).get_by_role("button", name="Stop 1 job").click()


def stop_scan(page: Page, running: int | None = None) -> None:
    """Stop the whole scan by the button of the table.

    `running` is how many jobs are to run when it is pressed; None means any number but 0.
    """
    if running is None:
        question = re.compile(r"^Stop \d+ jobs?$")
    else:
        # The question counts the jobs when it is asked, and stays as it is while more start.
        expect(table(page).locator("[data-id][data-state='running']")).to_have_count(running)
        question = re.compile(f"^Stop {running} jobs?$")
    table(page).get_by_role("button", name="Stop the scan").click()
    table(page).get_by_role("button", name=question).click()


# the form -------------------------------------------------------------------------------


def form(page: Page) -> Locator:
    """Return the first form on the page."""
    return page.locator(".gridgpu-form").first


def parameter_line(page: Page, parameter: str) -> Locator:
    """Return the line of the form that asks for a parameter."""
    return form(page).get_by_role("group", name=parameter, exact=True)


def choose(page: Page, parameter: str, kind: str, **values: str) -> None:
    """Say in the form how a parameter is varied, and its values by the names of the inputs."""
    line = parameter_line(page, parameter)
    line.get_by_role("radio", name=kind).click()
    for name, value in values.items():
        line.get_by_role("textbox", name=re.compile(name, re.IGNORECASE)).fill(value)


# the panel ------------------------------------------------------------------------------


def open_lab(lab: Lab, page: Page) -> None:
    """Open JupyterLab without a notebook."""
    page.goto(f"{lab.url}/lab?token={lab.token}&reset")
    expect(page.locator("#jp-main-dock-panel")).to_be_visible()


def panel_tab(page: Page) -> Locator:
    """Return the tab of the panel in the side bar."""
    return page.locator(".jp-SideBar .lm-TabBar-tab[data-id='gridgpu-panel']")


def panel(page: Page) -> Locator:
    """Open the panel unless it is open, and return it."""
    found = page.locator("#gridgpu-panel")
    if not found.is_visible():
        panel_tab(page).click()
    expect(found).to_be_visible()
    return found


def panel_scan(page: Page, name: str) -> Locator:
    """Return a scan in the panel."""
    return panel(page).get_by_role("treeitem", name=re.compile(rf"^{re.escape(name)}\b")).first


def panel_job(page: Page, variant: str) -> Locator:
    """Return a job of the open scan in the panel."""
    return panel(page).get_by_role("treeitem", name=re.compile(rf"^\w+ {variant}\b"))
