"""Small notebooks, scans and journals to test with."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

from jupyter_gridgpu.model.events import Event
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.scan import ScanSpec

FIRST_TIME = 1000.0  # events of a Story happen one second after another, from this time on


def notebook_json(
    parameters: str | None, *cells: str, metadata: dict[str, Any] | None = None
) -> str:
    """Return the JSON text of a notebook.

    Its first cell holds `parameters` and has the tag `parameters`; None leaves it out. `cells` are
    the sources of the code cells behind it. Without `metadata`, its kernel is python3.
    """
    made = [_cell(source, []) for source in cells]
    if parameters is not None:
        made.insert(0, _cell(parameters, ["parameters"]))
    # Every notebook that a person saved names its kernel.
    if metadata is None:
        spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        metadata = {"kernelspec": spec}
    body = {"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}
    return json.dumps(body, indent=1)


def _cell(source: str, tags: list[str]) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {"tags": tags},
        "outputs": [],
        "source": source,
    }


def small_scan(space: str = "lr = [0.1, 0.2, 0.3]", **changes: Any) -> ScanSpec:
    """Return the spec of a scan that maximizes `acc`.

    `changes` are fields of ScanSpec, and `objective`, the only objective or None for none.
    """
    if "objective" in changes:
        only = changes.pop("objective")
        changes["objectives"] = () if only is None else (only,)
    scan = ScanSpec(
        id="20260101-000000-abcdef",
        name="small",
        notebook="train.ipynb",
        kernel="python3",
        language="python",
        space=parse_space(space),
        sampler="grid",
        seed=0,
        trials=None,
        objectives=(Objective("acc", "maximize"),),
        created=1.0,
    )
    return replace(scan, **changes)


class Story:
    """Events as one runner writes them into a journal, numbered on from `seq`."""

    def __init__(self, term: int = 1, seq: int = 0) -> None:
        self.term = term
        self.events: list[Event] = []
        self._seq = seq

    def tell(self, kind: str, **data: Any) -> Event:
        """Add an event of a type such as `job.observed`, and return it."""
        self._seq += 1
        event = Event(self._seq, self.term, FIRST_TIME + self._seq, kind, data)
        self.events.append(event)
        return event

    def propose(self, number: int, **params: Any) -> str:
        """Tell of a new variant, the only one of its point, and return its id."""
        variant = f"v{number:04d}"
        self.tell(
            "variant.proposed",
            variant=variant,
            point=number - 1,
            repeat=0,
            params=params,
            attrs={},
        )
        return variant

    def run(
        self,
        number: int,
        end: str | None = "done",
        attempt: int = 1,
        acc: float | None = None,
        **params: Any,
    ) -> str:
        """Tell the whole life of a job and return the id of its variant.

        The first attempt proposes the variant. `acc` is reported once. `end` is the job's last
        state; None leaves it running.
        """
        variant = f"v{number:04d}"
        if attempt == 1:
            self.propose(number, **params)
        # The runner writes that it intends to submit before it does, so that the next one knows.
        key = f"{variant}.{attempt}"
        self.tell("job.intended", key=key)
        self.tell("job.submitted", key=key, engine_id=key)
        self.tell("job.observed", key=key, state="running", started=FIRST_TIME + self._seq)
        if acc is not None:
            self.tell(
                "job.reported",
                key=key,
                step=1,
                steps=1,
                metrics={"acc": _series(acc)},
                whole=True,
            )
        if end is not None:
            self.tell("job.observed", key=key, state=end, ended=FIRST_TIME + 1 + self._seq)
        return variant

    def text(self) -> bytes:
        """Return the bytes of the journal."""
        return "".join(event.line() + "\n" for event in self.events).encode()


def _series(value: float) -> list[Any]:
    """Return a metric with one reading, as an event holds it: count, least, largest, readings."""
    # NaN and infinities count as readings, but not as least and largest value.
    bound = value if math.isfinite(value) else None
    return [1, bound, bound, [value]]
