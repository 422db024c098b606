"""Queues made of what batch systems answer, of odd answers, and of none."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.queue import GpuKind, Queue, QueueLimits
from jupyter_gridgpu.queues import declarations, discovery, htcondor, slurm, this_machine

DATA = Path(__file__).parents[2] / "data"


def test_partitions_of_a_real_slurm() -> None:
    found = {queue.name: queue for queue in slurm.parse((DATA / "sinfo-22.05.txt").read_text())}
    assert list(found) == ["gpu", "short", "closed", "down"]
    kinds = (
        GpuKind("nvidia", "A100", None, None, 2, 2, 0),
        GpuKind("nvidia", "V100", None, None, 2, 2, 2),
    )
    assert found["gpu"] == Queue(
        "gpu",
        "slurm",
        "Slurm partition",
        kinds,
        QueueLimits(7 * 86400, 8000, 8, 2),
        state="online",
        queue="gpu",
        source="Slurm",
        default=True,
    )
    assert found["short"].limits.walltime_s == 600
    assert found["closed"].limits.walltime_s is None
    assert found["down"].state == "offline"


def test_unusual_lines_of_sinfo() -> None:
    text = """\
        big|up|1-12:00:00|64+|512000+|gpu:a100_3g.20gb:4(S:0-1),gpu:a100_3g.20gb:4(S:2-3)|gpu:a100_3g.20gb:3(IDX:0-2)|mix|10|
        big|up|1-12:00:00|64|512000|gpu:a100_3g.20gb:8|gpu:a100_3g.20gb:0|drain*|2|
        plain|up|30:00|8|16000|gpu:4(S:0)|gpu:1(IDX:0)|mix-|3|
        cpu|up|infinite|128|256000|(null)|gpu:0|idle|100|
        shards|up|infinite|8|8000|shard:8,gpu:t4:1|gpu:t4:1(IDX:0),shard:0|alloc|1|
        not a line
        x;rm|up|infinite|8|8000|gpu:t4:1|gpu:t4:0|idle|1|
    """
    found = {queue.name: queue for queue in slurm.parse(text)}
    assert list(found) == ["big", "plain", "shards"]
    assert found["big"].gpus == (GpuKind(None, "a100_3g.20gb", 20480, None, 8, 96, 50),) or found[
        "big"
    ].gpus == (GpuKind("nvidia", "a100_3g.20gb", 20480, None, 8, 96, 50),)
    assert found["big"].limits == QueueLimits(129600, 512000, 64, 8)
    assert found["plain"].gpus == (GpuKind(None, None, None, None, 4, 12, 9),)
    assert found["shards"].gpus == (GpuKind("nvidia", "T4", 16384, None, 1, 1, 0),)


def command(folder: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_a_slurm_that_fails_or_says_nothing_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
    command(
        tmp_path / "bin",
        "sinfo",
        "echo 'slurm_load_partitions: Unable to contact slurm controller' >&2; exit 1",
        monkeypatch,
    )
    with pytest.raises(
        BackendError,
        match=r"which partitions it has: slurm_load_partitions: Unable to contact slurm"
        r" controller\.$",
    ):
        slurm.discover(5)
    command(tmp_path / "bin", "sinfo", "exec sleep 60", monkeypatch)
    with pytest.raises(BackendError, match="did not say within"):
        slurm.discover(0.2)
    (tmp_path / "bin/sinfo").unlink()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert slurm.discover(5) == []


def ad(**more: Any) -> dict[str, Any]:
    base = {
        "SlotType": "Partitionable",
        "State": "Unclaimed",
        "TotalSlotGPUs": 2,
        "GPUs": 1,
        "TotalSlotMemory": 8000,
    }
    return {**base, "TotalSlotCpus": 16, **more}


DEVICE = {
    "DeviceName": "NVIDIA A100-SXM4-40GB",
    "GlobalMemoryMb": 40536,
    "MaxSupportedVersion": 12040,
    "Capability": 8.0,
}


def test_a_pool_is_one_queue_with_its_kinds_of_gpus() -> None:
    nested = ad(GPUs_GPU_aaaa=DEVICE, GPUs_GPU_bbbb=DEVICE, HasSingularity=True)
    shared = ad(
        GPUs_CUDA0={"Id": "CUDA0"},
        GPUs_CUDA1={"Id": "CUDA1"},
        **{f"GPUs_{name}": value for name, value in DEVICE.items()},
    )
    flat = ad(
        GPUs_DeviceName="Tesla T4",
        GPUs_GlobalMemoryMb=15109,
        GPUs_DriverVersion=11.4,
        TotalSlotCpus=4,
    )
    old = ad(
        SlotType="Static",
        State="Claimed",
        TotalSlotGPUs=1,
        GPUs=1,
        CUDADeviceName="Tesla V100-SXM2-16GB",
    )
    [pool] = htcondor.parse([nested, shared, flat, old], "cm.lab.example:9618,other")
    assert (pool.name, pool.backend, pool.title, pool.queue) == (
        "htcondor",
        "htcondor",
        "HTCondor pool cm.lab.example",
        None,
    )
    assert pool.gpus == (
        GpuKind("nvidia", "A100-SXM4-40GB", 40536, "12.4", 2, 4, 2),
        GpuKind("nvidia", "T4", 15109, "11.4", 2, 2, 1),
        GpuKind("nvidia", "V100-SXM2-16GB", 16384, None, 1, 1, 0),
    )
    assert pool.limits == QueueLimits(None, 8000, 16, 2)
    assert pool.runtimes == ("apptainer",)


def test_slots_that_say_nothing_or_nonsense() -> None:
    [pool] = htcondor.parse(
        [ad(), ad(GPUs_DeviceName=3, TotalSlotGPUs=True, GPUs="all"), ad(State="Drained")]
    )
    assert pool.gpus == (GpuKind(None, None, None, None, 2, 4, 1),)
    assert htcondor.parse([]) == []
    mixed = ad(GPUs_GPU_a=DEVICE, GPUs_GPU_b={"DeviceName": "Tesla T4"})
    [pool] = htcondor.parse([mixed])
    assert [kind.free for kind in pool.gpus or ()] == [None, None], (
        "HTCondor does not say which of them is free"
    )


def test_this_machine_by_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = (
        'case "$1" in --query*)'
        ' printf "Tesla T4, 15360\\nTesla T4, 15360\\nNVIDIA A100-SXM4-40GB, 40960\\n";;'
        ' *) echo "| Driver Version: 550.1  CUDA Version: 12.4 |";; esac'
    )
    command(tmp_path / "bin", "nvidia-smi", answer, monkeypatch)
    [queue] = this_machine.discover()
    assert (queue.backend, queue.state, queue.images) == ("local", "online", ("any",))
    assert queue.gpus == (
        GpuKind("nvidia", "T4", 15360, "12.4", 2, 2, None),
        GpuKind("nvidia", "A100-SXM4-40GB", 40960, "12.4", 1, 1, None),
    )
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
    assert [kind.model for kind in this_machine.discover()[0].gpus or ()] == ["A100-SXM4-40GB"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert this_machine.discover()[0].gpus == ()


def live(name: str, *kinds: GpuKind, **more: Any) -> Queue:
    return Queue(
        name,
        "slurm",
        "Slurm partition",
        kinds,
        QueueLimits(3600, 8000, 8, 2),
        state="online",
        queue=name,
        **more,
    )


def test_a_declaration_is_completed_by_the_batch_system() -> None:
    a100, v100 = (
        GpuKind("nvidia", "A100", None, None, 2, 8, 3),
        GpuKind("nvidia", "V100", None, None, 2, 8, 8),
    )
    mine = Queue(
        "best",
        "slurm",
        "mine",
        (GpuKind(model="A100-SXM4-80GB", vram_mb=81920),),
        QueueLimits(600),
        queue="gpu",
        rank=3,
    )
    whole, other = discovery.merged([mine], [live("gpu", a100, v100), live("other", v100)])
    assert whole.gpus == (GpuKind("nvidia", "A100-SXM4-80GB", 81920, None, 2, 8, 3),)
    assert (whole.limits, whole.state, whole.rank, whole.title) == (
        QueueLimits(600, 8000, 8, 2),
        "online",
        3,
        "mine",
    )
    assert other.name == "other"


def test_a_constraint_leaves_the_batch_systems_numbers_out() -> None:
    mine = Queue("part", "slurm", gpus=(GpuKind(model="A100"),), queue="gpu", constraint="a100")
    found = discovery.merged([mine], [live("gpu", GpuKind("nvidia", "A100", None, None, 2, 8, 3))])
    assert found[0] == mine
    assert [queue.name for queue in found] == ["part", "gpu"]


def test_a_silent_htcondor_collector_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = tmp_path / "condor_config"
        config.write_text(f"COLLECTOR_HOST = 127.0.0.1:{silent.getsockname()[1]}\n")
        monkeypatch.setenv("CONDOR_CONFIG", str(config))
        with pytest.raises(BackendError, match="HTCondor did not answer within 1 s"):
            htcondor.discover(1.0)


@pytest.fixture
def no_batch_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Leave no batch system but this machine, no declaration and no earlier answer."""
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setattr(slurm, "discover", lambda timeout_s: [])
    monkeypatch.setattr(htcondor, "discover", lambda timeout_s: [])
    monkeypatch.setattr(discovery, "_last", None)
    return monkeypatch


