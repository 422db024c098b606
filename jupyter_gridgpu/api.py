"""The Python face: `gridscan(...)` and what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_gridgpu import client
from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.space import Space
from jupyter_gridgpu.request import Options, Plan, plan


class Scan(ScanHandle):
    """A scan in hand: look at it (`table()`, `best`, `to_frame()`, `plot()`), wait for it, command it."""

    def table(self) -> None:
        """Show the live table under the cell; in a shell that is no notebook, the table as it is now."""
        if not _in_notebook():
            from rich.console import Console

            from jupyter_gridgpu.terminal import render

            Console().print(render(self, self.state, Console(), limit=None))
            return
        from jupyter_gridgpu.widgets.live import LiveTable, browse_link

        LiveTable(self, browse_link(self, Path.cwd())).show()

    def plot(self) -> Any:
        """Return an altair chart of the objective (else the first metric) against every varied parameter."""
        from jupyter_gridgpu.widgets.plot import chart

        return chart(self)

    def _ipython_display_(self) -> None:
        self.table()


def gridscan(notebook: str | Path, space: str | Mapping[str, Any] | Space, **options: Any) -> Scan:
    """Start a scan of `notebook`, or attach to the one that the same request started before.

    `space` maps parameter names to values: a list is a choice, `jupyter_gridgpu.uniform(...)` and its like are ranges,
    anything else is fixed; a string is read like the body of a `%%gridscan` cell. Options are those of the
    magic, like maximize, trials, on, gpus, image, walltime, files, name, new. Raises UsageError for what is wrong with
    them, before anything is started.
    """
    files = options.get("files") or ()
    options["files"] = (str(files),) if isinstance(files, (str, Path)) else tuple(str(file) for file in files)
    unknown = [name for name in options if name not in Options.__dataclass_fields__]
    if unknown:
        raise UsageError(f"gridscan() has no option {unknown[0]!r}; it has {', '.join(Options.__dataclass_fields__)}.")
    return start(plan(notebook, space, Options(**options)))


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
