"""The form: from a training notebook to a scan whose cell records what was done."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.lab import TRAIN, Lab, write_notebook
from tests.browser.pages import (
    choose,
    epoch,
    expect_live,
    expect_state,
    form,
    parameter_line,
    restart_kernel,
    run_cells,
    save_until,
    stop_scan,
    stop_variant,
    take_picture,
)

pytestmark = pytest.mark.timeout(240)


def scan_cell(notebook: Any) -> str:
    """Return the source of the cell that starts a scan, or "" if there is none yet."""
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if "%%gridscan" in source:
            return source
    return ""


def test_from_the_toolbar_to_a_running_scan_and_back_after_reload(lab: Lab, page: Page) -> None:
    write_notebook(lab.folder / "train_form.ipynb", TRAIN, tagged=True)
    lab.open(page, "train_form.ipynb")
    page.locator(".jp-NotebookPanel-toolbar").get_by_role(
        "button", name=re.compile("many other parameters")
    ).click()
    expect(form(page)).to_be_visible()
    choose(page, "lr", "list", value="0.1, 0.2, 0.3, 0.4")
    choose(page, "epochs", "fixed", value="3000")
    choose(page, "pause", "fixed", value="0,2")
    expect(form(page)).to_contain_text("1 value to correct")
    choose(page, "pause", "fixed", value="0.2")
    form(page).get_by_role("button", name="Start 4 jobs").click()
    expect_state(page, "v0001", "running")
    written = scan_cell(save_until(page, lab, "scan_train_form.ipynb", scan_cell))
    assert written.startswith("%%gridscan train_form.ipynb")
    assert re.search(r"lr\s+= \[0\.1, 0\.2, 0\.3, 0\.4\]", written)
    stop_variant(page, "v0001")
    expect_state(page, "v0001", "cancelled")
    restart_kernel(page)
    page.goto(f"{lab.url}/lab/tree/scan_train_form.ipynb?token={lab.token}&reset")
    expect_state(page, "v0001", "cancelled")
    expect(epoch(page, "v0002")).to_contain_text("/3000")
    expect_live(page, "v0002")
    stop_scan(page)
    expect_state(page, "v0002", "cancelled")


def test_the_magic_alone_opens_the_form_in_its_notebook(lab: Lab, page: Page) -> None:
    write_notebook(lab.folder / "train_magic.ipynb", TRAIN, tagged=True)
    cells = [
        "%load_ext jupyter_gridgpu",
        "%gridscan train_magic.ipynb --minimize loss --name magic",
    ]
    write_notebook(lab.folder / "magic.ipynb", cells)
    lab.open(page, "magic.ipynb")
    run_cells(page, 2)
    expect(parameter_line(page, "lr")).to_be_visible()
    choose(page, "lr", "list", value="0.1, 0.2")
    choose(page, "epochs", "fixed", value="2")
    form(page).get_by_role("button", name="Start 2 jobs").click()
    expect_state(page, "v0002", "done")
    expect(page.locator(".jp-Notebook .jp-CodeCell").nth(2)).to_contain_text(
        "%%gridscan train_magic.ipynb --minimize loss"
    )


def test_options_and_a_last_edit_reach_the_cell_though_answers_are_slow(
    lab: Lab, page: Page
) -> None:
    train = [TRAIN[0], "assert open('data.txt').read() == 'jets'", TRAIN[1]]
    write_notebook(lab.folder / "train_slow.ipynb", train, tagged=True)
    (lab.folder / "data.txt").write_text("jets")
    slow = (
        "import time\n"
        "from jupyter_gridgpu.widgets.form import ScanForm\n"
        "check = ScanForm._check\n"
        "ScanForm._check = lambda form, state: (time.sleep(0.4), check(form, state))[1]"
    )
    cells = [f"%load_ext jupyter_gridgpu\n{slow}", "%gridscan train_slow.ipynb --name slow"]
    write_notebook(lab.folder / "slow.ipynb", cells)
    lab.open(page, "slow.ipynb")
    run_cells(page, 2)
    expect(parameter_line(page, "lr")).to_be_visible()
    choose(page, "lr", "list", value="0.1, 0.2")
    choose(page, "epochs", "fixed", value="2")
    choose(page, "pause", "fixed", value="0.1")
    form(page).get_by_label("Files", exact=True).fill("data.txt")
    form(page).get_by_text("More options").click()
    form(page).get_by_label("Seed", exact=True).fill("7")
    take_picture(page, "form-options")
    # Typed with the answers to what was typed before still on their way.
    form(page).get_by_label("Metric", exact=True).press_sequentially("max(acc)", delay=130)
    form(page).get_by_role("button", name="Start 2 jobs").click()
    expect_state(page, "v0002", "done")
    written = page.locator(".jp-Notebook .jp-CodeCell").nth(2)
    expect(written).to_contain_text("--maximize max(acc)")
    expect(written).to_contain_text("--seed 7")
    expect(written).to_contain_text("--files data.txt")


CHAIN = [
    'optimizer = "adam"\nmomentum = 0.9\nnesterov = False\nunits = 64\nlayers = 4\nbatch = 256\n'
    "batch_per_step = 64",
    "from jupyter_gridgpu import report\n"
    "assert batch_per_step == batch // 4\n"
    "report(loss=units * layers + momentum)",
]
WRITTEN = """\
optimizer = ["adam", "sgd"]
if optimizer == "sgd":
    momentum = uniform(0.5, 0.9, step=0.4)
    nesterov = [True, False]
