"""One job from its job.json to its result.json."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import socket
import time
import uuid
from pathlib import Path
from typing import Any

from jupyter_gridgpu.model.job import bounded
from jupyter_gridgpu.store.paths import (
    COPY_NAME,
    CopyPaths,
    JobPaths,
    ScanPaths,
    publish,
    scratch_folder,
    write_json,
)
from jupyter_gridgpu.store.process import this_process
from jupyter_gridgpu.worker.disk_retry import patiently
from jupyter_gridgpu.worker.image import differs, image, mark, move_home
from jupyter_gridgpu.worker.limits import Ending, Limits, Stopped
from jupyter_gridgpu.worker.metrics.mirror import VARIABLE as MIRROR
from jupyter_gridgpu.worker.metrics.mirror import Mirror
from jupyter_gridgpu.worker.metrics.recorder import MetricsRecorder
from jupyter_gridgpu.worker.metrics.report import VARIABLE
from jupyter_gridgpu.worker.metrics.sender import FLUSH_S, HURRIED_S, sender
from jupyter_gridgpu.worker.papermill_import import import_papermill
from jupyter_gridgpu.worker.provenance import Provenance
from jupyter_gridgpu.worker.provenance import gpus as gpu_models
from jupyter_gridgpu.worker.usage import JOB_VARIABLE, UsageSampler, adopt_orphans, end_children

ENDED_EARLY = ("preempted", "timeout", "user")  # whoever ends a job so has little patience
LOG_LIMIT = 16 * 1024 * 1024
COPY_VARIABLE = (
    "GRIDGPU_COPY"  # which copy this is, where that was settled before the worker started
)
ENGINE_VARIABLES = (
    "SLURM_JOB_ID",
    "SLURM_ARRAY_JOB_ID",
    "SLURM_ARRAY_TASK_ID",
    "SLURM_RESTART_COUNT",
    "_CONDOR_SLOT",
)
NO_GPU = "10000"  # in CUDA_VISIBLE_DEVICES: by this HTCondor hides the GPUs from a job that asked for none
_GPU_MEMORY = re.compile(
    r"ResourceExhausted|CUDA out of memory|OOM when allocating|CUDA_ERROR_OUT_OF_MEMORY"
)


def run_job(spec: Path, claim: bool = False) -> int:
    """Run the job that `spec` (a job.json) describes and return an exit code: 0 if it left a result, of whatever kind.

    With `claim`, the attempt is first claimed for this process; where it is claimed already, nothing is done, so that
    an attempt that was started twice runs once. One that has a result is not run again by an engine that restarts it.
    """
    job = json.loads(spec.read_text(encoding="utf-8"))
    paths = JobPaths(spec.absolute().parent)
    copy = new_copy(paths)
    if paths.result.exists() or (claim and not claim_job(paths, copy)):
        return 0
    copy.folder.mkdir(mode=0o700, exist_ok=True)
    write_json(copy.about, _about())
    env = {str(name): str(value) for name, value in job.get("env", {}).items()}
    mirror = Mirror(job["key"], copy, os.dup(1)) if MIRROR in env else None
    _redirect(copy.log)
    os.environ.update(env, **{JOB_VARIABLE: str(paths.folder)})
    scan = ScanPaths(paths.folder.parent.parent)
    sending = sender(job, scan, copy, functools.partial(_log, copy.log))
    result = _run(job, scan, copy)
    patiently(functools.partial(write_json, copy.result, result))
    if not (job.get("requeues") and result.get("reason") == "preempted"):
        patiently(functools.partial(publish, copy.result, paths.result))
    if mirror is not None:
        mirror.finish()
    if sending is not None:
        sending.close(HURRIED_S if result.get("reason") in ENDED_EARLY else FLUSH_S)
    return 0


def new_copy(paths: JobPaths) -> CopyPaths:
    """Return the files of this copy of a job, which nobody has made yet."""
    given = os.environ.pop(COPY_VARIABLE, "")
    return paths.copy(given if COPY_NAME.fullmatch(given) else uuid.uuid4().hex[:8])


def _about() -> dict[str, Any]:
    """Where this copy runs, as far as the environment tells."""
    engine = {name: os.environ[name] for name in ENGINE_VARIABLES if name in os.environ}
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES")
    return {
        "host": socket.gethostname(),
        "started": time.time(),
        "gpus": None if gpus == NO_GPU else gpus,
        "models": sorted(set(gpu_models())),
        "engine": engine,
        **({"image": image(), "image_mark": mark()} if image() else {}),
    }


def claim_job(paths: JobPaths, copy: CopyPaths) -> bool:
    """Claim a job for this process; whether nobody had before."""
    part = paths.folder / f".claim.{os.getpid()}"
    text = json.dumps({"copy": copy.folder.name, **this_process().to_json()})
    try:
        patiently(functools.partial(part.write_text, text, encoding="utf-8"))
        return publish(part, paths.claim)
    finally:
        part.unlink(missing_ok=True)


def _redirect(log: Path) -> None:
    """Send everything this process and its kernel print to the log."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)


