"""Reads job.json, which says what a job is to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_gridgpu.store.paths import SPEC_BYTES, load_json


def read_spec(spec: Path) -> dict[str, Any]:
    """Return what a job is to run.

    Raises SystemExit with a sentence if the file is missing or damaged: the sentence becomes the
    last line of the job's log, which is what a user sees of the failure.
    """
    try:
        job = load_json(spec, SPEC_BYTES)
    except (OSError, ValueError) as error:
        raise SystemExit(_sentence(spec, str(error))) from None
    if not isinstance(job, dict) or not isinstance(job.get("key"), str):
        raise SystemExit(_sentence(spec, "it describes no job"))
    for name in ("params", "env"):
        if not isinstance(job.get(name, {}), dict):
            raise SystemExit(_sentence(spec, f"its {name!r} has no names"))
    return job


def _sentence(spec: Path, reason: str) -> str:
    return f"The job cannot be run, since {spec} is damaged ({reason}); retry the variant."
