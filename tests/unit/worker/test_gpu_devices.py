"""Which GPUs a job has by CUDA_VISIBLE_DEVICES, with a fake of NVIDIA's library."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.backends.local.devices import counting_order, visible_gpus
from jupyter_gridgpu.model.queue import GpuKind
from jupyter_gridgpu.queues import this_machine
from jupyter_gridgpu.worker.gpu_devices import named_devices
from jupyter_gridgpu.worker.gpu_usage import GpuUsage
from jupyter_gridgpu.worker.provenance import gpus
from tests.fake_nvml import GPU_IS_LOST, NO_PERMISSION, FakeNvml, Gpu, Part

A, B, C = "GPU-8932f937-a1b2", "GPU-8932aaaa-a1b2", "GPU-77770000-a1b2"
M1, M2 = "MIG-11110000-a1b2", "MIG-11112222-a1b2"
ALIKE = [Gpu(A, use=10, used_mb=1), Gpu(B, use=30, used_mb=20), Gpu(C, use=90, used_mb=300)]
MIXED = [*ALIKE[:2], Gpu(C, "Tesla T4", 90, 300)]
DIVIDED = [
    Gpu(A, use=10, used_mb=1, parts=[Part(M1, 1, 0, 7), None, Part(M2, 12, 0, 9)]),
    Gpu(B, use=30, used_mb=20),
    Gpu(C, use=90, used_mb=300, parts=[Part("MIG-99990000", 1, 0, 11)]),
]
CLOSED = [Gpu(A, error=NO_PERMISSION), *ALIKE[1:]]
LOST = [Gpu(A, error=GPU_IS_LOST), *ALIKE[1:]]
NONE: dict[str, float] = {}


def told(use: float | None, memory_mb: float) -> dict[str, float]:
    found = {"gpu_memory_mb": memory_mb}
    return found if use is None else {**found, "gpu": use}


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("", []),
        (",", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("10000", []),
        ("none", []),
        ("void", []),
        ("0", ["0"]),
        (" 1 , 0", ["1", "0"]),
        ("0,-1,1", ["0"]),
        ("0,NoDevFiles,1", ["0"]),
        ("GPU-8932f937,GPU-77", ["GPU-8932f937", "GPU-77"]),
        (f"{M1}", [M1]),
        (f"MIG-{A}/1/0", [f"MIG-{A}/1/0"]),
        ("0:1", []),
        ("٣", []),
        ("GPU-x;rm", []),
    ],
)
def test_names_end_with_the_first_that_is_no_gpu(given: str, names: list[str]) -> None:
    assert named_devices(given) == names


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that puts GPUs into the fake, sets variables, and returns the fake."""

    def put(present: list[Gpu], given: str | None, order: str | None = None) -> FakeNvml:
        made = FakeNvml(present)
        monkeypatch.setitem(sys.modules, "pynvml", made)
        for name, value in {"CUDA_VISIBLE_DEVICES": given, "CUDA_DEVICE_ORDER": order}.items():
            monkeypatch.delenv(name, raising=False)
            if value is not None:
                monkeypatch.setenv(name, value)
        return made

    return put


@pytest.mark.parametrize(
    ("present", "given", "sample"),
    [
        (ALIKE, None, NONE),
        (ALIKE, "", NONE),
        (ALIKE, "-1", NONE),
        (ALIKE, "NoDevFiles", NONE),
        (ALIKE, "10000", NONE),
        (ALIKE, "1", told(30, 20)),
        (ALIKE, "0,2", told(50, 301)),
        (ALIKE, "0,-1,2", told(10, 1)),
        (ALIKE, "3", NONE),
        (ALIKE, A, told(10, 1)),
        (ALIKE, "GPU-8932f937", told(10, 1)),
        (ALIKE, "GPU-8932f937,GPU-7", told(50, 301)),
        (ALIKE, "GPU-8932", NONE),  # two begin with it
        (ALIKE, "GPU-0000", NONE),
        (ALIKE, "GPU-77,GPU-0000,GPU-8932f", told(90, 300)),
        (ALIKE, "0,GPU-8932f", told(10, 1)),  # one GPU by two names
        (ALIKE, M1, NONE),
        # CUDA counts the fastest first, which is not the driver's order where GPUs differ.
        (MIXED, "0", NONE),
        (MIXED, "GPU-77", told(90, 300)),
        # A part tells its memory and not its use. Of several, CUDA sees the first.
        (DIVIDED, M1, told(None, 7)),
        (DIVIDED, "MIG-11112", told(None, 9)),
        (DIVIDED, "MIG-1111", NONE),
        (DIVIDED, f"{M2},{M1}", told(None, 9)),
        (DIVIDED, f"MIG-{A}/1/0", told(None, 7)),
        (DIVIDED, "MIG-GPU-8932f/12/0", told(None, 9)),
        (DIVIDED, f"MIG-{A}/2/0", NONE),
        (DIVIDED, f"MIG-{A}/1", NONE),
        # Which part is the job's is not known, unless there is only one.
        (DIVIDED, "0", NONE),
        (DIVIDED, A, NONE),
        (DIVIDED, C, told(None, 11)),
        (DIVIDED, "1", told(30, 20)),
        # CUDA does not count what the job may not open, and counts what is ill.
        (CLOSED, "0", told(30, 20)),
        (CLOSED, "2", NONE),
        (LOST, "0", NONE),
        (LOST, B, told(30, 20)),
    ],
)
def test_usage_is_that_of_the_jobs_own_gpus(
    use: Any, present: list[Gpu], given: str | None, sample: dict[str, float]
) -> None:
    fake = use(present, given)
    meter = GpuUsage()
    assert meter.sample() == meter.sample() == sample
    assert bool(fake.asked) is bool(sample)


