"""Finds all queues: those that files declare, those of the batch systems, and this machine.

Batch systems are asked only when a user wants to see the queues or sends a scan with `--on auto`,
never while somebody types.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import TypeVar

from jupyter_gridgpu.errors import GridGpuError
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.queue import OFFLINE, UNKNOWN, GpuKind, Queue, QueueLimits
from jupyter_gridgpu.queues import declarations, gpus, htcondor, slurm, this_machine
from jupyter_gridgpu.transport.asking import ask_all

TIMEOUT_S = 8.0
MAX_AGE_S = 60.0  # the age up to which faces use the last answer again

KindOrLimits = TypeVar("KindOrLimits", GpuKind, QueueLimits)


@dataclass(frozen=True)
class KnownQueues:
    """All queues that are known at one moment.

    `problems` has a sentence for each batch system that could not be asked and for each mistake in
    a file.
    """

    queues: tuple[Queue, ...]
    problems: tuple[str, ...] = ()
    at: float = 0.0  # when they were found, in seconds since the epoch


_lock = threading.Lock()
_last: KnownQueues | None = None


def find_queues(max_age_s: float = 0.0, timeout_s: float = TIMEOUT_S) -> KnownQueues:
    """Return all queues that are known.

    The last answer is used again while it is younger than `max_age_s` seconds. Otherwise the batch
    systems are asked, which takes `timeout_s` seconds at the most.
    """
    global _last
    # Requests of several browser pages may come at the same time. All but the first one wait here,
    # and then find an answer that is fresh.
    with _lock:
        if _last is None or not _is_younger(_last, max_age_s):
            _last = _find_now(timeout_s)
        return _last


def _is_younger(known: KnownQueues, max_age_s: float) -> bool:
    # The age is negative if the clock was set back. Such an answer could seem fresh for hours.
    return 0 <= time.time() - known.at < max_age_s


def _find_now(timeout_s: float) -> KnownQueues:
    # Each source gets less than the whole time, so that its own error comes before the time is
    # over. On this machine, nvidia-smi may have to be started twice, one after the other.
    answers = _ask_sources(
        {
            "Slurm": partial(slurm.discover, timeout_s - 1),
            "HTCondor": partial(htcondor.discover, timeout_s - 1),
            "This machine": partial(this_machine.discover, timeout_s / 2 - 1),
        },
        timeout_s,
    )
    declared, problems = declarations.read_all()
    discovered: list[Queue] = []
    for answer in answers.values():
        if isinstance(answer, str):
            problems.append(answer)
        else:
            discovered += answer
    return KnownQueues(tuple(merged(declared, discovered)), tuple(problems), time.time())


def _ask_sources(
    sources: dict[str, Callable[[], list[Queue]]], timeout_s: float
) -> dict[str, list[Queue] | str]:
    """Ask all sources at once; return their queues, or a sentence that says why there are none."""
    questions = {name: partial(_queues_or_problem, name, ask) for name, ask in sources.items()}
    silent = {
        name: f"{name} did not answer within {timeout_s:.0f} s: its queues are not shown."
        for name in sources
    }
    return {**silent, **ask_all(questions, timeout_s)}


def _queues_or_problem(name: str, ask: Callable[[], list[Queue]]) -> list[Queue] | str:
    try:
        return ask()
    except GridGpuError as error:
        return str(error)
    # Whatever a batch system answers, it must not hide the queues of the others.
    except Exception as error:
        return f"{name} gave an answer that is not understood: {one_line(repr(error), 120)}."


def merged(declared: Sequence[Queue], discovered: Sequence[Queue]) -> list[Queue]:
    """Return the declared queues, then those discovered queues that no declaration is about.

    What a declaration leaves out is taken from the discovered queue of the same place.
    """
    live_queues = {(queue.backend, queue.queue): queue for queue in discovered}
    completed = []
    taken: set[tuple[str, str | None]] = set()
    for queue in declared:
        place = (queue.backend, queue.queue)
        completed.append(_completed(queue, live_queues.get(place)))
        taken.add((queue.backend, queue.name))
        # A constraint selects a part of the nodes. The whole partition is a queue beside this one.
        if not queue.constraint:
            taken.add(place)
    undeclared = [
        queue
        for queue in discovered
        if taken.isdisjoint({(queue.backend, queue.name), (queue.backend, queue.queue)})
    ]
    return completed + undeclared


def _completed(declared: Queue, live: Queue | None) -> Queue:
    """Return a declared queue with what it leaves out taken from the batch system's queue.

    The number of free GPUs always comes from the batch system, since no file can know it.
    """
    # The batch system counts all nodes of its queue. For the nodes that a constraint selects, these
    # numbers would be wrong.
    if live is None or declared.constraint:
        return declared
    gpu_kinds = live.gpus
    if declared.gpus is not None:
        live_kinds = live.gpus or ()
        gpu_kinds = tuple(_counted(kind, declared.gpus, live_kinds) for kind in declared.gpus)
    state = declared.state
    # A queue that is closed now takes no jobs, whatever was written into a file earlier.
    if state == UNKNOWN or live.state == OFFLINE:
        state = live.state
    return replace(
        declared,
        gpus=gpu_kinds,
        limits=_filled(declared.limits, live.limits),
        runtimes=_first_known(declared.runtimes, live.runtimes),
        images=_first_known(declared.images, live.images),
        state=state,
    )


def _first_known(
    declared: tuple[str, ...] | None, live: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    # An empty tuple says that there are none, so only None is unknown.
    if declared is None:
        return live
    return declared


def _filled(declared: KindOrLimits, live: KindOrLimits) -> KindOrLimits:
    """Return `declared` with every field that is None taken from `live`."""
    missing = [field.name for field in fields(declared) if getattr(declared, field.name) is None]
    return replace(declared, **{name: getattr(live, name) for name in missing})


def _counted(kind: GpuKind, declared: Sequence[GpuKind], live: Sequence[GpuKind]) -> GpuKind:
    """Return a declared kind of GPU with the batch system's numbers of the same kind.

    The kind is returned as it is where it is not clear which of the batch system's kinds it is.
    """
    if len(declared) == len(live) == 1:
        return _filled(kind, live[0])
    same = [live_kind for live_kind in live if _same_model(kind.model, live_kind.model)]
    if len(same) == 1:
        return _filled(kind, same[0])
    return kind


def _same_model(declared: str | None, live: str | None) -> bool:
    if not declared or not live:
        return False
    # Slurm may say a100 where the file says A100-SXM4-80GB, or the other way round.
    return gpus.name_has(live, declared) or gpus.name_has(declared, live)
