"""The side panel in JupyterLab: scans and their jobs, with no kernel at all."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from .conftest import TRAIN, Lab, write_notebook

pytestmark = pytest.mark.timeout(240)


def start(lab: Lab, name: str, *options: str, train: list[str] | None = None) -> Path:
    """Start a scan from the command line; its folder."""
    write_notebook(lab.folder / f"train_{name}.ipynb", train or TRAIN, tagged=True)
    command = [
        sys.executable,
        "-m",
        "jupyter_gridgpu.cli",
        "run",
        f"train_{name}.ipynb",
        "--name",
        name,
        *options,
    ]
    done = subprocess.run(
        [*command, "--no-wait", "--json"],
        cwd=lab.folder,
        env=lab.env,
        check=True,
        capture_output=True,
        text=True,
    )
    return Path(json.loads(done.stdout)["folder"])


def slow(epochs: int = 60) -> list[str]:
    return [
        "--minimize",
        "loss",
        "--parallel",
        "2",
        "-p",
        "lr = [0.1, 0.2]",
        "-p",
        f"epochs = {epochs}",
        "-p",
        "pause = 0.2",
    ]


def fast() -> list[str]:
    return [
        "--minimize",
        "loss",
        "--parallel",
        "2",
        "-p",
        "lr = [0.1, 0.2]",
        "-p",
        "epochs = 2",
        "-p",
        "pause = 0.05",
    ]


def open_lab(lab: Lab, page: Page) -> None:
    page.goto(f"{lab.url}/lab?token={lab.token}&reset")
    expect(page.locator("#jp-main-dock-panel")).to_be_visible(timeout=60_000)


def tab(page: Page) -> Locator:
    return page.locator(".jp-SideBar .lm-TabBar-tab[data-id='gridgpu-panel']")


def panel(page: Page) -> Locator:
    """The panel, opened."""
    found = page.locator("#gridgpu-panel")
    if not found.is_visible():
        tab(page).click()
    expect(found).to_be_visible()
    return found


def scan(page: Page, name: str) -> Locator:
    return panel(page).get_by_role("treeitem", name=re.compile(rf"^{re.escape(name)}\b")).first


def job(page: Page, variant: str) -> Locator:
    return panel(page).get_by_role("treeitem", name=re.compile(rf"^\w+ {variant}\b"))


def stop(lab: Lab, name: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "jupyter_gridgpu.cli", "stop", name],
        cwd=lab.folder,
        env=lab.env,
        check=True,
    )


def test_running_scans_are_on_top_and_the_badge_counts_their_jobs(lab: Lab, page: Page) -> None:
    start(lab, "panel-done", *fast())
    open_lab(lab, page)
    expect(scan(page, "panel-done")).to_contain_text("2", timeout=60_000)
    start(lab, "panel-runs", *slow())
    expect(tab(page)).to_have_attribute("data-gridgpu-badge", "2", timeout=30_000)
    names = panel(page).get_by_role("treeitem").all_inner_texts()
    order = [
        next(i for i, text in enumerate(names) if name in text)
        for name in ("panel-runs", "panel-done")
    ]
    assert order == sorted(order)
    stop(lab, "panel-runs")
    expect(page.get_by_text("panel-runs was stopped")).to_be_visible(timeout=30_000)
    expect(tab(page)).not_to_have_attribute("data-gridgpu-badge", "2", timeout=10_000)


def test_a_scan_opens_to_its_jobs_and_a_job_to_its_log_and_partial_notebook(
    lab: Lab, page: Page
) -> None:
    start(lab, "panel-open", *slow(120))
    open_lab(lab, page)
    scan(page, "panel-open").click()
    expect(job(page, "v0001")).to_be_visible(timeout=60_000)
    job(page, "v0001").click()
    view = page.locator(".gridgpu-job")
    expect(view).to_contain_text("v0001")
    expect(view).to_contain_text("epoch 3 done", timeout=60_000)  # the log, as it grows
    expect(view).to_contain_text("Parameters")
    page.wait_for_timeout(6_000)  # a partial notebook is saved every few seconds
    view.get_by_role("button", name="Open notebook so far").click()
    expect(
        page.locator(".jp-NotebookPanel .jp-OutputArea-output").get_by_text("epoch 1 done")
    ).to_be_visible(timeout=60_000)
    stop(lab, "panel-open")


def test_failures_are_grouped_by_cause_and_tried_again(lab: Lab, page: Page) -> None:
    marker = lab.folder / "mend"
    train = [
        "lr = 0.1",
        f"import os\nassert lr < 0.25 or os.path.exists({str(marker)!r}), 'lr too large'",
    ]
    start(lab, "panel-fails", "-p", "lr = [0.1, 0.2, 0.3, 0.4]", train=train)
    open_lab(lab, page)
    scan(page, "panel-fails").click()
    expect(panel(page).get_by_text("2 failed")).to_be_visible(timeout=60_000)
    marker.touch()
    panel(page).get_by_role("button", name=re.compile("^Retry: AssertionError")).click()
    expect(panel(page).get_by_text("4 done")).to_be_visible(timeout=60_000)


def test_a_killed_server_comes_back_and_the_panel_is_right(own_lab: Lab, page: Page) -> None:
    start(own_lab, "outage", *slow(40))
    open_lab(own_lab, page)
    expect(scan(page, "outage")).to_be_visible(timeout=60_000)
    own_lab.kill()
    expect(panel(page).get_by_text("No answer from the server")).to_be_visible(timeout=30_000)
    own_lab.start()
    expect(panel(page).get_by_text("No answer from the server")).to_be_hidden(timeout=60_000)
    if page.locator(".jp-Dialog").count():  # JupyterLab's own word about an outage that took long
        page.keyboard.press("Escape")
    scan(page, "outage").click()
    expect(panel(page).get_by_text("2 done")).to_be_visible(timeout=60_000)


def test_a_killed_runner_is_started_again_and_the_scan_ends(own_lab: Lab, page: Page) -> None:
    folder = start(own_lab, "killed", *slow(100))
    open_lab(own_lab, page)
    scan(page, "killed").click()
    expect(job(page, "v0001")).to_be_visible(timeout=60_000)
    time.sleep(9)  # a runner that was just started is given time to take its lease
    os.kill(json.loads((folder / "runner.lock").read_text())["pid"], signal.SIGKILL)
    expect(panel(page).get_by_text("2 done")).to_be_visible(timeout=90_000)
    assert sorted(path.name for path in (folder / "jobs").iterdir()) == ["v0001.1", "v0002.1"]


def test_two_browsers_show_the_same_and_what_one_stops_the_other_sees(
    lab: Lab, page: Page, browser: Browser
) -> None:
    start(lab, "panel-two", *slow(200))
    context = browser.new_context()
    other = context.new_page()
    for one in (page, other):
        open_lab(lab, one)
        scan(one, "panel-two").click()
        expect(panel(one).get_by_text("2 running")).to_be_visible(timeout=60_000)
    panel(page).get_by_role("button", name="Stop", exact=True).click()
    panel(page).get_by_role("button", name=re.compile(r"^Stop \d jobs")).click()
    expect(scan(other, "panel-two")).to_have_attribute("data-state", "stopped", timeout=30_000)
    expect(job(other, "v0002")).to_be_visible()
    context.close()


def test_queues_are_listed_with_what_is_wrong_and_need_no_mouse(lab: Lab, page: Page) -> None:
    declared = lab.home / "config/gridgpu/queues.d/lab.yaml"
    declared.parent.mkdir(parents=True, exist_ok=True)
    gpus = "[{model: A100-SXM4-80GB, total: 16}]"
    declared.write_text(
        f"queues:\n- {{name: far, backend: panda, gpus: {gpus}, state: online}}\n- {{name: bad}}\n"
    )
    open_lab(lab, page)
    head = panel(page).get_by_role("button", name="Queues")
    head.focus()
    page.keyboard.press("Enter")
    items = panel(page).get_by_role("list", name="Queues").get_by_role("listitem")
    expect(items.filter(has_text="far")).to_contain_text("16 x A100-SXM4-80GB", timeout=30_000)
    expect(items.filter(has_text="this machine")).to_be_visible()
    expect(
        panel(page).get_by_text(re.compile("lab.yaml, line 3: the queue has no backend"))
    ).to_be_visible()
    page.keyboard.press("Enter")
    expect(items).to_have_count(0)
    expect(head).to_have_attribute("aria-expanded", "false")
