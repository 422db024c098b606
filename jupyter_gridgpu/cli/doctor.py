"""`gridgpu doctor`: whether everything is there, reachable and well set."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from jupyter_gridgpu.cli.output import console, echo, json_option, print_json
from jupyter_gridgpu.model.job import one_line

if TYPE_CHECKING:
    from jupyter_gridgpu.doctor.environment import SessionVariables
    from jupyter_gridgpu.doctor.finding import Finding

NAME_LIMIT = 100  # characters of the name of a variable
# How each level of a finding is drawn: a sign and its colour.
SIGNS = {"ok": ("✔", "green"), "note": ("•", "yellow"), "problem": ("✖", "red")}


@click.command("doctor")
@click.option(
    "--on",
    metavar="BACKEND",
    help="Also list the variables of this session that jobs of a backend or a profile get.",
)
@json_option
def doctor(on: str | None, as_json: bool) -> None:
    """Ask every part how it is: Jupyter, the home of scans, GPUs, containers, backends, queues.

    The exit code is 1 if one of them has a problem.
    """
    from jupyter_gridgpu.doctor import examine, healthy
    from jupyter_gridgpu.doctor.environment import session_variables

    variables = None if on is None else session_variables(on)
    parts = examine()
    if as_json:
        findings_json = {
            name: [asdict(finding) for finding in findings] for name, findings in parts.items()
        }
        body: dict[str, Any] = {"healthy": healthy(parts), "parts": findings_json}
        if variables is not None:
            body["environment"] = asdict(variables)
        print_json(body)
    else:
        _print(parts)
        if variables is not None:
            _print_variables(variables)
    # Flushed here, where a reader that has gone (`| head`) is no error, not when Python ends.
    sys.stdout.flush()
    sys.exit(0 if healthy(parts) else 1)


def _print_variables(variables: SessionVariables) -> None:
    said = {
        f"Jobs --on {variables.on} get": variables.travel,
        "In an image they get": variables.in_images,
        "They do not get": tuple(sorted(set(variables.stay) - set(variables.secrets))),
        "They do not get, since it may be secret": variables.secrets,
    }
    for text, names in said.items():
        # A name may hold anything but an equals sign.
        shown = ", ".join(one_line(name, NAME_LIMIT) or "" for name in names)
        echo(f"{text}: {shown or 'nothing'}.")
    echo("--env NAME passes on another one, and --secret NAME a secret.")


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
