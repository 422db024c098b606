"""Slurm drops no wish for a GPU in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_gridgpu.backends.slurm.backend import SlurmBackend
from jupyter_gridgpu.backends.slurm.checks import check_gpu_options
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.resources import Placement, Resources
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.examples import small_scan


@pytest.mark.parametrize(
    ("wanted", "option"),
    [(Resources(gpus=1, vram_mb=40960), "--vram"), (Resources(gpus=1, cuda="12.0"), "--cuda")],
)
def test_what_slurm_does_not_know_is_refused(
    tmp_path: Path, wanted: Resources, option: str
) -> None:
    with pytest.raises(BackendError, match=f"Slurm knows no {option}"):
        SlurmBackend(small_scan(resources=wanted), ScanPaths(tmp_path)).check(ask=False)


def test_a_queue_that_auto_chose_is_not_refused() -> None:
    check_gpu_options(small_scan(resources=Resources(gpus=1, vram_mb=1), asked=Placement()))
