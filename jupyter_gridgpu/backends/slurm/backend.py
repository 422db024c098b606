"""Runs the jobs of a scan on Slurm.

A batch is one `sbatch --array`. One `squeue` returns the status of all tasks of the user. `sacct`
knows the tasks that have left the queue, on clusters that have accounting.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import shlex
import shutil
import subprocess
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_gridgpu.backends.base import ONLY_PANDA, Capabilities, Job
from jupyter_gridgpu.backends.batch.backend import BatchBackend
from jupyter_gridgpu.backends.batch.batches import Batch, sending, still_sending
from jupyter_gridgpu.backends.batch.inquiry import TaskStatus
from jupyter_gridgpu.backends.slurm import checks, commands, options, output
from jupyter_gridgpu.backends.slurm.passed_options import PassedOptions, passed_options
from jupyter_gridgpu.backends.slurm.past import Cancellers, PastTasks
from jupyter_gridgpu.backends.slurm.request import JobRequest
from jupyter_gridgpu.backends.slurm.search import BatchSearch
from jupyter_gridgpu.errors import BackendError, QueueFull, Unreachable
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.paths import ScanPaths, write_atomic

SIGNAL_TIMEOUT_S = 2.0  # for scancel --signal
NAME_LIMIT = 80  # characters of the scan's name in the script
_SETTING = re.compile(r"^(KillWait|MinJobAge|MaxArraySize)\s*=\s*(\d{1,9})", re.M)
# The script that each task of a batch runs. Slurm keeps a copy of it, so that it starts also on a
# node that does not see the scan's folder, and ends there with exit code 71, or with 77 where its
# user may not enter one of the folders above. A batch that was given up has the id null: its jobs
# were sent again, and if Slurm takes the first batch late, they must not run twice.
_SCRIPT = """\
#!/bin/sh
# A task of {name}. Slurm keeps a copy of this script.
batch={batch}
if [ ! -r "$batch/tasks" ]; then
    seen=$batch/tasks
    while [ ! -e "$seen" ]; do seen=$(dirname "$seen"); done
    [ -d "$seen" ] && [ -x "$seen" ] && exit 71
    exit 77
