"""How a command follows a scan, and the exit code that says how the scan ended."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jupyter_gridgpu.cli.output import console, echo, print_json
from jupyter_gridgpu.client import FINISHED, ScanHandle
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.notes import note
from jupyter_gridgpu.model.units import number_text
from jupyter_gridgpu.planning.profile_text import place_line

NOT_ALL_DONE_EXIT_CODE = 1
ORPHANED_EXIT_CODE = 3
FRONT_SHOWN = 10  # variants of a Pareto front that are printed below the table
INTERRUPTED_EXIT_CODE = 130  # what a shell gives for a command that Ctrl-C ended


def command_line() -> str:
    """Return the command as the user wrote it, which the scan's provenance keeps."""
    return shlex.join(["gridgpu", *sys.argv[1:]])


def follow(handle: ScanHandle, no_wait: bool, as_json: bool) -> None:
    """Show a scan that was just started until it ends, and leave with its exit code.

    With `no_wait`, only print where the scan is, and return.
    """
    if no_wait:
        _print_started(handle, as_json)
        return
    if as_json:
        # Only one object may be printed, so nothing is printed before the end.
        state = _wait(handle)
        print_json(handle.summary())
    else:
        state = watch_live(handle)
    leave(handle, state)


@contextmanager
def _scan_goes_on(handle: ScanHandle) -> Iterator[None]:
    """Let Ctrl-C end this command alone, and say how to come back to the scan."""
    try:
        yield
    except KeyboardInterrupt:
        name = handle.name
        echo(
            f"\n{name} goes on. `gridgpu watch {name}` shows it again,"
            f" `gridgpu stop {name}` ends it.",
            err=True,
        )
        sys.exit(INTERRUPTED_EXIT_CODE)


def _wait(handle: ScanHandle) -> str:
    """Wait until a scan has ended and return its state. What goes wrong is said at once.

    It is said on stderr, since stdout gets the end alone.
    """
    said = None
    state = handle.state
    with _scan_goes_on(handle):
        for state in handle.changes():
            with handle.lock:
                text = note(handle.view, time.time())
            if text is not None and text != said and state not in FINISHED:
                echo(f"{handle.name}: {text}", err=True)
                said = text
    return state


def watch_live(handle: ScanHandle) -> str:
    """Show the live table of a scan until it ends, then its best variant. Return its state."""
    from jupyter_gridgpu.terminal import render, watch

    # The user may expect a new scan, but this one was started before.
    if handle.attached:
        echo(f"Same request as before: showing {handle.name}; --new starts another.")
    else:
        say_place(handle)
    screen = console()
    if screen.is_terminal:
        with _scan_goes_on(handle):
            state = watch(handle, screen)
    else:
        state = _wait(handle)
        screen.print(render(handle, state, screen, limit=None))
    say_end(handle, state)
    return state


def say_place(handle: ScanHandle) -> None:
    """Print why the queue of a scan was chosen, or what its profile stands for."""
    if line := place_line(handle.scan):
        echo(line)


def say_end(handle: ScanHandle, state: str) -> None:
    """Print the best variant of a scan, where its notebooks are, and whether it lost its runner."""
    _say_best(handle)
    echo(f"Executed notebooks: {handle.paths.jobs}")
    foreign = handle.foreign
    if foreign is not None:
        echo(foreign, err=True)
        return
    if state != "orphaned":
        return
    # On stderr, as mistakes are: a scan without a runner does not go on by itself.
    echo(
        "The scan has no runner and is not finished:"
        f" `gridgpu resume {handle.name}` goes on with it.",
        err=True,
    )
    log = handle.runner_log().strip().splitlines()
    if log:
        # The last line of a runner that died says why, as a rule.
        echo(f"Its runner's last words: {log[-1]}", err=True)


def _say_best(handle: ScanHandle) -> None:
    if len(handle.view.objectives) > 1:
        _say_front(handle)
        return
    best, objective = handle.best, handle.view.objective
    if not best or objective is None:
        return
    value = number_text(best["value"], 4)
    params = _params_text(handle, best)
    # Names of metrics come from jobs when a user ranks by them.
    what = "Best" if handle.view.by is None else f"Best by {one_line(handle.view.by.text)}"
    echo(f"{what}: {best['id']} with {one_line(objective.label)} {value} ({params})")
    echo(f"      {best['notebook']}")


def _say_front(handle: ScanHandle) -> None:
    """Print the Pareto front: for each variant the objectives and the parameters."""
    front = handle.pareto()
    wanted = ", ".join(one_line(objective.text) or "" for objective in handle.view.objectives)
    if not front:
        echo(f"Pareto front: empty so far ({wanted})")
        return
    echo(f"Pareto front of {len(front):,}, since there is no single best ({wanted}):")
    for found in front[:FRONT_SHOWN]:
        values = ", ".join(
            f"{one_line(objective.label)} {number_text(found['values'][objective.metric], 4)}"
            for objective in handle.view.objectives
        )
        echo(f"  {found['id']} with {values} ({_params_text(handle, found)})")
    if len(front) > FRONT_SHOWN:
        echo(f"  {len(front) - FRONT_SHOWN:,} more; --json has all.")


def _params_text(handle: ScanHandle, found: dict[str, Any]) -> str:
    names = [name for name in handle.scan.space.varied if name in found["params"]]
    return ", ".join(f"{name} = {one_line(str(found['params'][name]))}" for name in names)


def _print_started(handle: ScanHandle, as_json: bool) -> None:
    if as_json:
        print_json({"scan": handle.name, "folder": str(handle.folder)})
        return
    how = "Started"
    if handle.attached:
        how = f"Same request as before, {handle.state}"
    echo(f"{how}: {handle.name} in {handle.folder}")
    say_place(handle)


def leave(handle: ScanHandle, state: str) -> None:
    """Exit with 0 if every variant is done, 1 if some are not, 3 if the scan has no runner."""
    if state == "orphaned":
        sys.exit(ORPHANED_EXIT_CODE)
    states = {variant.state for variant in handle.view.variants.values()}
    if state == "done" and states <= {"done"}:
        sys.exit(0)
    sys.exit(NOT_ALL_DONE_EXIT_CODE)
