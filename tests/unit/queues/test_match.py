"""Which queues a job fits, and the clause that says why it does not."""

from __future__ import annotations

import pytest

from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.queue import GpuKind, Queue, QueueLimits
from jupyter_gridgpu.model.resources import Container, Resources
from jupyter_gridgpu.queues.match import choice_text, fitting_queues, match, rank

T4 = GpuKind("nvidia", "T4", 15109, "11.4", count=1, total=2, free=1)
A100 = GpuKind("nvidia", "A100-SXM4-40GB", 40536, "12.4", count=4, total=16, free=3)


def queue(
    name: str, *gpus: GpuKind, backend: str = "slurm", state: str = "online", **more: object
) -> Queue:
    return Queue(name, backend, gpus=gpus, state=state, **more)  # type: ignore[arg-type]


def asked(**more: object) -> Resources:
    return Resources(**{"gpus": 1, **more})  # type: ignore[arg-type]


REFUSED = [
    (queue("q"), asked(), "has no GPU"),
    (queue("q", T4, state="offline"), asked(), "is offline"),
    (queue("q", T4), asked(vram_mb=40960), "has 15 GB of GPU memory, 40 GB asked"),
    (queue("q", T4), asked(gpu_model="A100"), "has T4, A100 asked"),
    (queue("q", A100), asked(gpu_model="A10"), "has A100-SXM4-40GB, A10 asked"),
    (queue("q", T4), asked(cuda="12.0"), "its driver knows CUDA 11.4, 12.0 asked"),
    (
        queue("q", GpuKind("amd", "MI250")),
        asked(cuda="12.0"),
        "has GPUs of amd, which know no CUDA",
    ),
    (queue("q", T4), asked(gpus=2), "has 1 GPU on a node, 2 asked"),
    (queue("q", A100, limits=QueueLimits(gpus=2)), asked(gpus=3), "gives a job 2 GPUs, 3 asked"),
    (
        queue("q", T4, limits=QueueLimits(walltime_s=600)),
        asked(walltime_s=7200),
        "ends jobs after 10 min, 2 h 00 min asked",
    ),
    (
        queue("q", T4, limits=QueueLimits(memory_mb=8192)),
        asked(memory_mb=16384),
        "gives a job 8 GB of memory, 16 GB asked",
    ),
    (queue("q", T4, limits=QueueLimits(cpus=4)), asked(cpus=8), "gives a job 4 cores, 8 asked"),
    (queue("q", T4, gpu_only=True), Resources(), "takes only jobs that ask for a GPU"),
]


@pytest.mark.parametrize(("there", "wanted", "why"), REFUSED)
def test_a_queue_that_does_not_fit_says_why_in_one_clause(
    there: Queue, wanted: Resources, why: str
) -> None:
    found = match(there, wanted, Container())
    assert (found.fits, found.why) == (False, why)


IMAGES = [
    (("apptainer",), ("any",), "docker://x", "auto", True, ""),
    (("singularity",), None, "/data/x.sif", "apptainer", True, ""),
    (("podman",), None, "/data/x.sif", "apptainer", False, "runs no apptainer"),
    ((), None, "/data/x.sif", "auto", False, "runs no containers"),
    (None, ("/cvmfs",), "docker://x", "auto", False, "takes images from /cvmfs only"),
    (None, ("/cvmfs",), "/cvmfs/unpacked/x", "auto", True, ""),
    (None, ("docker://lab/*",), "docker://lab/ml:1", "auto", True, ""),
    (None, ("/images",), "/images/x.sif", "auto", True, ""),
]


@pytest.mark.parametrize(("runtimes", "places", "image", "runtime", "fits", "why"), IMAGES)
def test_images_have_to_be_of_a_kind_that_the_queue_runs(
    runtimes: tuple[str, ...] | None,
    places: tuple[str, ...] | None,
    image: str,
    runtime: str,
    fits: bool,
    why: str,
) -> None:
    found = match(
        queue("q", A100, runtimes=runtimes, images=places),
        asked(),
        Container(image, runtime=runtime),
    )
    assert (found.fits, found.why) == (fits, why)


UNKNOWN = [
    (Queue("q", "panda", gpus=None), asked(), "its GPUs are not known"),
    (queue("q", GpuKind()), asked(vram_mb=1024), "the memory of its GPUs is not known"),
    (
        queue("q", GpuKind(model="A100")),
        asked(vram_mb=81920),
        "its GPUs have 40 GB or 80 GB, which is not known",
    ),
    (queue("q", GpuKind()), asked(gpu_model="A100"), "the model of its GPUs is not known"),
    (queue("q", GpuKind("nvidia")), asked(cuda="12.0"), "its CUDA version is not known"),
]


