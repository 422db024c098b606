"""`gridgpu rehearse`: one variant of a scan for about an epoch, before the others are sent."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import click

from jupyter_gridgpu.cli.output import echo, json_option, print_json
from jupyter_gridgpu.cli.scan_request import ScanRequest
from jupyter_gridgpu.cli.space_options import space_options
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.units import parse_duration
from jupyter_gridgpu.planning.options import given, scan_options


@click.command("rehearse")
@click.argument("notebook")
@space_options
@click.option("--there", is_flag=True, help="As one job of the backend that --on names, not here.")
@click.option(
    "--limit",
    default="10min",
    show_default=True,
    metavar="TIME",
    help="Longest time that it may run.",
)
@json_option
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

    NOTEBOOK may be a file of a scan, as for `gridgpu run`. The variant has the image, the files and
    the limits of the scan, and its name with -rehearsal at the end. The exit code is 1 if the scan
    should not be sent.
    """
    from jupyter_gridgpu import rehearsal

    made = ScanRequest(notebook, space, params, given(options)).plan()
    # Jobs of the backend `local` run on this machine anyway.
    if there and made.scan.backend == "local":
        raise UsageError("--there needs another backend: give --on slurm, htcondor or auto.")
    # With --json stdout must have one object only, so the lines of the rehearsal go to stderr.
    report = rehearsal.rehearse(
        made, there, parse_duration(limit), lambda line: echo(line, err=as_json)
    )
    if as_json:
        print_json(numbers.encode_all(asdict(report)))
    else:
        echo(rehearsal.report_text(report))
    # Flushed here, where a reader that has gone (`| head`) is no error, not when Python ends.
    sys.stdout.flush()
    sys.exit(0 if report.passed else 1)
