"""GPU queues: declared in files, discovered from the engines; asked only when somebody wants to know, never while one types."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from jupyter_gridgpu.errors import GridGpuError
from jupyter_gridgpu.model.job import bounded
from jupyter_gridgpu.model.queue import OFFLINE, UNKNOWN, GpuKind, Queue, QueueLimits
from jupyter_gridgpu.queues import declarations, htcondor, slurm, this_machine
from jupyter_gridgpu.queues.gpus import names
from jupyter_gridgpu.transport.asking import ask_all

PATIENCE_S = 8.0
FRESH_S = 60.0

Noun = TypeVar("Noun", GpuKind, QueueLimits)


@dataclass(frozen=True)
class Found:
    """All queues that are known, and a sentence for whatever could not be asked or read."""

    queues: tuple[Queue, ...]
    problems: tuple[str, ...] = ()
    at: float = 0.0


_lock = threading.Lock()
_last: Found | None = None


def find(fresh_s: float = 0.0, patience_s: float = PATIENCE_S) -> Found:
    """Return all queues, asking the engines unless that was done `fresh_s` ago; it takes `patience_s` at the most."""
    global _last
    with _lock:  # who comes meanwhile gets the same answer
        if _last is None or not 0 <= time.time() - _last.at < fresh_s:
            _last = _find(patience_s)
        return _last


def _find(patience_s: float) -> Found:
    answers = _asked(
        {
            "Slurm": partial(slurm.discover, patience_s - 1),
            "HTCondor": partial(htcondor.discover, patience_s - 1),
            "This machine": partial(this_machine.discover, patience_s / 2 - 1),
        },
        patience_s,
    )
    discovered = [
        queue for answer in answers.values() if isinstance(answer, list) for queue in answer
    ]
    declared, problems = declarations.read_all()
    problems += [answer for answer in answers.values() if isinstance(answer, str)]
    return Found(tuple(merged(declared, discovered)), tuple(problems), time.time())


def _asked(
    ways: dict[str, Callable[[], list[Queue]]], patience_s: float
) -> dict[str, list[Queue] | str]:
    """Ask all at once. An answer is queues, or why there are none."""
    answers = ask_all({name: partial(_answer, name, way) for name, way in ways.items()}, patience_s)
    silent = {
        name: f"{name} did not answer within {patience_s:.0f} s: its queues are not shown."
        for name in ways
    }
    return {**silent, **answers}


def _answer(name: str, way: Callable[[], list[Queue]]) -> list[Queue] | str:
    try:
        return way()
    except GridGpuError as error:
        return str(error)
    except Exception as error:  # what an engine says must not hide the other queues
        return f"{name} gave an answer that is not understood: {bounded(repr(error), 120)}."


def merged(declared: Sequence[Queue], discovered: Sequence[Queue]) -> list[Queue]:
    """Return the declared queues with what the engine adds of the same place, and the discovered ones nobody declared."""
    known = {(queue.backend, queue.queue): queue for queue in discovered}
    taken: set[tuple[str, str | None]] = {(queue.backend, queue.name) for queue in declared}
    taken |= {(queue.backend, queue.queue) for queue in declared if not queue.constraint}
    whole = [_completed(queue, known.get((queue.backend, queue.queue))) for queue in declared]
    return whole + [
        queue
        for queue in discovered
        if not taken & {(queue.backend, queue.name), (queue.backend, queue.queue)}
    ]


def _completed(queue: Queue, live: Queue | None) -> Queue:
    """What is declared counts; what is not comes from the engine, which also knows what is free now.

    A constraint leaves a part of the engine's nodes, of which it says nothing.
    """
    if live is None or queue.constraint:
        return queue
    return replace(
        queue,
        gpus=live.gpus
        if queue.gpus is None
        else tuple(_counted(kind, queue.gpus, live.gpus or ()) for kind in queue.gpus),
        limits=_filled(queue.limits, live.limits),
        runtimes=live.runtimes if queue.runtimes is None else queue.runtimes,
        images=live.images if queue.images is None else queue.images,
        state=live.state if queue.state == UNKNOWN or live.state == OFFLINE else queue.state,
    )


def _filled(mine: Noun, other: Noun) -> Noun:
    """Return `mine` with what it does not know taken from `other`."""
    return replace(
        mine, **{name: value for name, value in vars(other).items() if vars(mine)[name] is None}
    )


def _counted(kind: GpuKind, declared: Sequence[GpuKind], live: Sequence[GpuKind]) -> GpuKind:
    """Give a declared kind the engine's numbers, where it is clear which of the engine's kinds it is."""
    alike = [
        one
        for one in live
        if kind.model
        and one.model
        and (names(kind.model, one.model) or names(one.model, kind.model))
    ]
    if len(declared) == len(live) == 1:
        alike = list(live)
    if len(alike) != 1:
        return kind
    return _filled(kind, alike[0])
