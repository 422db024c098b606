"""`gridgpu list`: all scans of the home folder."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from jupyter_gridgpu import client
from jupyter_gridgpu.cli.output import json_option, print_json
from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.model.units import duration_text, number_text

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = ("scan", "state", "notebook", "variants", "best", "started")


@click.command("list")
@json_option
def list_scans(as_json: bool) -> None:
    """List scans, newest first."""
    # A folder that cannot be read as a scan is left out of the list.
    scans = client.list_scans()
    if as_json:
        print_json({"scans": [_scan_json(scan) for scan in scans]})
        return
    if not scans:
        click.echo(
            "There are no scans yet. `gridgpu run NOTEBOOK -p 'lr = [1e-3, 1e-4]'` starts one."
        )
        return
    from rich.console import Console

    Console().print(_table(scans))


def _scan_json(scan: ScanHandle) -> dict[str, str]:
    return {"scan": scan.name, "folder": str(scan.folder), "state": scan.state}


def _table(scans: list[ScanHandle]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(*COLUMNS, box=None, header_style="dim", pad_edge=False)
    for scan in scans:
        # As Text, so that a name with brackets is not read as rich's markup.
        table.add_row(*(Text(cell) for cell in _row(scan)))
    return table


def _row(scan: ScanHandle) -> tuple[str, ...]:
    """Return the texts of a scan, one for each of COLUMNS."""
    best = scan.best
    best_text = "–"
    if best:
        best_text = f"{best['id']} {number_text(best['value'], 4)}"
    variants = f"{scan.view.counts()['done']} done of {scan.view.total()}"
    started = f"{duration_text(time.time() - scan.scan.created - scan.view.clock_set_s)} ago"
    return scan.name, scan.state, scan.scan.notebook, variants, best_text, started
