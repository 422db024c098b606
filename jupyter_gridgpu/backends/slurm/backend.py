"""Runs the jobs of a scan on Slurm.

A batch is one `sbatch --array`. One `squeue` returns the status of all tasks of the user. `sacct`
knows the tasks that have left the queue, on clusters that have accounting.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import zlib
from collections.abc import Mapping, Sequence

from jupyter_gridgpu import images
from jupyter_gridgpu.backends.base import ONLY_PANDA, Capabilities, Job
from jupyter_gridgpu.backends.batch.backend import BatchBackend
from jupyter_gridgpu.backends.batch.batches import Batch, sending, still_sending
from jupyter_gridgpu.backends.batch.inquiry import TaskStatus
from jupyter_gridgpu.backends.slurm import checks, commands, options, output
from jupyter_gridgpu.backends.slurm.search import BatchSearch
from jupyter_gridgpu.errors import BackendError, QueueFull, Unreachable
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.paths import ScanPaths, write_atomic

SIGNAL_TIMEOUT_S = 2.0  # for scancel --signal
NAME_LIMIT = 80  # characters of the scan's name in the script
# The script that each task of a batch runs. Slurm keeps a copy of it, so that it starts also on a
# node that does not see the scan's folder, and ends there with exit code 71. A batch that was given
# up has the id null: its jobs were sent again, and if Slurm takes the first batch late, they must
# not run twice.
_SCRIPT = """\
#!/bin/sh
# A task of {name}. Slurm keeps a copy of this script.
batch={batch}
[ -r "$batch/tasks" ] || {{ echo "$(hostname) does not see $batch" >&2; exit 71; }}
# A batch that was given up, since Slurm was silent for long, was sent again: do not run it twice.
grep -q '"id": null' "$batch/engine.json" 2>/dev/null && exit 0
# The signal that tells of the time limit must end nothing before the worker listens to it.
trap '' USR1
[ -s "$batch/seen" ] || echo "$SLURM_ARRAY_JOB_ID" >"$batch/seen"
exec sh {launcher} {folder} $(sed -n "${{SLURM_ARRAY_TASK_ID}}p" "$batch/tasks")
"""


class SlurmBackend(BatchBackend):
    """The backend for Slurm."""

    title = "Slurm"
    capabilities = Capabilities(
        ignores={
            "shared": "on Slurm, nodes must see the scan's folder",
            "no_shared_disk": "on Slurm, nodes must see the scan's folder",
            **ONLY_PANDA,
        },
        model_asks_for_gpu=True,
    )
    kill_s = 30.0  # Slurm's KillWait, where the cluster has not changed it

    def __init__(self, scan: ScanSpec, paths: ScanPaths) -> None:
        super().__init__(scan, paths)
        self._accounting = commands.Accounting()
        self._search = BatchSearch(scan, paths, self._accounting)
        self._gpu_options: list[str] | None = None  # None: not found out yet
        self._limit_min: int | None = None  # the time limit of a task, if it was found out
        self.notice_s = float(options.lead_s(scan))
        # How many tasks are handed over in one call of `submit`. They may go out in several arrays,
        # which share the number of tasks that may run at once.
        self._tasks_in_call = 1
        self._limit_known = False  # whether `batch_limit` is that of the cluster

    # Before anything is sent.

    def check(self, ask: bool = True) -> None:
        """Raise BackendError if there is no Slurm here or it refuses such jobs."""
        checks.check_gpu_options(self._scan)
        if shutil.which("sbatch") is None:
            raise BackendError(
                "--on slurm: there is no sbatch on this machine."
                " Work where jobs of the cluster are submitted from."
            )
        if not ask:
            return
        ran = commands.run(
            ["sbatch", "--test-only", *self._options(1)],
            text="#!/bin/sh\n",
            env=options.job_environment(self._scan, os.environ),
        )
        # A queue that is full now will have room when the jobs are sent.
        if ran.returncode and not output.FULL.search(ran.stderr):
            complaint = output.complaint(ran.stderr)
            raise BackendError(
                f"Slurm refuses such jobs: {complaint}.{checks.hint(self._scan, ran.stderr)}"
            )
        checks.check_partition(self._scan)

    # Sending.

    def submit(self, jobs: Sequence[Job]) -> dict[str, str | Exception]:
        """Hand jobs over, in arrays as large as the cluster takes them."""
        if jobs and not self._limit_known:
            self._ask_array_limit()
        self._tasks_in_call = max(self._hand_over.task_count(len(jobs)), 1)
        return super().submit(jobs)

    def allowed_tasks(self, sent: int) -> int:
        """Return how many more tasks may be handed over, after `sent` in the same call."""
        at_once = self._at_once()
        if self._hand_over.full is None or at_once is None:
            return super().allowed_tasks(sent)
        # In a queue that is full, the tasks go out in many small arrays, and the limit of an array
        # (`%N`) does not count the tasks of the other arrays. So no more tasks are handed over than
        # may run at once.
        return at_once - self._hand_over.task_count(self._tracker.unfinished) - sent

    def _at_once(self) -> int | None:
        """Return how many tasks may run at once, from --parallel; None: any number."""
        if not self._scan.parallel:
            return None
        return max(self._scan.parallel // self._scan.per_gpu, 1)

    def _ask_array_limit(self) -> None:
        """Learn how many tasks one array may have."""
        # Where Slurm does not answer, the next batch asks again.
        with contextlib.suppress(BackendError):
            config = commands.run(["scontrol", "show", "config"]).stdout
            kill_wait = re.search(r"^KillWait\s*=\s*(\d+)", config, re.M)
            if kill_wait:
                self.kill_s = float(kill_wait[1])
            found = re.search(r"^MaxArraySize\s*=\s*(\d+)", config, re.M)
            if found:
                # The largest index is one less, and our tasks count from 1.
                self.batch_limit = max(int(found[1]) - 1, 1)
                self._limit_known = True

    def send(self, batch: Batch) -> str:
        """Send a batch as one array and return its id.

        Raises QueueFull, Unreachable or BackendError.
        """
        script = batch.folder / "script"
        write_atomic(script, self._script(batch))
        chosen = [*self._options(len(batch.tasks)), *self._search.identifying_options(batch)]
        with sending(batch) as lock:
            ran = commands.run(
                ["sbatch", "--parsable", *chosen, str(script)],
                env=self._environment(),
                keep=lock,
            )
        if ran.returncode == 0:
            return _batch_id(ran.stdout, ran.stderr)
        limit = output.FULL.search(ran.stderr)
        if limit:
            raise QueueFull(f"Slurm: {limit[0]}")
        raise BackendError(f"Slurm refused it: {output.complaint(ran.stderr)}")

    def _environment(self) -> dict[str, str]:
        """Return the environment of sbatch, which Slurm hands on to the jobs."""
        variables = options.job_environment(self._scan, os.environ)
        if self._scan.container.image and not images.starts_container(self._scan.container):
            # By it a job in an image that Slurm has started knows that its PATH is not the image's.
            variables[images.SENT_PATH] = variables.get("PATH", "")
        return variables

    def _script(self, batch: Batch) -> str:
        return _SCRIPT.format(
            name=one_line(self._scan.name, NAME_LIMIT) or "",
            batch=shlex.quote(str(batch.folder)),
            launcher=shlex.quote(str(self._paths.launcher)),
            folder=shlex.quote(str(self._paths.folder)),
        )

    def _options(self, tasks: int) -> list[str]:
        """Return the options of sbatch for an array of so many tasks."""
        at_once = self._at_once()
        # In a queue that is full, `allowed_tasks` keeps the limit. Otherwise each array gets its
        # share of the tasks that may run at once.
        if at_once is not None and self._hand_over.full is None:
            at_once = max(at_once * tasks // max(self._tasks_in_call, tasks), 1)
        if self._gpu_options is None:
            self._gpu_options = options.gpu_options(self._scan)
        return [
            options.array_option(tasks, at_once),
            *options.constant_options(self._scan),
            *options.resource_options(self._scan),
            *options.time_options(self._scan, self._time_limit_min()),
            *self._gpu_options,
            *options.placement_options(self._scan),
        ]

    def _time_limit_min(self) -> int | None:
        """Return the time limit of a task in minutes, None if it is left to the cluster."""
        if self._limit_min is None:
            longest_s = None
            if options.is_short(self._scan):
                # Where Slurm does not say what the partition allows, the usual time is asked for.
                with contextlib.suppress(BackendError):
                    longest_s = checks.longest_s(self._scan)
            self._limit_min = options.time_limit_min(self._scan, longest_s)
        return self._limit_min

    def limit_is_near(self) -> bool:
        """Return whether the time limit of a task is as short as the notice of it."""
        return options.limit_is_near(self._scan, self._time_limit_min())

    def find_batches(self, batches: Sequence[Batch]) -> dict[str, str]:
        """Return the ids of those batches that Slurm has, by their names. Raises Unreachable."""
        if any(still_sending(batch) for batch in batches):
            raise Unreachable("an sbatch of an earlier runner is still at work")
        return self._search.find(batches)

    # Looking.

    def task_id(self, batch_id: str, index: int) -> str:
        """Return Slurm's id of a task (from 1) of an array."""
        return f"{batch_id}_{index}"

    def cluster(self) -> str:
        """Return a name for the cluster, from the variables that choose one."""
        clusters = os.environ.get("SLURM_CLUSTERS")
        if clusters:
            return clusters
        configuration = os.environ.get("SLURM_CONF", "")
        if configuration:
            return f"{zlib.crc32(configuration.encode()):08x}"
        return "default"

    def query(self) -> Mapping[str, TaskStatus]:
        """Return the status of tasks that wait, run, or ended in the last minutes."""
        form = output.queue_format(output.QUEUE_FIELDS)
        text = commands.answer(
            [
                "squeue",
                "--noheader",
                "--array",
                "--states=all",
                commands.own_jobs(),
                "--Format",
                form,
            ]
        )
        return output.read_tasks(text)

    def query_past(self, tasks: Sequence[str]) -> Mapping[str, TaskStatus]:
        """Return what the accounting knows of tasks that have left the queue."""
        arrays = sorted({task.split("_")[0] for task in tasks})
        # Where the accounting is silent, what the queue has just answered still counts.
        with contextlib.suppress(Unreachable):
            text = self._accounting.ask(output.PAST_FIELDS, f"--jobs={','.join(arrays)}")
            known = output.read_tasks(text)
            return {task: known[task] for task in tasks if task in known}
        return {}

    # Ending.

    def end(self, tasks: Sequence[str], hard: bool) -> None:
        """End tasks. Their workers get a signal first, so that they can save, unless `hard`.

        Raises Unreachable.
        """
        at_once = list(tasks)
        if not hard:
            at_once = self._not_started(tasks)
        if at_once:
            # The exit code of scancel is ignored: some of the tasks may have ended by now.
            commands.run(["scancel", "--quiet", *commands.array_ids(at_once)])
        running = [task for task in tasks if task not in set(at_once)]
        if not running:
            return
        # The signal goes to the worker alone. A plain scancel would end its kernel at the same
        # time, and nothing could be saved.
        signal = ["scancel", "--quiet", "--batch", "--signal=TERM", *commands.array_ids(running)]
        # scancel sends the signal at once, but then it goes on as long as other tasks of the array
        # wait. So its end is not awaited.
        with contextlib.suppress(Unreachable):
            commands.run(signal, timeout_s=SIGNAL_TIMEOUT_S)

    def _not_started(self, tasks: Sequence[str]) -> list[str]:
        """Return those tasks that have not started, as Slurm says now."""
        # scancel could choose them itself (--state), but then it takes whole arrays.
        known = self.query()
        return [task for task in tasks if task in known and known[task].state == "queued"]


def _batch_id(stdout: str, stderr: str) -> str:
    """Return the id of the array that sbatch made. Raises Unreachable if there is no id."""
    ident = stdout.strip().split(";")[0]  # ID or ID;CLUSTER
    if ident.isdecimal():
        return ident
    raise Unreachable(f"sbatch did not say which job it made: {output.complaint(stdout or stderr)}")
