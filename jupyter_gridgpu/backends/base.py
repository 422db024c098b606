"""What a backend is, and what all of them share: job files written, results read with suspicion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from jupyter_gridgpu.model.job import REASONS, Observation, bounded
from jupyter_gridgpu.model.numbers import decode
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.paths import (
    COPY_NAME,
    CopyPaths,
    JobPaths,
    ScanPaths,
    read_json,
    write_json,
)

THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS",
)  # fmt: skip
LATEST = 1e11  # seconds since the epoch: the year 5138


@dataclass(frozen=True)
class Job:
    """One attempt at one variant, as a backend gets it: its files, and what job.json shall say."""

    key: str
    paths: JobPaths
    spec: dict[str, Any]


@dataclass(frozen=True)
class Capabilities:
    """What a backend can do, the same for all scans that it runs.

    The runner and the planner ask for these before they ask the batch system anything.
    """

    shows_files: bool = True  # the files of a job can be read here while it runs
    by_generation: bool = False  # a sampler that learns is asked when no job is left in the queue


class Backend(Protocol):
    """Made with `(scan, paths)`; making one touches nothing and asks nobody.

    Ids are the engine's own words. Every call is safe to repeat. `find` and `submit` may raise or answer Unreachable:
    then the runner comes again later, and asks first what the engine has.
    """

    capabilities: Capabilities
    poll_s: float  # seconds between polls

    def check(self, ask: bool = True) -> None:
        """Raise EngineError, with what to do, if the engine cannot run the scan; without `ask`, as far as is known here."""
        ...

    def check_files(self, files: Mapping[str, Path]) -> None:
        """Raise BackendError if the helper files do not fit into what travels with a job.

        `files` maps the name that a file gets beside the notebook to its path here.
        """
        ...

    def open(self) -> None:
        """Get ready to take jobs; called once by a runner."""
        ...

    def slots(self) -> int | None:
        """How many jobs to hand over at once; None = all, the engine queues them."""
        ...

    def notice(self) -> str | None:
        """One sentence for the user while the engine as a whole is not well; None while it is."""
        ...

    def submit(self, jobs: Sequence[Job]) -> dict[str, str | Exception]:
        """Hand jobs over and return an id, or what went wrong, for each key."""
        ...

    def find(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the ids of those jobs that the engine knows, by key: what a killed runner had submitted."""
        ...

    def poll(self, ids: dict[str, str]) -> dict[str, Observation]:
        """Return what the engine says of jobs (key -> id). A job it says nothing of stays as it was."""
        ...

    def cancel(self, ids: dict[str, str]) -> None:
        """Ask the engine to end jobs; they are polled until they did."""
        ...

    def collect(self, key: str, ident: str) -> None:
        """Bring a finished job's files into its folder, where the engine left them elsewhere."""
        ...

    def close(self) -> None:
        """Let go of what the runner holds; jobs go on."""
        ...


def write_spec(job: Job, env: dict[str, str]) -> None:
    """Write job.json. Raises OSError."""
    job.paths.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_json(job.paths.spec, {**job.spec, "env": env})


def read_result(paths: ScanPaths, key: str) -> Observation | None:
    """Return what result.json says of a job, or None if there is no sound one. Its content is untrusted."""
    body = read_json(paths.job(key).result, limit=1_000_000)
    if (
        not isinstance(body, dict)
        or body.get("key") != key
        or body.get("state") not in ("done", "failed")
    ):
        return None
    copy, reason, cell = body.get("copy"), body.get("reason"), body.get("cell")
    return Observation(
        state=body["state"],
        reason=reason if reason in REASONS else None if body["state"] == "done" else "notebook",
        message=bounded(body.get("message")),
        cell=cell if isinstance(cell, int) and 0 < cell < 100_000 else None,
        started=moment(body.get("started")),
        ended=moment(body.get("ended")),
        peak_mb=moment(body.get("peak_mb")),
        notebook=notebook_of(paths, key, copy),
    )


def moment(value: Any) -> float | None:
    """Return what a job says of a time, or an amount, if it is one that can be: sums of it stay numbers."""
    number = decode(value)
    return number if number is not None and 0 <= number < LATEST else None


def notebook_of(paths: ScanPaths, key: str, copy: Any) -> str | None:
    """Return the path of a copy's notebook relative to the scan folder, if `copy` names one that is there."""
    if not isinstance(copy, str) or not COPY_NAME.fullmatch(copy):
        return None
    notebook = paths.job(key).copy(copy).notebook
    return (
        notebook.relative_to(paths.folder).as_posix()
        if notebook.is_file() and not notebook.is_symlink()
        else None
    )


def about_of(copy: CopyPaths) -> dict[str, Any]:
    """Return what a copy says of itself. It is untrusted."""
    body = read_json(copy.about, 20_000)
    return body if isinstance(body, dict) else {}


def gpu_of(about: dict[str, Any]) -> str | None:
    """The model of a copy's GPUs where its node has one kind, else which of the node's GPUs it has; nothing without any."""
    devices, models = bounded(about.get("gpus"), 80), about.get("models")
    return (
        bounded(models[0], 80)
        if devices and isinstance(models, list) and len(models) == 1
        else devices
    )


def shared_gpu_environment(scan: ScanSpec) -> dict[str, str]:
    """Return what makes frameworks take GPU memory as they need it, where jobs share a GPU; else the first takes all."""
    return (
        {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
        if scan.per_gpu > 1
        else {}
    )


def job_spec(scan: ScanSpec, key: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return what a worker needs to know, but for the environment, which the backend adds."""
    return {
        "key": key,
        "scan": scan.name,
        "id": scan.id,
        "notebook_digest": scan.notebook_digest,
        "image": scan.container.image,
        "image_digest": scan.container.digest,
        "params": params,
        "prefork": scan.prefork,
        "kernel": scan.kernel,
        "language": scan.language,
        "objective": scan.objective.metric if scan.objective else None,
        "walltime_s": scan.resources.walltime_s,
        "memory_mb": scan.resources.memory_mb,
    }
