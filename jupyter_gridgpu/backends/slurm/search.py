"""Finds batches in Slurm whose id is not known, since the runner was killed or sbatch timed out.

A batch is recognised by its name, its comment and its folder.
"""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_gridgpu.backends.batch.batches import Batch
from jupyter_gridgpu.backends.slurm import commands, output
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.paths import ScanPaths, read_json

SPARE_S = 60  # the clock of the cluster may be behind ours by so many seconds


class BatchSearch:
    """Gives the batches of a scan a name, a comment and a folder, and finds them by these."""

    def __init__(self, scan: ScanSpec, paths: ScanPaths, accounting: commands.Accounting) -> None:
        self._scan = scan
        self._folder = str(paths.folder)
        self._accounting = accounting

    def identifying_options(self, batch: Batch) -> list[str]:
        """Return the options of sbatch by which a batch is recognised later."""
        return [
            f"--job-name={self._name(batch)}",
            f"--comment={self._comment(batch)}",
            f"--chdir={self._folder}",
        ]

    def find(self, batches: Sequence[Batch]) -> dict[str, str]:
        """Return the ids of those batches that Slurm has or had, by their names.

        Raises Unreachable if Slurm does not answer.
        """
        found: dict[str, str] = {}
        for batch in batches:
            ident = started_id(batch)
            if ident is not None:
                found[batch.name] = ident
        # The queue forgets jobs some minutes after their end; the accounting hears of new ones
        # late. So both are asked.
        for search in (self._in_queue, self._in_accounting):
            missing = [batch for batch in batches if batch.name not in found]
            if missing:
                found.update(search(missing))
        return found

    def _name(self, batch: Batch) -> str:
        return f"{self._scan.name}-{batch.name}"

    def _comment(self, batch: Batch) -> str:
        return f"gridgpu {self._scan.id} {batch.name}"

    def _in_queue(self, batches: Sequence[Batch]) -> dict[str, str]:
        form = output.queue_format(output.BATCH_FIELDS)
        text = commands.answer(
            ["squeue", "--noheader", "--states=all", commands.own_jobs(), "--Format", form],
            self._accounting.cluster,
        )
        known: dict[tuple[str, str], str] = {}
        for ident, comment, _, folder in output.rows(text, len(output.BATCH_FIELDS)):
            known[comment, folder] = ident
        found = {}
        for batch in batches:
            # The folder is compared as well: a scan folder that was copied has the same scan id.
            batch_id = known.get((self._comment(batch), self._folder))
            if batch_id:
                found[batch.name] = batch_id
        return found

    def _in_accounting(self, batches: Sequence[Batch]) -> dict[str, str]:
        """Return what only the accounting knows; it keeps names, but seldom comments."""
        names = {self._name(batch): batch.name for batch in batches}
        text = self._accounting.ask(
            output.PAST_BATCH_FIELDS,
            f"--name={','.join(names)}",
            f"--starttime={commands.local_time(self._scan.created - SPARE_S)}",
            commands.own_jobs(),
        )
        found = {}
        for ident, name, folder in output.rows(text, len(output.PAST_BATCH_FIELDS)):
            if name in names and folder == self._folder:
                found[names[name]] = ident.split("_")[0]
        return found


def started_id(batch: Batch) -> str | None:
    """Return the id that the first task of a batch to start left in its folder, or None."""
    ident = read_json(batch.folder / "seen", 100)
    # JSON knows `true`, which is a number for Python.
    if type(ident) is int and ident > 0:
        return str(ident)
    return None
