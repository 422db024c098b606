"""`gridgpu replay`: a scan once more, from its folder."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from jupyter_gridgpu import client
from jupyter_gridgpu.cli.following import command_line, follow
from jupyter_gridgpu.cli.output import echo, json_option, print_plan
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.planning.options import backend_options, given

if TYPE_CHECKING:
    from jupyter_gridgpu.records.replay import ReplayRequest

# Options that the command has and the magic does not, by the names of their values.
COMMAND_LINE_ONLY = {"no_wait": "--no-wait", "as_json": "--json", "dry_run": "--dry-run"}


def _not_empty(context: click.Context, option: click.Parameter, value: str | None) -> str:
    """Return what `--only` selects; an empty text for all variants, if it is not given."""
    if value is not None and not value.strip():
        raise UsageError("--only is empty: leave it out for all variants.")
    return value or ""


@click.command("replay")
@click.argument("scan")
@click.option(
    "--only",
    callback=_not_empty,
    metavar="WHICH",
    help="v0003,v0007 or failed or 'best 5' or pareto or 'lr < 1e-3'. Default: all.",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another value of a parameter that does not vary.",
)
@click.option(
    "--accept",
    is_flag=True,
    help="Take over what somebody else's scan says to batch systems and containers.",
)
@click.option("--no-wait", is_flag=True, help="Return when the scan is started.")
@json_option
@click.option("--dry-run", is_flag=True, help="Say what would run, and start nothing.")
@backend_options
def replay(
    scan: str,
    only: str,
    changes: tuple[str, ...],
    accept: bool,
    no_wait: bool,
    as_json: bool,
    dry_run: bool,
    **options: Any,
) -> None:
    """Run SCAN again from its folder: same notebook, files, points, seeds and image.

    It makes a new scan that points to its origin. Options say where it runs now; what is not given
    stays as it was. With --set or another --image it is a variation, and says so.
    """
    # Imported late: other verbs need not wait for it.
    from jupyter_gridgpu.records.record import load_record
    from jupyter_gridgpu.records.replay import ReplayRequest, plan_replay

    request = ReplayRequest(only, changes, given(options), command_line(), accept)
    made = plan_replay(load_record(client.open_scan(scan).folder), request)
    if dry_run:
        print_plan(made, as_json)
        return
    for warning in made.scan.warnings:
        echo(f"Warning: {warning}", err=True)
    text = variation_text(made.scan)
    if text and not as_json:
        echo(text)
    follow(client.start(made), no_wait, as_json)


def variation_text(scan: ScanSpec) -> str:
    """Return a sentence about what a variation changed; an empty text for any other scan."""
    origin = scan.origin
    if origin is None or not origin.changes:
        return ""
    return f"A variation of {origin.name}, not a replay: {'; '.join(origin.changes)}."


def read_replay_request(words: list[str]) -> tuple[str, ReplayRequest]:
    """Return the scan and the request that the words after `%gridscan replay` give.

    Raises UsageError.
    """
    try:
        # Only click's context knows which options were written.
        with replay.make_context("%gridscan replay", words) as context:
            return _request_of(context, words)
    except click.ClickException as error:
        raise UsageError(error.format_message()) from None


def _request_of(context: click.Context, words: list[str]) -> tuple[str, ReplayRequest]:
    from jupyter_gridgpu.records.replay import ReplayRequest

    values = dict(context.params)
    for name, word in COMMAND_LINE_ONLY.items():
        if values.pop(name):
            raise UsageError(f"{word} is for the command line.")
    scan, only, changes = (values.pop(name) for name in ("scan", "only", "changes"))
    accept = values.pop("accept")
    command = shlex.join(["%gridscan", "replay", *words])
    return scan, ReplayRequest(only, changes, given(values), command, accept)
