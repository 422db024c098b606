"""What sbatch is asked for: the options of a scan, in the words that its cluster takes."""

from __future__ import annotations

import contextlib
import os
import subprocess

from jupyter_gridgpu.backends.slurm import checks, commands, options, output
from jupyter_gridgpu.backends.slurm.gpu_words import GpuWords, asks_for_gpus
from jupyter_gridgpu.backends.slurm.passed_options import PassedOptions
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.scan import ScanSpec


class JobRequest:
    """The options of sbatch for the tasks of one scan.

    What has to be asked of Slurm for them is asked once.
    """

    def __init__(self, scan: ScanSpec, passed: PassedOptions) -> None:
        """`passed` are the options that the user gives in Slurm's own words."""
        self._scan = scan
        self._passed = passed
        self._gpu_options: list[str] | None = None  # None: not found out yet
        self._gpu_words = GpuWords()
        self._limit_min: int | None = None  # the time limit of a task, if it was found out
        self._partition: dict[str, str] | None = None  # None: not asked for yet

    def words(self, tasks: int, at_once: int | None) -> list[str]:
        """Return the options for an array of which `at_once` tasks may run (None: any number).

        Raises BackendError and Unreachable, as `options.gpu_options` does.
        """
        if self._gpu_options is None:
            self._gpu_options = options.gpu_options(self._scan)
        own = [
            options.array_option(tasks, at_once),
            *options.constant_options(self._scan),
            *options.resource_options(self._scan),
            *options.time_options(self._scan, self._time_limit_min()),
            *self._gpu_words.words(self._gpu_options),
            *options.placement_options(self._scan),
        ]
        return self._passed.words(own)

    def try_out(self, at_once: int | None) -> subprocess.CompletedProcess[str]:
        """Ask Slurm whether it would take such jobs, and return what sbatch said."""
        return commands.run(
            ["sbatch", "--test-only", *self.words(1, at_once)],
            text="#!/bin/sh\n",
            env=options.job_environment(self._scan, os.environ),
            cluster=self._passed.cluster,
        )

    def finds_other_words(
        self, refused: subprocess.CompletedProcess[str], at_once: int | None
    ) -> bool:
        """Return whether Slurm, which refused jobs, takes them in other words with the same sense.

        These are other words for GPUs, and a short time limit without spare time.
        """
        if not refused.returncode or output.FULL.search(refused.stderr):
            return False
        if output.TOO_LONG.search(refused.stderr) and self._taken_without_spare_time(at_once):
            return True
        asks = asks_for_gpus(self.words(1, at_once)) and not self._passed.ask_for_gpus
        return self._gpu_words.find(asks, lambda: not self.try_out(at_once).returncode)

    def _taken_without_spare_time(self, at_once: int | None) -> bool:
        # A limit of a QOS or of an account, which is in no partition's configuration.
        before, least = self._time_limit_min(), options.time_limit_min(self._scan, 0)
        if before == least:
            return False
        self._limit_min = least
        if self.try_out(at_once).returncode == 0:
            return True
        self._limit_min = before
        return False

    def partition(self) -> dict[str, str]:
        """Return what Slurm says about the partition that jobs go to, or nothing; see `checks`."""
        if self._partition is None:
            self._partition = checks.partition_of(self._scan)
        return self._partition

    def remarks(self) -> list[str]:
        """Return what Slurm is asked for in place of an option of the scan, in sentences."""
        return [text for text in (self._passed.note(self._scan), self._gpu_words.remark()) if text]

    def limit_is_near(self) -> bool:
        """Return whether the time limit of a task is as short as the notice of it."""
        return options.limit_is_near(self._scan, self._time_limit_min())

    def _time_limit_min(self) -> int | None:
        """Return the time limit of a task in minutes, None if it is left to the cluster."""
        if self._limit_min is None:
            longest_s = None
            if options.is_short(self._scan):
                # Where Slurm does not say what the partition allows, the usual time is asked for.
                with contextlib.suppress(BackendError):
                    longest_s = checks.longest_s(self.partition())
            self._limit_min = options.time_limit_min(self._scan, longest_s)
        return self._limit_min
