"""The scan folder of somebody else: it is looked at, and nothing in it ever runs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from jupyter_gridgpu import client
from jupyter_gridgpu.cli.app import gridgpu
from jupyter_gridgpu.errors import ForeignScan
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.examples import Story
from tests.kit import eventually
from tests.second_user import give_away, needs_root

from .lab import Lab

RAN = "open(mark, 'a').write('ran')"
COMMANDS = (["stop"], ["pause"], ["resume"], ["retry"], ["extend", "--trials", "3"])


@pytest.fixture
def orphan(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a scan that has not ended and has no runner; its notebook leaves a mark."""
    monkeypatch.setenv("GRIDGPU_HOME", str(lab.home))
    notebook = lab.notebook(RAN, parameters="n = 0\nmark = ''")
    space = {"n": [1, 2], "mark": str(lab.mark)}
    folder = client.create(plan(notebook, space, Options(name="orphan"))).folder
    story = Story()
    story.tell("runner.started")
    story.run(1, "done", acc=0.5, n=1, mark=str(lab.mark))
    ScanPaths(folder).journal.write_bytes(story.text())
    spec = json.loads((folder / "scan.json").read_text())
    (folder / "scan.json").write_text(json.dumps({**spec, "created": 1.0}))
    return folder


def of_somebody_else(folder: Path) -> None:
    give_away(folder, *folder.rglob("*"))


def with_a_file_of_somebody_else(folder: Path) -> None:
    give_away(folder / "notebook.ipynb")


def writable_by_others(folder: Path) -> None:
    folder.chmod(0o777)


def in_an_open_folder(folder: Path) -> None:
    folder.parent.chmod(0o777)


def unpacked(folder: Path) -> None:
    ScanPaths(folder).unpacked.write_text("{}")


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    found = [folder, *folder.rglob("*")]
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in found}


def invoke(*words: str) -> Result:
    return CliRunner().invoke(gridgpu, list(words))


FOREIGN = [
    of_somebody_else,
    with_a_file_of_somebody_else,
    writable_by_others,
    in_an_open_folder,
    unpacked,
]


@needs_root
@pytest.mark.parametrize("make_foreign", FOREIGN)
def test_a_foreign_scan_is_shown_and_never_continued(
    lab: Lab, orphan: Path, make_foreign: Callable[[Path], None]
) -> None:
    make_foreign(orphan)
    before = tree(orphan)
    for verb in ("watch", "show"):
        shown = invoke(verb, str(orphan))
        assert "v0001" in shown.output
        assert "only" in shown.stderr  # "only shown", or "read only"
    assert invoke("watch", str(orphan)).exit_code == 3
    for words in (["list"], ["verify", str(orphan)], ["logs", f"{orphan}/v0001"]):
        assert not isinstance(invoke(*words).exception, ForeignScan)
    for command, *more in COMMANDS:
        refused = invoke(command, str(orphan), *more)
        assert isinstance(refused.exception, ForeignScan), (command, refused.output)
        assert refused.output == ""
    assert tree(orphan) == before
    assert lab.marks() == []


@needs_root
@pytest.mark.parametrize("make_foreign", FOREIGN)
def test_no_runner_drives_a_foreign_scan_whoever_starts_it(
    lab: Lab, orphan: Path, make_foreign: Callable[[Path], None]
) -> None:
    make_foreign(orphan)
    before = tree(orphan)
    with pytest.raises(ForeignScan):
        client.open_scan(orphan).revive()
    ran = subprocess.run(
        [sys.executable, "-m", "jupyter_gridgpu.runner", str(orphan)],
        env=lab.environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == ForeignScan.exit_code
    assert "Traceback" not in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1
    assert tree(orphan) == before
    assert lab.marks() == []


@needs_root
def test_a_command_of_somebody_else_is_not_applied(lab: Lab, orphan: Path) -> None:
    box = orphan / "inbox"
    for name, action in (("1-theirs", "stop"), ("2-mine", "pause")):
        path = box / f"{name}.json"
        path.write_text(json.dumps({"action": action, "variants": None}))
        if name == "1-theirs":
            give_away(path)
    handle = client.open_scan(orphan)
    runner = subprocess.Popen(
        [sys.executable, "-m", "jupyter_gridgpu.runner", str(orphan)], env=lab.environment()
    )
    try:
        eventually(lambda: list(box.iterdir()) == [], "the inbox is empty")
        eventually(lambda: handle.refresh() and handle.view.paused, "the scan is paused")
    finally:
        runner.kill()
        runner.wait()
    assert set(handle.view.commands) == {"2-mine"}
    assert not handle.view.stopped
