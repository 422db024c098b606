"""What speaks against sending a job to a queue, as clauses such as `has T4, A100 asked`.

Each function `_against_...` checks one thing, and yields nothing if that is no problem.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from jupyter_gridgpu.model.queue import OFFLINE, GpuKind, Queue, enough_mb, memory_text
from jupyter_gridgpu.model.resources import Container, Resources
from jupyter_gridgpu.model.units import duration_text
from jupyter_gridgpu.queues import gpus


@dataclass(frozen=True)
class Objection:
    """One thing that speaks against a queue, or might.

    `certain` is False if nobody knows whether the queue has what the job needs.
    """

    clause: str
    certain: bool = True


def objections_to(
    queue: Queue, wanted: Resources, container: Container
) -> tuple[list[Objection], GpuKind | None]:
    """Return all objections to a queue, and the kind of its GPUs that fits best.

    The kind is None if the job asks for no GPU, or the queue's GPUs are not known.
    """
    kind, objections_to_kind = _best_kind(queue, wanted)
    found = [
        *_against_state(queue),
        *_against_gpus(queue, wanted),
        *objections_to_kind,
        *_against_limits(queue, wanted),
        *_against_image(queue, container),
    ]
    return found, kind


def _against_state(queue: Queue) -> Iterator[Objection]:
    # A queue whose state is not known is tried: the batch system refuses the jobs if it must.
    if queue.state == OFFLINE:
        yield Objection("is offline")


def _against_gpus(queue: Queue, wanted: Resources) -> Iterator[Objection]:
    if not wanted.gpus:
        if queue.gpu_only:
            yield Objection("takes only jobs that ask for a GPU")
        return
    if queue.gpus is None:
        yield Objection("its GPUs are not known", certain=False)
    elif not queue.gpus:
        yield Objection("has no GPU")


# GPUs ---------------------------------------------------------------------------------


def _best_kind(queue: Queue, wanted: Resources) -> tuple[GpuKind | None, Sequence[Objection]]:
    """Return the kind of GPU with the fewest objections, and the objections to that kind."""
    if not wanted.gpus or not queue.gpus:
        return None, ()
    # GPUs of one kind must have everything that the job wants, so each kind is judged alone.
    judged = [(kind, list(against_gpu(kind, wanted))) for kind in queue.gpus]
    return min(judged, key=_weight)


def _weight(judged: tuple[GpuKind, list[Objection]]) -> tuple[int, int]:
    objections = judged[1]
    certain = [objection for objection in objections if objection.certain]
    return len(certain), len(objections)


def against_gpu(kind: GpuKind, wanted: Resources) -> Iterator[Objection]:
    """Yield what speaks against GPUs of a kind."""
    yield from _against_model(kind, wanted.gpu_model)
    yield from _against_memory(kind, wanted.vram_mb)
    yield from _against_cuda(kind, wanted.cuda)
    if kind.count is not None and kind.count < wanted.gpus:
        yield Objection(f"has {_gpu_count(kind.count)} on a node, {wanted.gpus} asked")


def _against_model(kind: GpuKind, wanted: str | None) -> Iterator[Objection]:
    if not wanted:
        return
    if kind.model is None:
        yield Objection("the model of its GPUs is not known", certain=False)
    elif kind.model and not gpus.name_has(kind.model, wanted):
        yield Objection(f"has {gpus.short_name(kind.model)}, {wanted} asked")


def _against_memory(kind: GpuKind, wanted_mb: int | None) -> Iterator[Objection]:
    if wanted_mb is None:
        return
    least, most = memory_range(kind)
    enough = enough_mb(wanted_mb)
    if most is not None and most < enough:
        yield Objection(f"has {memory_text(most)} of GPU memory, {memory_text(wanted_mb)} asked")
    elif least is None or most is None:
        yield Objection("the memory of its GPUs is not known", certain=False)
    # Slurm tells only the model, and an A100 is sold with 40 GB and with 80 GB.
    elif least < enough:
        yield Objection(
            f"its GPUs have {memory_text(least)} or {memory_text(most)}, which is not known",
            certain=False,
        )


def memory_range(kind: GpuKind) -> tuple[int | None, int | None]:
    """Return the least and the most MB that GPUs of a kind may have; None for what is not known."""
    if kind.vram_mb is not None:
        return kind.vram_mb, kind.vram_mb
    sizes = None
    if kind.model:
        sizes = gpus.memory_range(kind.model)
    return sizes or (None, None)


def _against_cuda(kind: GpuKind, wanted: str | None) -> Iterator[Objection]:
    wanted_version = gpus.version(wanted)
    if not wanted_version:
        return
    there = gpus.version(kind.cuda)
    # A vendor that is not known may be NVIDIA.
    if kind.vendor not in (None, "nvidia"):
        yield Objection(f"has GPUs of {kind.vendor}, which know no CUDA")
    elif there is None:
        yield Objection("its CUDA version is not known", certain=False)
    elif there < wanted_version:
        yield Objection(f"its driver knows CUDA {kind.cuda}, {wanted} asked")


def _gpu_count(count: int) -> str:
    if count == 1:
        return "1 GPU"
    return f"{count} GPUs"


# limits -------------------------------------------------------------------------------


def _against_limits(queue: Queue, wanted: Resources) -> Iterator[Objection]:
    limits = queue.limits
    yield from _above_limit(
        limits.gpus,
        wanted.gpus,
        lambda most, asked: f"gives a job {_gpu_count(most)}, {asked} asked",
    )
    yield from _above_limit(
        limits.walltime_s,
        wanted.walltime_s,
        lambda most, asked: f"ends jobs after {duration_text(most)}, {duration_text(asked)} asked",
    )
    yield from _above_limit(
        limits.memory_mb,
        wanted.memory_mb,
        lambda most, asked: (
            f"gives a job {memory_text(most)} of memory, {memory_text(asked)} asked"
        ),
    )
    yield from _above_limit(
        limits.cpus,
        wanted.cpus,
        lambda most, asked: f"gives a job {most} cores, {asked} asked",
    )


def _above_limit(
    most: int | None, asked: int | None, clause: Callable[[int, int], str]
) -> Iterator[Objection]:
    # A limit that is not known counts as no limit. If there is one, the batch system refuses the
    # job.
    if most is not None and asked is not None and asked > most:
        yield Objection(clause(most, asked))


# images -------------------------------------------------------------------------------


def _against_image(queue: Queue, container: Container) -> Iterator[Objection]:
    image = container.image
    if image is None:
        return
    if queue.runtimes is not None and not _runs(queue.runtimes, container.runtime):
        if queue.runtimes:
            yield Objection(f"runs no {container.runtime}")
        else:
            yield Objection("runs no containers")
    if queue.images is not None and not any(_is_from(image, place) for place in queue.images):
        if queue.images:
            yield Objection(f"takes images from {' or '.join(queue.images)} only")
        else:
            yield Objection("takes no images")


def _runs(runtimes: Sequence[str], wanted: str) -> bool:
    """Return whether a queue with these runtimes can do what `--runtime` says."""
    if wanted == "none":
        return True
    if wanted == "auto":
        return bool(runtimes)
    # Singularity is the old name of Apptainer, with the same command line.
    names = [name.replace("singularity", "apptainer") for name in runtimes]
    return wanted in names


def _is_from(image: str, place: str) -> bool:
    """Return whether an image is from a place: `any`, `cvmfs`, a folder, or a pattern."""
    if place.lower() == "any":
        return True
    if place.lower() in ("cvmfs", "/cvmfs"):
        return image.startswith("/cvmfs/")
    return fnmatch.fnmatchcase(image, place) or image.startswith(place.rstrip("/") + "/")
