"""What --parallel means for each batch system."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_gridgpu.backends.htcondor.backend import HTCondorBackend
from jupyter_gridgpu.backends.slurm.backend import SlurmBackend
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.examples import small_scan


@pytest.mark.parametrize(
    ("parallel", "per_gpu", "array"),
    [(None, 1, "1-9"), (4, 1, "1-9%4"), (4, 2, "1-9%2"), (1, 2, "1-9%1")],
)
def test_slurm_throttles_the_array(
    tmp_path: Path, parallel: int | None, per_gpu: int, array: str
) -> None:
    backend = SlurmBackend(small_scan(parallel=parallel, per_gpu=per_gpu), ScanPaths(tmp_path))
    assert f"--array={array}" in backend._options(9)
    assert backend.slots() is None


@pytest.mark.parametrize(("parallel", "per_job", "slots"), [(None, 3, None), (4, 1, 4), (4, 3, 12)])
def test_htcondor_is_handed_no_more_than_that(
    tmp_path: Path, parallel: int | None, per_job: int, slots: int | None
) -> None:
    assert (
        HTCondorBackend(small_scan(parallel=parallel, per_job=per_job), ScanPaths(tmp_path)).slots()
        == slots
    )
