"""Slurm: one `sbatch --array` for many jobs, one `squeue` for how all of them are; `sacct` where there is accounting."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import zlib
from collections.abc import Mapping, Sequence
from typing import TextIO

from jupyter_gridgpu.backends.base import Job
from jupyter_gridgpu.backends.batch.backend import BatchBackend
from jupyter_gridgpu.backends.batch.batches import Batch, sending, still_sending
from jupyter_gridgpu.backends.batch.inquiry import TaskStatus
from jupyter_gridgpu.backends.slurm import output as words
from jupyter_gridgpu.errors import BackendError, Full, Unreachable
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.model.units import duration
from jupyter_gridgpu.queues.slurm import seconds
from jupyter_gridgpu.store.paths import ScanPaths, read_json, write_atomic

PATIENCE_S = 60.0  # with one command; Slurm's own tries end before
SIGNAL_S = 2.0  # with scancel --signal, which sends at once and then waits for what it need not
LEAD_S = 60  # before the time limit, when the worker is told; Slurm may tell it a minute earlier
_SILENT = re.compile(
    r"Unable to contact slurm controller|Socket timed out|[Cc]onnection (refused|reset|timed out)|Zero Bytes"
    r"|Unexpected missing socket|[Uu]nable to establish|[Aa]uthentication|Invalid credential|munge|try again later"
    r"|temporarily unable|standby mode|Insane message length|Communication connection failure|Transport endpoint"
)
_SCRIPT = """\
#!/bin/sh
# A task of {name}: Slurm keeps a copy of this, so it begins on nodes too that do not see the scan's folder.
batch={batch}
[ -r "$batch/tasks" ] || {{ echo "$(hostname) does not see $batch" >&2; exit 71; }}
# Slurm was silent for so long that this was given up and its jobs were sent again: they are not to run twice.
grep -q '"id": null' "$batch/engine.json" 2>/dev/null && exit 0
[ -s "$batch/seen" ] || echo "$SLURM_ARRAY_JOB_ID" >"$batch/seen"
exec sh {launcher} {folder} $(sed -n "${{SLURM_ARRAY_TASK_ID}}p" "$batch/tasks")
"""


class SlurmBackend(BatchBackend):
    title = "Slurm"

    def __init__(self, scan: ScanSpec, paths: ScanPaths) -> None:
        super().__init__(scan, paths)
        self._accounting: bool | None = None  # whether sacct answers; None: not tried
        self._gpus: list[str] | None = None
        self._tasks = (
            1  # that are sent together, be it in several arrays, and share what may run at once
        )
        self._limited = False  # whether batch_limit is the cluster's

    # before anything is sent ----------------------------------------------------------

    def check(self, ask: bool = True) -> None:
        if shutil.which("sbatch") is None:
            raise BackendError(
                "--on slurm: there is no sbatch on this machine. Work where jobs of the cluster are submitted from."
            )
        if not ask:
            return
        ran = run(
            ["sbatch", "--test-only", *self._words(1)],
            text="#!/bin/sh\n",
            env=words.job_environment(os.environ),
        )
        if ran.returncode and not words.FULL.search(ran.stderr):
            raise BackendError(
                f"Slurm refuses such jobs: {words.complaint(ran.stderr)}.{self._hint(ran.stderr)}"
            )
        self._check_partition()

    def _hint(self, said: str) -> str:
        """What to do about a refusal, where that can be told."""
        where = self._scan.placement
        if "partition" in said and where.queue:
            return " `sinfo -s` lists the partitions."
        if "account" in said and where.account:
            return (
                f" --account {where.account}: `sacctmgr show associations user=$USER` lists yours."
            )
        return (
            f" --qos {where.qos}: `sacctmgr show qos` lists them."
            if "qos" in said.lower() and where.qos
            else ""
        )

    def _check_partition(self) -> None:
        """Raise EngineError for what Slurm takes by default and then never starts."""
        wall, account = (
            (self._scan.resources.walltime_s or 0) * self._scan.per_job,
            self._scan.placement.account,
        )
        if not wall and not account:
            return
        part = self._partition()
        name, most, takes = (
            part.get("PartitionName"),
            seconds(part.get("MaxTime", "")),
            part.get("AllowAccounts", "ALL"),
        )
        if most is not None and wall > most:
            raise BackendError(
                f"--walltime: a job of {duration(wall)} is longer than the {duration(most)} that the partition {name} allows."
                " Ask for less or give another --queue."
            )
        if account and takes != "ALL" and account not in takes.split(","):
            raise BackendError(
                f"--account {account} may not use the partition {name}, which takes {takes}."
            )

    def _partition(self) -> dict[str, str]:
        """What Slurm says of the partition that jobs go to."""
        queue = self._scan.placement.queue
        ran = run(["scontrol", "--oneliner", "show", "partition", *([queue] if queue else [])])
        found = [
            dict(word.split("=", 1) for word in line.split() if "=" in word)
            for line in ran.stdout.splitlines()
        ]
        return next((part for part in found if queue or part.get("Default") == "YES"), {})

    # sending ----------------------------------------------------------------------------

    def submit(self, jobs: Sequence[Job]) -> dict[str, str | Exception]:
        if not self._limited and jobs:
            self._ask_array_limit()
        self._tasks = max(self.tasks_of(len(jobs)), 1)
        return super().submit(jobs)

    def room(self, sent: int) -> int:
        """Of --parallel, in a full queue, no more than may run: what is cut into small arrays shares no limit of one array."""
        at_once = self._at_once()
        if self.full is None or at_once is None:
            return super().room(sent)
        return at_once - self.tasks_of(self.going) - sent

    def _at_once(self) -> int | None:
        """How many tasks may run at once."""
        return max(self._scan.parallel // self._scan.per_gpu, 1) if self._scan.parallel else None

    def _ask_array_limit(self) -> None:
        """Learn how many tasks, counted from 1, one array may have; where Slurm does not say, the next batch asks again."""
        with contextlib.suppress(BackendError):
            if found := re.search(
                r"^MaxArraySize\s*=\s*(\d+)", run(["scontrol", "show", "config"]).stdout, re.M
            ):
                self._limited, self.batch_limit = True, max(int(found[1]) - 1, 1)

    def send(self, batch: Batch) -> str:
        script = batch.folder / "script"
        write_atomic(script, self._script(batch))
        with sending(batch) as lock:
            ran = run(
                ["sbatch", "--parsable", *self._words(len(batch.tasks)), *self._marks(batch), str(script)],
                env=words.job_environment(os.environ), keep=lock,
            )  # fmt: skip
        ident = ran.stdout.strip().split(";")[0]
        if ran.returncode == 0 and ident.isdecimal():
            return ident
        if ran.returncode == 0:
            raise Unreachable(
                f"sbatch did not say which job it made: {words.complaint(ran.stdout or ran.stderr)}"
            )
        if limit := words.FULL.search(ran.stderr):
            raise Full(f"Slurm: {limit[0]}")
        raise BackendError(f"Slurm refused it: {words.complaint(ran.stderr)}")

    def _script(self, batch: Batch) -> str:
        return _SCRIPT.format(
            name=words.one_line(self._scan.name), batch=shlex.quote(str(batch.folder)),
            launcher=shlex.quote(str(self._paths.launcher)), folder=shlex.quote(str(self._paths.folder)),
        )  # fmt: skip

    def _marks(self, batch: Batch) -> list[str]:
        """By what a batch is known again, if its id was never heard: name, comment and folder."""
        return [
            f"--job-name={self._name(batch)}",
            f"--comment={self._comment(batch)}",
            f"--chdir={self._paths.folder}",
        ]

    def _name(self, batch: Batch) -> str:
        return f"{self._scan.name}-{batch.name}"

    def _comment(self, batch: Batch) -> str:
        return f"gridgpu {self._scan.id} {batch.name}"

    def _words(self, tasks: int) -> list[str]:
        """The options of sbatch that say what jobs need. stdout is nowhere: a node may not see our folder."""
        scan = self._scan
        parallel = self._at_once()
        if parallel is not None and not self.full:  # else there are no more than that
            parallel = parallel * tasks // max(self._tasks, tasks)
        return [
            f"--array=1-{tasks}" + (f"%{max(parallel, 1)}" if parallel is not None else ""),
            "--output=/dev/null", "--export=ALL", "--requeue", "--nodes=1", "--ntasks=1", f"--signal=B:USR1@{LEAD_S}",
            *words.sizes(scan), *self._gpu_words(),
            *words.placed("partition", scan.placement.queue), *words.placed("account", scan.placement.account),
            *words.placed("qos", scan.placement.qos),
        ]  # fmt: skip

    def _gpu_words(self) -> list[str]:
        """GPUs, of a type that the cluster has or on nodes with such a feature; and the user's own constraint."""
        if self._gpus is None:
            wants, constraint = self._scan.resources, self._scan.placement.constraint
            kind, feature = self._model(wants.gpu_model) if wants.gpu_model else (None, None)
            both = f"({constraint})&{feature}" if constraint and feature else constraint or feature
            gres = ":".join(["gpu", *filter(None, [kind]), str(max(wants.gpus, 1 if kind else 0))])
            self._gpus = ([f"--gres={gres}"] if wants.gpus or kind else []) + words.placed(
                "constraint", both
            )
        return self._gpus

    def _model(self, model: str) -> tuple[str | None, str | None]:
        """Return the GPU type or the node feature that has a model in its name. Raises EngineError if there is none."""
        part = words.placed("partition", self._scan.placement.queue)
        fields = words.DIVIDER.join(("%G", "%f", "%D"))
        said = run(["sinfo", "--noheader", "--format", fields, *part])
        answered(said, "sinfo")
        types, features = words.gres_types(said.stdout), words.features(said.stdout)
        if kind := words.best_match(model, types):
            return kind, None
        if feature := words.best_match(model, features):
            return None, feature
        known = ", ".join(sorted(types)) or "GPUs whose model is not told"
        raise BackendError(
            f"--gpu-model {model}: Slurm has {known}{' in ' * bool(part)}{self._scan.placement.queue or ''}."
        )

    def sent(self, batches: Sequence[Batch]) -> dict[str, str]:
        if any(still_sending(batch) for batch in batches):
            raise Unreachable("an sbatch of an earlier runner is still at work")
        found = {batch.name: ident for batch in batches if (ident := self._seen_there(batch))}
        for search in (self._queued_batches, self._past_batches):
            missing = [batch for batch in batches if batch.name not in found]
            found.update(search(missing) if missing else {})
        return found

    def _seen_there(self, batch: Batch) -> str | None:
        """The id that the first task to start on a node left."""
        ident = read_json(batch.folder / "seen", 100)
        return str(ident) if type(ident) is int and ident > 0 else None

    def _queued_batches(self, batches: Sequence[Batch]) -> dict[str, str]:
        ran = run(
            [
                "squeue",
                "--noheader",
                "--states=all",
                *mine(),
                "--Format",
                words.queue_format(words.BATCH_FIELDS),
            ]
        )
        answered(ran, "squeue")
        known = {
            (comment, folder): ident
            for ident, comment, _, folder in words.rows(ran.stdout, len(words.BATCH_FIELDS))
        }
        ids = {
            batch.name: known.get((self._comment(batch), str(self._paths.folder)))
            for batch in batches
        }
        return {name: ident for name, ident in ids.items() if ident}

    def _past_batches(self, batches: Sequence[Batch]) -> dict[str, str]:
        """Those that ended so long ago that only the accounting knows them."""
        names = {self._name(batch): batch.name for batch in batches}
        said = self._sacct(
            [
                f"--name={','.join(names)}",
                f"--starttime={words.local_time(self._scan.created - 60)}",
                *mine(),
            ],
            words.PAST_BATCH_FIELDS,
        )
        rows = words.rows(said, len(words.PAST_BATCH_FIELDS))
        return {
            names[name]: ident.split("_")[0]
            for ident, name, folder in rows
            if name in names and folder == str(self._paths.folder)
        }

    # looking ------------------------------------------------------------------------------

    def task_id(self, batch_id: str, index: int) -> str:
        return f"{batch_id}_{index}"

    def cluster(self) -> str:
        conf = os.environ.get("SLURM_CONF", "")
        return os.environ.get("SLURM_CLUSTERS") or (
            f"{zlib.crc32(conf.encode()):08x}" if conf else "default"
        )

    def ask(self) -> Mapping[str, TaskStatus]:
        """Return what squeue says: jobs that wait, run, or ended in the last minutes."""
        form = words.queue_format(words.QUEUE_FIELDS)
        ran = run(["squeue", "--noheader", "--array", "--states=all", *mine(), "--Format", form])
        answered(ran, "squeue")
        return words.read_tasks(ran.stdout)

    def ask_past(self, tasks: Sequence[str]) -> Mapping[str, TaskStatus]:
        arrays = sorted({task.split("_")[0] for task in tasks})
        with contextlib.suppress(Unreachable):  # the queue has answered
            known = words.read_tasks(self._sacct([f"--jobs={','.join(arrays)}"], words.PAST_FIELDS))
            return {task: known[task] for task in tasks if task in known}
        return {}

    def _sacct(self, what: Sequence[str], fields: Sequence[str]) -> str:
        """What the accounting says; nothing where there is none, which is found out once. Raises Unreachable."""
        if self._accounting is None:
            self._accounting = shutil.which("sacct") is not None
        if not self._accounting:
            return ""
        form = [f"--delimiter={words.DIVIDER}", f"--format={','.join(fields)}"]
        ran = run(["sacct", "--noheader", "--parsable2", "--allocations", *form, *what])
        if ran.returncode and "disabled" in ran.stderr:
            self._accounting = False
            return ""
        answered(ran, "sacct")
        return ran.stdout

    # ending -------------------------------------------------------------------------------

    def end(self, tasks: Sequence[str], hard: bool) -> None:
        waiting = list(tasks) if hard else self._not_started(tasks)
        if waiting:  # that some have ended by now is no trouble
            run(["scancel", "--quiet", *words.array_ids(waiting)])
        if running := [task for task in tasks if task not in set(waiting)]:
            # To the worker alone: a plain scancel would end its kernel at the same time.
            with contextlib.suppress(
                Unreachable
            ):  # it is sent at once, but while others of an array wait, scancel tries again
                run(
                    ["scancel", "--quiet", "--batch", "--signal=TERM", *words.array_ids(running)],
                    patience_s=SIGNAL_S,
                )

    def _not_started(self, tasks: Sequence[str]) -> list[str]:
        """Those of the tasks that have not started, as Slurm says now. (Its own filter, scancel --state, takes whole arrays.)"""
        known = self.ask()
        return [task for task in tasks if task in known and known[task].state == "queued"]


