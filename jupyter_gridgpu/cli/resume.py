"""`gridgpu resume`: let a scan go on, with a new runner where it has none."""

from __future__ import annotations

import click

from jupyter_gridgpu import client
from jupyter_gridgpu.cli.output import echo
from jupyter_gridgpu.model.fold import goes_on


@click.command("resume")
@click.argument("scan")
def resume(scan: str) -> None:
    """Go on with SCAN after a pause, the death of its runner, or many failures alike."""
    handle = client.open_scan(scan)
    handle.require_own()
    if handle.ended and not goes_on(handle.view):
        echo(
            f"{handle.name} has ended already;"
            f" `gridgpu retry {handle.name}` runs again what did not finish."
        )
        return
    handle.resume()
    echo(f"{handle.name} goes on. `gridgpu watch {handle.name}` follows it.")
