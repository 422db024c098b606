"""`gridgpu stop`: stop a scan, or one of its variants."""

from __future__ import annotations

import click

from jupyter_gridgpu import client


@click.command("stop")
@click.argument("target", metavar="SCAN[/VARIANT]")
def stop(target: str) -> None:
    """Stop a scan or one variant; what it saved so far is kept."""
    handle, variant = client.split_target(target)
    # A scan that has ended has no runner, which would read the command.
    if handle.ended:
        click.echo(f"{handle.name} has ended already.")
        return
    if variant:
        handle.stop(variant)
    else:
        handle.stop()
    click.echo(f"Asked {target} to stop.")
