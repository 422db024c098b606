"""A failed job names the variables of this session that it did not get, and no others."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_gridgpu.backends.missing_variables import hint, with_hint
from jupyter_gridgpu.model.environment import Environment
from jupyter_gridgpu.model.job import MESSAGE_LIMIT
from jupyter_gridgpu.model.resources import Container, Placement
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.testing.examples import small_scan

SESSION = {
    "PATH": "/opt/x/bin",
    "PYTHONPATH": "/home/a/lib",
    "PYTHONHOME": "/opt/x",
    "LD_LIBRARY_PATH": "/opt/x/lib",
    "CONDA_PREFIX": "/opt/x",
    "LD_PRELOAD": "/opt/x/a.so",
    "DATA_DIR": "/data",
    "HF_TOKEN": "x",
    "lower": "x",
    "CUDA_VISIBLE_DEVICES": "0",
}
NO_MODULE = "ModuleNotFoundError: No module named 'jets' in cell 2."
NO_LIBRARY = "ImportError: libcudart.so.12: cannot open shared object file in cell 1."
NO_COMMAND = "FileNotFoundError: [Errno 2] No such file or directory: 'lhapdf-config' in cell 1."
IN_IMAGE = Container("docker://example/ml:1")


def scan(backend: str, **changes: Any) -> ScanSpec:
    return small_scan(backend=backend, **changes)


@pytest.mark.parametrize(
    ("made", "message", "words"),
    [
        # What travelled is not named: the statement would be false.
        (scan("slurm"), NO_MODULE, None),
        (scan("htcondor"), NO_MODULE, None),
        (scan("local"), NO_MODULE, None),
        (scan("slurm"), NO_LIBRARY, "LD_PRELOAD of this session was not passed on to the job: say"
         " --env LD_PRELOAD."),
        (scan("htcondor", placement=Placement(shared=False)), NO_MODULE, "PYTHONHOME of this"
         " session was not passed on to the job: say --env PYTHONHOME."),
        (scan("panda"), NO_MODULE, "PYTHONPATH, PYTHONHOME and CONDA_PREFIX of this session were"
         " not passed on to the job: say --env PYTHONPATH --env PYTHONHOME --env CONDA_PREFIX."),
        (scan("panda"), NO_COMMAND, "PATH and CONDA_PREFIX of this session were not passed on to"
         " the job: say --env PATH --env CONDA_PREFIX."),
        (scan("panda"), "sh: 1: lhapdf: not found", "PATH and CONDA_PREFIX of this session were"
         " not passed on to the job: say --env PATH --env CONDA_PREFIX."),
        (scan("panda"), "CalledProcessError: Command 'x' returned non-zero exit status 127.", "PATH"
         " and CONDA_PREFIX of this session were not passed on to the job: say --env PATH --env"
         " CONDA_PREFIX."),
        (scan("panda"), "There is no kernel named ml where the job ran.", "CONDA_PREFIX of this"
         " session was not passed on to the job: say --env CONDA_PREFIX."),
        (scan("slurm"), "There is no kernel named ml where the job ran.", None),
        # Into an image nothing leads that is not bound there.
        (scan("slurm", container=IN_IMAGE), NO_MODULE, "PYTHONPATH of this session was not passed"
         " on to the job: say --env PYTHONPATH."),
        (scan("slurm", container=IN_IMAGE), NO_COMMAND, None),
        (scan("slurm", container=IN_IMAGE, environment=Environment(("PYTHONPATH=/x",))),
         NO_MODULE, None),
        # A notebook that reads a variable.
        (scan("slurm"), "KeyError: 'DATA_DIR' in cell 1.", "DATA_DIR of this session was not"
         " passed on to the job: say --env DATA_DIR."),
        (scan("slurm"), "KeyError: 'HF_TOKEN' in cell 1.", "HF_TOKEN of this session was not"
         " passed on to the job: say --secret HF_TOKEN."),
        (scan("slurm", environment=Environment(secrets=("HF_TOKEN",))),
         "KeyError: 'HF_TOKEN' in cell 1.", None),
        (scan("slurm"), "KeyError: 'lower' in cell 1.", None),
        (scan("slurm"), "KeyError: 'NOT_HERE' in cell 1.", None),
        (scan("slurm"), "KeyError: 'CUDA_VISIBLE_DEVICES' in cell 1.", None),
        (scan("panda"), "ValueError: no such file in cell 1.", None),
        (scan("panda"), "FileNotFoundError: No such file or directory: '/data/x' in cell 1.", None),
        (scan("panda"), "", None),
    ],
)  # fmt: skip
def test_a_failure_names_what_stayed_here(made: ScanSpec, message: str, words: str | None) -> None:
    assert hint(message, made, SESSION) == words


def test_a_message_has_room_for_the_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", "/data")
    made = scan("slurm")
    message = "KeyError: 'DATA_DIR' in cell 1."
    assert with_hint(message, made) == f"{message} {hint(message, made)}"
    long = message + "x" * (MESSAGE_LIMIT - len(message) - 10)
    assert with_hint(long, made) == long
    assert with_hint(None, made) is None