def test_batch_systems_that_fail_or_hang_hide_no_others(
    no_batch_systems: pytest.MonkeyPatch,
) -> None:
    def broken(timeout_s: float) -> list[Queue]:
        raise BackendError("Slurm has a bad day.")

    ended = threading.Event()
    no_batch_systems.setattr(slurm, "discover", broken)
    no_batch_systems.setattr(htcondor, "discover", lambda timeout_s: ended.wait(60) and [])
    found = discovery.find_queues(timeout_s=0.5)
    ended.set()
    assert [queue.name for queue in found.queues] == ["here"]
    assert found.problems == (
        "Slurm has a bad day.",
        "HTCondor did not answer within 0 s: its queues are not shown.",
    )


def test_the_answer_is_kept_for_a_while(no_batch_systems: pytest.MonkeyPatch) -> None:
    asked = []
    no_batch_systems.setattr(slurm, "discover", lambda timeout_s: asked.append(1) or [])  # type: ignore[func-returns-value]
    first = discovery.find_queues(60)
    assert discovery.find_queues(60) is first
    assert len(asked) == 1
    discovery.find_queues()
    assert len(asked) == 2


def test_a_declared_queue_is_found(no_batch_systems: pytest.MonkeyPatch) -> None:
    folder = declarations.folders()[0]
    folder.mkdir(parents=True)
    (folder / "a.yaml").write_text(
        "queues:\n- {name: far, backend: panda, gpus: [{model: A100}]}\n- {name: bad}\n"
    )
    found = discovery.find_queues()
    assert [queue.name for queue in found.queues] == ["far", "here"]
    assert "line 3: the queue has no backend" in found.problems[0]
