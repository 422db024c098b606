"""Requests for GPUs, as users type them and as PanDA reads them; what a GPU's name tells."""

from __future__ import annotations

import pytest

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.resources import Resources
from jupyter_gridgpu.queues import gpus
from jupyter_gridgpu.queues.gpu_request import architecture, parse


def test_a_request_is_read_as_it_is_typed() -> None:
    assert parse("vram>=40GB") == Resources(gpus=1, vram_mb=40960)
    assert parse("model=A100, cuda>=12") == Resources(gpus=1, gpu_model="A100", cuda="12.0")
    assert parse(" RTX 3090 ,gpus = 2") == Resources(gpus=2, gpu_model="RTX 3090")
    assert parse("") == Resources(gpus=1)


@pytest.mark.parametrize(
    "text", ["vram<40GB", "memory>=3", "cuda>=new", "vram>=much", "gpus=0", "=", "x" * 300]
)
def test_a_request_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)


def test_panda_reads_the_request_as_an_architecture() -> None:
    assert architecture(Resources()) == ""
    assert architecture(Resources(gpus=1)) == "#&nvidia"
    whole = Resources(gpus=1, gpu_model="A100", vram_mb=40960, cuda="12.0")
    assert architecture(whole) == "#&nvidia:model=.*A100.*:vram>=40960:cuda>=12.0"
    assert architecture(Resources(gpus=1, gpu_model="RTX:30&90")) == "#&nvidia:model=.*RTX.30.90.*"
    assert architecture(Resources(gpus=1, gpu_model="MI250")) == "#&amd:model=.*MI250.*"


@pytest.mark.parametrize(
    ("part", "model", "fits"),
    [
        ("A100", "NVIDIA A100-SXM4-80GB", True),
        ("a100", "A100", True),
        ("A10", "A100", False),
        ("V100", "Tesla V100S", True),
        ("RTX 3090", "NVIDIA GeForce RTX 3090", True),
        ("rtx3090", "RTX 3090", True),
        ("3090", "RTX3090", True),
        ("L4", "L40", False),
        ("T4", "RTX A4000", False),
        ("80GB", "A100-80GB", True),
    ],
)
def test_a_part_of_a_models_name_is_enough(part: str, model: str, fits: bool) -> None:
    assert gpus.name_has(model, part) is fits


@pytest.mark.parametrize(
    ("model", "sizes"),
    [
        ("a100", (40, 80)),
        ("NVIDIA A100-SXM4-80GB", (80, 80)),
        ("a100_3g.20gb", (20, 20)),
        ("Tesla V100-PCIE-32GB", (32, 32)),
        ("l40s", (48, 48)),
        ("T4", (16, 16)),
        ("GeForce GTX 1080 Ti", (11, 11)),
        ("nonsense", None),
        ("A1000", None),
    ],
)
def test_some_names_tell_the_memory(model: str, sizes: tuple[int, int] | None) -> None:
    assert gpus.memory_range(model) == (sizes and (sizes[0] * 1024, sizes[1] * 1024))


def test_names_are_shortened() -> None:
    assert gpus.short_name("NVIDIA GeForce RTX 3090") == "RTX 3090"
    assert gpus.short_name("Tesla V100-PCIE-32GB") == "V100-PCIE-32GB"
    assert gpus.short_name("a100") == "A100"
    assert gpus.short_name("NVIDIA") == "NVIDIA"
