"""Processes on this machine. A job is claimed by its worker with an exclusive file, so none ever runs twice."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_gridgpu import images
from jupyter_gridgpu.backends.base import (
    THREAD_VARIABLES,
    Capabilities,
    Job,
    notebook_of,
    read_result,
    shared_gpu_environment,
    write_spec,
)
from jupyter_gridgpu.backends.local.starters import ContainerStarter, ForkServer, Starter
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.job import Observation, bounded
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.paths import (
    COPY_NAME,
    ScanPaths,
    publish,
    read_json,
    scratch_folder,
    write_json,
)
from jupyter_gridgpu.store.process import Process
from jupyter_gridgpu.store.tail import tail_text

CANCEL_GRACE_S = 12.0  # a worker needs up to five seconds to save and end its kernel
UNCLAIMED_S = 60.0
POLL_S = 0.05
LOOKS_A_SECOND = 400  # at jobs; the scan folder may be on a network
SILENT_S = 180.0  # a worker writes a heartbeat every 20 s
DEATHS = 3  # of what brings workers up, in a row, before jobs are given up


class LocalBackend:
    """Runs jobs as processes of this machine."""

    capabilities = Capabilities()

    def __init__(self, scan: ScanSpec, paths: ScanPaths) -> None:
        self._scan = scan
        self._paths = paths
        self._contained = images.contained(scan.container)
        self.starter: Starter = ContainerStarter(paths) if self._contained else ForkServer(paths)
        self._pins: dict[str, list[str]] = {}  # key -> GPUs, of jobs not known to have ended
        self._handed: dict[str, float] = {}  # key -> when it was last handed over
        self._told: dict[str, float] = {}  # key -> when it was told to end
        self._running: dict[
            str, tuple[Process, Observation]
        ] = {}  # key -> its worker here, and all there is to see of it
        self.poll_s = POLL_S
        self._devices: list[str] | None = None

    # what the machine has ---------------------------------------------------------

    def check(self, ask: bool = True) -> None:
        wanted = self._scan.resources.gpus
        if wanted > len(self.devices()):
            raise BackendError(
                f"--gpus {wanted}: this machine has {len(self.devices()) or 'no'} GPUs to use. Ask for fewer."
            )
        if self._contained:
            images.require(self._scan.container)

    def check_files(self, files: Mapping[str, Path]) -> None:
        """Accept all helper files: they stay on this machine."""

    def devices(self) -> list[str]:
        """The GPUs that jobs may use: those CUDA_VISIBLE_DEVICES names, else all there are."""
        if self._devices is None:
            self._devices = visible_gpus()
        return self._devices

    def slots(self) -> int:
        gpus = len(self.devices())
        most = gpus * self._scan.per_gpu // max(self._scan.resources.gpus, 1) if gpus else None
        wanted = self._scan.parallel or most or max(1, cores() // 2)
        return min(wanted, most) if most else wanted

    def notice(self) -> str | None:
        return None

    # handing over -----------------------------------------------------------------

    def submit(self, jobs: Sequence[Job]) -> dict[str, str | Exception]:
        ids: dict[str, str | Exception] = {}
        for job in jobs:
            try:
                write_spec(job, self._environment(job.key))
                self._hand_over(job.key)
                ids[job.key] = job.key
            except OSError as error:
                self._pins.pop(job.key, None)
                ids[job.key] = error
        return ids

    def find(self, keys: Sequence[str]) -> dict[str, str]:
        found = {key: key for key in keys if self._paths.job(key).claim.exists()}
        self._pins.update({key: self._written_pins(key) for key in found})
        return found

    def _written_pins(self, key: str) -> list[str]:
        """The GPUs that an earlier runner gave to a job."""
        env = (read_json(self._paths.job(key).spec) or {}).get("env", {})
        return [device for device in env.get("CUDA_VISIBLE_DEVICES", "").split(",") if device]

    def open(self) -> None:
        self.starter.open()

    def _hand_over(self, key: str) -> None:
        self.starter.start(key)
        self._handed[key] = time.time()

    def _environment(self, key: str) -> dict[str, str]:
        """GPUs of the job's own, and no more threads than its share of the cores, unless the user said otherwise."""
        share = str(max(1, cores() // self.slots()))
        env = {
            name: share for name in THREAD_VARIABLES if name not in os.environ
        } | shared_gpu_environment(self._scan)
        if self.devices():
            # A worker may have read the job already that a killed runner had written: it keeps its GPUs.
            written = self._written_pins(key)
            kept = written if set(written) <= set(self.devices()) else []
            self._pins[key] = kept or self._least_used(max(self._scan.resources.gpus, 1))
            env["CUDA_VISIBLE_DEVICES"] = ",".join(self._pins[key])
        return env

    def _least_used(self, count: int) -> list[str]:
        used = Counter(device for pins in self._pins.values() for device in pins)
        return sorted(self.devices(), key=lambda device: used[device])[:count]

    # looking ----------------------------------------------------------------------

    def poll(self, ids: dict[str, str]) -> dict[str, Observation]:
        self.poll_s = max(POLL_S, len(ids) / LOOKS_A_SECOND)
        return {key: seen for key in ids if (seen := self._look(key)) is not None}

    def _look(self, key: str) -> Observation | None:
        if result := self._result(key):
            return result
        owner, seen = self._running.get(key, (None, None))
        if owner is not None and owner.alive():
            self._insist(key, owner)
            return seen
        claim = read_json(self._paths.job(key).claim)
        if not isinstance(claim, dict):
            return self._unclaimed(key)
        owner = Process.from_json(claim)
        if owner is None:
            return self._ended(key, Observation("cancelled", "user", "Stopped before it started."))
        if owner.host != socket.gethostname():
            return self._elsewhere(key, owner, claim)
        if owner.alive():
            self._insist(key, owner)
            seen = self._seen(key, claim)
            if seen.notebook:
                self._running[key] = owner, seen
            return seen
        # It may have ended between the two looks, with its result.
        return self._result(key) or self._died(key, claim)

    def _seen(self, key: str, claim: dict[str, Any]) -> Observation:
        self.starter.deaths = 0
        started = self._paths.job(key).claim.stat().st_mtime
        gpu = ",".join(self._pins.get(key, [])) or None
        notebook = notebook_of(self._paths, key, claim.get("copy"))
        return Observation(
            "running", where=socket.gethostname(), gpu=gpu, started=started, notebook=notebook
        )

    def _elsewhere(self, key: str, owner: Process, claim: dict[str, Any]) -> Observation:
        """A job that runs on another host which shares the folder: its heartbeat is all that can be seen of it."""
        copies = [copy.metrics for copy in self._paths.job(key).copies() if copy.metrics.exists()]
        beats = [path.stat().st_mtime for path in (self._paths.job(key).claim, *copies)]
        if time.time() - max(beats) < SILENT_S:
            return Observation(**{**vars(self._seen(key, claim)), "where": owner.host})
        return self._ended(
            key,
            Observation(
                "lost", message=f"{owner.host}, where it ran, has not been heard of for 3 min."
            ),
        )

    def _result(self, key: str) -> Observation | None:
        result = read_result(self._paths, key)
        return self._ended(key, result) if result else None

    def _ended(self, key: str, seen: Observation) -> Observation:
        pins = self._pins.pop(key, [])
        self._handed.pop(key, None)
        self._told.pop(key, None)
        self._running.pop(key, None)
        seconds = (seen.ended or 0.0) - (seen.started or 0.0)
        return Observation(**{**vars(seen), "gpu_s": max(seconds, 0.0) * len(pins)})

    def _unclaimed(self, key: str) -> Observation | None:
        """A job that was handed over and that no worker has taken yet."""
        if not self._paths.job(key).spec.exists():
            return Observation("lost", message="The folder of the job is gone.")
        holds = self.starter.holds(key)
        if not holds and self.starter.deaths >= DEATHS and self._claim_it(key):
            message = f"Workers cannot start on this machine. {_last_words(self._paths.log)}"
            return self._ended(key, Observation("failed", "submit", message, ended=time.time()))
        if not holds:
            self._hand_over(key)  # once more; the claim keeps it from running twice
        elif time.time() - self._handed[key] > UNCLAIMED_S and self._claim_it(key):
            message = f"No worker took the job within {UNCLAIMED_S:.0f} s; runner.log in the scan folder may say why."
            return self._ended(key, Observation("failed", "submit", message, ended=time.time()))
        return Observation("queued")

    def _died(self, key: str, claim: dict[str, Any]) -> Observation:
        end_strays(str(self._paths.job(key).folder))
        started, copy = self._paths.job(key).claim.stat().st_mtime, claim.get("copy")
        if isinstance(copy, str) and COPY_NAME.fullmatch(copy):
            shutil.rmtree(scratch_folder(copy), ignore_errors=True)
            if self._published(key, copy) and (result := self._result(key)):
                return result
            if self._contained and not self._paths.job(key).copy(copy).folder.exists():
                return self._ended(key, self._never_began(key, started))
        return self._ended(
            key,
            Observation(
                "failed", "node", "The worker was killed; what was saved until then is kept.",
                started=started, ended=time.time(), notebook=notebook_of(self._paths, key, copy),
            ),
        )  # fmt: skip

    def _never_began(self, key: str, started: float) -> Observation:
        """A container in which no worker came up; the launcher or the runtime said why."""
        if key in self._told:
            return Observation("cancelled", "user", "Stopped before it started.")
        words = (
            _last_words(self._paths.job(key).log)
            or "The container ended before the worker began; runner.log may say why."
        )
        return Observation("failed", "image", words, started=started, ended=time.time())

    def _published(self, key: str, copy: str) -> bool:
        """Publish a result that a worker wrote and was killed before it could; whether there was one."""
        paths = self._paths.job(key)
        return paths.copy(copy).result.is_file() and publish(paths.copy(copy).result, paths.result)

    # ending -----------------------------------------------------------------------

    def cancel(self, ids: dict[str, str]) -> None:
        for key in ids:
            if key in self._told or self._claim_it(key):
                continue
            owner = Process.from_json(read_json(self._paths.job(key).claim))
            if owner is not None and owner.alive():
                self._told[key] = time.time()
                with contextlib.suppress(ProcessLookupError):
                    os.kill(owner.pid, signal.SIGTERM)

    def _claim_it(self, key: str) -> bool:
        """Take the claim so that no worker can; whether that worked."""
        paths = self._paths.job(key)
        part = paths.folder / ".claim.runner"
        try:
            write_json(part, {"cancelled": True})
            return publish(part, paths.claim)
        except OSError:  # a full disk, say; it is tried again
            return False
        finally:
            part.unlink(missing_ok=True)

    def _insist(self, key: str, owner: Process) -> None:
        """Kill a worker that was told to end and did not."""
        if time.time() - self._told.get(key, float("inf")) > CANCEL_GRACE_S:
            with contextlib.suppress(ProcessLookupError):
                os.kill(owner.pid, signal.SIGKILL)

    def collect(self, key: str, ident: str) -> None:
        """Local jobs write where the scan is."""

    def close(self) -> None:
        self.starter.close()


def _last_words(log: Path) -> str:
    """The last line of a log, where what cannot start says why."""
    lines = tail_text(log, 4096).strip().splitlines()
    return bounded(lines[-1]) or "" if lines else ""


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def visible_gpus() -> list[str]:
    """Return the GPUs a job may use, as CUDA_VISIBLE_DEVICES names them."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [device.strip() for device in given.split(",") if device.strip() not in ("", "-1")]
    return _by_nvml() or _by_smi()


def _by_nvml() -> list[str]:
    try:
        import pynvml

        pynvml.nvmlInit()
        return [str(i) for i in range(pynvml.nvmlDeviceGetCount())]
    except Exception:
        return []


def _by_smi() -> list[str]:
    try:
        text = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=10, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [
        str(i)
        for i, line in enumerate(line for line in text.splitlines() if line.startswith("GPU "))
    ]


def end_strays(job_folder: str) -> None:
    """Kill what a killed worker left behind: every process that carries the job's folder in its environment."""
    import psutil

    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get("GRIDGPU_JOB") == job_folder:
                process.kill()
