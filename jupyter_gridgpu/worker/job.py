"""Runs one job, from its job.json to its result.json.

The steps: take the job, unless it has a result or a claim; make the copy's folder; execute the
notebook with metrics and limits watched; kill what is left of the job; write and publish the
result.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_gridgpu.store.opener import APPEND, plain_handle
from jupyter_gridgpu.store.paths import (
    CopyPaths,
    JobPaths,
    ScanPaths,
    publish,
    scratch_folder,
    sync_file,
    write_json,
)
from jupyter_gridgpu.store.tail import tail_text
from jupyter_gridgpu.worker.claim import claim_job, new_copy
from jupyter_gridgpu.worker.disk_retry import retry_while_disk_is_away
from jupyter_gridgpu.worker.exhaustion import Exhaustion
from jupyter_gridgpu.worker.failures import (
    Circumstances,
    ended_outside_cells,
    failed,
    failure_of,
)
from jupyter_gridgpu.worker.gpu_devices import VARIABLE, named_devices
from jupyter_gridgpu.worker.image import (
    container,
    image_name,
    image_version,
    make_home,
)
from jupyter_gridgpu.worker.job_log import JobLog
from jupyter_gridgpu.worker.job_spec import read_spec
from jupyter_gridgpu.worker.limits import Limits, Stopped
from jupyter_gridgpu.worker.metrics.mirror import MIRROR_VARIABLE, Mirror
from jupyter_gridgpu.worker.metrics.recorder import MetricsRecorder
from jupyter_gridgpu.worker.metrics.report import REPORTS_VARIABLE, STOP_VARIABLE
from jupyter_gridgpu.worker.metrics.sender import FLUSH_S, HURRIED_S, start_sender
from jupyter_gridgpu.worker.papermill_import import import_papermill
from jupyter_gridgpu.worker.provenance import Provenance
from jupyter_gridgpu.worker.provenance import gpus as gpu_models
from jupyter_gridgpu.worker.secret_values import SecretsMissing, secret_values
from jupyter_gridgpu.worker.usage import (
    JOB_VARIABLE,
    UsageSampler,
    adopt_orphans,
    kill_job_processes,
)
from jupyter_gridgpu.worker.work_folder import WorkFolder

# Reasons after which the job is killed soon if it does not end by itself.
HURRIED_REASONS = ("preempted", "timeout", "user", "pruned")
LAST_WORDS = 64 * 1024  # bytes of the end of the log, in which a reason is looked for
# Variables of the environment that say which job of the batch system a copy is.
BATCH_SYSTEM_VARIABLES = (
    "SLURM_JOB_ID",
    "SLURM_ARRAY_JOB_ID",
    "SLURM_ARRAY_TASK_ID",
    "SLURM_RESTART_COUNT",
    "_CONDOR_SLOT",
)


def run_job(spec: Path, claim: bool = False) -> int:
    """Run the job that `spec` (a job.json) describes; return 0 if it left a result of any kind.

    With `claim`, the job is claimed for this process first, so that a job which was started twice
    runs once. Nothing is done if the job is claimed already, or if it has a result: a batch system
    may start a job again after the job has ended. Raises SystemExit if job.json is damaged.
    """
    job = read_spec(spec)
    paths = JobPaths(spec.absolute().parent)
    scan = ScanPaths(paths.folder.parent.parent)
    copy = new_copy(paths)
    if paths.result.exists() or (claim and not claim_job(paths, copy)):
        return 0
    copy.folder.mkdir(mode=0o700, exist_ok=True)
    write_json(copy.about, _describe_copy())
    variables = {str(name): str(value) for name, value in job.get("env", {}).items()}
    mirror = None
    if MIRROR_VARIABLE in variables:
        # The batch system forwards the standard output to the user's side. From now on it belongs
        # to the mirror: the notebook's own output goes to the log.
        mirror = Mirror(job["key"], copy, os.dup(1))
    _redirect_output(copy.log)
    os.environ.update(variables)
    problem = None
    try:
        os.environ.update(secret_values(job, scan))
    except SecretsMissing as error:
        problem = str(error)
    os.environ[JOB_VARIABLE] = str(paths.folder)
    log = JobLog()
    metrics_sender = start_sender(job, scan, copy, log.say)
    result = _JobRun(job, scan, copy, log, problem).run()
    _publish_result(job, paths, copy, result)
    # Sending comes last: it may take long, and the result counts already.
    if mirror is not None:
        mirror.finish()
    if metrics_sender is not None:
        hurried = result.get("reason") in HURRIED_REASONS
        metrics_sender.close(HURRIED_S if hurried else FLUSH_S)
    return 0


def _describe_copy() -> dict[str, Any]:
    """Return copy.json: where this copy runs, as far as the environment tells."""
    gpus = os.environ.get(VARIABLE)
    if gpus is not None and not named_devices(gpus):
        gpus = None
    about = {
        "host": socket.gethostname(),
        "started": time.time(),
        "gpus": gpus,
        "models": sorted(set(gpu_models())),
        "engine": {name: os.environ[name] for name in BATCH_SYSTEM_VARIABLES if name in os.environ},
        "executable": sys.executable,
    }
    if image_name():
        about["image"] = image_name()
        about["image_mark"] = image_version()
        about["container"] = container()
    return about


def _redirect_output(log: Path) -> None:
    """Send all that this process and its children print to the log."""
    handle = plain_handle(log, APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)


def _publish_result(
    job: Mapping[str, Any], paths: JobPaths, copy: CopyPaths, result: Mapping[str, Any]
) -> None:
    """Write the copy's result, and publish it as the job's result unless another copy has done so.

    The result is written into the copy's folder first, and then gets its public name by a link. A
    link can be made only once, and the file is complete when the link appears: of two copies that
    end together the first one counts, and no reader sees half a result. If this process is killed
    in between, the backend finds the copy's result and publishes it.
    """
    body = {**result, "left": _sizes(copy)}
    retry_while_disk_is_away(functools.partial(write_json, copy.result, body))
    # What the result stands for must outlive a power cut as well as the result: both are on the
    # disk before the result gets its public name.
    for path in (copy.notebook, copy.result):
        with contextlib.suppress(OSError):
            sync_file(path)
    # A preempted job may be started again by the batch system; with a result it would do nothing.
    # The backend takes the copy's result once it knows that the job will not start again.
    if job.get("requeues") and result.get("reason") == "preempted":
        return
    retry_while_disk_is_away(functools.partial(publish, copy.result, paths.result))


def _sizes(copy: CopyPaths) -> dict[str, int]:
    """Return the sizes of files by which the other side knows that it sees all of them."""
    sizes = {}
    for path in (copy.metrics, copy.notebook):
        with contextlib.suppress(OSError):
            sizes[path.name] = path.stat().st_size
    return sizes


class _JobRun:
    """One copy of a job while it runs: its metrics, its usage, its limits, its folders.

    SIGTERM asks the job to end, and SIGUSR1 says that a limit may be near (see Limits). If the job
    must end while a cell runs, the cell is interrupted and the notebook is saved. Otherwise Stopped
    is raised at once.
    """

    def __init__(
        self,
        job: dict[str, Any],
        scan: ScanPaths,
        copy: CopyPaths,
        log: JobLog,
        problem: str | None = None,
    ) -> None:
        """`problem` is a sentence that says why the notebook cannot run on this node."""
        self._job = job
        self._problem = problem
        self._scan = scan
        self._copy = copy
        self._job_log = log
        self._log = log.say
        self._scratch = scratch_folder(copy.folder.name)
        self._reports = self._scratch / "reports.jsonl"
        self._usage = UsageSampler()
        self._limits = Limits(
            job.get("walltime_s"),
            job.get("memory_mb"),
            self._usage,
            copy.folder,
            JobPaths(copy.folder.parent).stop,
            job.get("grace_s"),
            job.get("kill_s"),
            job.get("notice_s"),
        )
        if job.get("limit_is_near"):
            self._limits.queue_limit.look()
        self._metrics = MetricsRecorder(copy.metrics, self._reports)
        self._cell: int | None = None  # the cell that ran last
        self._work = WorkFolder(scan, copy, self._log)
        self._exhaustion = Exhaustion()

    def run(self) -> dict[str, Any]:
        """Execute the notebook, kill what is left of the job, and return the result."""
        started = time.time()
        # The clock of the day may be set while the job runs; this one only goes on. It stands still
        # while the machine sleeps.
        awake = time.monotonic()
        adopt_orphans()
        self._set_up_environment()
        try:
            self._limits.listen()
            outcome = self._run_notebook()
            self._metrics.drain_reports()
        except Stopped:
            outcome = ended_outside_cells(self._limits.ending, self._cell, self._metrics.last_step)
        finally:
            # The notebook has ended, so there is nothing left to interrupt: a signal now could
            # only prevent that the result is written.
            self._limits.ignore()
            kill_job_processes()
            self._work.tidy()
            self._metrics.close()
            self._job_log.close()
            shutil.rmtree(self._scratch, ignore_errors=True)
        if self._work.problem and outcome["state"] == "done":
            outcome = failed("notebook", self._work.problem, None)
        return {
            "key": self._job["key"],
            "copy": self._copy.folder.name,
            "started": started,
            "ended": started + time.monotonic() - awake,
            "peak_mb": round(self._usage.peak_mb, 1),
            **self._exhaustion.explained(outcome),
        }

    def _set_up_environment(self) -> None:
        """Make the scratch folder, and set the variables that the kernel inherits."""
        self._scratch.mkdir(mode=0o700)
        make_home(self._scratch)
        os.environ[REPORTS_VARIABLE] = str(self._reports)
        os.environ[STOP_VARIABLE] = str(JobPaths(self._copy.folder.parent).stop)
        # The notebook imports `jupyter_gridgpu` (for report) from the packed worker, since the
        # package is not installed in an image.
        folders = [str(self._scan.worker), os.environ.get("PYTHONPATH")]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, folders))

    def _run_notebook(self) -> dict[str, Any]:
        """Execute the notebook; return the part of the result that says how it ended."""
        if self._problem is not None:
            return failed("node", self._problem, None)
        try:
            import_papermill()
            from nbclient.exceptions import DeadKernelError

            from jupyter_gridgpu.worker import kernelspecs, notebook
            from jupyter_gridgpu.worker.watched_client import Execution
        except ImportError as error:
            message = f"papermill cannot be imported where the job ran: {error}."
            return failed("image", message, None)

        job = self._job
        kernel = kernelspecs.choose_kernel(job["kernel"], job.get("language"), self._log)
        command = kernelspecs.kernel_command(kernel)
        provenance = Provenance({**job, "kernel": kernel}, command)
        execution = Execution(
            metrics=self._metrics,
            limits=self._limits,
            usage=self._usage,
            objectives=_objectives(job),
            log=self._job_log,
            scratch=self._scratch,
            provenance=provenance,
        )
        try:
            notebook.prepare()
            folder = self._work.fill()
            if self._work.problem:
                return failed(self._work.reason, self._work.problem, None)
            source, output = self._scan.notebook, self._copy.notebook
            notebook.execute(source, output, job["params"], kernel, folder, execution)
        except (Exception, Stopped) as error:
            ending = self._limits.ending
            if isinstance(error, DeadKernelError):
                ending = self._limits.kernel_died()
            self._job_log.close()
            printed = tail_text(self._copy.log, LAST_WORDS)
            raised, step = execution.raised, self._metrics.last_step
            return failure_of(error, ending, Circumstances(execution.cell, step, raised, printed))
        finally:
            self._cell = execution.cell
            # The same facts are in the notebook; a full disk may lose the file.
            with contextlib.suppress(OSError):
                write_json(self._copy.provenance, provenance.finish())
        if self._limits.ending is not None:
            return ended_outside_cells(self._limits.ending, execution.cell, self._metrics.last_step)
        return {"state": "done"}


def _objectives(job: dict[str, Any]) -> list[str]:
    """Return the metrics of the objectives; earlier versions wrote one alone."""
    only = job.get("objective")
    found: list[str] = job.get("objectives") or ([only] if only else [])
    return found
