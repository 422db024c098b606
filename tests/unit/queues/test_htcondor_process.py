"""Asking HTCondor in a process of its own: what comes back, whatever becomes of the process."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_gridgpu.errors import BackendError, Unreachable
from jupyter_gridgpu.queues import htcondor_bindings, htcondor_process

# A module with questions, asked without HTCondor's bindings.
MODULE = """
import sys
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.queues import htcondor_process

def refuse(condor):
    raise BackendError("No such queue.")

def die(condor):
    sys.exit("boom: it died")

VERBS = {
    "double": lambda condor, number: 2 * number,
    "refuse": refuse,
    "divide": lambda condor: 1 / 0,
    "die": die,
}
htcondor_process.find_bindings = lambda: object()
htcondor_process.serve(VERBS, lambda condor, error: f"HTCondor says {error}")
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "questions.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", ":".join([str(tmp_path), *filter(None, sys.path)]))
    return "questions"


def test_an_answer_a_refusal_and_a_silence_come_back_as_such(module: str) -> None:
    assert htcondor_process.ask(module, "double", 30, number=4) == 8
    with pytest.raises(BackendError, match=r"^No such queue\.$") as refused:
        htcondor_process.ask(module, "refuse", 30)
    assert not isinstance(refused.value, Unreachable)
    with pytest.raises(Unreachable, match="HTCondor says division by zero"):
        htcondor_process.ask(module, "divide", 30)


def test_a_process_that_dies_leaves_its_last_words(module: str) -> None:
    with pytest.raises(Unreachable, match="bindings failed: boom: it died"):
        htcondor_process.ask(module, "die", 30)
    with pytest.raises(Unreachable, match=r"bindings failed: .*No module named"):
        htcondor_process.ask("no_such_module", "double", 30)


def test_the_process_holds_a_file_open(module: str, tmp_path: Path) -> None:
    with open(tmp_path / "lock", "w") as lock:
        assert htcondor_process.ask(module, "double", 30, keep=lock, number=1) == 2


def test_missing_bindings_are_no_refusal() -> None:
    answer = htcondor_process.answer(
        htcondor_bindings.VERBS, htcondor_bindings.describe_error, None, "slots", {}
    )
    assert answer == {"silent": htcondor_process.NO_BINDINGS}


class FakeCollector:
    def query(self, *asked: Any) -> list[dict[str, Any]]:
        return [{"CondorVersion": "$CondorVersion: 24.0.1 $", "GPUs": 2, "Owner": "x"}]


def test_versions_say_why_no_schedd_takes_jobs() -> None:
    def no_schedd() -> Any:
        raise RuntimeError("no schedd here")

    condor = SimpleNamespace(
        Collector=FakeCollector,
        AdType=SimpleNamespace(Schedd=1, Startd=2),
        Schedd=no_schedd,
        param={"COLLECTOR_HOST": "cm.lab.example"},
        version=lambda: "24.0.1",
    )
    answer = htcondor_process.answer(
        htcondor_bindings.VERBS, htcondor_bindings.describe_error, condor, "versions", {}
    )
    versions = {
        "bindings": "24.0.1",
        "schedds": ["$CondorVersion: 24.0.1 $"],
        "no_schedd": "no schedd here",
    }
    assert answer == {"answer": versions}
    assert htcondor_bindings.slots(condor) == {"pool": "cm.lab.example", "slots": [{"GPUs": 2}]}
