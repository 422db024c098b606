"""`%%gridscan NOTEBOOK [options]`, the form `%gridscan NOTEBOOK`, and `%gridscan list`, or another verb with a SCAN."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from IPython.core.error import UsageError as Sentence
from IPython.core.magic import Magics, line_cell_magic, magics_class

from jupyter_gridgpu import api, client
from jupyter_gridgpu.errors import GridGpuError, UsageError
from jupyter_gridgpu.planning.options import help_text, parse_words, plan_text, to_options
from jupyter_gridgpu.planning.request import Plan, plan
from jupyter_gridgpu.records.record import load
from jupyter_gridgpu.records.replay import plan_replay

USE = (
    "Write %gridscan NOTEBOOK.ipynb for a form, or %%gridscan NOTEBOOK.ipynb [options] with one assignment a line below it,"
    " or %gridscan list, or %gridscan show, stop, retry, pause, resume, replay or compare with a SCAN."
)


@magics_class
class GridscanMagics(Magics):
    """The magic; a user's mistake is one sentence on stderr, and the cell counts as failed."""

    @line_cell_magic
    def gridscan(self, line: str, cell: str | None = None) -> None:
        """Scan a notebook's hyper-parameters: `%%gridscan NOTEBOOK [options]` with one assignment a line below it.

        `%gridscan NOTEBOOK [options]` alone opens a form that writes such a cell; `%gridscan --help` lists the options.
        """
        try:
            words = _words(line)
            if "--help" in words or "-h" in words:
                print(help_text())
            elif cell is None:
                self._command(words)
            else:
                self._scan(words, cell)
        except GridGpuError as error:
            raise Sentence(str(error)) from None  # IPython prints it without a traceback

    def _command(self, words: list[str]) -> None:
        verb, rest = (words[0], words[1:]) if words else ("", [])
        if verb in _VERBS:
            _run(verb, rest)
        elif any(word.endswith(".ipynb") for word in words):
            self._form(words)
        else:
            raise UsageError(USE)

    def _form(self, words: list[str]) -> None:
        from jupyter_gridgpu.widgets.form import ScanForm

        values = parse_words(words)
        for name in ("dry_run", "rehearse", "there"):
            if values.pop(name):
                option = name.replace("_", "-")
                raise UsageError(
                    f"--{option} needs a cell: write %%gridscan and, below it, one assignment a line."
                )
        ScanForm(values.pop("notebook"), values, self._names()).show()

    def _scan(self, words: list[str], cell: str) -> None:
        values = parse_words(words)
        dry_run, notebook = values.pop("dry_run"), values.pop("notebook")
        rehearse, there = values.pop("rehearse"), values.pop("there")
        made = plan(notebook, cell, to_options(values), self._names())
        made = replace(made, command=f"%%gridscan {shlex.join(words)}\n{cell}")
        if dry_run:
            print(plan_text(made.scan, made.files))
            return
        if rehearse or there:
            from jupyter_gridgpu import rehearsal

            rehearsal.before(made, there, print)
        _start(made)

    def _names(self) -> Any:
        """The user's variables, which the lines of a cell may use."""
        return self.shell.user_ns if self.shell else {}


def _start(made: Plan) -> None:
    scan = api.start(made)
    if scan.attached:
        print(f"This cell started {scan.name} before; here it is again. --new starts another scan.")
    elif scan.scan.choice:
        print(scan.scan.choice)
    scan.table()


def _run(verb: str, rest: list[str]) -> None:
    needs = verb != "list"
    if len(rest) != int(needs) and not (rest and verb in ("replay", "compare")):
        raise UsageError(f"%gridscan {verb} takes {'one scan' if needs else 'nothing more'}.")
    _VERBS[verb](*rest)


def _list() -> None:
    scans = client.list_scans()
    for scan in scans:
        print(repr(scan)[1:-1])
    if not scans:
        print("There are no scans yet.")


def _show(target: str) -> None:
    api.open_scan(target).table()


def _replay(*words: str) -> None:
    from jupyter_gridgpu.cli.replay import read_words, variation

    target, wish = read_words(list(words))
    made = plan_replay(load(client.open_scan(target).folder), wish)
    if said := variation(made.scan):
        print(said)
    _start(made)


def _compare(first: str, *second: str) -> None:
    from IPython.display import display

    if len(second) > 1:
        raise UsageError("%gridscan compare takes two scans, or a replay alone.")
    display(api.open_scan(first).compare(second[0] if second else None))


def _verb(action: str) -> Callable[[str], None]:
    def act(target: str) -> None:
        scan, variant = client.split_target(target)
        if variant and action in ("pause", "resume"):
            raise UsageError(f"%gridscan {action} takes a whole scan, like {scan.name}.")
        scan.command(action, [variant] if variant else None)
        print(f"Asked {target} to {action}.")

    return act


_VERBS: dict[str, Callable[..., None]] = {
    "list": _list,
    "show": _show,
    "replay": _replay,
    "compare": _compare,
    **{action: _verb(action) for action in ("stop", "retry", "pause", "resume")},
}


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UsageError(f"The options cannot be read: {error}.") from None
