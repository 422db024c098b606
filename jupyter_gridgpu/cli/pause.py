"""`gridgpu pause`: let a scan start nothing new."""

from __future__ import annotations

import click

from jupyter_gridgpu import client
from jupyter_gridgpu.cli.output import echo


@click.command("pause")
@click.argument("scan")
def pause(scan: str) -> None:
    """Start nothing new in SCAN; what runs goes on."""
    client.open_scan(scan).pause()
    echo(f"Asked {scan} to pause.")
