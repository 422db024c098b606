"""What several verbs print: JSON objects and plans."""

from __future__ import annotations

import json

import click

from jupyter_gridgpu.planning.dry_run import plan_json, plan_text
from jupyter_gridgpu.planning.request import Plan

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object and nothing else."
)


def print_json(body: object) -> None:
    """Print one JSON object in one line."""
    click.echo(json.dumps(body))


def print_plan(plan: Plan, as_json: bool) -> None:
    """Print what a plan would run: the output of --dry-run."""
    if as_json:
        print_json(plan_json(plan.scan))
    else:
        click.echo(plan_text(plan.scan, plan.files))