def mine() -> list[str]:
    return [f"--user={os.getuid()}"]


def run(
    command: Sequence[str],
    patience_s: float = PATIENCE_S,
    text: str = "",
    env: dict[str, str] | None = None,
    keep: TextIO | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command of Slurm's. Raises Unreachable if Slurm does not answer, EngineError if there is no such command."""
    environment = (
        {**os.environ, "SLURM_TIME_FORMAT": "%s", "LC_ALL": "C.UTF-8"} if env is None else env
    )
    try:
        ran = subprocess.run(
            command, input=text, capture_output=True, text=True, errors="replace", timeout=patience_s, env=environment,
            pass_fds=[keep.fileno()] if keep else (),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Unreachable(f"{command[0]} did not answer within {patience_s:.0f} s") from None
    except OSError as error:
        raise BackendError(f"{command[0]} cannot be started: {error.strerror}.") from None
    if ran.returncode and _SILENT.search(ran.stderr):
        raise Unreachable(f"Slurm does not answer: {words.complaint(ran.stderr)}")
    return ran


def answered(ran: subprocess.CompletedProcess[str], command: str) -> None:
    """Raise Unreachable for a command that failed."""
    if ran.returncode:
        raise Unreachable(f"{command} failed: {words.complaint(ran.stderr)}")
