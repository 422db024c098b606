"""Which queues a job fits, in which order they are tried, and why the others do not fit.

Nothing here asks a batch system: all follows from the queues that are handed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.queue import (
    LOCAL,
    OFFLINE,
    ONLINE,
    GpuKind,
    Queue,
    enough_mb,
    memory_text,
)
from jupyter_gridgpu.model.resources import Container, Resources
from jupyter_gridgpu.queues import gpus
from jupyter_gridgpu.queues.objections import memory_range, objections_to

NAMED_LIMIT = 3  # queues or models that a sentence names


@dataclass(frozen=True)
class Match:
    """Whether a job fits a queue.

    `fits` is True, False, or None if nothing speaks against the queue but not all is known of it.
    `why` is a clause that says what is in the way (False) or what is not known (None). `kind` is
    the kind of the queue's GPUs that fits best, or None if the job asks for no GPU.
    """

    queue: Queue
    fits: bool | None
    why: str = ""
    kind: GpuKind | None = None

    @property
    def may_fit(self) -> bool:
        """Whether the job may be sent there: it fits as far as is known."""
        return self.fits is not False


def match(queue: Queue, wanted: Resources, container: Container) -> Match:
    """Return whether a job fits a queue."""
    objections, kind = objections_to(queue, wanted, container)
    # One certain objection is enough for a refusal. A queue that may fit is listed with all that is
    # not known of it, so that the user can find it out.
    for objection in objections:
        if objection.certain:
            return Match(queue, False, objection.clause, kind)
    if objections:
        why = "; ".join(objection.clause for objection in objections)
        return Match(queue, None, why, kind)
    return Match(queue, True, "", kind)


def rank(
    queues: Iterable[Queue], wanted: Resources, container: Container | None = None
) -> list[Match]:
    """Return all queues, the best first: those that fit, those that may, those that do not."""
    matches = [match(queue, wanted, container or Container()) for queue in queues]
    return sorted(matches, key=lambda match: _order(match, wanted))


def fitting_queues(
    queues: Sequence[Queue], wanted: Resources, container: Container | None = None
) -> list[Match]:
    """Return the queues that a job fits or may fit, the best first.

    Raises BackendError, with what is in the way, if there is none.
    """
    matches = rank(queues, wanted, container)
    found = [match for match in matches if match.may_fit]
    if not found:
        raise BackendError(f"No queue fits: {nothing_fits(matches, wanted)}.")
    return found


def _order(match: Match, wanted: Resources) -> tuple[object, ...]:
    """Return the values by which queues are sorted, the most important value first.

    docs/queues.md explains the order.
    """
    queue = match.queue
    free = queue.count("free")
    is_elsewhere = queue.backend != LOCAL
    return (
        _fit_order(match),
        -queue.rank,
        # A job without a GPU starts at once on this machine.
        is_elsewhere and not wanted.gpus,
        _free_order(free, wanted),
        -(free or 0),
        not queue.default,
        is_elsewhere,
        # Partitions may share their nodes. The partition with the longest time limit comes first,
        # since it ends no job too early. A limit that is not known counts as no limit.
        -(queue.limits.walltime_s or 10**9),
        queue.backend,
        queue.name,
    )


def _fit_order(match: Match) -> int:
    if match.queue.state == OFFLINE:
        return 3
    return {True: 0, None: 1, False: 2}[match.fits]


def _free_order(free: int | None, wanted: Resources) -> int:
    # A number that is not known may be enough, so it comes before one that is too small.
    if free is None:
        return 1
    if free >= max(wanted.gpus, 1):
        return 0
    return 2


# why no queue fits --------------------------------------------------------------------


def nothing_fits(matches: Sequence[Match], wanted: Resources) -> str:
    """Return a clause that says why no queue fits.

    If there is something that no queue has, the clause says that. Otherwise it says what is wrong
    with the best queues.
    """
    if not matches:
        return "no queue is known"
    online = [match.queue for match in matches if match.queue.state != OFFLINE]
    # If the GPUs of a queue are not known, nobody can say that no queue has what is wanted.
    if all(queue.gpus is not None for queue in online):
        kinds = [kind for queue in online for kind in queue.gpus or ()]
        clause = _lacking_everywhere(online, kinds, wanted)
        if clause is not None:
            return clause
    best = matches[:NAMED_LIMIT]
    return "; ".join(f"{match.queue.name} {match.why}" for match in best)


def _lacking_everywhere(
    online: Sequence[Queue], kinds: Sequence[GpuKind], wanted: Resources
) -> str | None:
    """Return a clause that says what no queue has, or None if there is no such thing."""
    if wanted.gpus and not kinds:
        if len(online) > 1:
            return "no queue that is known has a GPU"
        return "this machine has no GPU, and no other queue is known"
    return _no_model(kinds, wanted) or _no_memory(kinds, wanted) or _no_cuda(kinds, wanted)


def _no_model(kinds: Sequence[GpuKind], wanted: Resources) -> str | None:
    if not wanted.gpu_model:
        return None
    models = []
    for kind in kinds:
        if kind.model is None or gpus.name_has(kind.model, wanted.gpu_model):
            return None
        models.append(gpus.short_name(kind.model))
    different = list(dict.fromkeys(models))
    named = ", ".join(different[:NAMED_LIMIT])
    if len(different) > NAMED_LIMIT:
        named += ", …"
    return f"{wanted.gpu_model} asked, there is {named}"


def _no_memory(kinds: Sequence[GpuKind], wanted: Resources) -> str | None:
    if wanted.vram_mb is None:
        return None
    largest = 0
    for kind in kinds:
        _, most = memory_range(kind)
        if most is None or most >= enough_mb(wanted.vram_mb):
            return None
        largest = max(largest, most)
    return (
        f"{memory_text(wanted.vram_mb)} of GPU memory asked, the largest has {memory_text(largest)}"
    )


def _no_cuda(kinds: Sequence[GpuKind], wanted: Resources) -> str | None:
    wanted_version = gpus.version(wanted.cuda)
    if wanted_version is None or not kinds:
        return None
    versions = []
    for kind in kinds:
        version = gpus.version(kind.cuda)
        if version is None or version >= wanted_version:
            return None
        versions.append(version)
    newest = ".".join(map(str, max(versions)))
    return f"CUDA {wanted.cuda} asked, the newest driver knows {newest}"


# why a queue was chosen ---------------------------------------------------------------


def choice_text(match: Match) -> str:
    """Return the sentence that says which queue was chosen, and why."""
    queue = match.queue
    is_here = queue.backend == LOCAL
    place = f"{queue.name} ({queue.backend})"
    if is_here:
        place = "this machine"
    reasons = ["it may fit"]
    if match.fits:
        reasons = ["it fits"]
    free, total = queue.count("free"), queue.count("total")
    if free is not None and total:
        reasons.append(f"{free} of {total} GPUs are free")
    if queue.rank:
        reasons.append(f"rank {queue.rank}")
    if match.why:
        reasons.append(match.why)
    state = ""
    if queue.state != ONLINE and not is_here:
        state = "; its state is not known"
    return f"Chosen: {place}, since {', '.join(reasons)}{state}."
