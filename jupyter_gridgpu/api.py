"""Scans in Python: `gridscan()` starts one, `open_scan()` opens one, and both return a `Scan`."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_gridgpu import client
from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.errors import UnknownScan, UsageError
from jupyter_gridgpu.model.space import Space
from jupyter_gridgpu.planning import scan_file
from jupyter_gridgpu.planning.declaration import NOT_FOR_A_REPLAY, Options
from jupyter_gridgpu.planning.profiles import expanded
from jupyter_gridgpu.planning.python_options import checked
from jupyter_gridgpu.planning.request import Plan, plan
from jupyter_gridgpu.records.compare import Tolerance
from jupyter_gridgpu.records.compare import compare as compare_records
from jupyter_gridgpu.records.record import Record, load_record
from jupyter_gridgpu.records.replay import ReplayRequest, plan_replay
from jupyter_gridgpu.widgets.comparison import Compared


class Scan(ScanHandle):
    """A scan: its state, its results and its commands.

    `best`, `best_by()`, `pareto()`, `to_frame()` and `plot()` show results, `wait()` waits for the
    end, and `stop()`, `retry()`, `pause()`, `resume()` and `extend()` command it. A notebook
    displays a Scan as the live table.

    Example:
        >>> scan = open_scan("btag")
        >>> scan.wait()
        'done'
        >>> scan.best["params"]
        {'lr': 0.001, 'units': 128}
    """

    def table(self) -> None:
        """Show the live table under the cell, or in a terminal the table as it is now.

        Example:
            >>> open_scan("btag").table()
        """
        # Both are imported late: a job or a script that shows no table needs neither of them.
        if not _in_kernel():
            from rich.console import Console

            from jupyter_gridgpu.terminal import render

            console = Console()
            console.print(render(self, self.state, console, limit=None))
            return
        from jupyter_gridgpu.widgets.live_table import LiveTable, browse_link

        LiveTable(self, browse_link(self, Path.cwd())).show()

    def plot(self) -> Any:
        """Return a chart of the objective against every parameter that varies.

        A scan without an objective is drawn with its first metric.

        Returns:
            altair.Chart: one panel for each parameter; a notebook displays it.

        Raises:
            UsageError: altair is not installed, or no variant has a value yet.

        Example:
            >>> open_scan("btag").plot()
        """
        from jupyter_gridgpu.widgets.plot import chart

        return chart(self)

    def replay(
        self,
        only: str = "",
        set: Mapping[str, Any] | None = None,  # noqa: A002
        accept: bool = False,
        **options: Any,
    ) -> Scan:
        """Run the scan, or some of its variants, again with the same notebook, files and values.

        Args:
            only (str): Which variants: `"v0003,v0007"`, `"failed"`, `"best 5"`, `"pareto"` or a
                condition like `"lr < 1e-3 and acc > 0.8"`. Default: all.
            set (Mapping[str, Any] | None): New values of parameters that do not vary, by name. They
                make the replay a variation. Default: none.
            accept (bool): Take over what somebody else's scan says to batch systems and containers.
                Default: False, which refuses such a scan and lists all of it.
            **options: Where the replay runs: the options of `gridscan()` but for maximize,
                minimize, trials, sampler, seed and files. An option that is not given stays as it
                was in this scan.

        Returns:
            Scan: the replay; the one that was started before if the request is the same.

        Raises:
            UsageError: An option or a value is wrong, or the notebook or a file has changed.
            NotAccepted: The scan is somebody else's, and has such options.
            BackendError: The batch system refuses the jobs or cannot be reached.

        Example:
            >>> again = open_scan("btag").replay(only="best 5", set={"epochs": 50}, on="slurm")
        """
        self.refresh()
        # Written as lines of a cell, so that one parser reads the changes of all faces. Without
        # `fixed`, a list would be several values.
        changes = tuple(f"{name} = fixed({value!r})" for name, value in (set or {}).items())
        command = f"scan.replay({only!r}, {dict(set or {})!r}, **{options!r})"
        request = ReplayRequest(only, changes, _replay_options(options), command, accept)
        return start(plan_replay(Record(self.paths, self.view), request))

    def compare(
        self,
        other: Scan | str | Path | None = None,
        rtol: float = 0.01,
        atol: float = 0.0,
        sigmas: float = 2.0,
        metrics: Sequence[str] = (),
    ) -> Compared:
        """Compare another scan with this one, metric by metric.

        A value is within tolerance if any of the three tolerances says so.

        Args:
            other (Scan | str | Path | None): The other scan, or its name, id or folder. Default:
                this scan, which must be a replay, is compared with the scan that it runs again.
            rtol (float): Relative tolerance. Default: 0.01.
            atol (float): Absolute tolerance. Default: 0.
            sigmas (float): Tolerance in standard deviations of the repeats of a point. Default: 2.
            metrics (Sequence[str]): The metrics to compare. Default: all.

        Returns:
            Compared: the result with `verdict`, `to_frame()` and `plot()`; a notebook displays it.

        Raises:
            UsageError: There is nothing to compare with, or a tolerance or metric is wrong.
            UnknownScan: There is no other scan of that name, id or folder.

        Example:
            >>> open_scan("btag").compare("btag-replay").verdict
            'reproduced'
        """
        # Both records are read from their folders, so that both are as new as their files.
        second: str | Path | None = None
        if isinstance(other, ScanHandle):
            second = other.folder
        elif other is not None:
            second = other
        records = two_scans(self.folder, second)
        return Compared(compare_records(*records, Tolerance(rtol, atol, sigmas), metrics))

    def _ipython_display_(self) -> None:
        self.table()


def two_scans(first: str | Path, second: str | Path | None) -> tuple[Record, Record]:
    """Return the records of two scans to compare, in the order in which they were named.

    Args:
        first (str | Path): Name, id or folder of a scan.
        second (str | Path | None): The same of another scan. None means that `first` is a replay;
            then the record of its origin comes first.

    Raises:
        UsageError: `second` is None and `first` is no replay, or its origin is not here.
        UnknownScan: There is no scan of that name, id or folder.

    Example:
        >>> origin, replay = two_scans("btag-replay", None)
    """
    first_record = load_record(client.open_scan(first).folder)
    if second is not None:
        return first_record, load_record(client.open_scan(second).folder)
    origin = first_record.scan.origin
    if origin is None or not origin.id:
        raise UsageError(f"{first_record.name} is no replay: name the scan to compare it with.")
    # By id: the user may have given the name to another scan since.
    try:
        return load_record(client.open_scan(origin.id).folder), first_record
    except UnknownScan:
        raise UsageError(
            f"{origin.name}, which {first_record.name} runs again, is not here: give its folder."
        ) from None


def _replay_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return `options` as a dict. Raises UsageError for one that a replay does not have."""
    known = [name for name in Options.__dataclass_fields__ if name not in NOT_FOR_A_REPLAY]
    for name in options:
        if name not in known:
            raise UsageError(
                f"replay() has no option {name!r}; it has only, set, accept, {', '.join(known)}."
            )
    return dict(options)


