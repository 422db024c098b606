"""HTCondor: one cluster of jobs for each batch, found again by an attribute of our own; with or without a shared disk.

Jobs are of the vanilla universe and start our launcher, which finds the container runtime on the node: the same way as on
every engine. Where files travel with the jobs and there is an image, they are of the container universe instead, since
HTCondor then brings the image to the node as well.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shlex
import zlib
from collections.abc import Mapping, Sequence

from jupyter_gridgpu import images
from jupyter_gridgpu.backends.batch.backend import PAST_LIMIT, BatchBackend
from jupyter_gridgpu.backends.batch.batches import Batch, sending, still_sending
from jupyter_gridgpu.backends.batch.inquiry import TaskStatus
from jupyter_gridgpu.backends.htcondor import ads as ads
from jupyter_gridgpu.backends.htcondor.bindings import call
from jupyter_gridgpu.backends.htcondor.transfer import MIRROR, FileTransfer
from jupyter_gridgpu.errors import BackendError, Full, Unreachable
from jupyter_gridgpu.model.job import Observation
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.store.tail import tail_text

_MISSING = (
    "--on htcondor needs HTCondor's Python bindings: pip install 'jupyter_gridgpu[htcondor]'."
)
_TASK = re.compile(r"\d{1,10}\.\d{1,10}")

# MAX_JOBS_SUBMITTED is told by name; that limit while jobs are made, and those per owner and per submission, as an odd number.
_FULL = re.compile(r"MAX_JOBS_|Schedd says -[234]\b")


class HTCondorBackend(BatchBackend):
    title = "HTCondor"

    def __init__(self, scan: ScanSpec, paths: ScanPaths) -> None:
        super().__init__(scan, paths)
        self._travel = None if scan.placement.shared else FileTransfer(paths)
        self._queued: set[str] = set()  # when the queue was last looked at
        self._left: dict[str, TaskStatus] = {}  # what is known of tasks that have left it

    def check(self, ask: bool = True) -> None:
        if importlib.util.find_spec("htcondor2") is None:
            raise BackendError(_MISSING)
        if self._scan.placement.qos:
            raise BackendError(
                "HTCondor knows no --qos: leave it out, or say --account or --constraint."
            )
        if self._travel and self._image():
            self._check_travelling_image()
        if ask:
            try:
                call("ready", constraint=self._scan.placement.constraint)
            except Unreachable as error:
                raise BackendError(f"HTCondor does not answer: {error}") from None

    def _image(self) -> str | None:
        """The image of the jobs, as HTCondor takes it that brings it along with their files."""
        container = self._scan.container
        return (
            images.parse(container.image).source
            if container.image and images.contained(container)
            else None
        )

    def _check_travelling_image(self) -> None:
        if (
            self._scan.container.runtime == "podman"
            or images.parse(self._scan.container.image or "").kind == images.ARCHIVE
        ):
            raise BackendError(
                "With --no-shared-disk, HTCondor brings images to apptainer alone: no podman, no archives."
            )
        if self._scan.container.binds:
            raise BackendError(
                "With --no-shared-disk, nodes have no folder to --bind: send what jobs need with --files."
            )

    def environment(self) -> dict[str, str]:
        return {**super().environment(), **({MIRROR: "1"} if self._travel else {})}

    def slots(self) -> int | None:
        """HTCondor starts as many of a cluster as it has places for: with --parallel, no more are handed over."""
        return self._scan.parallel * self._scan.per_job if self._scan.parallel else None

    # handing over -----------------------------------------------------------------------

    def send(self, batch: Batch) -> str:
        keys = [" ".join(task) for task in batch.tasks]
        if self._travel:
            self._travel.pack(batch)
        description = ads.description(
            self._scan, self._ident(batch), self._arguments()
        ) | self._files(batch)
        tasks = [{"number": str(number), "keys": text} for number, text in enumerate(keys, 1)]
        try:
            with sending(batch) as lock:
                facts = {"ident": self._ident(batch), "since": self._scan.created}
                return str(call("submit", keep=lock, description=description, tasks=tasks, **facts))
        except Unreachable:
            raise
        except BackendError as error:
            refused = Full if _FULL.search(str(error)) else BackendError
            raise refused(f"HTCondor refused it: {error}") from None

    def _ident(self, batch: Batch) -> str:
        return f"{self._scan.id}/{batch.name}"

    def _arguments(self) -> str:
        """The arguments of /bin/sh on the node; the keys of its task come with each."""
        if not self._travel:
            return _shell(_THERE, str(self._paths.launcher), str(self._paths.folder))
        if self._image() is None:
            return _shell(_HERE)
        image = shlex.quote(self._scan.container.image or "")
        return _shell(
            _INSIDE.replace("TOGETHER", str(self._scan.per_gpu)).replace("IMAGE_NAME", image)
        )

    def _files(self, batch: Batch) -> dict[str, str]:
        """Where what a task prints goes, and what travels."""
        if self._travel:
            return self._travel.description(batch, self._image())
        return {
            "initialdir": str(self._paths.folder),
            "output": "/dev/null",
            "error": f"{batch.folder}/$(number).err",
            "transfer_output_files": '""',
        }

    def sent(self, batches: Sequence[Batch]) -> dict[str, str]:
        if any(still_sending(batch) for batch in batches):
            raise Unreachable("an earlier runner is still sending")
        names = {self._ident(batch): batch.name for batch in batches}
        found = call("find", idents=list(names), since=self._scan.created)
        return {names[ident]: str(cluster) for ident, cluster in found.items() if ident in names}

    def task_id(self, batch_id: str, index: int) -> str:
        return f"{batch_id}.{index - 1}"

    # looking ------------------------------------------------------------------------------

    def cluster(self) -> str:
        ours = [
            f"{name}={value}"
            for name, value in sorted(os.environ.items())
            if name.startswith(("CONDOR_", "_CONDOR_"))
        ]
        return f"{zlib.crc32(' '.join(ours).encode()):08x}" if ours else "default"

    def ask(self) -> Mapping[str, TaskStatus]:
        found = call("queue")
        fits = found["fits"]
        tasks = {
            ads.task_id(ad): ads.seen(ad, fits.get(str(ad.get("ClusterId"))), found["pool"])
            for ad in found["ads"]
        }
        gone, self._queued = [task for task in self._queued if task not in tasks], set(tasks)
        return {**tasks, **self.ask_past(gone[:PAST_LIMIT])}

    def ask_past(self, tasks: Sequence[str]) -> Mapping[str, TaskStatus]:
        new = [task for task in tasks if task not in self._left and _TASK.fullmatch(task)]
        if new:
            found = call("history", tasks=new, since=self._scan.created)
            self._left.update({ads.task_id(ad): ads.left(ad, found["pool"]) for ad in found["ads"]})
        return {task: self._left[task] for task in tasks if task in self._left}

    def poll(self, ids: dict[str, str]) -> dict[str, Observation]:
        if self._travel and self._travel.read(self._running_places(ids)):
            self._inquiry.hurry()  # a job has ended: soon its task will, too
        return super().poll(ids)

    def _running_places(self, ids: dict[str, str]) -> set[tuple[Batch, int]]:
        """The tasks that may tell something: those that run, as the queue was last seen."""
        said = self._inquiry.answer.tasks if self._inquiry.answer else {}
        running = [
            key
            for key, task in ids.items()
            if (seen := said.get(task)) is not None and seen.state == "running"
        ]
        return {place for key in running if (place := self._batches.place(key)) is not None}

    def bring(self, batch: Batch, index: int) -> None:
        if self._travel:
            self._travel.unpack(batch, index)
            return
        said = tail_text(batch.folder / f"{index}.err", 4096).strip()
        for key in (
            batch.tasks[index - 1] if said else ()
        ):  # the launcher could not say it in the folder it does not see
            log = self._paths.job(key).log
            with contextlib.suppress(OSError):
                if not log.exists():
                    log.write_text(said + "\n", encoding="utf-8")

    # ending -------------------------------------------------------------------------------

    def end(self, tasks: Sequence[str], hard: bool) -> None:
        if known := [task for task in tasks if _TASK.fullmatch(task)]:
            call("end", tasks=known, hard=hard)


# HTCondor gives a job no PATH; without one, Python does not know where it is itself.
_THERE = 'export PATH; exec sh "$@"'
_HERE = 'export PATH; exec sh worker.sh "$PWD" "$@"'
# In the image already: there is no runtime to be found any more.
_INSIDE = """\
export PATH PYTHONNOUSERSITE=1 GRIDGPU_IMAGE=IMAGE_NAME; command -v python3 >/dev/null || exit 74; \
for key; do set -- "$@" "$PWD/jobs/$key/job.json"; shift; done; exec python3 worker.pyz --together TOGETHER "$@\""""


def _shell(script: str, *words: str) -> str:
    """Return arguments of /bin/sh that run a script with words and the keys of a task."""
    return (
        '"'
        + " ".join(["-c", *(ads.argument(word) for word in (script, "sh", *words)), "$(keys)"])
        + '"'
    )
