"""All that verbs print goes through this module: sentences, tables, JSON objects and plans.

Names and values in them may come from anybody, so nothing that steers a terminal gets through.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from jupyter_gridgpu.model.escapes import visible
from jupyter_gridgpu.planning.dry_run import plan_json, plan_text
from jupyter_gridgpu.planning.request import Plan

if TYPE_CHECKING:
    from rich.console import Console

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object and nothing else."
)
by_option = click.option(
    "--by",
    metavar="METRIC",
    help="Rank by this metric, like 'maximize rej_c' or 'minimize max(loss)'; nothing runs again.",
)


def echo(text: object = "", err: bool = False, nl: bool = True) -> None:
    """Print a text to stdout or stderr, without what could steer the terminal."""
    click.echo(visible(str(text)), err=err, nl=nl)


def console(**options: Any) -> Console:
    """Return a console for tables, which shows no text that could steer the terminal."""
    from rich.console import Console as RichConsole
    from rich.segment import Segment

    class VisibleConsole(RichConsole):
        """A console whose own colours and moves of the cursor are the only ones."""

        def render(self, *args: Any, **more: Any) -> Iterable[Segment]:
            """Yield the parts of what is drawn, the texts of which are cleaned."""
            for part in super().render(*args, **more):
                sound = part.control or part.text.isprintable()
                yield part if sound else Segment(visible(part.text), part.style)

    return VisibleConsole(**options)


def print_json(body: object) -> None:
    """Print one JSON object in one line."""
    # The only text that is printed as it is: JSON escapes what is no printable ASCII.
    click.echo(json.dumps(body))


def print_plan(plan: Plan, as_json: bool) -> None:
    """Print what a plan would run: the output of --dry-run."""
    if as_json:
        print_json(plan_json(plan.scan))
    else:
        echo(plan_text(plan.scan, plan.files))
