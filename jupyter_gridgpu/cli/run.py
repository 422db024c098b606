"""`gridgpu run`: start a scan of a notebook, and follow it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from jupyter_gridgpu import client
from jupyter_gridgpu.cli.following import command_line, follow
from jupyter_gridgpu.cli.output import echo, json_option, print_plan
from jupyter_gridgpu.cli.scan_request import ScanRequest
from jupyter_gridgpu.cli.space_options import space_options
from jupyter_gridgpu.planning.options import before_sending_options, given, scan_options


@click.command("run")
@click.argument("notebook")
@space_options
@click.option("--no-wait", is_flag=True, help="Return when the scan is started.")
@json_option
@before_sending_options
@scan_options
def run(
    notebook: str,
    space: str | None,
    params: tuple[str, ...],
    no_wait: bool,
    as_json: bool,
    dry_run: bool,
    rehearse: bool,
    there: bool,
    save: str | None,
    overwrite: bool,
    **options: Any,
) -> None:
    """Run NOTEBOOK with many values of its parameters, and show how it goes.

    NOTEBOOK may be a file like scan.yaml, which --save writes: it has notebook, space and options.
    Options of the command line win over those of the file. The same request again shows the scan it
    started before; --new starts another.
    """
    request = ScanRequest(notebook, space, params, given(options))
    # The scan's provenance keeps the command, so that it can be repeated.
    made = replace(request.plan(), command=command_line())
    if saved := request.save(save, overwrite):
        echo(saved, err=as_json)
    if dry_run:
        print_plan(made, as_json)
        return
    for text in made.scan.warnings:
        echo(f"Warning: {text}", err=True)
    if rehearse or there:
        from jupyter_gridgpu import rehearsal

        # With --json stdout must have one object only, so the lines of the rehearsal go to stderr.
        rehearsal.rehearse_before_sending(made, there, lambda line: echo(line, err=as_json))
    follow(client.start(made), no_wait, as_json)