def _run(job: dict[str, Any], scan: ScanPaths, copy: CopyPaths) -> dict[str, Any]:
    adopt_orphans()
    usage, started = UsageSampler(), time.time()
    stop = JobPaths(copy.folder.parent).stop
    limits = Limits(job.get("walltime_s"), job.get("memory_mb"), usage, copy.folder, stop)
    scratch = scratch_folder(copy.folder.name)
    scratch.mkdir(mode=0o700)
    move_home(scratch)
    os.environ[VARIABLE] = str(scratch / "reports.jsonl")
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(scan.worker), os.environ.get("PYTHONPATH")])
    )
    metrics = MetricsRecorder(copy.metrics, scratch / "reports.jsonl")
    if words := differs(scan, mark()):
        _log(copy.log, words)
    try:
        limits.listen()
        outcome = _outcome(job, scan, copy, metrics, limits, usage, scratch)
        metrics.drain_reports()
    except Stopped as error:
        outcome = _failure(error, limits.ending, None, None)
    finally:
        limits.ignore()
        end_children()
        metrics.close()
        shutil.rmtree(scratch, ignore_errors=True)
    times = {"started": started, "ended": time.time(), "peak_mb": round(usage.peak_mb, 1)}
    return {"key": job["key"], "copy": copy.folder.name, **times, **outcome}


def _outcome(
    job: dict[str, Any],
    scan: ScanPaths,
    copy: CopyPaths,
    metrics: MetricsRecorder,
    limits: Limits,
    usage: UsageSampler,
    scratch: Path,
) -> dict[str, Any]:
    """Execute the notebook and say how it ended."""
    try:
        import_papermill()
        from jupyter_gridgpu.worker import kernelspecs, notebook
    except ImportError as error:
        return _failed("image", f"papermill cannot be imported where the job ran: {error}.", None)

    log = functools.partial(_log, copy.log)
    kernel = kernelspecs.kernel_for(job["kernel"], job.get("language"), log)
    about = Provenance({**job, "kernel": kernel}, kernelspecs.kernel_argv(kernel))
    run = notebook.Execution(metrics, limits, usage, job.get("objective"), log, scratch, about)
    try:
        notebook.prepare()
        folder = _work_folder(scan, copy)
        notebook.execute(scan.notebook, copy.notebook, job["params"], kernel, folder, run)
    except (Exception, Stopped) as error:
        ending = (
            limits.kernel_died() if type(error).__name__ == "DeadKernelError" else limits.ending
        )
        return _failure(error, ending, run.cell, metrics.last_step)
    finally:
        with contextlib.suppress(OSError):  # the notebook says the same
            write_json(copy.provenance, about.finish())
    return {"state": "done"}


def _work_folder(scan: ScanPaths, copy: CopyPaths) -> Path:
    """Make the folder the notebook runs in: its own, so that variants never overwrite each other, with the scan's files."""
    folder = copy.folder / "artifacts"
    folder.mkdir(mode=0o700, exist_ok=True)
    for source in sorted(scan.files.rglob("*")):
        target = folder / source.relative_to(scan.files)
        if source.is_dir():
            target.mkdir(exist_ok=True)
        else:
            target.symlink_to(source)
    return folder


def _log(path: Path, line: str) -> None:
    with contextlib.suppress(OSError):  # a full disk costs lines of the log, not the training
        if os.stat(path).st_size < LOG_LIMIT:
            os.write(1, line.encode("utf-8", "replace") + b"\n")


def _failure(
    error: BaseException, ending: Ending | None, cell: int | None, step: int | None
) -> dict[str, Any]:
    where = f" in cell {cell}" if cell else " before the first cell"
    if ending is not None:
        kept = f" Epochs up to {step} are kept." if step else ""
        return _failed(ending.reason, f"{ending.message}{where}.{kept}", cell)
    name = type(error).__name__
    if name == "PapermillExecutionError":
        return _notebook_failure(error, cell)
    if name == "DeadKernelError":
        return _failed(
            "notebook",
            f"The kernel died{where}; a crash, an exit or the system's out-of-memory killer ends it like that.",
            cell,
        )
    if name == "NoSuchKernel":
        return _failed(
            "image",
            f"There is no kernel named {getattr(error, 'name', '?')} where the job ran.",
            None,
        )
    if isinstance(error, OSError) and error.errno is not None:
        return _failed(
            "node", f"{error.strerror}: {error.filename or 'a file of the job'}{where}.", cell
        )
    return _failed("node", f"{name}: {error}{where}.", cell)


def _notebook_failure(error: Any, cell: int | None) -> dict[str, Any]:
    cell = error.exec_count or cell
    text = f"{error.ename}: {error.evalue}"
    if _GPU_MEMORY.search(text):
        return _failed("oom", f"GPU out of memory in cell {cell}.", cell)
    if error.ename == "MemoryError":
        return _failed("oom", f"Out of memory in cell {cell}.", cell)
    return _failed(
        "notebook", f"{(bounded(text, 300) or error.ename).rstrip('. :')} in cell {cell}.", cell
    )


def _failed(reason: str, message: str, cell: int | None) -> dict[str, Any]:
    return {"state": "failed", "reason": reason, "message": bounded(message), "cell": cell}
