"""The local backend: gives jobs their GPUs and threads, and hands them over to workers here."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from jupyter_gridgpu import images
from jupyter_gridgpu.backends import travelling
from jupyter_gridgpu.backends.base import (
    ONLY_PANDA,
    THREAD_VARIABLES,
    Capabilities,
    Job,
    patience,
    shared_gpu_environment,
    write_spec,
)
from jupyter_gridgpu.backends.local.devices import (
    GpuPins,
    check_gpu_kinds,
    counting_order,
    fitting_gpus,
    visible_gpus,
)
from jupyter_gridgpu.backends.local.own_python import check_python, fork_server
from jupyter_gridgpu.backends.local.starters import LauncherStarter, Starter
from jupyter_gridgpu.backends.local.tracking import LocalJobTracker
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.job import Observation
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.queues.this_machine import core_count
from jupyter_gridgpu.store.paths import ScanPaths, read_json

POLL_S = 0.05  # between two polls of few jobs
# Options that mean nothing on this machine, and why.
IGNORES = {
    "queue": "this machine has no queues",
    "account": "nobody pays for jobs on this machine",
    "qos": "this machine knows none",
    "constraint": "this machine is the only node",
    "shared": "jobs on this machine see the scan's folder",
    "no_shared_disk": "jobs on this machine see the scan's folder",
    "disk": "this machine sets no disk space aside for a job",
    "engine_option": "this machine has no batch system",
    "per_job": "each job on this machine runs one variant",
    **ONLY_PANDA,
}
JOBS_A_SECOND = 400  # at most so many jobs are looked at: the scan folder may be on a network


class LocalBackend:
    """Runs jobs as processes of this machine. The id of a job is its key."""

    capabilities = Capabilities(ignores=IGNORES)

    def __init__(self, scan: ScanSpec, paths: ScanPaths) -> None:
        self._scan = scan
        self._paths = paths
        self._contained = images.starts_container(scan.container)
        # The lines run in a shell, which cannot be forked from.
        launched = self._contained or images.has_setup(scan.environment)
        self.starter: Starter = fork_server(scan, paths)
        if launched:
            self.starter = LauncherStarter(paths, lambda: travelling.passed(scan, os.environ))
        self._pins = GpuPins()
        self.tracker = LocalJobTracker(paths, self.starter, self._pins, launched, patience(scan))
        if not self._contained:
            self.tracker.start_reason = "node"
        self.poll_s = POLL_S
        self._devices: list[str] | None = None

    # what the machine has ---------------------------------------------------------

    def check(self, ask: bool = True) -> None:
        """Raise BackendError if this machine lacks GPUs or cores, or cannot run the image."""
        wanted = self._scan.resources.gpus
        present = len(visible_gpus())
        if wanted > present:
            raise BackendError(
                f"--gpus {wanted}: this machine has {present or 'no'} GPUs to use. Ask for fewer."
            )
        check_gpu_kinds(self._scan.resources)
        if self._scan.per_gpu > 1 and not present:
            raise BackendError("--per-gpu: this machine has no GPU to share; leave it out.")
        cpus, cores = self._scan.resources.cpus or 1, core_count()
        if cpus > cores:
            raise BackendError(f"--cpus {cpus}: this machine has {cores}. Ask for fewer.")
        if self._contained:
            images.check_runs_here(self._scan.container)
        if ask:
            check_python(self._scan)

    def check_files(self, files: Mapping[str, Path]) -> None:
        """Accept all helper files: they stay on this machine."""

    def devices(self) -> list[str]:
        """Return the GPUs that jobs may use: those of CUDA_VISIBLE_DEVICES if it is set, else all.

        If the scan asks for a model, a memory or a CUDA version, only GPUs that have it are
        returned. The GPUs are looked for once.
        """
        if self._devices is None:
            # Where no GPU fits, the scan is older than this check: it goes on as it did.
            self._devices = fitting_gpus(self._scan.resources) or visible_gpus()
        return self._devices

    def slots(self) -> int:
        """Return how many jobs run at once.

        With GPUs, that is as many as the GPUs take and, where --cpus is given, as the cores take.
        Without, half of the cores are used, so that the machine stays usable; each job takes --cpus
        of them. `--parallel` sets another number, which GPUs may limit.
        """
        parallel = self._scan.parallel
        cpus = self._scan.resources.cpus
        gpus = len(self.devices())
        gpus_of_job = max(self._scan.resources.gpus, 1)
        limit = gpus * self._scan.per_gpu // gpus_of_job
        if limit == 0:
            return parallel or max(1, core_count() // 2 // (cpus or 1))
        if parallel:
            return min(parallel, limit)
        if cpus:
            return min(limit, max(1, core_count() // cpus))
        return limit

    def notice(self) -> str | None:
        """Return None: there is no batch system that could be in trouble."""
        return None

    # handing over -----------------------------------------------------------------

    def open(self) -> None:
        """Get ready to start workers."""
        self.starter.open()

    def submit(self, jobs: Sequence[Job]) -> dict[str, str | Exception]:
        """Start a worker for each job. Return for each key the job's id, or the OSError."""
        ids: dict[str, str | Exception] = {}
        for job in jobs:
            try:
                write_spec(job, self._environment(job.key))
                self.tracker.hand_over(job.key)
                ids[job.key] = job.key
            except OSError as error:
                self._pins.release(job.key)
                ids[job.key] = error
        return ids

    def find(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the ids of those jobs that an earlier runner started and a worker has claimed."""
        found = {key: key for key in keys if os.path.lexists(self._paths.job(key).claim)}
        for key in found:
            self._pins.set(key, self._written_gpus(key))
        return found

    def _environment(self, key: str) -> dict[str, str]:
        """Choose GPUs for a job, and return the variables that are added to its environment."""
        env = {**self._thread_limits(), **shared_gpu_environment(self._scan)}
        env |= travelling.chosen(self._scan)
        if not self.devices():
            return env
        # A runner that was killed may have written the job already, and a worker may have read it:
        # then the job keeps the GPUs that were written.
        pinned = self._written_gpus(key)
        if not pinned or not set(pinned) <= set(self.devices()):
            count = max(self._scan.resources.gpus, 1)
            pinned = self._pins.least_used(self.devices(), count)
        self._pins.set(key, pinned)
        env["CUDA_VISIBLE_DEVICES"] = ",".join(pinned)
        return {**env, **counting_order()}

    def _thread_limits(self) -> dict[str, str]:
        """Return the variables that give a job --cpus cores, or else its share of the cores.

        Variables that the user has set are left out, so that the user's values hold.
        """
        cpus = self._scan.resources.cpus
        share = str(cpus or max(1, core_count() // self.slots()))
        return {name: share for name in THREAD_VARIABLES if name not in os.environ}

    def _written_gpus(self, key: str) -> list[str]:
        """Return the GPUs that job.json names; an earlier runner chose them."""
        spec = read_json(self._paths.job(key).spec)
        env = spec.get("env") if isinstance(spec, dict) else None
        written = env.get("CUDA_VISIBLE_DEVICES") if isinstance(env, dict) else None
        if not isinstance(written, str):
            return []
        return [device for device in written.split(",") if device]

    # following and ending ---------------------------------------------------------

    def poll(self, ids: dict[str, str]) -> dict[str, Observation]:
        """Return what is known of jobs now, by key. `ids` maps keys to ids."""
        self.poll_s = max(POLL_S, len(ids) / JOBS_A_SECOND)
        return {key: self.tracker.look(key) for key in ids}

    def cancel(self, ids: dict[str, str]) -> None:
        """Tell the workers of jobs to end. A worker that does not end is killed by a later poll."""
        for key in ids:
            self.tracker.cancel(key)

    def collect(self, key: str, ident: str) -> None:
        """Do nothing: local jobs write into the scan's folder."""

    def close(self) -> None:
        """Start no more workers. Jobs go on."""
        self.starter.close()
