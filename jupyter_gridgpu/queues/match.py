"""Which queues a job fits: for each the answer, and the reason why not, in one clause. Pure."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.queue import HERE, OFFLINE, ONLINE, GpuKind, Queue, enough_mb, gb
from jupyter_gridgpu.model.resources import Container, Resources
from jupyter_gridgpu.model.units import duration
from jupyter_gridgpu.queues import gpus

NAMED = 3  # queues or models that a sentence names


@dataclass(frozen=True)
class Match:
    """What a queue is to a job: `fits` None is 'as far as is known', and `why` what is not known, or what is in the way."""

    queue: Queue
    fits: bool | None
    why: str = ""
    kind: GpuKind | None = None  # of its GPUs, the one that fits best


@dataclass(frozen=True)
class _Said:
    """One thing that speaks against a queue, or that is not known of it."""

    clause: str
    known: bool = True


def rank(
    queues: Iterable[Queue], wanted: Resources, container: Container | None = None
) -> list[Match]:
    """Return all queues, the best first: those that fit, those that may, those that do not."""
    return sorted(
        (match(queue, wanted, container or Container()) for queue in queues),
        key=lambda one: _order(one, wanted),
    )


def match(queue: Queue, wanted: Resources, container: Container) -> Match:
    """Say whether a job fits a queue. One clause is enough for a refusal; what is not known is all said."""
    kind, of_kind = _nearest(queue, wanted)
    said = [
        *_state(queue),
        *_gpus(queue, wanted),
        *of_kind,
        *_limits(queue, wanted),
        *_image(queue, container),
    ]
    against = [one.clause for one in said if one.known]
    if against:
        return Match(queue, False, against[0], kind)
    unknown = [one.clause for one in said]
    return Match(queue, None if unknown else True, "; ".join(unknown), kind)


def fitting(
    queues: Sequence[Queue], wanted: Resources, container: Container | None = None
) -> list[Match]:
    """Return the queues that a job fits or may fit, the best first. Raises EngineError, with what is in the way, if none does."""
    matches = rank(queues, wanted, container)
    if not matches or matches[0].fits is False:
        raise BackendError(f"No queue fits: {nothing_fits(matches, wanted)}.")
    return [one for one in matches if one.fits is not False]


def _order(one: Match, wanted: Resources) -> tuple[object, ...]:
    """Known to fit, rank, free GPUs now, the engine's own default, long jobs; a job without a GPU stays here if it can."""
    queue, free = one.queue, one.queue.count("free")
    fits = 3 if queue.state == OFFLINE else {True: 0, None: 1, False: 2}[one.fits]
    enough = 1 if free is None else 0 if free >= max(wanted.gpus, 1) else 2
    away = queue.backend != HERE
    longest = -(queue.limits.walltime_s or 10**9)
    return (
        fits,
        -queue.rank,
        away and not wanted.gpus,
        enough,
        -(free or 0),
        not queue.default,
        away,
        longest,
        queue.backend,
        queue.name,
    )


# what speaks against a queue -----------------------------------------------------------


def _state(queue: Queue) -> Iterator[_Said]:
    if queue.state == OFFLINE:
        yield _Said("is offline")


def _gpus(queue: Queue, wanted: Resources) -> Iterator[_Said]:
    if not wanted.gpus:
        if queue.gpu_only:
            yield _Said("takes only jobs that ask for a GPU")
        return
    if not queue.has_gpus:
        yield _Said("has no GPU")
    elif queue.gpus is None:
        yield _Said("its GPUs are not known", known=False)


def _nearest(queue: Queue, wanted: Resources) -> tuple[GpuKind | None, list[_Said]]:
    """The kind of GPU with the least against it, and that."""
    found = [(kind, list(_kind(kind, wanted))) for kind in queue.gpus or ()] if wanted.gpus else []
    return min(
        found, key=lambda one: (sum(said.known for said in one[1]), len(one[1])), default=(None, [])
    )


def _kind(kind: GpuKind, wanted: Resources) -> Iterator[_Said]:
    """All of a request has to hold for GPUs of one kind."""
    yield from _model(kind, wanted.gpu_model)
    yield from _memory(kind, wanted.vram_mb)
    yield from _cuda(kind, wanted.cuda)
    if kind.count is not None and kind.count < wanted.gpus:
        yield _Said(f"has {_number(kind.count)} on a node, {wanted.gpus} asked")


def _model(kind: GpuKind, asked: str | None) -> Iterator[_Said]:
    if asked and kind.model is None:
        yield _Said("the model of its GPUs is not known", known=False)
    elif asked and kind.model and not gpus.names(asked, kind.model):
        yield _Said(f"has {gpus.shown(kind.model)}, {asked} asked")


def _memory(kind: GpuKind, asked: int | None) -> Iterator[_Said]:
    if asked is None:
        return
    low, high = _memory_of(kind)
    if high is not None and high < enough_mb(asked):
        yield _Said(f"has {gb(high)} of GPU memory, {gb(asked)} asked")
    elif low is None:
        yield _Said("the memory of its GPUs is not known", known=False)
    elif low < enough_mb(asked) and high is not None:
        yield _Said(f"its GPUs have {gb(low)} or {gb(high)}, which is not known", known=False)


def _memory_of(kind: GpuKind) -> tuple[int | None, int | None]:
    if kind.vram_mb is not None:
        return kind.vram_mb, kind.vram_mb
    return (gpus.memory_range(kind.model) if kind.model else None) or (None, None)


