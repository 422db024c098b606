"""Small notebooks, scans and journals to test with."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

from jupyter_gridgpu.model.events import Event
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.scan import Objective, ScanSpec


def notebook_json(
    parameters: str | None, *cells: str, metadata: dict[str, Any] | None = None
) -> str:
    """Return a notebook: a cell tagged `parameters` (None = no such cell), then code cells; for the kernel python3."""
    first = [] if parameters is None else [_cell(parameters, ["parameters"])]
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    body = {
        "cells": [*first, *(_cell(source, []) for source in cells)],
        "metadata": {"kernelspec": spec} if metadata is None else metadata,
        "nbformat": 4,
        "nbformat_minor": 4,
    }
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
    """Return the spec of a scan that maximizes `acc`; `changes` are fields of Scan."""
    scan = ScanSpec(
        id="20260101-000000-abcdef", name="small", notebook="train.ipynb", kernel="python3", language="python",
        space=parse_space(space), sampler="grid", seed=0, trials=None, objective=Objective("acc", "maximize"), created=1.0,
    )  # fmt: skip
    return replace(scan, **changes)


class Story:
    """Events as one runner writes them, numbered on from `seq`."""

    def __init__(self, term: int = 1, seq: int = 0) -> None:
        self.term = term
        self.events: list[Event] = []
        self._seq = seq

    def tell(self, kind: str, **data: Any) -> Event:
        """Add an event of a type like `job.observed` and return it."""
        self._seq += 1
        self.events.append(Event(self._seq, self.term, 1000.0 + self._seq, kind, data))
        return self.events[-1]

    def propose(self, number: int, **params: Any) -> str:
        """Tell of a new variant, the only one of its point, and return its id."""
        ident = f"v{number:04d}"
        self.tell(
            "variant.proposed", variant=ident, point=number - 1, repeat=0, params=params, attrs={}
        )
        return ident

    def run(
        self,
        number: int,
        end: str | None = "done",
        attempt: int = 1,
        acc: float | None = None,
        **params: Any,
    ) -> str:
        """Tell the whole life of a job: of a new variant if it is the first attempt; `end` None leaves it running."""
        ident = self.propose(number, **params) if attempt == 1 else f"v{number:04d}"
        key = f"{ident}.{attempt}"
        self.tell("job.intended", key=key)
        self.tell("job.submitted", key=key, engine_id=key)
        self.tell("job.observed", key=key, state="running", started=1000.0 + self._seq)
        if acc is not None:
            end_value = acc if math.isfinite(acc) else None
            self.tell(
                "job.reported",
                key=key,
                step=1,
                steps=1,
                metrics={"acc": [1, end_value, end_value, [acc]]},
                whole=True,
            )
        if end is not None:
            self.tell("job.observed", key=key, state=end, ended=1001.0 + self._seq)
        return ident

    def text(self) -> bytes:
        """Return the journal's bytes."""
        return "".join(event.line() + "\n" for event in self.events).encode()