units, layers = together([(64, 4), (128, 3), (256, 2)])
batch         = [256, 1000]
assert units * layers <= 400
batch_per_step = batch // 4"""


def menu(page: Page, button: str, entry: str, row: str = "") -> None:
    """Press an entry of a menu of the form, as one does with keys alone."""
    place = form(page).get_by_role("group", name=row).last if row else form(page)
    place.get_by_role("button", name=button).last.press("Enter")
    page.get_by_role("menuitem", name=entry, exact=True).press("Enter")


def test_a_space_with_conditions_is_made_by_clicks_and_keys(lab: Lab, page: Page) -> None:
    write_notebook(lab.folder / "train_chain.ipynb", CHAIN, tagged=True)
    cells = ["%load_ext jupyter_gridgpu", "%gridscan train_chain.ipynb --name chain"]
    write_notebook(lab.folder / "chain.ipynb", cells)
    lab.open(page, "chain.ipynb")
    run_cells(page, 2)
    expect(parameter_line(page, "momentum")).to_be_visible()
    take_picture(page, "form-plain")
    choose(page, "optimizer", "list", value='"adam", "sgd"')
    menu(page, "More for momentum", "Only under a condition…")
    page.keyboard.type('optimizer = "sgd"')  # the row of the condition has the focus
    form(page).get_by_role("button", name='optimizer == "sgd"').click()
    form(page).get_by_label("Add a parameter below").select_option("nesterov")
    choose(page, "momentum", "range", lower="0.5", upper="0.9")
    form(page).get_by_label("Which values of momentum").select_option("step")
    form(page).get_by_label("Step of momentum").fill("0.4")
    choose(page, "nesterov", "list", values="True, False")
    menu(page, "More for units", "Values together with others…")
    form(page).get_by_label("Add a parameter", exact=True).select_option("layers")
    form(page).get_by_role("button", name="Row", exact=True).press("Enter")
    for number, (units, layers) in enumerate([(64, 4), (128, 3), (256, 2)], 1):
        form(page).get_by_label(f"units in row {number}").fill(str(units))
        form(page).get_by_label(f"layers in row {number}").fill(str(layers))
    choose(page, "batch", "list", values="256, 1000")
    menu(page, "Add a condition or a constraint", "Constraint: assert …")
    page.keyboard.type("units * layers <= 400")
    menu(page, "More for batch_per_step", "Let it follow from others…")
    page.keyboard.type("batch // 4")
    expect(parameter_line(page, "batch_per_step")).to_contain_text("follows from batch")
    menu(page, "More for batch_per_step", "Move down")
    expect(form(page).locator(".gf-cell pre")).to_contain_text(WRITTEN)
    expect(form(page).locator(".gf-sum")).to_contain_text("constraints leave 20 of 30 points")
    take_picture(page, "form-conditions")
    form(page).get_by_role("button", name="Start 20 jobs").click()
    expect_state(page, "v0020", "done")
    written = page.locator(".jp-Notebook .jp-CodeCell").nth(2)
    expect(written).to_contain_text("assert units * layers <= 400")
