"""`gridgpu`: scans without a notebook."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from typing import Any

import click

from jupyter_gridgpu import __version__, client
from jupyter_gridgpu.cli.following import command_line, follow, leave, say_end, watch_live
from jupyter_gridgpu.cli.verbs import COMMANDS
from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.errors import GridGpuError
from jupyter_gridgpu.model.units import duration, number
from jupyter_gridgpu.planning.options import (
    first_options,
    plan_json,
    plan_text,
    scan_options,
    space_options,
    space_text,
    to_options,
)
from jupyter_gridgpu.planning.request import plan

SHOWN_ROWS = 200  # of `show`: a terminal takes seconds for thousands


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="gridgpu")
def gridgpu() -> None:
    """Hyper-parameter scans of training notebooks. SCAN is a name, an id or a folder."""


for command in COMMANDS:
    gridgpu.add_command(command)


def main() -> None:
    """Run the command line; every mistake is one sentence on stderr, with the exit code that goes with it."""
    try:
        sys.exit(gridgpu.main(standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        click.echo(f"gridgpu: {error.format_message()}", err=True)
        sys.exit(2)
    except GridGpuError as error:
        click.echo(f"gridgpu: {error}", err=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:  # `gridgpu list | head`
        sys.exit(0)


@gridgpu.command()
@click.argument("notebook")
@space_options
@click.option("--no-wait", is_flag=True, help="Return when the scan is started.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@first_options
@scan_options
def run(
    notebook: str,
    space: str | None,
    params: tuple[str, ...],
    no_wait: bool,
    as_json: bool,
    dry_run: bool,
    rehearse: bool,
    there: bool,
    **options: Any,
) -> None:
    """Run NOTEBOOK with many values of its parameters, and show how it goes.

    The same request again shows the scan it started before; --new starts another.
    """
    made = replace(
        plan(notebook, space_text(space, params), to_options(options)), command=command_line()
    )
    if dry_run:
        click.echo(
            json.dumps(plan_json(made.scan)) if as_json else plan_text(made.scan, made.files)
        )
        return
    if rehearse or there:
        from jupyter_gridgpu import rehearsal

        rehearsal.before(made, there, lambda line: click.echo(line, err=as_json))
    follow(client.start(made), no_wait, as_json)


@gridgpu.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def list_(as_json: bool) -> None:
    """List scans, newest first."""
    scans = client.list_scans()
    if as_json:
        click.echo(
            json.dumps(
                {
                    "scans": [
                        {"scan": s.name, "folder": str(s.folder), "state": s.state} for s in scans
                    ]
                }
            )
        )
        return
    if not scans:
        click.echo(
            "There are no scans yet. `gridgpu run NOTEBOOK -p 'lr = [1e-3, 1e-4]'` starts one."
        )
        return
    from rich.console import Console

    Console().print(_list_table(scans))


def _list_table(scans: list[ScanHandle]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(
        "scan",
        "state",
        "notebook",
        "variants",
        "best",
        "started",
        box=None,
        header_style="dim",
        pad_edge=False,
    )
    for scan in scans:
        counts, best = scan.view.counts(), scan.best
        shown = f"{best['id']} {number(best['value'], 4)}" if best else "–"
        started = f"{duration(time.time() - scan.scan.created)} ago"
        variants = f"{counts['done']} done of {scan.view.total()}"
        table.add_row(
            *(
                Text(cell)
                for cell in (scan.name, scan.state, scan.scan.notebook, variants, shown, started)
            )
        )
    return table


@gridgpu.command()
@click.argument("scan")
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help=f"Print all rows where there are more than {SHOWN_ROWS}.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(scan: str, everything: bool, as_json: bool) -> None:
    """Show SCAN as it is now."""
    handle = client.open_scan(scan)
    if as_json:
        click.echo(json.dumps(handle.summary()))
        return
    from rich.console import Console

    from jupyter_gridgpu.terminal import render

    console = Console()
    console.print(render(handle, handle.state, console, limit=None if everything else SHOWN_ROWS))
    say_end(handle, handle.state)


@gridgpu.command()
@click.argument("scan")
def watch(scan: str) -> None:
    """Follow SCAN until it ends; Ctrl-C leaves it running."""
    handle = client.open_scan(scan)
    leave(handle, watch_live(handle))


@gridgpu.command()
@click.argument("target", metavar="SCAN/VARIANT")
def logs(target: str) -> None:
    """Print the log of a variant, like btag/v0003; of SCAN alone, the runner's."""
    handle, variant = client.split_target(target)
    text = handle.log_part(variant)["text"] if variant else handle.runner_log()
    text = "".join(
        char for char in text if char.isprintable() or char in "\n\t"
    )  # a job's words must not steer a terminal
    click.echo(text or "Nothing was logged.", nl=not text.endswith("\n"))


@gridgpu.command()
@click.argument("target", metavar="SCAN[/VARIANT]")
def stop(target: str) -> None:
    """Stop a scan or one variant; what it saved so far is kept."""
    handle, variant = client.split_target(target)
    if handle.ended:
        click.echo(f"{handle.name} has ended already.")
        return
    handle.stop(*[variant] if variant else [])
    click.echo(f"Asked {target} to stop.")


@gridgpu.command()
@click.argument("target", metavar="SCAN[/VARIANT]")
def retry(target: str) -> None:
    """Give a variant a new attempt, or all of a scan that failed or were stopped."""
    handle, variant = client.split_target(target)
    handle.retry(*[variant] if variant else [])
    click.echo(
        f"Asked for a new attempt of {variant or 'all that did not finish'}. `gridgpu watch {handle.name}` follows it."
    )


@gridgpu.command()
@click.argument("scan")
def pause(scan: str) -> None:
    """Start nothing new in SCAN; what runs goes on."""
    client.open_scan(scan).pause()
    click.echo(f"Asked {scan} to pause.")


@gridgpu.command()
@click.argument("scan")
def resume(scan: str) -> None:
    """Go on with SCAN after a pause, a reboot or the death of its runner."""
    handle = client.open_scan(scan)
    if handle.ended:
        click.echo(
            f"{handle.name} has ended already; `gridgpu retry {handle.name}` runs again what did not finish."
        )
        return
    handle.resume()
    click.echo(f"{handle.name} goes on. `gridgpu watch {handle.name}` follows it.")


@gridgpu.command()
@click.argument("scan")
@click.option("--trials", type=int, required=True, metavar="N", help="Points to try in addition.")
def extend(scan: str, trials: int) -> None:
    """Try more points in SCAN."""
    client.open_scan(scan).extend(trials)
    click.echo(f"Asked {scan} to try {trials} points more.")


if __name__ == "__main__":
    main()
