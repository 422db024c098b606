"""The recordings of a real PanDA server: what it was asked and what it answered.

Each line of a recording is a JSON object.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "data" / "panda"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.jsonl")))


@cache
def lines(name: str) -> list[dict[str, Any]]:
    """Return the lines of a recording."""
    with open(FOLDER / f"{name}.jsonl", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def http(name: str, path: str) -> Any:
    """Return the data of the first answer of an endpoint that holds any."""
    for line in lines(name):
        asked = line["kind"] == "http" and line["path"] == f"/api/v1/{path}"
        data = line["response"].get("data") if asked else None
        if data:
            return data
    raise LookupError(f"{name} holds no answer of {path}")


@cache
def job_fields() -> dict[str, Any]:
    """Return a job's description with every field that it has."""
    found: dict[str, Any] = http("a_container_task", "task/get_job_descriptions")[0]
    return found


@cache
def task_fields() -> dict[str, Any]:
    """Return a task's description with every field that it has."""
    found: dict[str, Any] = http("a_container_task", "task/get_detailed_info")
    return found


@cache
def resubmission() -> str:
    """Return what the server says to a task that is sent again after it has made jobs of it."""
    for line in lines("d_errors"):
        message = str(line["response"].get("message")) if line["kind"] == "http" else ""
        if "resubmission" in message:
            return message.split("/. ", 1)[1]
    raise LookupError("d_errors holds no refused resubmission")
