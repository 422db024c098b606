"""Following a scan that a command started or found, and leaving with the exit code that says how it ended."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.model.units import number


def command_line() -> str:
    """Return the command as it was written, for the scan to remember."""
    return shlex.join(["gridgpu", *sys.argv[1:]])


def follow(handle: ScanHandle, no_wait: bool, as_json: bool) -> None:
    """Show a scan that was just started until it ends, or say where it is; then leave."""
    if no_wait:
        _print_started(handle, as_json)
        return
    if as_json:
        state = _wait(handle)
        click.echo(json.dumps(handle.summary()))
    else:
        state = watch_live(handle)
    leave(handle, state)


@contextmanager
def _leaving(handle: ScanHandle) -> Iterator[None]:
    """Let Ctrl-C leave the scan, which goes on."""
    try:
        yield
    except KeyboardInterrupt:
        name = handle.name
        click.echo(
            f"\n{name} goes on. `gridgpu watch {name}` shows it again, `gridgpu stop {name}` ends it.",
            err=True,
        )
        sys.exit(130)


def _wait(handle: ScanHandle) -> str:
    with _leaving(handle):
        return handle.wait()


def watch_live(handle: ScanHandle) -> str:
    from rich.console import Console

    from jupyter_gridgpu.terminal import watch

    if handle.attached:
        click.echo(f"Same request as before: showing {handle.name}; --new starts another.")
    elif handle.scan.choice:
        click.echo(handle.scan.choice)
    with _leaving(handle):
        state = watch(handle, Console())
    say_end(handle, state)
    return state


def say_end(handle: ScanHandle, state: str) -> None:
    best = handle.best
    if best:
        params = ", ".join(f"{name} = {best['params'][name]}" for name in handle.scan.space.varied)
        objective = handle.scan.objective
        reduced = objective is not None and objective.reduction != "last"
        metric = (
            f"{objective.reduction}({objective.metric})"
            if objective and reduced
            else objective.metric
            if objective
            else ""
        )
        click.echo(f"Best: {best['id']} with {metric} {number(best['value'], 4)} ({params})")
        click.echo(f"      {best['notebook']}")
    click.echo(f"Executed notebooks: {handle.paths.jobs}")
    if state == "orphaned":
        log = handle.runner_log().strip().splitlines()
        click.echo(
            f"The scan has no runner and is not finished: `gridgpu resume {handle.name}` goes on with it.",
            err=True,
        )
        if log:
            click.echo(f"Its runner's last words: {log[-1]}", err=True)


def _print_started(handle: ScanHandle, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"scan": handle.name, "folder": str(handle.folder)}))
    else:
        how = f"Same request as before, {handle.state}" if handle.attached else "Started"
        click.echo(f"{how}: {handle.name} in {handle.folder}")
        if handle.scan.choice:
            click.echo(handle.scan.choice)


def leave(handle: ScanHandle, state: str) -> None:
    """0 if every variant is done, 1 if some failed or were stopped, 3 if nothing drives the scan any more."""
    if state == "orphaned":
        sys.exit(3)
    states = {variant.state for variant in handle.view.variants.values()}
    sys.exit(0 if state == "done" and states <= {"done"} else 1)
