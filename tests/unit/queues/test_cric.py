"""Reading PanDA's queues from a dump of CRIC."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.queue import GpuKind, Queue, QueueLimits
from jupyter_gridgpu.queues import cric

DUMP = Path(__file__).parents[2] / "data/cric-queues.json"


def test_gpu_queues_of_a_dump() -> None:
    found, problems = cric.load(DUMP)
    assert problems == ["Entry 5 (BROKEN) is left out: it has no usable nickname."]
    north, south, east = found
    assert north == Queue(
        name="ANALY_NORTH_GPU",
        backend="panda",
        title="NORTH-HEP",
        gpus=(GpuKind("nvidia", "A100", None, "12.2"),),
        limits=QueueLimits(172800, 64000, 8),
        runtimes=("apptainer",),
        images=("any",),
        gpu_only=True,
        state="online",
        queue="ANALY_NORTH_GPU",
    )
    assert (south.state, south.title, south.images, south.gpu_only) == (
        "offline",
        "SOUTH-T2 (test)",
        ("/cvmfs",),
        False,
    )
    assert [kind.model for kind in south.gpus or ()] == ["V100", "P100"]
    assert south.limits == QueueLimits(86400, None, 1)
    assert east.gpus == (GpuKind(),), "it has GPUs, of which nothing is said"
    assert (east.runtimes, east.images) == (None, None)


def test_all_queues_of_a_dump() -> None:
    assert [queue.name for queue in cric.load(DUMP, everything=True)[0]][-1] == "EAST_MCORE"


def test_a_list_of_queues_and_values_of_the_wrong_kind(tmp_path: Path) -> None:
    body = [
        {
            "nickname": "Q",
            "catchall": ["gpu"],
            "maxtime": "3600",
            "maxrss": True,
            "architectures": 3,
            "tags": "x",
        },
        7,
    ]
    (tmp_path / "dump.json").write_text(json.dumps(body))
    [queue], problems = cric.load(tmp_path / "dump.json")
    assert queue.limits == QueueLimits(3600)
    assert problems == ["Entry 2 is left out: it has no usable nickname."]


@pytest.mark.parametrize("text", ["", "nonsense", "3", "{}", "[]", "[" * 100_000])
def test_a_file_that_is_no_dump_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "dump.json").write_text(text)
    with pytest.raises(UsageError):
        cric.load(tmp_path / "dump.json")
    with pytest.raises(UsageError, match="cannot be read"):
        cric.load(tmp_path)