def test_numbers_are_trusted_where_cuda_counts_like_the_driver(use: Any) -> None:
    use(MIXED, "2", "PCI_BUS_ID")
    assert GpuUsage().sample() == told(90, 300)
    use(MIXED, "2", "FASTEST_FIRST")
    assert GpuUsage().sample() == NONE


def smi(folder: Path, monkeypatch: pytest.MonkeyPatch, answers: str) -> None:
    """Put a made-up nvidia-smi on the PATH, in place of the library."""
    monkeypatch.setitem(sys.modules, "pynvml", None)
    folder.mkdir()
    (folder / "nvidia-smi").write_text(f'#!/bin/sh\ncase "$*" in\n{answers}\nesac\n')
    (folder / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.mark.parametrize(
    ("given", "sample"),
    [
        ("GPU-77", told(90, 300)),
        ("1", told(30, 20)),
        ("GPU-8932", NONE),
        ("0", NONE),  # divided
        (M1, NONE),
        ("-1", NONE),
    ],
)
def test_usage_by_nvidia_smi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, sample: dict[str, float]
) -> None:
    smi(
        tmp_path / "bin",
        monkeypatch,
        f"*utilization*) printf '{A}, Enabled, [N/A], 1, A100\\n{B}, Disabled, 30, 20, A100\\n"
        f"{C}, [N/A], 90, 300, A100\\n' ;;",
    )
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert GpuUsage().sample() == sample


A100, T4 = "A100-SXM4-40GB", "T4"


@pytest.mark.parametrize(
    ("present", "given", "names", "models"),
    [
        (ALIKE, None, ["0", "1", "2"], [A100] * 3),
        (MIXED, None, ["0", "1", "2"], [A100, A100, T4]),
        (MIXED, "GPU-77,GPU-8932f", ["GPU-77", "GPU-8932f"], [T4, A100]),
        (MIXED, "2", ["2"], [T4]),
        (MIXED, "GPU-8932", ["GPU-8932"], [None]),
        (MIXED, "NoDevFiles", [], []),
        (DIVIDED, M2, [M2], ["A100-SXM4-40GB MIG 1g.5gb"]),
        (DIVIDED, f"MIG-{C}/1/0", [f"MIG-{C}/1/0"], ["A100-SXM4-40GB MIG 1g.5gb"]),
        (
            DIVIDED,
            None,
            [M1, M2, "1", "MIG-99990000"],
            ["A100-SXM4-40GB MIG 1g.5gb"] * 2 + [A100, "A100-SXM4-40GB MIG 1g.5gb"],
        ),
        (CLOSED, None, ["0", "1"], [A100] * 2),
    ],
)
def test_the_gpus_of_this_machine_and_their_kinds_go_together(
    use: Any, present: list[Gpu], given: str | None, names: list[str], models: list[str | None]
) -> None:
    use(present, given)
    assert visible_gpus() == names
    assert [kind.model for kind in this_machine.single_gpus()] == models


def test_parts_are_found_by_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi(
        tmp_path / "bin",
        monkeypatch,
        f"*query*) printf 'A100, 40960, {A}, Enabled\\nA100, 40960, {B}, Disabled\\n' ;;\n"
        f"-L) printf 'GPU 0: A100 (UUID: {A})\\n  MIG 1g.5gb     Device  0: (UUID: {M1})\\n"
        f"  MIG 2g.10gb     Device  1: (UUID: {M2})\\nGPU 1: A100 (UUID: {B})\\n' ;;\n"
        "*) echo 'CUDA Version: 12.4' ;;",
    )
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert visible_gpus() == [M1, M2, "1"]
    kinds = this_machine.single_gpus()
    assert [kind.model for kind in kinds] == ["A100 MIG 1g.5gb", "A100 MIG 2g.10gb", "A100"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", M2)
    assert this_machine.single_gpus() == [GpuKind("nvidia", "A100 MIG 2g.10gb", None, "12.4")]


def test_cuda_counts_as_the_jobs_gpus_were_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    assert counting_order() == {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    assert counting_order() == {}


@pytest.mark.parametrize(
    ("given", "models"),
    [
        (None, ["A100", "A100", "T4"]),
        ("", []),
        ("NoDevFiles", []),
        ("GPU-77", ["T4"]),
        (f"{C},GPU-8932f", ["T4", "A100"]),
        (f"MIG-{A}/1/0", ["A100"]),
        (M1, ["A100", "A100", "T4"]),  # whose part it is, the driver's files do not tell
        ("0", ["A100", "A100", "T4"]),
        ("GPU-8932", ["A100", "A100", "T4"]),
    ],
)
def test_provenance_has_the_models_of_the_jobs_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None, models: list[str]
) -> None:
    for number, (uuid, model) in enumerate(((A, "A100"), (B, "A100"), (C, "T4"))):
        folder = tmp_path / "driver/nvidia/gpus" / f"0000:0{number}:00.0"
        folder.mkdir(parents=True)
        text = f"Model: \t\t {model}\nIRQ:   10\nGPU UUID: \t {uuid}\nVideo BIOS: x\n"
        (folder / "information").write_text(text)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if given is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert gpus(tmp_path) == models
