"""An ending that the worker decided wins over whatever the notebook makes of its interrupt."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu import client
from jupyter_gridgpu.backends.base import Job, job_spec, write_spec
from jupyter_gridgpu.model.grace import grace_seconds
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.store.paths import read_json, write_stop
from jupyter_gridgpu.testing.examples import notebook_json
from jupyter_gridgpu.worker.limits import Limits
from jupyter_gridgpu.worker.stop_file import read_stop
from jupyter_gridgpu.worker.usage import UsageSampler
from tests.kit import eventually
from tests.unit.worker.test_several_jobs import Node

TRAIN = """\
import pathlib, sys, time
pathlib.Path("began").touch()
try:
    time.sleep(100)
except KeyboardInterrupt:
    time.sleep(1)
    pathlib.Path("saved").touch()
"""
# As older versions of Lightning do it: the interrupt is caught, SIGINT is ignored from then on,
# the checkpoint is saved, and `fit` returns as if the training was over.
TRAINER = """\
import pathlib, signal, time

class Trainer:
    interrupted = False

    def fit(self, epochs):
        signal.signal(signal.SIGTERM, lambda number, frame: None)
        pathlib.Path("began").touch()
        try:
            for epoch in range(epochs):
                time.sleep(0.1)
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            self.interrupted = True
        finally:
            time.sleep(0.5)
            pathlib.Path("saved").touch()

trainer = Trainer()
trainer.fit(1000)
assert trainer.interrupted
signal.signal(signal.SIGINT, signal.default_int_handler)
"""
# A command that takes much memory once the cell runs.
GREEDY = """\
import pathlib, time
while not pathlib.Path("began").exists():
    time.sleep(0.05)