@pytest.mark.parametrize(("there", "wanted", "why"), UNKNOWN)
def test_a_queue_may_fit_where_not_all_is_known(there: Queue, wanted: Resources, why: str) -> None:
    found = match(there, wanted, Container())
    assert (found.fits, found.why) == (None, why)


def test_a_gpu_counts_as_what_it_is_sold_as() -> None:
    """Drivers show a little less memory than is written on the box."""
    assert match(queue("q", T4), asked(vram_mb=16 * 1024), Container()).fits
    assert match(queue("q", A100), asked(vram_mb=40 * 1024), Container()).fits
    assert match(queue("q", GpuKind(model="A100")), asked(vram_mb=40 * 1024), Container()).fits
    assert (
        match(queue("q", GpuKind(model="V100")), asked(vram_mb=40 * 1024), Container()).fits
        is False
    )


def test_one_kind_of_gpu_has_to_have_all_of_it() -> None:
    both = queue(
        "q", GpuKind("nvidia", "A100", 40960, "11.0"), GpuKind("nvidia", "T4", 15109, "12.4")
    )
    assert match(both, asked(vram_mb=40960, cuda="12.0"), Container()).fits is False
    assert match(both, asked(vram_mb=15000, cuda="12.0"), Container()).fits


def test_the_best_comes_first() -> None:
    queues = [
        queue("offline", A100, state="offline", rank=9),
        queue("unknown", GpuKind(), rank=9),
        queue("full", GpuKind("nvidia", "A100", 40960, total=8, free=0)),
        queue("some", A100),
        queue("many", GpuKind("nvidia", "A100", 40960, total=64, free=40)),
        queue("ranked", A100, rank=5),
        queue("here", T4, backend="local"),
    ]
    order = [found.queue.name for found in rank(queues, asked(vram_mb=40960))]
    assert order == ["ranked", "many", "some", "full", "unknown", "here", "offline"]
    assert rank(queues[3:5] + queues[6:], Resources())[0].queue.name == "here", (
        "a job without a GPU stays here"
    )
    assert [found.queue.name for found in fitting_queues(queues, asked(vram_mb=40960))] == order[:5]


def test_between_equals_the_default_and_the_longest_come_first() -> None:
    """Partitions often share their nodes, so nothing else tells them apart."""
    short, closed = queue("a", A100, limits=QueueLimits(600)), queue("b", A100)
    assert [
        found.queue.name for found in rank([short, closed, queue("z", A100, default=True)], asked())
    ] == ["z", "b", "a"]


NOTHING = [
    (
        [queue("a", T4), queue("b", A100)],
        asked(vram_mb=81920),
        "80 GB of GPU memory asked, the largest has 40 GB.",
    ),
    (
        [queue("a", T4), queue("b", A100)],
        asked(gpu_model="H100"),
        "H100 asked, there is A100-SXM4-40GB, T4.",
    ),
    (
        [queue("a", T4), queue("b", A100)],
        asked(cuda="13.0"),
        "CUDA 13.0 asked, the newest driver knows 12.4.",
    ),
    (
        [queue("here", backend="local")],
        asked(),
        "this machine has no GPU, and no other queue is known.",
    ),
    ([queue("here", backend="local"), queue("b")], asked(), "no queue that is known has a GPU."),
    (
        [queue("a", A100, state="offline"), queue("b", T4)],
        asked(gpus=4),
        "b has 1 GPU on a node, 4 asked; a is offline.",
    ),
    ([], asked(), "no queue is known."),
]


@pytest.mark.parametrize(("queues", "wanted", "why"), NOTHING)
def test_nothing_fits_is_one_sentence_with_what_there_is(
    queues: list[Queue], wanted: Resources, why: str
) -> None:
    with pytest.raises(BackendError) as refused:
        fitting_queues(queues, wanted)
    assert str(refused.value) == f"No queue fits: {why}"


def test_the_choice_says_why() -> None:
    assert (
        choice_text(fitting_queues([queue("a", A100)], asked())[0])
        == "Chosen: a (slurm), since it fits, 3 of 16 GPUs are free."
    )
    [maybe] = fitting_queues(
        [queue("a", GpuKind(), state="unknown", rank=2)], asked(gpu_model="A100")
    )
    assert choice_text(maybe) == (
        "Chosen: a (slurm), since it may fit, rank 2, the model of its GPUs is not known;"
        " its state is not known."
    )
