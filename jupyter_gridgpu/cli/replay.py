"""`gridgpu replay`: a scan once more, from its folder."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from jupyter_gridgpu import client
from jupyter_gridgpu.cli.following import command_line, follow
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.planning.options import engine_options, plan_json, plan_text

if TYPE_CHECKING:
    from jupyter_gridgpu.records.replay import ReplayRequest


@click.command("replay")
@click.argument("scan")
@click.option(
    "--only",
    default="",
    metavar="WHICH",
    help="v0003,v0007 or failed or 'best 5' or 'lr < 1e-3'. Default: all.",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another value of a parameter that does not vary.",
)
@click.option("--no-wait", is_flag=True, help="Return when the scan is started.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option("--dry-run", is_flag=True, help="Say what would run, and start nothing.")
@engine_options
def replay(
    scan: str,
    only: str,
    changes: tuple[str, ...],
    no_wait: bool,
    as_json: bool,
    dry_run: bool,
    **options: Any,
) -> None:
    """Run SCAN again from its folder: same notebook, files, points, seeds and image.

    It makes a new scan that points to its origin. Options say where it runs now; what is not given stays as it was.
    With --set or another --image it is a variation, and says so.
    """
    from jupyter_gridgpu.records.record import load
    from jupyter_gridgpu.records.replay import (  # late: other commands need not wait for it
        ReplayRequest,
        plan_replay,
    )

    made = plan_replay(
        load(client.open_scan(scan).folder),
        ReplayRequest(only, changes, _given(options), command_line()),
    )
    if dry_run:
        click.echo(
            json.dumps(plan_json(made.scan)) if as_json else plan_text(made.scan, made.files)
        )
        return
    if not as_json and (words := variation(made.scan)):
        click.echo(words)
    follow(client.start(made), no_wait, as_json)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were written; all else stays as it was in the origin."""
    context = click.get_current_context()
    return {
        name: value
        for name, value in options.items()
        if context.get_parameter_source(name) != ParameterSource.DEFAULT
    }


def variation(scan: ScanSpec) -> str:
    """Say that a scan is no replay, if it is none."""
    origin = scan.origin
    return (
        f"A variation of {origin.name}, not a replay: {'; '.join(origin.changes)}."
        if origin and origin.changes
        else ""
    )


def read_words(words: list[str]) -> tuple[str, ReplayRequest]:
    """Return scan and wish of `%gridscan replay`'s words. Raises UsageError."""
    from jupyter_gridgpu.records.replay import ReplayRequest

    try:
        with replay.make_context("%gridscan replay", words) as context:
            values = dict(context.params)
            for name in ("no_wait", "as_json", "dry_run"):
                if values.pop(name):
                    raise UsageError(
                        f"--{name.replace('as_', '').replace('_', '-')} is for the command line."
                    )
            scan, only, changes = values.pop("scan"), values.pop("only"), values.pop("changes")
            return scan, ReplayRequest(
                only, changes, _given(values), shlex.join(["%gridscan", "replay", *words])
            )
    except click.ClickException as error:
        raise UsageError(error.format_message()) from None
