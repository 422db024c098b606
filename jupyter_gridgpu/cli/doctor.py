"""`gridgpu doctor`: whether everything is there, reachable and well set."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from jupyter_gridgpu.cli.output import console, json_option, print_json

if TYPE_CHECKING:
    from jupyter_gridgpu.doctor.finding import Finding

# How each level of a finding is drawn: a sign and its colour.
SIGNS = {"ok": ("✔", "green"), "note": ("•", "yellow"), "problem": ("✖", "red")}


@click.command("doctor")
@json_option
def doctor(as_json: bool) -> None:
    """Ask every part how it is: Jupyter, the home of scans, GPUs, containers, backends, queues.

    The exit code is 1 if one of them has a problem.
    """
    from jupyter_gridgpu.doctor import examine, healthy

    parts = examine()
    if as_json:
        findings_json = {
            name: [asdict(finding) for finding in findings] for name, findings in parts.items()
        }
        print_json({"healthy": healthy(parts), "parts": findings_json})
    else:
        _print(parts)
    # Flushed here, where a reader that has gone (`| head`) is no error, not when Python ends.
    sys.stdout.flush()
    sys.exit(0 if healthy(parts) else 1)


def _print(parts: dict[str, list[Finding]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, findings in parts.items():
        heading = name
        for finding in findings:
            sign, colour = SIGNS[finding.level]
            text = Text(finding.text)
            if finding.advice:
                text.append(f"\n{finding.advice}", style="dim")
            table.add_row(Text(heading), Text(sign, style=colour), text)
            heading = ""  # a part is named beside its first finding only
    console().print(table)
