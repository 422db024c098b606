"""The recordings of a real PanDA server: what it was asked and what it answered, a JSON object a line."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "data" / "panda"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.jsonl")))


@cache
def lines(name: str) -> list[dict[str, Any]]:
    with open(FOLDER / f"{name}.jsonl", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def http(name: str, path: str) -> Any:
    """Return the first whole answer of an endpoint that holds data."""
    found = (
        line for line in lines(name) if line["kind"] == "http" and line["path"] == f"/api/v1/{path}"
    )
    return next(line["response"]["data"] for line in found if line["response"].get("data"))


@cache
def job_fields() -> dict[str, Any]:
    """A job's description with every field that it has."""
    found: dict[str, Any] = http("a_container_task", "task/get_job_descriptions")[0]
    return found


@cache
def task_fields() -> dict[str, Any]:
    found: dict[str, Any] = http("a_container_task", "task/get_detailed_info")
    return found


@cache
def resubmission() -> str:
    """What the server says of sending a task again that it has made jobs of."""
    messages = (
        str(line["response"].get("message")) for line in lines("d_errors") if line["kind"] == "http"
    )
    return next(message.split("/. ", 1)[1] for message in messages if "resubmission" in message)