def gridscan(notebook: str | Path, space: str | Mapping[str, Any] | Space, **options: Any) -> Scan:
    """Start a scan of a notebook, or return the scan that the same request started before.

    The scan runs in a process of its own and goes on when this one ends.

    Args:
        notebook (str | Path): The notebook that trains. Its cell with the tag `parameters` holds
            the values that the scan varies.
        space (str | Mapping[str, Any] | Space): The values of each parameter, by name: a list is a
            choice, `uniform(...)` and its like are ranges, anything else is one fixed value. A text
            is read like the body of a `%%gridscan` cell.
        save (str | Path | None): A file like `scan.yaml` for notebook, space and options, which
            `run_file` takes. Default: none.
        overwrite (bool): Change a file that describes another scan. Default: False.
        maximize (str | Sequence[str] | None): The metric to make large: `"acc"` counts its last
            value, `"max(acc)"` its best epoch. Default: variants are not ranked. A list is several
            objectives: then there is no single best, and `pareto()` has the Pareto front.
        minimize (str | Sequence[str] | None): The metric to make small, likewise.
        trials (int | None): How many points to try. Default: all of a grid.
        points (str | Path | None): A CSV or JSON file with points of your own, which come first.
        warm_start (str | Path | Scan | Sequence): Scans whose results the sampler learns from.
        sampler (str | None): grid, random, sobol, tpe, nsgaii or cmaes. Default: grid if it fits,
            or tpe.
        seed (int): Seed of the sampler. Default: 0.
        on (str): Where jobs run: local, slurm, htcondor, panda, auto, or the name of a profile.
            Default: local.
        parallel (int | None): The most jobs at once. Default: one for each GPU or two cores here.
        gpus (int): GPUs of one job. Default: 0.
        memory (str | int | None): The most memory of one job, like `"4GB"`; numbers are MB.
        walltime (str | int | None): The longest time of one job, like `"2h"`, or in seconds.
        image (str | None): Container image of all jobs. Default: none.
        retries (int): Further attempts after a failure. Default: 0.
        files (str | Path | Sequence[str | Path]): What the notebook needs beside it. Default: none.
        name (str | None): Name of the scan. Default: the notebook's.
        new (bool): Start another scan even if the same request started one before. Default: False.
        **options: All other options of the magic; `%gridscan --help` lists them.

    Returns:
        Scan: the scan; its jobs may still wait.

    Raises:
        UsageError: The notebook, the space or an option is wrong.
        BackendError: The batch system refuses the jobs or cannot be reached.
        StorageError: The folder of the scan cannot be made.

    Example:
        >>> space = {"lr": loguniform(1e-4, 1e-2), "units": [64, 128], "epochs": 12}
        >>> scan = gridscan("train.ipynb", space, trials=20, maximize="max(acc)", on="slurm")
    """
    return start(_plan_and_save(notebook, space, options))


