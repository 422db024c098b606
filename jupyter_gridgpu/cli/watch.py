"""`gridgpu watch`: follow a scan that was started before."""

from __future__ import annotations

import click

from jupyter_gridgpu import client
from jupyter_gridgpu.cli.following import leave, watch_live
from jupyter_gridgpu.cli.output import by_option


@click.command("watch")
@click.argument("scan")
@by_option
def watch(scan: str, by: str | None) -> None:
    """Follow SCAN until it ends; Ctrl-C leaves it running."""
    handle = client.open_scan(scan)
    if by is not None:
        handle.rank_by(by)
    leave(handle, watch_live(handle))