kept = b"x" * 500_000_000
time.sleep(100)
"""
# What a cell does with its interrupt; `saves` says whether a file `saved` must come of it.
SURVIVORS = {
    "command": ("!{sys.executable} train.py", True),
    "bash": ("%%bash\n$PYTHON train.py", True),
    "run": ("subprocess.run([sys.executable, 'train.py'])", True),
    "session": (
        "subprocess.Popen([sys.executable, 'train.py'], start_new_session=True).wait()",
        True,
    ),
    "caught": (TRAIN, True),
    "trainer": (TRAINER, True),
    "swallowed": (
        "import pathlib\npathlib.Path('began').touch()\nwhile True:\n    try:\n"
        "        time.sleep(0.1)\n    except BaseException:\n        pass",
        False,
    ),
    "ignored": (
        "import signal, pathlib\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "pathlib.Path('began').touch()\ntime.sleep(100)",
        False,
    ),
}
ENDINGS = {
    "user": "user", "pruned": "pruned", "timeout": "timeout", "term": "preempted", "oom": "oom",
}  # fmt: skip


class Ended:
    """A job of one cell that outlives its interrupt, on a node of its own."""

    def __init__(self, folder: Path, cell: str, kernel: str = "python3") -> None:
        folder.mkdir()
        self._node = Node(folder)
        source = folder / "ending.ipynb"
        if kernel == "bash":
            setup = f"cat > train.py <<'END'\n{TRAIN}END\n"
            spec = {"kernelspec": {"name": "bash", "display_name": "Bash", "language": "bash"}}
            text = notebook_json("x=0", setup, cell, "touch after", metadata=spec)
        else:
            setup = (
                "import os, subprocess, sys, time\nos.environ['PYTHON'] = sys.executable\n"
                f"open('train.py', 'w').write({TRAIN!r})"
            )
            text = notebook_json("x = 0", setup, cell, "open('after', 'w').close()")
        source.write_text(text)
        found = plan(source, "x = [1]", Options())
        self._node.handle = client.create(found)
        self._node.paths = self._node.handle.paths
        self.job = self._node.paths.job("v0001.1")

    def end(self, how: str) -> dict[str, Any]:
        spec = {**job_spec(self._node.handle.scan, "v0001.1", {"x": 1}), "grace_s": 6}
        if how == "timeout":
            spec["walltime_s"] = 14
        elif how == "oom":
            spec["memory_mb"] = 400
        write_spec(Job("v0001.1", self.job, spec), {})
        process = self._node.start("v0001.1")
        eventually(lambda: self.file("began"))
        if how in ("user", "pruned"):
            write_stop(self.job.stop, how)
        elif how == "term":
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
        result = read_json(self.job.result)
        assert isinstance(result, dict)
        return result

    def file(self, name: str) -> Path | None:
        return next(iter(self.job.folder.glob(f"*/artifacts/{name}")), None)

    def close(self) -> None:
        self._node.close()


@pytest.mark.parametrize("survivor", SURVIVORS)
@pytest.mark.parametrize("how", ["user", "term"])
def test_no_cell_starts_after_an_ending(tmp_path: Path, how: str, survivor: str) -> None:
    cell, saves = SURVIVORS[survivor]
    ended = Ended(tmp_path / "node", cell)
    try:
        result = ended.end(how)
        assert (result["state"], result["reason"]) == ("failed", ENDINGS[how])
        assert f"in cell {result['cell']}" in result["message"]
        assert ended.file("after") is None
        assert bool(ended.file("saved")) == saves
    finally:
        ended.close()


@pytest.mark.parametrize("how", ["pruned", "timeout", "oom"])
def test_other_endings_win_as_well(tmp_path: Path, how: str) -> None:
    cell = SURVIVORS["command"][0]
    if how == "oom":
        greedy = f"subprocess.Popen([sys.executable, '-c', {GREEDY!r}])"
        cell = f"{greedy}\n{cell}"
    ended = Ended(tmp_path / "node", cell)
    try:
        result = ended.end(how)
        assert (result["state"], result["reason"]) == ("failed", ENDINGS[how])
        assert ended.file("after") is None
        assert ended.file("saved")
    finally:
        ended.close()


# The kernel.json of bash_kernel has a key that jupyter_client does not know.
@pytest.mark.filterwarnings("ignore:Passing unrecognized arguments:DeprecationWarning")
def test_an_ending_wins_in_a_kernel_of_another_language(tmp_path: Path) -> None:
    """A bash kernel runs its cells in a shell below itself."""
    ended = Ended(tmp_path / "node", f"{sys.executable} train.py", kernel="bash")
    try:
        result = ended.end("user")
        assert (result["state"], result["reason"]) == ("failed", "user")
        assert f"in cell {result['cell']}" in result["message"]
        assert ended.file("after") is None
        assert ended.file("saved")
    finally:
        ended.close()


@pytest.mark.parametrize(
    ("asked", "walltime", "kill", "expected"),
    [
        (None, None, None, 30),
        (None, 100, None, 10),
        (None, 86400, None, 60),
        (120, 86400, None, 120),
        (120, 60, None, 30),
        (120, None, 10, 8),
        (None, None, 30, 28),
        (0, None, None, 0),
    ],
)
def test_the_grace(
    asked: float | None, walltime: float | None, kill: float | None, expected: float
) -> None:
    assert grace_seconds(asked, walltime, kill) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("user", None)),
        ('{"why": "pruned", "message": "Worse than half."}', ("pruned", "Worse than half.")),
        ('{"why": "user", "message": null}', ("user", None)),
        ('{"why": "other"}', ("user", None)),
        ('{"why": ["pruned"]}', ("user", None)),
        ("[1]", ("user", None)),
        ("{" * 10_000, ("user", None)),
        ("\x00\xff", ("user", None)),
    ],
)
def test_the_stop_file_is_read_with_care(tmp_path: Path, text: str, expected: object) -> None:
    assert read_stop(tmp_path / "stop") is None
    (tmp_path / "stop").write_text(text)
    assert read_stop(tmp_path / "stop") == expected


def test_nothing_is_decided_once_the_last_cell_has_finished(tmp_path: Path) -> None:
    limits = Limits(60, None, UsageSampler(), None, tmp_path / "stop")
    limits.finish()
    limits._deadline = time.monotonic() - 1
    limits._on_signal(signal.SIGTERM, None)
    assert limits.check() is None
    assert limits.finished


def test_the_end_of_the_notebook_does_not_undo_an_ending() -> None:
    limits = Limits(60, None, UsageSampler())
    limits._deadline = time.monotonic() - 1
    first = limits.check()
    limits.finish()
    assert limits.ending is first
    assert not limits.finished
    assert first is not None
    assert first.reason == "timeout"
