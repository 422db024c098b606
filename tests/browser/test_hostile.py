"""Scans of strangers in a real browser: their texts are shown, and do nothing else."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import Browser, Dialog, Error, Locator, Page, expect

from jupyter_gridgpu.records.export import html_report
from jupyter_gridgpu.records.record import load_record
from jupyter_gridgpu.store.lease import Lease
from tests.browser.lab import Lab, serve_lab, write_notebook
from tests.browser.pages import (
    output_data,
    panel,
    panel_job,
    panel_scan,
    row,
    run_cells,
    save_until,
    saved_text,
    table,
    take_picture,
)
from tests.hostile_scans import (
    IMAGE,
    LONG,
    PROTOTYPES,
    RIGHT_TO_LEFT,
    write,
    write_bad_folders,
    write_bad_journals,
)
from tests.unit.server.kit import write_scan

pytestmark = pytest.mark.timeout(240)
MIME = "application/vnd.gridgpu.scan+json"
LOOK = "import jupyter_gridgpu as g\na, b = (g.open_scan(name) for name in ('hostile', 'twin'))"
CELLS = ["%load_ext jupyter_gridgpu", "%gridscan show hostile", f"{LOOK}\na.compare(b)", "a.plot()"]
# altair's page loads the library that draws from there, whatever the chart is.
LIBRARIES = {"cdn.jsdelivr.net"}
# Set in each page before anything of it runs.
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(event.violatedDirective + " " + event.blockedURI);
});
"""
# What people could read of an element: texts and tips, and where one of them is misleading.
READ = """
(root) => {
  const seen = [];
  for (const one of [root, ...root.querySelectorAll("*")]) {
    for (const name of ["title", "aria-label", "placeholder"])
      seen.push(one.getAttribute(name) ?? "");
    for (const child of one.childNodes) if (child.nodeType === 3) seen.push(child.data);
  }
  return seen;
}
"""
# Elements with letters from right to left that are neither a block nor isolated.
TURNING = """
(root) => [...root.querySelectorAll("*")]
  .filter((one) => [...one.childNodes].some((child) => child.nodeType === 3 &&
    /[\\u0590-\\u05ff]/.test(child.data) && !/^[^\\u0590-\\u05ff]*\\u2068/.test(child.data)))
  .filter((one) => {
    const { display, unicodeBidi } = getComputedStyle(one);
    const blocks = ["block", "flex", "grid", "inline-flex", "inline-block", "table-cell"];
    return !blocks.includes(display) && !/isolate|plaintext/.test(unicodeBidi) &&
      one.namespaceURI !== "http://www.w3.org/2000/svg";
  })
  .map((one) => one.outerHTML.slice(0, 200))
"""
MISLEADING = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\ufeff]")


@dataclass
class Watched:
    """A page, and what its scripts did that no text may do."""

    page: Page
    host: str
    done: list[str] = field(default_factory=list)

    def watch(self) -> None:
        page = self.page
        page.add_init_script(WATCH)
        page.on("dialog", self._asked)
        page.on("pageerror", self._failed)
        page.on("request", lambda request: self._requested(request.url))
        page.route(re.compile("|".join(LIBRARIES)), lambda route: route.abort())

    def _asked(self, dialog: Dialog) -> None:
        self.done.append(dialog.message)
        dialog.dismiss()

    def _failed(self, error: Error) -> None:
        # The page says so where a library did not come.
        if not any(host in str(error) for host in LIBRARIES):
            self.done.append(str(error))

    def _requested(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https", "ws", "wss") and (
            parts.netloc != self.host and parts.hostname not in LIBRARIES
        ):
            self.done.append(f"asked {url[:200]}")

    def check(self) -> None:
        """Fail if a text ran, asked another host or was refused by a policy of the page."""
        assert self.page.evaluate("window.hacked") is None
        assert self.page.evaluate("window.violations") == []
        assert self.done == []


@pytest.fixture
def hostile_lab(tmp_path: Path) -> Iterator[Lab]:
    """A server with hostile scans in its home, and with folders that are no scans."""
    for name in ("work", "user"):
        (tmp_path / name).mkdir()
    home = tmp_path / "user" / "scans"
    write_scan(home, "sound")
    for name in ("hostile", "twin"):
        write(home, name)
    bad = write_bad_journals(home)
    # They have a runner, so that the server starts none.
    leases = [Lease(home / name / "runner.lock") for name in bad]
    bad += write_bad_folders(home)
    with serve_lab(tmp_path / "work", tmp_path / "user") as lab:
        yield lab
        for lease in leases:
            lease.release()
        for name in bad:
            shutil.rmtree(home / name)


@pytest.fixture
def watched(browser: Browser, hostile_lab: Lab) -> Iterator[Watched]:
    with browser.new_context(viewport={"width": 1400, "height": 900}) as context:
        found = Watched(context.new_page(), urlsplit(hostile_lab.url).netloc)
        found.watch()
        yield found


def expect_clean(root: Locator) -> None:
    """Fail unless what an element shows is text that keeps its place."""
    texts = root.evaluate(READ)
    assert [text for text in texts if MISLEADING.search(text)] == []
    assert max(map(len, texts)) < 2000
    assert root.evaluate(TURNING) == []
    assert root.locator("img, script, iframe, [onerror]").count() == 0
    links = root.locator("a[href]").evaluate_all("all => all.map((one) => one.href)")
    assert [link for link in links if not link.startswith(("http://", "https://"))] == []


