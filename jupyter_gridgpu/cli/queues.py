"""`gridgpu queues`: where GPUs are, and which of them a job fits; `gridgpu queues import`: PanDA's queues from CRIC."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.job import bounded
from jupyter_gridgpu.model.queue import HERE, Queue, free_text, gpus_text, limits_text, to_json
from jupyter_gridgpu.queues import cric, declarations, gpu_request
from jupyter_gridgpu.queues import discovery as known
from jupyter_gridgpu.queues.fields import NAME
from jupyter_gridgpu.queues.match import Match, rank

NAMED = 5  # entries of a dump that are said to be left out


@click.group("queues", invoke_without_command=True)
@click.option(
    "--gpu",
    "request",
    metavar="WANTED",
    help="GPUs that a job needs, like 'vram>=40GB, model=A100, cuda>=12'.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.pass_context
def queues(context: click.Context, request: str | None, as_json: bool) -> None:
    """List the queues with GPUs: declared in files, found in Slurm and HTCondor, and this machine.

    With --gpu, which of them fit, the best first, and why each other does not.
    """
    if context.invoked_subcommand is not None:
        return
    wanted = None if request is None else gpu_request.parse(request)
    found = known.find()
    matches = (
        [Match(queue, None) for queue in found.queues]
        if wanted is None
        else rank(found.queues, wanted)
    )
    if as_json:
        body = [_json(one, wanted is not None) for one in matches]
        click.echo(json.dumps({"queues": body, "problems": list(found.problems)}))
        return
    _print(matches, judged=wanted is not None)
    for problem in found.problems:
        click.echo(bounded(problem), err=True)


@queues.command("import")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.json")
@click.option(
    "--to",
    "name",
    default="panda",
    show_default=True,
    metavar="NAME",
    help="Name of the file in your queues.d.",
)
@click.option("--all", "everything", is_flag=True, help="Take the queues without GPUs too.")
def import_(file: Path, name: str, everything: bool) -> None:
    """Declare PanDA's queues from FILE.json, a dump of CRIC; what was imported under NAME before is replaced."""
    if not NAME.fullmatch(name) or "/" in name:
        raise UsageError(f"--to {name!r} cannot name a file: use letters, digits, '.', '_' or '-'.")
    found, wrong = cric.load(file, everything)
    for sentence in wrong[:NAMED]:
        click.echo(sentence, err=True)
    if len(wrong) > NAMED:
        click.echo(f"{len(wrong) - NAMED} more entries are left out.", err=True)
    if not found:
        raise UsageError(
            f"{file} has no GPU queue{'' if everything else '; --all takes the others too'}."
        )
    target = declarations.folders()[0] / f"{name.removesuffix('.yaml')}.yaml"
    declarations.write(
        target, found, f"Imported from {file.name}; importing again replaces this file."
    )
    click.echo(f"{len(found)} queue{'s' if len(found) > 1 else ''} declared in {target}.")


def _json(one: Match, judged: bool) -> dict[str, Any]:
    return {**to_json(one.queue), **({"fits": one.fits, "why": one.why} if judged else {})}


def _print(matches: list[Match], judged: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 1))
    last = "fits" if judged else "most for a job"
    for heading in ("queue", "on", "GPUs", "free", "state", last):
        whole = heading in ("queue", "free", "state")
        table.add_column(
            heading,
            justify="right" if heading == "free" else "left",
            no_wrap=whole,
            overflow="fold",
        )
    for one in matches:
        cells = [*_cells(one.queue), _answer(one) if judged else limits_text(one.queue.limits)]
        style = "dim" if judged and one.fits is False else ""
        table.add_row(*(Text(bounded(cell, 200) or "") for cell in cells), style=style)
    Console().print(table)


def _cells(queue: Queue) -> list[str]:
    on = "this machine" if queue.backend == HERE else queue.backend
    return [queue.name, on, gpus_text(queue), free_text(queue), queue.state]


def _answer(one: Match) -> str:
    if one.fits:
        return "yes"
    return f"{'perhaps' if one.fits is None else 'no'}: {one.why}"
