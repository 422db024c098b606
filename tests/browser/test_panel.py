"""The side panel in JupyterLab: scans and their jobs, with no kernel at all."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.lab import TRAIN, Lab, write_notebook
from tests.browser.pages import open_lab, panel, panel_job, panel_scan, panel_tab
from tests.kit import eventually

pytestmark = pytest.mark.timeout(240)
GRIDGPU = [sys.executable, "-m", "jupyter_gridgpu.cli"]
TWO_AT_A_TIME = ["--minimize", "loss", "--parallel", "2", "-p", "lr = [0.1, 0.2]"]
FAST = [*TWO_AT_A_TIME, "-p", "epochs = 2", "-p", "pause = 0.05"]
# Ten minutes: the tests stop such a scan.
ENDLESS = [*TWO_AT_A_TIME, "-p", "epochs = 3000", "-p", "pause = 0.2"]


def lasting(seconds: float) -> list[str]:
    """Return the options of a scan whose two jobs train for so long."""
    return [*TWO_AT_A_TIME, "-p", f"epochs = {round(seconds / 0.2)}", "-p", "pause = 0.2"]


def start(lab: Lab, name: str, *options: str, train: list[str] | None = None) -> Path:
    """Start a scan from the command line and return its folder."""
    notebook = f"train_{name}.ipynb"
    write_notebook(lab.folder / notebook, train or TRAIN, tagged=True)
    words = ["run", notebook, "--name", name, *options, "--no-wait", "--json"]
    done = subprocess.run(
        [*GRIDGPU, *words],
        cwd=lab.folder,
        env=lab.env,
        check=True,
        capture_output=True,
        text=True,
    )
    return Path(json.loads(done.stdout)["folder"])


def stop(lab: Lab, name: str) -> None:
    """Stop a scan from the command line."""
    subprocess.run([*GRIDGPU, "stop", name], cwd=lab.folder, env=lab.env, check=True)


def place_of(name: str, texts: list[str]) -> int:
    """Return the index of the first text that holds the name."""
    return next(index for index, text in enumerate(texts) if name in text)


@pytest.fixture
def declared_queues(lab: Lab) -> Iterator[None]:
    """One queue that is declared as it should be, one with a slip, and a profile."""
    file = lab.home / "config/gridgpu/queues.d/lab.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    gpus = "[{model: A100-SXM4-80GB, total: 16}]"
    file.write_text(
        f"queues:\n- {{name: far, backend: panda, gpus: {gpus}, state: online}}\n- {{name: bad}}\n"
    )
    profile = lab.home / "config/gridgpu/profiles.d/lab.yaml"
    profile.parent.mkdir(parents=True, exist_ok=True)
    profile.write_text("profiles:\n- {name: site, title: The site, backend: local, retries: 2}\n")
    yield
    file.unlink()
    profile.unlink()


def test_running_scans_are_on_top_and_the_badge_counts_their_jobs(lab: Lab, page: Page) -> None:
    start(lab, "panel-done", *FAST)
    open_lab(lab, page)
    expect(panel_scan(page, "panel-done")).to_contain_text("2")
    start(lab, "panel-runs", *ENDLESS)
    expect(panel_tab(page)).to_have_attribute("data-gridgpu-badge", "2")
    expect(panel_scan(page, "panel-runs")).to_be_visible()
    names = panel(page).get_by_role("treeitem").all_inner_texts()
    assert place_of("panel-runs", names) < place_of("panel-done", names)
    stop(lab, "panel-runs")
    expect(page.get_by_text("panel-runs was stopped")).to_be_visible()
    expect(panel_tab(page)).not_to_have_attribute("data-gridgpu-badge", "2")


def test_a_scan_opens_to_its_jobs_and_a_job_to_its_log_and_partial_notebook(
    lab: Lab, page: Page
) -> None:
    folder = start(lab, "panel-open", *ENDLESS)
    open_lab(lab, page)
    panel_scan(page, "panel-open").click()
    expect(panel_job(page, "v0001")).to_be_visible()
    panel_job(page, "v0001").click()
    view = page.locator(".gridgpu-job")
    expect(view).to_contain_text("v0001")
    expect(view).to_contain_text("epoch 3 done")  # the log, as it grows
    expect(view).to_contain_text("Parameters")

    def saved() -> bool:
        notebooks = folder.glob("jobs/v0001.1/**/*.ipynb")
        return any("epoch 1 done" in path.read_text() for path in notebooks)

    eventually(saved, "a partial notebook is saved, every few seconds")
    view.get_by_role("button", name="Open notebook so far").click()
    expect(
        page.locator(".jp-NotebookPanel .jp-OutputArea-output").get_by_text("epoch 1 done")
    ).to_be_visible()
    stop(lab, "panel-open")


def test_failures_are_grouped_by_cause_and_tried_again(lab: Lab, page: Page) -> None:
    marker = lab.folder / "mend"
    train = [
        "lr = 0.1",
        f"import os\nassert lr < 0.25 or os.path.exists({str(marker)!r}), 'lr too large'",
    ]
    start(lab, "panel-fails", "-p", "lr = [0.1, 0.2, 0.3, 0.4]", train=train)
    open_lab(lab, page)
    panel_scan(page, "panel-fails").click()
    expect(panel(page).get_by_text("2 failed")).to_be_visible()
    marker.touch()
    panel(page).get_by_role("button", name=re.compile("^Retry: AssertionError")).click()
    expect(panel(page).get_by_text("4 done")).to_be_visible()


def test_a_killed_server_comes_back_and_the_panel_is_right(own_lab: Lab, page: Page) -> None:
    start(own_lab, "outage", *lasting(8))
    open_lab(own_lab, page)
    expect(panel_scan(page, "outage")).to_be_visible()
    own_lab.kill()
    expect(panel(page).get_by_text("No answer from the server")).to_be_visible()
    own_lab.start()
    expect(panel(page).get_by_text("No answer from the server")).to_be_hidden()
    # JupyterLab's own word about an outage that took long lies over everything, and may come late.
    page.add_locator_handler(page.locator(".jp-Dialog"), lambda: page.keyboard.press("Escape"))
    panel_scan(page, "outage").click()
    expect(panel(page).get_by_text("2 done")).to_be_visible()


def test_a_killed_runner_is_started_again_and_the_scan_ends(lab: Lab, page: Page) -> None:
    # A runner that was just started is given 8 s to take its lease, so it is missed after that.
    folder = start(lab, "killed", *lasting(14))
    open_lab(lab, page)
    panel_scan(page, "killed").click()
    expect(panel(page).get_by_text("2 running")).to_be_visible()
    os.kill(json.loads((folder / "runner.lock").read_text())["pid"], signal.SIGKILL)
    expect(panel(page).get_by_text("2 done")).to_be_visible()
    assert sorted(path.name for path in (folder / "jobs").iterdir()) == ["v0001.1", "v0002.1"]


def test_two_browsers_show_the_same_and_what_one_stops_the_other_sees(
    lab: Lab, page: Page, browser: Browser
) -> None:
    start(lab, "panel-two", *ENDLESS)
    with browser.new_context() as context:
        other = context.new_page()
        for each in (page, other):
            open_lab(lab, each)
            panel_scan(each, "panel-two").click()
            expect(panel(each).get_by_text("2 running")).to_be_visible()
        panel(page).get_by_role("button", name="Stop", exact=True).click()
        panel(page).get_by_role("button", name=re.compile(r"^Stop \d jobs")).click()
        expect(panel_scan(other, "panel-two")).to_have_attribute("data-state", "stopped")
        expect(panel_job(other, "v0002")).to_be_visible()


@pytest.mark.usefixtures("declared_queues")
def test_queues_are_listed_with_what_is_wrong_and_need_no_mouse(lab: Lab, page: Page) -> None:
    open_lab(lab, page)
    head = panel(page).get_by_role("button", name="Queues")
    head.focus()
    page.keyboard.press("Enter")
    items = panel(page).get_by_role("list", name="Queues").get_by_role("listitem")
    expect(items.filter(has_text="far")).to_contain_text("16 x A100-SXM4-80GB")
    expect(items.filter(has_text="this machine")).to_be_visible()
    expect(
        panel(page).get_by_text(re.compile("lab.yaml, line 3: the queue has no backend"))
    ).to_be_visible()
    profiles = panel(page).get_by_role("list", name="Profiles").get_by_role("listitem")
    expect(profiles).to_have_text(["siteThe site--on local --retries 2"])
    # JupyterLab's launcher may take the focus while the page still starts.
    head.press("Enter")
    expect(items).to_have_count(0)
    expect(head).to_have_attribute("aria-expanded", "false")
