"""Our own processes run our code, whatever lies in the folder from which they are started."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_gridgpu.backends.panda import client_call
from jupyter_gridgpu.errors import GridGpuError
from jupyter_gridgpu.planning.space_apart import space_apart
from jupyter_gridgpu.queues import htcondor_process
from jupyter_gridgpu.runner import spawn
from tests.kit import eventually

MODULES = ("json", "subprocess", "contextlib", "jupyter_gridgpu", "msgspec", "htcondor2")


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go into a folder with modules that leave a mark when they are imported; return the mark."""
    path = tmp_path / "mark"
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o700)
    for name in MODULES:
        (folder / f"{name}.py").write_text(f"open({str(path)!r}, 'a').write('{name} ')\n")
    monkeypatch.chdir(folder)
    return path


def test_questions_are_asked_by_our_own_code(mark: Path) -> None:
    with pytest.raises(GridGpuError):
        client_call.call("no verb", {}, 60.0)
    with pytest.raises(GridGpuError):
        htcondor_process.ask("jupyter_gridgpu.queues.htcondor", "no verb", 60.0)
    sent = client_call.start("no verb", {}, mark.with_name("answer"))
    assert space_apart("x = [n for n in (1, 2)]").searched["x"]
    sent.wait()
    assert not mark.exists(), mark.read_text()


def test_a_runner_runs_our_own_code(mark: Path) -> None:
    folder = mark.parent / "theirs"
    (folder / "scan.json").write_text("{}")
    spawn.spawn(folder)
    log = folder / "runner.log"
    assert eventually(lambda: log.exists() and log.read_text(), "the runner says what is wrong")
    assert not mark.exists(), mark.read_text()
