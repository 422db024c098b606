"""`gridgpu replay`: a scan once more, from its folder."""

from __future__ import annotations

import json
from typing import Any

import click
from click.core import ParameterSource

from jupyter_gridgpu import client
from jupyter_gridgpu.commands.follow import command_line, follow
from jupyter_gridgpu.options import engine_options, plan_json, plan_text
from jupyter_gridgpu.records.record import load
from jupyter_gridgpu.records.replay import Wish, plan_replay


@click.command("replay")
@click.argument("scan")
@click.option("--only", default="", metavar="WHICH", help="v0003,v0007 or failed or 'best 5' or 'lr < 1e-3'. Default: all.")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="Another value of a parameter that does not vary.")
@click.option("--no-wait", is_flag=True, help="Return when the scan is started.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option("--dry-run", is_flag=True, help="Say what would run, and start nothing.")
@engine_options
def replay(scan: str, only: str, changes: tuple[str, ...], no_wait: bool, as_json: bool, dry_run: bool, **options: Any) -> None:
    """Run SCAN again from its folder: same notebook, files, points, seeds and image.

    It makes a new scan that points to its origin. Options say where it runs now; what is not given stays as it was.
    With --set or another --image it is a variation, and says so.
    """
    context = click.get_current_context()
    given = {name: value for name, value in options.items() if context.get_parameter_source(name) != ParameterSource.DEFAULT}
    made = plan_replay(load(client.open_scan(scan).folder), Wish(only, changes, given, command_line()))
    if dry_run:
        click.echo(json.dumps(plan_json(made.scan)) if as_json else plan_text(made.scan, made.files))
        return
    if made.scan.origin and made.scan.origin.changes and not as_json:
        click.echo(f"A variation of {made.scan.origin.name}, not a replay: {'; '.join(made.scan.origin.changes)}.")
    follow(client.start(made), no_wait, as_json)
