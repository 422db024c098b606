"""The protocol of a backend, and what all backends share: writing job.json, reading result.json."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from jupyter_gridgpu.model.grace import END_SPARE_S, grace_seconds
from jupyter_gridgpu.model.job import REASONS, Observation, one_line
from jupyter_gridgpu.model.numbers import decode
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.paths import (
    COPY_NAME,
    CopyPaths,
    JobPaths,
    ScanPaths,
    load_json,
    read_json,
    write_json,
)
from jupyter_gridgpu.store.tail import tail_text

# Each library reads its own variable to find out how many threads it may start.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)
LARGEST_NUMBER = 1e11  # as seconds since the epoch, this is the year 5138
LAST_CELL = 100_000  # cell numbers from here on are not believed
DAMAGED_RESULT = "The result of the job, result.json, is damaged and cannot be read."
RESULT_BYTES = 1_000_000
COPY_INFO_BYTES = 20_000
LOG_END_BYTES = 4096  # the end of a log, whose last line is shown
PLACE_LIMIT = 80  # characters of the name of a GPU, a node or a queue


@dataclass(frozen=True)
class Job:
    """One attempt at one variant, as a backend gets it.

    `spec` is what job.json will hold, but for the environment, which the backend adds.
    """

    key: str
    paths: JobPaths
    spec: dict[str, Any]


@dataclass(frozen=True)
class Capabilities:
    """What a backend can do, the same for all scans that it runs.

    The runner and the planner read these values without a question to the batch system.
    """

    shows_files: bool = True  # the files of a job can be read here while it runs
    # A sampler that learns gives new points only once all jobs of its last points have ended.
    by_generation: bool = False
    # Options that mean nothing here (fields of Options) -> why, as a clause. They are refused.
    ignores: Mapping[str, str] = field(default_factory=dict)
    # Whether --gpu-model without --gpus asks for one GPU.
    model_asks_for_gpu: bool = False


# The options that only PanDA understands, as `Capabilities.ignores` has them.
ONLY_PANDA = dict.fromkeys(
    ("inputs", "out", "exclude_site", "attempts"), "it is for jobs on the grid"
)


class Backend(Protocol):
    """What the runner needs from a place where jobs run.

    A backend is made with `(scan, paths)`. Its constructor touches no file and sends no question.

    The id of a job is a text of the backend's choice. Every call is safe to repeat. `find` may
    raise Unreachable, and `submit` may return it for a job: then the runner calls again later, and
    `submit` first finds out which of the jobs were taken.
    """

    capabilities: Capabilities
    poll_s: float  # seconds between two calls of `poll`

    def check(self, ask: bool = True) -> None:
        """Raise BackendError, with what to do, if the scan cannot be run here.

        With `ask` false, no question is sent to the batch system: only what this machine knows is
        checked, so the call is quick.
        """
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
        """Return how many jobs may be handed over and not ended; None means any number."""
        ...

    def notice(self) -> str | None:
        """Return one sentence for the user while the batch system is in trouble, else None."""
        ...

    def submit(self, jobs: Sequence[Job]) -> dict[str, str | Exception]:
        """Hand jobs over. Return for each key the job's id, or the error that kept it back."""
        ...

    def find(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the ids of those of these jobs that the backend has, by key.

        An earlier runner, which was killed, may have sent them. Raises Unreachable if the answer
        cannot be had now.
        """
        ...

    def poll(self, ids: dict[str, str]) -> dict[str, Observation]:
        """Return what is known of jobs now, by key. `ids` maps keys to ids.

        A job that is missing in the answer stays as it was.
        """
        ...

    def cancel(self, ids: dict[str, str]) -> None:
        """Ask jobs to end. The call does not wait: the jobs are polled until they have ended."""
        ...

    def collect(self, key: str, ident: str) -> None:
        """Bring a finished job's files into its folder if they lie elsewhere."""
        ...

    def close(self) -> None:
        """Release what the runner holds. Jobs go on."""
        ...


def patience(scan: ScanSpec) -> float:
    """Return how many seconds a worker that was told to end has before it is killed."""
    return grace_seconds(scan.resources.grace_s, scan.resources.walltime_s) + END_SPARE_S


def write_spec(job: Job, env: dict[str, str]) -> None:
    """Write job.json with the environment `env`. Raises OSError."""
    # For its owner only: parameters and environment are nobody else's business.
    job.paths.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_json(job.paths.spec, {**job.spec, "env": env})


def read_result(paths: ScanPaths, key: str) -> Observation | None:
    """Return what result.json says about a job, or None if there is no sound result."""
    # A job runs the user's code, which can write anything into this file. So each value is
    # checked before the runner records it.
    body = read_json(paths.job(key).result, limit=RESULT_BYTES)
    if not isinstance(body, dict) or body.get("key") != key:
        return None
    state = body.get("state")
    # A worker writes a result only when its job has ended, so no other state can be true.
    if state not in ("done", "failed"):
        return None
    cell = body.get("cell")
    if not isinstance(cell, int) or not 0 < cell < LAST_CELL:
        cell = None
    if body.get("reason") == "user":
        state = "cancelled"
    return Observation(
        state=state,
        reason=_reason(state, body.get("reason")),
        message=one_line(body.get("message")),
        cell=cell,
        started=plausible(body.get("started")),
        ended=plausible(body.get("ended")),
        peak_mb=plausible(body.get("peak_mb")),
        notebook=notebook_of(paths, key, body.get("copy")),
    )


def has_damaged_result(paths: ScanPaths, key: str) -> bool:
    """Return whether a job left a result that is not sound.

    A result that the disk does not show now, or not any more, may be sound.
    """
    result = paths.job(key).result
    try:
        load_json(result, RESULT_BYTES)
    except OSError as error:
        return error.errno in (errno.EACCES, errno.EFBIG, errno.EISDIR) and os.path.lexists(result)
    except ValueError:
        return True
    return read_result(paths, key) is None


def _reason(state: str, reason: Any) -> str | None:
    """Return the reason of a result. A failure without a known reason counts as the notebook's."""
    if reason in REASONS:
        return str(reason)
    if state == "done":
        return None
    return "notebook"


def plausible(value: Any) -> float | None:
    """Return a time (s) or an amount that a job wrote, or None if it cannot be true.

    The result is finite and so small that sums of many stay finite, too.
    """
    number = decode(value)
    if number is None or not 0 <= number < LARGEST_NUMBER:
        return None
    return number


def notebook_of(paths: ScanPaths, key: str, copy: Any) -> str | None:
    """Return the path of a copy's notebook, relative to the scan folder, or None.

    It is None if `copy` is not the name of a copy, or if the copy has no notebook.
    """
    if not isinstance(copy, str) or not COPY_NAME.fullmatch(copy):
        return None
    found = paths.job(key).copy(copy)
    notebook = found.notebook
    # A link could lead to any file of the user, which would then be shown and published.
    try:
        if not found.is_real() or notebook.is_symlink() or not notebook.is_file():
            return None
    except OSError:  # a network disk may not show it now
        return None
    return notebook.relative_to(paths.folder).as_posix()


def copy_info(copy: CopyPaths) -> dict[str, Any]:
    """Return what a copy wrote about itself into copy.json. Its values are untrusted."""
    body = read_json(copy.about, COPY_INFO_BYTES)
    if isinstance(body, dict):
        return body
    return {}


def last_log_line(log: Path) -> str:
    """Return the last line of a log, which says why something could not start; "" if none.

    Raises OSError if the log is there and cannot be read.
    """
    lines = tail_text(log, LOG_END_BYTES).strip().splitlines()
    if not lines:
        return ""
    return one_line(lines[-1]) or ""


def gpu_label(info: dict[str, Any]) -> str | None:
    """Return which GPU a copy has, from its copy.json; None if it has none.

    This is the model if the node has GPUs of one kind, else the indices of the copy's GPUs:
    with several kinds, nothing says which of them an index stands for.
    """
    devices = one_line(info.get("gpus"), PLACE_LIMIT)
    models = info.get("models")
    if devices and isinstance(models, list) and len(models) == 1:
        return one_line(models[0], PLACE_LIMIT)
    return devices


def shared_gpu_environment(scan: ScanSpec) -> dict[str, str]:
    """Return environment variables for jobs that share a GPU; none if they do not."""
    if scan.per_gpu <= 1:
        return {}
    # TensorFlow and JAX take all memory of a GPU when they start: nothing would be left for the
    # second job.
    return {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


def job_spec(scan: ScanSpec, key: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return what job.json tells the worker, but for the environment, which the backend adds."""
    return {
        "key": key,
        "scan": scan.name,
        "id": scan.id,
        "notebook_digest": scan.notebook_digest,
        "image": scan.container.image,
        "image_digest": scan.container.digest,
        "python": scan.environment.python,
        "params": params,
        "prefork": scan.prefork,
        "kernel": scan.kernel,
        "language": scan.language,
        "objective": scan.objective.metric if scan.objective else None,
        "objectives": [objective.metric for objective in scan.objectives],
        "walltime_s": scan.resources.walltime_s,
        "grace_s": scan.resources.grace_s,
        "memory_mb": scan.resources.memory_mb,
    }