fi
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
        self._passed = PassedOptions()
        # `check` says what is wrong with them, and `send` does so if the scan's record was changed.
        with contextlib.suppress(BackendError):
            self._passed = passed_options(scan)
        super().__init__(scan, paths)
        self._accounting = commands.Accounting(self._passed.cluster)
        self._past = PastTasks(self._accounting)
        self._cancellers = Cancellers(self._past)
        self._search = BatchSearch(scan, paths, self._accounting)
        self._request = JobRequest(scan, self._passed)
        self.notice_s = float(options.lead_s(scan))
        # How many tasks are handed over in one call of `submit`. They may go out in several arrays,
        # which share the number of tasks that may run at once.
        self._tasks_in_call = 1
        self._limit_known = False  # whether `batch_limit` is that of the cluster

    # Before anything is sent.

    def check(self, ask: bool = True) -> None:
        """Raise BackendError if there is no Slurm here or it refuses such jobs."""
        passed_options(self._scan)
        checks.check_gpu_options(self._scan)
        if shutil.which("sbatch") is None:
            raise BackendError(
                "--on slurm: there is no sbatch on this machine."
                " Work where jobs of the cluster are submitted from."
            )
        if not ask:
            return
        at_once = self._share(1)
        ran = self._request.try_out(at_once)
        # A queue that is full now will have room when the jobs are sent.
        refused = ran.returncode and not output.FULL.search(ran.stderr)
        if refused and not self._request.finds_other_words(ran, at_once):
            complaint = output.complaint(ran.stderr)
            raise BackendError(
                f"Slurm refuses such jobs: {complaint}.{checks.hint(self._scan, ran.stderr)}"
            )
        checks.check_partition(self._scan, self._request.partition)

    def remarks(self) -> list[str]:
        """Return what Slurm is asked for in place of an option of ours, in sentences."""
        return self._request.remarks()

    def _run(self, command: Sequence[str], **more: Any) -> subprocess.CompletedProcess[str]:
        """Run a command of Slurm for the cluster of the scan; `more` is that of commands.run."""
        return commands.run(command, cluster=self._passed.cluster, **more)

    # Sending.

    def submit(self, jobs: Sequence[Job]) -> dict[str, str | Exception]:
        """Hand jobs over, in arrays as large as the cluster takes them."""
        if jobs and not self._limit_known:
            self._ask_configuration()
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

    def _ask_configuration(self) -> None:
        """Learn how many tasks one array may have, and how long Slurm waits and remembers."""
        # Where Slurm does not answer, it is asked again.
        with contextlib.suppress(BackendError):
            config = self._run(["scontrol", "show", "config"]).stdout
            numbers = {name: int(number) for name, number in _SETTING.findall(config)}
            if "KillWait" in numbers:
                self.kill_s = float(numbers["KillWait"])
            if "MinJobAge" in numbers:
                # 0 means for ever.
                self.remembers_s = float(numbers["MinJobAge"] or math.inf)
            if "MaxArraySize" in numbers:
                # The largest index is one less, and our tasks count from 1.
                self.batch_limit = max(numbers["MaxArraySize"] - 1, 1)
                self._limit_known = True

    def send(self, batch: Batch) -> str:
        """Send a batch as one array and return its id.

        Raises QueueFull, Unreachable or BackendError.
        """
        passed_options(self._scan)
        script = batch.folder / "script"
        write_atomic(script, self._script(batch))
        ran = self._send(batch, script)
        if self._request.finds_other_words(ran, self._share(1)):
            ran = self._send(batch, script)
        if ran.returncode == 0:
            return _batch_id(ran.stdout, ran.stderr)
        limit = output.FULL.search(ran.stderr)
        if limit:
            raise QueueFull(f"Slurm: {limit[0]}")
        raise BackendError(f"Slurm refused it: {output.complaint(ran.stderr)}")

    def _send(self, batch: Batch, script: Path) -> subprocess.CompletedProcess[str]:
        chosen = [*self._options(len(batch.tasks)), *self._search.identifying_options(batch)]
        with sending(batch) as lock:
            return self._run(
                ["sbatch", "--parsable", *chosen, str(script)],
                env=options.job_environment(self._scan, os.environ),
                keep=lock,
            )

    def _script(self, batch: Batch) -> str:
        return _SCRIPT.format(
            name=one_line(self._scan.name, NAME_LIMIT) or "",
            batch=shlex.quote(str(batch.folder)),
            launcher=shlex.quote(str(self._paths.launcher)),
            folder=shlex.quote(str(self._paths.folder)),
        )

    def _options(self, tasks: int) -> list[str]:
        """Return the options of sbatch for an array of so many tasks."""
        return self._request.words(tasks, self._share(tasks))

    def _share(self, tasks: int) -> int | None:
        """Return how many tasks of an array of so many may run at once; None: any number."""
        at_once = self._at_once()
        # In a queue that is full, `allowed_tasks` keeps the limit. Otherwise each array gets its
        # share of the tasks that may run at once.
        if at_once is not None and self._hand_over.full is None:
            at_once = max(at_once * tasks // max(self._tasks_in_call, tasks), 1)
        return at_once

    def limit_is_near(self) -> bool:
        """Return whether the time limit of a task is as short as the notice of it."""
        return self._request.limit_is_near()

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
        """Return a name for the cluster, from the option or the variables that choose one."""
        if self._passed.cluster:
            return self._passed.cluster
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
            ],
            self._passed.cluster,
        )
        known = output.read_tasks(text)
        return {**known, **self._cancellers.known(known)}

    def query_past(self, tasks: Sequence[str]) -> Mapping[str, TaskStatus]:
        """Return what the accounting knows of tasks that have left the queue."""
        if self.remembers_s is None:
            self._ask_configuration()
        # Where the accounting is silent, what the queue has just answered still counts.
        with contextlib.suppress(Unreachable):
            return self._past.ask(tasks)
        return {}

    def forgotten_unstarted(self) -> TaskStatus:
        """Return the status of a task that Slurm has forgotten, since it never started."""
        return output.cancelled_unstarted()

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
            self._run(["scancel", "--quiet", *commands.array_ids(at_once)])
        running = [task for task in tasks if task not in set(at_once)]
        if not running:
            return
        # The signal goes to the worker alone. A plain scancel would end its kernel at the same
        # time, and nothing could be saved.
        signal = ["scancel", "--quiet", "--batch", "--signal=TERM", *commands.array_ids(running)]
        # scancel sends the signal at once, but then it goes on as long as other tasks of the array
        # wait. So its end is not awaited.
        with contextlib.suppress(Unreachable):
            self._run(signal, timeout_s=SIGNAL_TIMEOUT_S)

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
