"""`gridgpu export`: a scan for other tools."""

from __future__ import annotations

from pathlib import Path

import click

from jupyter_gridgpu import client
from jupyter_gridgpu.cli.output import by_option, echo
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.rank_by import ranking_of
from jupyter_gridgpu.records.export import KINDS, RANKED
from jupyter_gridgpu.records.export import export as export_record
from jupyter_gridgpu.records.record import load_record


@click.command("export")
@click.argument("scan")
@click.option("--to", "kind", required=True, metavar="KIND", help=f"{', '.join(KINDS)}.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Where to. Default: the scan's name, here.",
)
@click.option(
    "--curves",
    is_flag=True,
    help="csv and parquet: a line for every value that was reported, not for every variant.",
)
@by_option
def export(scan: str, kind: str, output: Path | None, curves: bool, by: str | None) -> None:
    """Write SCAN in the format of another tool; nothing that is there is overwritten."""
    record = load_record(client.open_scan(scan).folder)
    if by is not None:
        if kind not in RANKED or curves:
            raise UsageError(
                f"--by is for {', '.join(RANKED)} without --curves; nothing else that is written"
                " names a best variant."
            )
        record.view.rank(ranking_of(record.view, by))
    target = export_record(record, kind, output, curves)
    if not record.finished:
        # On stderr, because scripts read the path from stdout.
        echo(f"{record.name} has not ended; this is as of now.", err=True)
    if kind == "optuna" and not record.view.objectives:
        echo(
            f"{record.name} has no objective, so Optuna gets its trials without values (FAIL).",
            err=True,
        )
    echo(str(target))
