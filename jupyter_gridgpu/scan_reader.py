"""Reading a scan: its view, and what its jobs left.

Nothing here asks whether a runner drives the scan; that is for client.py.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from jupyter_gridgpu.errors import UnknownJob, UsageError
from jupyter_gridgpu.job_files import JobFiles
from jupyter_gridgpu.model import wire
from jupyter_gridgpu.model.job import job_key, split_key
from jupyter_gridgpu.model.rank_by import ranked, ranking_of
from jupyter_gridgpu.model.ranking import in_rank
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.model.view import ScanView, VariantView, given_parameters
from jupyter_gridgpu.store import fold_cache, home
from jupyter_gridgpu.store.journal import JournalReader
from jupyter_gridgpu.store.opener import opener_below
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.store.tail import text_part

if TYPE_CHECKING:
    import pandas

LOG_BYTES = 256 * 1024
POINTS = 300  # of a curve, unless the caller gives another number
FRAME_COLUMNS = ("id", "state", "reason", "attempts", "seconds", "pareto")  # of each scan


class ScanReader:
    """A scan as its folder tells it. `view` is the state at the last `refresh()`.

    All state comes from the folder, so any number of readers may be open at the same time. A reader
    may be used by two threads.
    """

    def __init__(self, folder: Path) -> None:
        """Open the scan in `folder`. Raises UnknownScan or StorageError."""
        self.folder = folder
        self.paths = ScanPaths(folder)
        self.view = ScanView(home.load(folder))
        self.lock = threading.RLock()
        self._reader = JournalReader(self.paths.journal)

    @property
    def scan(self) -> ScanSpec:
        """The spec of the scan, with the space as it was at the last `refresh()`."""
        return self.view.scan

    @property
    def name(self) -> str:
        """The name of the scan, which is also that of its folder."""
        return self.scan.name

    # the whole scan ---------------------------------------------------------------

    def refresh(self) -> bool:
        """Fold what the journal has gained into `view`, and return whether the view changed.

        Raises StorageError if the journal cannot be read.
        """
        if not self._reader.grown():
            return False
        with self.lock:
            before = self.view.rev
            # A long journal takes seconds to fold, so the first look begins with the cached fold.
            if self._reader.cursor == 0:
                cached = fold_cache.read(self.paths, self.view.growth.original)
                if cached is not None:
                    by = self.view.by
                    self.view, self._reader.cursor = cached
                    self.view.by = by
            self.view.apply_all(self._reader.events())
            return self.view.rev != before

    @property
    def best(self) -> dict[str, Any] | None:
        """The best finished variant, or None if there is none.

        Its keys are `id`, `params`, `value` (of the objective) and `notebook` (a path). Raises
        UsageError if the scan has several objectives.
        """
        self.refresh()
        if len(self.view.objectives) > 1:
            metric = self.view.objectives[0].metric
            raise UsageError(
                f"{self.name} has several objectives and no single best: use `scan.pareto()`, or"
                f" rank by one metric, `scan.best_by({metric!r})`."
            )
        found = self.view.best()
        return None if found is None else self._result(self.view, found)

    def best_by(self, by: str) -> dict[str, Any] | None:
        """Return the best finished variant by another metric, like `best`; nothing is run again.

        `by` is `"maximize rej_c"`, `"minimize max(loss)"`, or the metric of an objective alone.
        Raises UsageError for a metric that the scan does not have, or without a direction.
        """
        self.refresh()
        with self.lock:
            view = ranked(self.view, by)
            found = view.best()
            return None if found is None else self._result(view, found)

    def pareto(self) -> list[dict[str, Any]]:
        """Return the variants of the Pareto front, each like `best`, with `values` for `value`.

        They are those at whose points no other point is as good in all objectives and better in
        one. `values` has the value of each objective by its metric. With one objective or none the
        list is empty.
        """
        self.refresh()
        with self.lock:
            return [self._result(self.view, variant) for variant in self.view.pareto()]

    def rank_by(self, by: str) -> None:
        """Let this reader rank all variants by another metric from now on. Raises UsageError."""
        self.refresh()
        with self.lock:
            self.view.rank(ranking_of(self.view, by))

    def _result(self, view: ScanView, variant: VariantView) -> dict[str, Any]:
        """Return a variant of a ranking as a user gets it."""
        value: dict[str, Any] = {"value": view.value(variant)}
        if len(view.objectives) > 1:
            names = [objective.metric for objective in view.objectives]
            value = {"values": dict(zip(names, view.values(variant), strict=True))}
        return {
            "id": variant.id,
            "params": dict(variant.params),
            **value,
            "notebook": str(self.folder / variant.notebook) if variant.notebook else None,
        }

    def to_frame(self, by: str | None = None) -> pandas.DataFrame:
        """Return a table with one row for each variant, indexed by its id.

        Columns: state, reason, attempts, seconds, each parameter, the last value of each metric. A
        parameter that has the name of one before it is called `param:NAME`, and a metric that has
        the name of another column `metric:NAME`. With several objectives
        a column `pareto` says which variants are in the Pareto front. `by` ranks the rows, as in
        `best_by`: the best comes first, and what has no value last.
        """
        try:
            import pandas
        except ImportError:
            raise UsageError("to_frame() needs pandas: pip install pandas.") from None
        self.refresh()
        with self.lock:
            view = self.view if by is None else ranked(self.view, by)
            variants = list(view.variants.values())
            if by is not None:
                variants = in_rank(variants, view.objectives)
            front = {variant.id for variant in self.view.pareto()}
            several = len(self.view.objectives) > 1
            names = given_parameters(self.view)
            rows = [
                _frame_row(variant, {"pareto": variant.id in front} if several else {}, names)
                for variant in variants
            ]
        # Without rows there is no column `id` that could become the index.
        if not rows:
            return pandas.DataFrame()
        return pandas.DataFrame(rows, columns=_frame_columns(rows, names)).set_index("id")

    # one variant or job -----------------------------------------------------------

    def variant(self, ident: str) -> VariantView:
        """Return a variant. Raises UnknownJob if there is none of that id."""
        self.refresh()
        found = self.view.variants.get(ident)
        if found is None:
            raise UnknownJob(
                f"{self.name} has no variant {ident!r}; "
                f"it has v0001 to v{len(self.view.variants):04d}."
            )
        return found

    def files(self, job: str) -> JobFiles:
        """Return the files of a job.

        `job` is a variant, whose latest attempt is meant, or an attempt like v0003.1. Raises
        UnknownJob. This holds for the methods below as well.
        """
        ident, dot, _ = job.partition(".")
        # For a variant that was never tried, the files of its first attempt are returned: there are
        # none yet, which is no error.
        latest = max(self.variant(ident).attempts, 1)
        attempt = split_key(job)[1] if dot else latest
        if not 1 <= attempt <= latest:
            raise UnknownJob(f"{ident} has had no attempt {attempt}.")
        return JobFiles(self.paths, job_key(ident, attempt))

    def log_part(self, job: str, start: int | None = None, limit: int = LOG_BYTES) -> wire.LogText:
        """Return at most `limit` bytes of a job's log from byte `start` on, or its end.

        Raises StorageError if it cannot be read.
        """
        part = self.files(job).log(start, limit)
        return cast(wire.LogText, {"type": "log", "variant": job, **part._asdict()})

    def curves(self, job: str, points: int = POINTS) -> wire.JobMetrics:
        """Return all that a job reported, thinned to `points`.

        Raises StorageError if it cannot be read.
        """
        files = self.files(job)
        found = files.curves(points)
        variant, attempt = split_key(files.key)
        return {
            "type": "metrics",
            "variant": variant,
            "attempt": attempt,
            "curves": found.curves(),
            "usage": found.usage(),
        }

    def job(self, job: str) -> wire.JobDetails:
        """Return the details of a variant that its row does not have. Raises UnknownJob."""
        files = self.files(job)
        has_notebook = files.notebook() is not None
        ident, _ = split_key(files.key)
        with self.lock:
            return wire.job(self.view, self.variant(ident), has_notebook)

    def notebook_file(self, job: str) -> Path | None:
        """Return the notebook that a job saved last, finished or partial; None if there is none."""
        return self.files(job).notebook()

    def runner_log(self, limit: int = 4096) -> str:
        """Return the last `limit` bytes of runner.log, or "" if it cannot be read."""
        # The log is often read to explain another error, and no second error shall hide that one.
        with suppress(OSError):
            return text_part(self.paths.log, None, limit, opener_below(self.folder)).text
        return ""


def _frame_row(
    variant: VariantView, marks: Mapping[str, Any], parameters: list[str]
) -> dict[str, Any]:
    """Return the row of a variant in the table of `ScanReader.to_frame`, with `marks` in it."""
    seconds = None
    if variant.ended and variant.started:
        seconds = variant.ended - variant.started
    own = {
        "id": variant.id,
        "state": variant.state,
        "reason": variant.reason,
        "attempts": variant.attempts,
        "seconds": seconds,
        **marks,
    }
    row = dict(own)
    for name, value in variant.params.items():
        row[f"param:{name}" if name in own else name] = value
    for name, series in variant.metrics.items():
        row[f"metric:{name}" if name in own or name in parameters else name] = series.last
    return row


def _frame_columns(rows: list[dict[str, Any]], parameters: list[str]) -> list[str]:
    """Return the columns of all rows: parameters in their order, metrics behind them."""
    found = dict.fromkeys(name for row in rows for name in row)
    shown = [column for name in parameters for column in (f"param:{name}", name)]
    first = list(dict.fromkeys((*FRAME_COLUMNS, *shown)))
    return sorted(found, key=lambda name: first.index(name) if name in first else len(first))
