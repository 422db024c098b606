"""`gridgpu extend`: try more points in a scan that searches."""

from __future__ import annotations

import click

from jupyter_gridgpu import client
from jupyter_gridgpu.cli.output import echo


@click.command("extend")
@click.argument("scan")
@click.option("--trials", type=int, required=True, metavar="N", help="Points to try in addition.")
def extend(scan: str, trials: int) -> None:
    """Try more points in SCAN."""
    client.open_scan(scan).extend(trials)
    echo(f"Asked {scan} to try {trials} points more.")
