"""`gridgpu doctor`: is everything there, reachable and well set?"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from jupyter_gridgpu.doctor.finding import Finding

MARKS = {"ok": ("✔", "green"), "note": ("•", "yellow"), "problem": ("✖", "red")}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def doctor(as_json: bool) -> None:
    """Ask every part how it is: Jupyter, the home of scans, GPUs, containers, engines, queues.

    The exit code is 1 if one of them has a problem.
    """
    from jupyter_gridgpu.doctor import examine, healthy

    answers = examine()
    if as_json:
        body = {
            name: [asdict(finding) for finding in findings] for name, findings in answers.items()
        }
        click.echo(json.dumps({"healthy": healthy(answers), "parts": body}))
    else:
        _print(answers)
    sys.stdout.flush()
    sys.exit(0 if healthy(answers) else 1)


def _print(answers: dict[str, list[Finding]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, findings in answers.items():
        for number, finding in enumerate(findings):
            mark, colour = MARKS[finding.level]
            words = Text(finding.text)
            if finding.advice:
                words.append(f"\n{finding.advice}", style="dim")
            table.add_row(Text(name if number == 0 else ""), Text(mark, style=colour), words)
    Console().print(table)
