"""`gridgpu logs`: what a job or the runner of a scan printed."""

from __future__ import annotations

import click

from jupyter_gridgpu import client
from jupyter_gridgpu.cli.output import echo
from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.model.escapes import without_escapes


def _log_text(handle: ScanHandle, variant: str | None) -> str:
    if variant:
        return handle.log_part(variant)["text"]
    return handle.runner_log()


@click.command("logs")
@click.argument("target", metavar="SCAN/VARIANT")
def logs(target: str) -> None:
    """Print the log of a variant, like btag/v0003; of SCAN alone, the runner's."""
    handle, variant = client.split_target(target)
    # A job can print anything; control characters could steer the reader's terminal.
    plain = without_escapes(_log_text(handle, variant))
    text = "".join(char for char in plain if char.isprintable() or char in "\n\t")
    echo(text or "Nothing was logged.", nl=not text.endswith("\n"))
