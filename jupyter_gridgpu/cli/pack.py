"""`gridgpu pack`: a scan as one file."""

from __future__ import annotations

from pathlib import Path

import click

from jupyter_gridgpu import client
from jupyter_gridgpu.cli.output import echo


@click.command("pack")
@click.argument("scan")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where to. Default: SCAN.gridscan.zip, here.",
)
def pack(scan: str, output: Path | None) -> None:
    """Put SCAN, which has ended, into one file that can be sent."""
    from jupyter_gridgpu.records.packing import pack as pack_record
    from jupyter_gridgpu.records.record import load_record

    echo(str(pack_record(load_record(client.open_scan(scan).folder), output)))