def _plan_and_save(notebook: str | Path, space: Any, options: dict[str, Any]) -> Plan:
    """Return the plan of a request, which is written into a file if its options name one."""
    command = f"gridscan({str(notebook)!r}, {space!r}, **{options!r})"
    path, overwrite = options.pop("save", None), options.pop("overwrite", False)
    scan_file.check_named(path, overwrite)
    options = checked("gridscan", options)
    made = _warned(plan(notebook, space, expanded(options)), 4)
    if path is not None:
        scan_file.save(path, notebook, space, options, overwrite=overwrite)
    return replace(made, command=command)


def run_file(path: str | Path, **options: Any) -> Scan:
    """Start the scan that a file describes, or return the one that the same request started before.

    Args:
        path (str | Path): A file with notebook, space and options, as `save` of `gridscan()` and
            `gridgpu run --save` write it.
        **options: Options of `gridscan()`; they win over those of the file.

    Returns:
        Scan: the scan; its jobs may still wait.

    Raises:
        UsageError: The file, the notebook, the space or an option is wrong.
        BackendError: The batch system refuses the jobs or cannot be reached.

    Example:
        >>> scan = run_file("scan.yaml", on="slurm", parallel=8)
    """
    options = checked("run_file", options)
    made = _warned(scan_file.read(path).plan(options))
    return start(replace(made, command=f"run_file({str(path)!r}, **{options!r})"))


def _warned(made: Plan, level: int = 3) -> Plan:
    """Warn the user of what the request may not mean, `level` calls above, and return the plan."""
    for text in made.scan.warnings:
        warnings.warn(text, stacklevel=level)
    return made


def start(made: Plan) -> Scan:
    """Start the scan of a checked plan, or return the one that the same request started before.

    Args:
        made (Plan): What planning.request.plan() or plan_replay() returned.

    Raises:
        StorageError: The folder of the scan cannot be made.

    Example:
        >>> scan = start(plan("train.ipynb", {"lr": [1e-3, 1e-2]}, Options()))
    """
    handle = client.start(made)
    scan = open_scan(handle.folder)
    scan.attached = handle.attached
    return scan


def open_scan(scan: str | Path) -> Scan:
    """Open a scan that was started before, here or in another process.

    Args:
        scan (str | Path): Its name, id or folder.

    Raises:
        UnknownScan: There is none; the message names the scan with the most similar name.

    Example:
        >>> open_scan("btag").state
        'running'
    """
    return client.open_as(Scan, scan)


def _in_kernel() -> bool:
    """Return whether this code runs in a Jupyter kernel."""
    from IPython import get_ipython

    return hasattr(get_ipython(), "kernel")
