"""`gridgpu watch`: follow a scan that was started before."""

from __future__ import annotations

import click

from jupyter_gridgpu import client
from jupyter_gridgpu.cli.following import leave, watch_live


@click.command("watch")
@click.argument("scan")
def watch(scan: str) -> None:
    """Follow SCAN until it ends; Ctrl-C leaves it running."""
    handle = client.open_scan(scan)
    leave(handle, watch_live(handle))
