"""`gridgpu queues`: where GPUs are, and which of them a job fits.

`gridgpu queues import` reads PanDA's queues from a dump of CRIC.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from jupyter_gridgpu.cli.output import console, echo, json_option, print_json
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.queue import LOCAL, Queue, free_text, gpus_text, limits_text, to_json
from jupyter_gridgpu.planning import profile_files
from jupyter_gridgpu.planning.profile import Profile
from jupyter_gridgpu.planning.profile_text import profile_info
from jupyter_gridgpu.queues import cric, declarations, discovery, gpu_request
from jupyter_gridgpu.queues.fields import NAME
from jupyter_gridgpu.queues.match import Match, rank

NAMED_ENTRIES = 5  # the most left-out entries of a dump that are named
CELL_LIMIT = 200  # characters of the longest cell of the table
PROFILE_LIMIT = 1000  # the same, of the table of profiles


@click.group("queues", invoke_without_command=True)
@click.option(
    "--gpu",
    "request",
    metavar="WANTED",
    help="GPUs that a job needs, like 'vram>=40GB, model=A100, cuda>=12'.",
)
@json_option
@click.pass_context
def queues(context: click.Context, request: str | None, as_json: bool) -> None:
    """List the queues with GPUs: declared in files, found in Slurm and HTCondor, and this machine.
    Below them are the profiles: names that --on takes, each for the options that are shown.

    With --gpu, say which of them fit, the best first, and why each other does not.
    """
    # click calls the group before its verb `import`, too.
    if context.invoked_subcommand is not None:
        return
    judged = request is not None
    wanted = None if request is None else gpu_request.parse(request)
    found = discovery.find_queues()
    if wanted is None:
        matches = [Match(queue, None) for queue in found.queues]
    else:
        matches = rank(found.queues, wanted)
    profiles, mistakes = profile_files.read_all()
    # If a batch system does not answer, its problem is printed below the table of all others.
    problems = [*found.problems, *(mistake.text for mistake in mistakes)]
    if as_json:
        bodies = [_match_json(match, judged) for match in matches]
        listed = [profile_info(profile) for profile in profiles]
        print_json({"queues": bodies, "profiles": listed, "problems": problems})
        return
    _print(matches, judged)
    if profiles and not judged:
        _print_profiles(profiles)
    for problem in problems:
        echo(one_line(problem), err=True)


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
def import_queues(file: Path, name: str, everything: bool) -> None:
    """Declare PanDA's queues from FILE.json, a dump of CRIC; what was imported under NAME before is
    replaced.
    """
    # Names of queues may contain a slash, but this name must not lead out of its folder.
    if not NAME.fullmatch(name) or "/" in name:
        raise UsageError(f"--to {name!r} cannot name a file: use letters, digits, '.', '_' or '-'.")
    found, left_out = cric.load(file, everything)
    _say_left_out(left_out)
    if not found:
        others = "" if everything else "; --all takes the others too"
        raise UsageError(f"{file} has no GPU queue{others}.")
    target = declarations.folders()[0] / f"{name.removesuffix('.yaml')}.yaml"
    heading = f"Imported from {file.name}; importing again replaces this file."
    declarations.write(target, found, heading)
    plural = "s" if len(found) > 1 else ""
    echo(f"{len(found)} queue{plural} declared in {target}.")


def _say_left_out(sentences: list[str]) -> None:
    """Print on stderr why entries of a dump are left out: a few reasons, then a count."""
    for sentence in sentences[:NAMED_ENTRIES]:
        echo(sentence, err=True)
    if len(sentences) > NAMED_ENTRIES:
        echo(f"{len(sentences) - NAMED_ENTRIES} more entries are left out.", err=True)


def _match_json(match: Match, judged: bool) -> dict[str, Any]:
    body = to_json(match.queue)
    if judged:
        body |= {"fits": match.fits, "why": match.why}
    return body


def _print(matches: list[Match], judged: bool) -> None:
    """Print a table of queues; `judged` says that they were compared with a request."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 1))
    # In a narrow terminal the names of queues stay whole, since they are copied from here.
    table.add_column("queue", no_wrap=True, overflow="fold")
    table.add_column("on", overflow="fold")
    table.add_column("GPUs", overflow="fold")
    table.add_column("free", justify="right", no_wrap=True, overflow="fold")
    table.add_column("state", no_wrap=True, overflow="fold")
    table.add_column("fits" if judged else "most for a job", overflow="fold")
    for match in matches:
        cells = _cells(match.queue)
        if judged:
            cells.append(_verdict(match))
        else:
            cells.append(limits_text(match.queue.limits))
        style = "dim" if judged and match.fits is False else ""
        table.add_row(*(Text(one_line(cell, CELL_LIMIT) or "") for cell in cells), style=style)
    console().print(table)


def _print_profiles(profiles: list[Profile]) -> None:
    """Print a table of profiles: what --on takes, and the options for which it stands."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 1))
    table.add_column("profile", no_wrap=True, overflow="fold")
    table.add_column("what it is", overflow="fold")
    table.add_column("stands for", overflow="fold")
    for profile in profiles:
        cells = (profile.name, profile.title, profile_info(profile)["options"])
        table.add_row(*(Text(one_line(cell, PROFILE_LIMIT) or "") for cell in cells))
    echo("")
    console().print(table)


def _cells(queue: Queue) -> list[str]:
    place = queue.backend
    if place == LOCAL:
        place = "this machine"
    return [queue.name, place, gpus_text(queue), free_text(queue), queue.state]


def _verdict(match: Match) -> str:
    """Return whether a queue fits: yes, no and why, or perhaps and what is not known."""
    if match.fits:
        return "yes"
    if match.fits is None:
        return f"perhaps: {match.why}"
    return f"no: {match.why}"
