"""The Python face: `gridscan(...)` and what it returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_gridgpu import client
from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.errors import UnknownScan, UsageError
from jupyter_gridgpu.model.space import Space
from jupyter_gridgpu.planning.request import Options, Plan, plan
from jupyter_gridgpu.records.compare import Tolerance
from jupyter_gridgpu.records.compare import compare as compare_records
from jupyter_gridgpu.records.record import Record, load
from jupyter_gridgpu.records.replay import ReplayRequest, plan_replay
from jupyter_gridgpu.widgets.comparison import Compared


class Scan(ScanHandle):
    """A scan in hand: look at it (`table()`, `best`, `to_frame()`, `plot()`), wait for it, command it."""

    def table(self) -> None:
        """Show the live table under the cell; in a shell that is no notebook, the table as it is now."""
        if not _in_notebook():
            from rich.console import Console

            from jupyter_gridgpu.terminal import render

            Console().print(render(self, self.state, Console(), limit=None))
            return
        from jupyter_gridgpu.widgets.live_table import LiveTable, browse_link

        LiveTable(self, browse_link(self, Path.cwd())).show()

    def plot(self) -> Any:
        """Return an altair chart of the objective (else the first metric) against every varied parameter."""
        from jupyter_gridgpu.widgets.plot import chart

        return chart(self)

    def replay(self, only: str = "", set: Mapping[str, Any] | None = None, **options: Any) -> Scan:  # noqa: A002
        """Run the scan again, or those of its variants that `only` chooses, and return the new scan.

        `set` gives parameters that do not vary other values, which makes it a variation. Options say where it runs now:
        those of `gridscan()` from `on` to `new`; what is not given stays as it was. Raises UsageError.
        """
        self.refresh()
        changes = tuple(f"{name} = fixed({value!r})" for name, value in (set or {}).items())
        wish = ReplayRequest(
            only,
            changes,
            _engine_options(options),
            f"scan.replay({only!r}, {dict(set or {})!r}, **{options!r})",
        )
        return start(plan_replay(Record(self.paths, self.view), wish))

    def compare(
        self,
        other: Scan | str | Path | None = None,
        rtol: float = 0.01,
        atol: float = 0.0,
        sigmas: float = 2.0,
        metrics: Sequence[str] = (),
    ) -> Compared:
        """Compare another scan with this one; without another, this one with the scan that it replays. Raises UsageError."""
        second = other if other is None or isinstance(other, (str, Path)) else other.folder
        return Compared(
            compare_records(*two_scans(self.folder, second), Tolerance(rtol, atol, sigmas), metrics)
        )

    def _ipython_display_(self) -> None:
        self.table()


def two_scans(first: str | Path, second: str | Path | None) -> tuple[Record, Record]:
    """Return the records of two scans; of a replay alone, its origin and itself. Raises UsageError or UnknownScan."""
    one = load(client.open_scan(first).folder)
    if second is not None:
        return one, load(client.open_scan(second).folder)
    origin = one.scan.origin
    if origin is None or not origin.id:
        raise UsageError(f"{one.name} is no replay: name the scan to compare it with.")
    try:
        return load(client.open_scan(origin.id).folder), one
    except UnknownScan:
        raise UsageError(
            f"{origin.name}, which {one.name} runs again, is not here: give its folder."
        ) from None


def _engine_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a replay, checked by name. Raises UsageError."""
    fixed = ("maximize", "minimize", "trials", "sampler", "seed", "files")
    known = [name for name in Options.__dataclass_fields__ if name not in fixed]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise UsageError(
            f"replay() has no option {unknown[0]!r}; it has only, set, {', '.join(known)}."
        )
    return dict(options)


def gridscan(notebook: str | Path, space: str | Mapping[str, Any] | Space, **options: Any) -> Scan:
    """Start a scan of `notebook`, or attach to the one that the same request started before.

    `space` maps parameter names to values: a list is a choice, `jupyter_gridgpu.uniform(...)` and its like are ranges,
    anything else is fixed; a string is read like the body of a `%%gridscan` cell. Options are those of the
    magic, like maximize, trials, on, gpus, image, walltime, files, name, new. Raises UsageError for what is wrong with
    them, before anything is started.
    """
    files = options.get("files") or ()
    options["files"] = (
        (str(files),) if isinstance(files, (str, Path)) else tuple(str(file) for file in files)
    )
    unknown = [name for name in options if name not in Options.__dataclass_fields__]
    if unknown:
        raise UsageError(
            f"gridscan() has no option {unknown[0]!r}; it has {', '.join(Options.__dataclass_fields__)}."
        )
    made = plan(notebook, space, Options(**options))
    return start(replace(made, command=f"gridscan({str(notebook)!r}, {space!r}, **{options!r})"))


def start(made: Plan) -> Scan:
    """Start the scan of a checked plan, or attach to the one that the same request started before."""
    handle = client.start(made)
    scan = open_scan(handle.folder)
    scan.attached = handle.attached
    return scan


def open_scan(scan: str | Path) -> Scan:
    """Open a scan by name, id or folder. Raises UnknownScan, with the nearest name."""
    return client.opened(Scan, scan)


def _in_notebook() -> bool:
    """Whether a kernel runs this, and not a terminal."""
    from IPython import get_ipython

    return hasattr(get_ipython(), "kernel")
