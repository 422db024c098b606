"""`gridgpu retry`: give variants that did not finish a new attempt."""

from __future__ import annotations

import click

from jupyter_gridgpu import client
from jupyter_gridgpu.cli.output import echo


@click.command("retry")
@click.argument("target", metavar="SCAN[/VARIANT]")
def retry(target: str) -> None:
    """Give a variant a new attempt, or all of a scan that failed or were stopped."""
    handle, variant = client.split_target(target)
    if variant:
        handle.retry(variant)
    else:
        handle.retry()
    echo(
        f"Asked for a new attempt of {variant or 'all that did not finish'}."
        f" `gridgpu watch {handle.name}` follows it."
    )