def expect_in_shape(root: Locator) -> None:
    """Fail if a part of the page is wider than its place."""
    sizes = root.evaluate("(one) => [one.scrollWidth, one.clientWidth, one.clientHeight]")
    assert sizes[0] <= sizes[1] + 1, sizes
    assert sizes[2] < 5000


def show_columns(page: Page, *keys: str) -> None:
    """Choose columns in the menu of the table."""
    table(page).get_by_role("button", name="Columns").click()
    for key in keys:
        box = table(page).locator(f".gg-menu [data-key={json.dumps(key)}]")
        if box.is_checked():
            box.uncheck()
        box.check()
    page.keyboard.press("Escape")


def check_panel(page: Page) -> None:
    """Look at the panel: each scan is there, and what is none is named with a reason."""
    for name in ("sound", "hostile", "twin", "torn"):
        expect(panel_scan(page, name)).to_be_visible()
    expect(panel(page)).to_contain_text("left out")
    panel_scan(page, "hostile").click()
    expect(panel_job(page, "v0017")).to_be_visible()
    expect_clean(panel(page))
    expect_in_shape(panel(page))
    take_picture(page, "hostile-panel")


def check_job(page: Page) -> None:
    """Look at a job: its log is text, and its page on the web is a link only if it is one."""
    panel_job(page, "v0017").click()
    view = page.locator(".gridgpu-job").last
    expect(view).to_contain_text(IMAGE)
    expect(view.locator("pre")).to_contain_text(f"{RIGHT_TO_LEFT} 12")
    for name in PROTOTYPES:
        expect(view.get_by_role("rowheader", name=name, exact=True)).to_have_count(1)
    expect_clean(view)
    expect_in_shape(view)
    take_picture(page, "hostile-job")
    page.locator(".lm-DockPanel-tabBar .lm-TabBar-tab").first.click()


def check_table(page: Page) -> None:
    """Look at the live table: prototypes' names are columns, and every row is where it belongs."""
    expect(row(page, "v0016")).to_be_visible()
    show_columns(page, *(f"p:{name}" for name in PROTOTYPES), "m:__proto__", "m:constructor")
    for name in PROTOTYPES:
        expect(row(page, "v0016").locator(f"[data-col='{name}']")).to_have_text("0.500")
    for name in ("__proto__", "constructor"):
        expect(row(page, "v0016").locator(f"[data-col='metric:{name}']")).to_have_text("16.5")
    expect_clean(table(page))
    heights = table(page).locator("[data-id]").evaluate_all("all => all.map((r) => r.clientHeight)")
    assert max(heights) <= 24
    width = table(page).evaluate("(one) => one.clientWidth / one.parentElement.clientWidth")
    assert width <= 1
    take_picture(page, "hostile-table")


def twisted(notebook: Any) -> Any:
    """Return a saved notebook whose output nobody's server knows and in which all is wrong."""
    data = output_data(notebook, 1)[MIME]
    data["id"] = data["snapshot"]["scan"]["id"] = "20200101-000000-abcdef"
    first = data["snapshot"]["rows"][0]
    first.update(id=IMAGE, where=LONG, link="javascript:alert(1)", message=IMAGE, notebook=IMAGE)
    data["snapshot"]["rows"].insert(0, {**first, "id": LONG})
    data["snapshot"]["scan"].update(name=f"{IMAGE}\u202e{RIGHT_TO_LEFT}", best=IMAGE, note=LONG)
    return notebook


def test_hostile_scans_are_shown_and_do_nothing(
    hostile_lab: Lab, watched: Watched, tmp_path: Path
) -> None:
    lab, page = hostile_lab, watched.page
    write_notebook(lab.folder / "look.ipynb", CELLS)
    lab.open(page, "look.ipynb")
    check_panel(page)
    run_cells(page, len(CELLS))
    check_table(page)
    compared = page.locator(".jp-Notebook .jp-CodeCell").nth(2).locator(".jp-OutputArea-output")
    expect(compared.first).to_contain_text("twin against hostile")
    expect_clean(compared.first)
    plot = page.locator(".jp-Notebook .jp-CodeCell").nth(3).locator(".jp-OutputArea-output")
    expect(plot).to_have_count(1)
    check_job(page)
    watched.check()
    saved = save_until(page, lab, "look.ipynb", lambda notebook: "v0016" in saved_text(notebook, 1))
    html, _ = HTMLExporter(template_name="basic").from_filename(str(lab.folder / "look.ipynb"))
    html_report.write(load_record(lab.home / "scans/hostile"), tmp_path / "report.html", True)
    (tmp_path / "notebook.html").write_text(html)
    (lab.folder / "twisted.ipynb").write_text(json.dumps(twisted(saved)))
    lab.open(page, "twisted.ipynb")
    expect(table(page)).to_contain_text("not on this server")
    expect_clean(table(page))
    watched.check()
    for name in ("notebook.html", "report.html"):
        page.goto(f"file://{tmp_path / name}")
        expect(page.locator("body")).to_contain_text("v0016")
        expect(page.locator("body")).to_contain_text(IMAGE)
        expect_clean(page.locator("table").first)
        take_picture(page, f"hostile-{name}")
        watched.check()
