"""Which words a failure gets when the node refused memory, processes or files."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_gridgpu.worker import exhaustion
from jupyter_gridgpu.worker.exhaustion import Exhaustion


def explained(
    monkeypatch: pytest.MonkeyPatch, message: str, kills: int = 0, refused: int = 0
) -> dict[str, Any]:
    counts = {"kills": 3, "refused": 7}
    monkeypatch.setattr(exhaustion, "count_oom_kills", lambda: counts["kills"])
    monkeypatch.setattr(exhaustion, "count_refused_processes", lambda: counts["refused"])
    found = Exhaustion()
    counts["kills"] += kills
    counts["refused"] += refused
    return found.explained({"state": "failed", "reason": "notebook", "message": message, "cell": 3})


@pytest.mark.parametrize(
    "message",
    [
        "BrokenProcessPool: A process in the process pool was terminated abruptly in cell 3.",
        "RuntimeError: DataLoader worker (pid 12) is killed by signal: Killed in cell 3.",
        "CalledProcessError: Command 'train' died with <Signals.SIGKILL: 9> in cell 3.",
        "EOFError in cell 3.",
    ],
)
def test_a_killed_child_of_the_kernel_is_out_of_memory(
    monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    outcome = explained(monkeypatch, message, kills=1)
    assert outcome["reason"] == "oom"
    assert outcome["message"].startswith("Out of memory: the node killed a process")
    assert message in outcome["message"]
    assert explained(monkeypatch, message)["reason"] == "notebook"  # nothing was counted


def test_an_error_that_memory_does_not_explain_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = explained(monkeypatch, "ValueError: bad in cell 3.", kills=1, refused=1)
    assert outcome["message"] == "ValueError: bad in cell 3."


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("BlockingIOError: [Errno 11] Resource temporarily unavailable in cell 3.", "processes"),
        ("RuntimeError: can't start new thread in cell 3.", "No more processes or threads"),
        ("OSError: [Errno 24] Too many open files: 'x' in cell 3.", "a process may have"),
    ],
)
def test_other_limits_are_said(monkeypatch: pytest.MonkeyPatch, message: str, words: str) -> None:
    outcome = explained(monkeypatch, message)
    assert (outcome["reason"], outcome["cell"]) == ("notebook", 3)
    assert words in outcome["message"]
    assert message in outcome["message"]


def test_what_is_done_is_not_explained() -> None:
    assert Exhaustion().explained({"state": "done"}) == {"state": "done"}