def _cuda(kind: GpuKind, asked: str | None) -> Iterator[_Said]:
    wanted, there = gpus.version(asked), gpus.version(kind.cuda)
    if wanted and kind.vendor not in (None, "nvidia"):
        yield _Said(f"has GPUs of {kind.vendor}, which know no CUDA")
    elif wanted and there is None:
        yield _Said("its CUDA version is not known", known=False)
    elif wanted and there and there < wanted:
        yield _Said(f"its driver knows CUDA {kind.cuda}, {asked} asked")


def _limits(queue: Queue, wanted: Resources) -> Iterator[_Said]:
    limits = queue.limits
    yield from _limit(
        limits.gpus,
        wanted.gpus or None,
        lambda most: f"gives a job {_number(most)}, {wanted.gpus} asked",
    )
    yield from _limit(
        limits.walltime_s,
        wanted.walltime_s,
        lambda most: f"ends jobs after {duration(most)}, {_asked(wanted)}",
    )
    yield from _limit(
        limits.memory_mb,
        wanted.memory_mb,
        lambda most: f"gives a job {gb(most)} of memory, {gb(wanted.memory_mb or 0)} asked",
    )
    yield from _limit(
        limits.cpus, wanted.cpus, lambda most: f"gives a job {most} cores, {wanted.cpus} asked"
    )


def _limit(most: int | None, asked: int | None, words: Callable[[int], str]) -> Iterator[_Said]:
    """A limit that is not known is none: engines that have one refuse the job."""
    if most is not None and asked is not None and asked > most:
        yield _Said(words(most))


def _asked(wanted: Resources) -> str:
    return f"{duration(wanted.walltime_s or 0)} asked"


def _number(count: int) -> str:
    return f"{count} GPU" if count == 1 else f"{count} GPUs"


def _image(queue: Queue, container: Container) -> Iterator[_Said]:
    image = container.image
    if image is None:
        return
    if queue.runtimes is not None and not _runs(queue.runtimes, container.runtime):
        yield _Said(f"runs no {container.runtime}" if queue.runtimes else "runs no containers")
    if queue.images is not None and not any(_from(image, place) for place in queue.images):
        yield _Said(
            f"takes images from {' or '.join(queue.images)} only"
            if queue.images
            else "takes no images"
        )


def _runs(runtimes: tuple[str, ...], asked: str) -> bool:
    known = {"apptainer" if one == "singularity" else one for one in runtimes}
    return asked in known if asked not in ("auto", "none") else bool(known) or asked == "none"


def _from(image: str, place: str) -> bool:
    if place.lower() == "any":
        return True
    if place.lower() in ("cvmfs", "/cvmfs"):
        return image.startswith("/cvmfs/")
    return fnmatch.fnmatchcase(image, place) or image.startswith(place.rstrip("/") + "/")


# why none of them fits --------------------------------------------------------------------


def nothing_fits(matches: Sequence[Match], wanted: Resources) -> str:
    """Say in one clause what no queue has; else what is wrong with the nearest ones."""
    online = [one.queue for one in matches if one.queue.state != OFFLINE]
    if not matches:
        return "no queue is known"
    kinds = [kind for queue in online for kind in queue.gpus or ()]
    if wanted.gpus and not kinds and all(queue.gpus is not None for queue in online):
        return (
            "no queue that is known has a GPU"
            if len(online) > 1
            else "this machine has no GPU, and no other queue is known"
        )
    if all(queue.gpus is not None for queue in online):
        for say in (_no_model, _no_memory, _no_cuda):
            if clause := say(kinds, wanted):
                return clause
    return "; ".join(f"{one.queue.name} {one.why}" for one in matches[:NAMED])


def _no_model(kinds: list[GpuKind], wanted: Resources) -> str | None:
    models = [kind.model for kind in kinds]
    if (
        not wanted.gpu_model
        or None in models
        or any(gpus.names(wanted.gpu_model, model) for model in models if model)
    ):
        return None
    there = list(dict.fromkeys(gpus.shown(model) for model in models if model))
    return f"{wanted.gpu_model} asked, there is {', '.join(there[:NAMED])}{', …' if len(there) > NAMED else ''}"


def _no_memory(kinds: list[GpuKind], wanted: Resources) -> str | None:
    most = [_memory_of(kind)[1] for kind in kinds]
    largest = max((size for size in most if size is not None), default=0)
    if wanted.vram_mb is None or None in most or largest >= enough_mb(wanted.vram_mb):
        return None
    return f"{gb(wanted.vram_mb)} of GPU memory asked, the largest has {gb(largest)}"


def _no_cuda(kinds: list[GpuKind], wanted: Resources) -> str | None:
    known = [gpus.version(kind.cuda) for kind in kinds]
    asked = gpus.version(wanted.cuda)
    newest = max((one for one in known if one is not None), default=None)
    if asked is None or None in known or newest is None or newest >= asked:
        return None
    return f"CUDA {wanted.cuda} asked, the newest driver knows {'.'.join(map(str, newest))}"


def chosen(one: Match) -> str:
    """Say which queue was chosen and why, in one sentence."""
    queue = one.queue
    place = "this machine" if queue.backend == HERE else f"{queue.name} ({queue.backend})"
    free = queue.count("free")
    parts = (
        [f"{free} of {queue.count('total')} GPUs are free"]
        if free is not None and queue.count("total")
        else []
    )
    parts += [f"rank {queue.rank}"] if queue.rank else []
    parts += [one.why] if one.why else []
    state = "" if queue.state == ONLINE or queue.backend == HERE else "; its state is not known"
    fits = "it fits" if one.fits else "it may fit"
    return f"Chosen: {place}, since {fits}{', ' + ', '.join(parts) if parts else ''}{state}."
