"""`gridgpu rehearse`: one variant of a scan for about an epoch, before the others leave."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

import click

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.units import parse_duration
from jupyter_gridgpu.planning.options import scan_options, space_options, space_text, to_options
from jupyter_gridgpu.planning.request import plan


@click.command()
@click.argument("notebook")
@space_options
@click.option("--there", is_flag=True, help="As one job of the engine that --on names, not here.")
@click.option(
    "--limit",
    default="10min",
    show_default=True,
    metavar="TIME",
    help="Longest time that it may run.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@scan_options
def rehearse(
    notebook: str,
    space: str | None,
    params: tuple[str, ...],
    there: bool,
    limit: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Run the first variant of a scan of NOTEBOOK for about an epoch, and say what was seen.

    It has the image, the files and the limits of the scan, whose name it has too, with -rehearsal behind. The exit code is 1
    if the scan should not be sent.
    """
    from jupyter_gridgpu import rehearsal

    made = plan(notebook, space_text(space, params), to_options(options))
    if there and made.scan.backend == "local":
        raise UsageError("--there needs another engine: give --on slurm, htcondor or auto.")
    found = rehearsal.rehearse(
        made, there, parse_duration(limit), lambda line: click.echo(line, err=as_json)
    )
    click.echo(json.dumps(numbers.strict(asdict(found))) if as_json else rehearsal.text(found))
    sys.stdout.flush()
    sys.exit(0 if found.passed else 1)
