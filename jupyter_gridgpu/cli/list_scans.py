"""`gridgpu list`: all scans of the home folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from jupyter_gridgpu import client
from jupyter_gridgpu.cli.output import console, echo, json_option, print_json
from jupyter_gridgpu.client import LeftOut, ScanHandle
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.units import duration_text, number_text

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = ("scan", "state", "notebook", "variants", "best", "started")
NAMED = 5  # folders that are left out and named


@click.command("list")
@json_option
def list_scans(as_json: bool) -> None:
    """List scans, newest first; say of a folder that cannot be read why it is left out."""
    look: Callable[[ScanHandle], Any] = _scan_json if as_json else _row
    found, left_out = client.look_at_scans(look)
    if as_json:
        print_json({"scans": found, "left_out": [_left_out_json(item) for item in left_out]})
    elif found:
        console().print(_table(found))
    elif not left_out:
        echo("There are no scans yet. `gridgpu run NOTEBOOK -p 'lr = [1e-3, 1e-4]'` starts one.")
    _say_left_out(left_out)


def _say_left_out(left_out: list[LeftOut]) -> None:
    """Print on stderr why folders are left out: a few reasons, after a count."""
    if not left_out:
        return
    count = "1 scan is" if len(left_out) == 1 else f"{len(left_out):,} scans are"
    echo(f"{count} left out:", err=True)
    for item in left_out[:NAMED]:
        echo(f"  {item.folder.name}: {item.why}", err=True)
    if len(left_out) > NAMED:
        echo("  `gridgpu list --json` names all of them.", err=True)


def _left_out_json(item: LeftOut) -> dict[str, str]:
    return {"folder": str(item.folder), "why": item.why}


def _scan_json(scan: ScanHandle) -> dict[str, str | None]:
    return {
        "scan": scan.name,
        "folder": str(scan.folder),
        "state": scan.state,
        "foreign": scan.foreign,
    }


def _table(rows: list[tuple[str, ...]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(*COLUMNS, box=None, header_style="dim", pad_edge=False)
    for row in rows:
        # As Text, so that a name with brackets is not read as rich's markup.
        table.add_row(*(Text(one_line(cell) or "") for cell in row))
    return table


def _best_text(scan: ScanHandle) -> str:
    """Return the best variant with its value, or how large the Pareto front is."""
    if len(scan.scan.objectives) > 1:
        return f"front of {len(scan.pareto()):,}"
    best = scan.best
    return f"{best['id']} {number_text(best['value'], 4)}" if best else "–"


def _row(scan: ScanHandle) -> tuple[str, ...]:
    """Return the texts of a scan, one for each of COLUMNS."""
    best_text = _best_text(scan)
    variants = f"{scan.view.counts()['done']} done of {scan.view.total()}"
    started = f"{duration_text(time.time() - scan.scan.created - scan.view.clock_set_s)} ago"
    state = scan.state
    if scan.foreign:
        state += ", foreign"
    return scan.name, state, scan.scan.notebook, variants, best_text, started
