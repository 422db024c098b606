"""`%%gridscan NOTEBOOK [options]` and `%gridscan list|show|stop|retry|pause|resume SCAN`."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

import click
from IPython.core.error import UsageError as Sentence
from IPython.core.magic import Magics, line_cell_magic, magics_class

from jupyter_gridgpu import api, client
from jupyter_gridgpu.errors import GridGpuError, UsageError
from jupyter_gridgpu.options import plan_text, scan_options, to_options
from jupyter_gridgpu.request import Plan, plan

USE = (
    "Write %%gridscan NOTEBOOK.ipynb [options] with one assignment a line below it,"
    " or %gridscan list, or %gridscan show, stop, retry, pause or resume with a SCAN."
)


@magics_class
class GridscanMagics(Magics):
    """The magic; a user's mistake is one sentence on stderr, and the cell counts as failed."""

    @line_cell_magic
    def gridscan(self, line: str, cell: str | None = None) -> None:
        """Scan a notebook's hyper-parameters: `%%gridscan NOTEBOOK [options]`; `%%gridscan --help` lists the options."""
        try:
            words = _words(line)
            if "--help" in words or "-h" in words:
                print(_help())
            elif cell is None:
                _command(words)
            else:
                self._scan(words, cell)
        except GridGpuError as error:
            raise Sentence(str(error)) from None  # IPython prints it without a traceback

    def _scan(self, words: list[str], cell: str) -> None:
        values = _parse(words)
        dry_run, notebook = values.pop("dry_run"), values.pop("notebook")
        made = plan(notebook, cell, to_options(values), self.shell.user_ns if self.shell else None)
        if dry_run:
            print(plan_text(made.scan, made.files))
        else:
            _start(made)


def _start(made: Plan) -> None:
    scan = api.start(made)
    if scan.attached:
        print(f"This cell started {scan.name} before; here it is again. --new starts another scan.")
    scan.table()


def _command(words: list[str]) -> None:
    verb, rest = (words[0], words[1:]) if words else ("", [])
    if verb not in _VERBS:
        raise UsageError(USE if not verb.endswith(".ipynb") else f"{USE} `%%gridscan {verb} --dry-run` shows what would run.")
    needs = verb != "list"
    if len(rest) != int(needs):
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
    **{action: _verb(action) for action in ("stop", "retry", "pause", "resume")},
}


@click.command("%%gridscan", add_help_option=False)
@click.argument("notebook")
@click.option("--dry-run", is_flag=True, help="Say what would run, and start nothing.")
@scan_options
def _options(**values: Any) -> dict[str, Any]:
    return values


def _parse(words: list[str]) -> dict[str, Any]:
    try:
        values = _options.main(args=words, prog_name="%%gridscan", standalone_mode=False)
    except click.ClickException as error:
        raise UsageError(error.format_message()) from None
    assert isinstance(values, dict)
    return values


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UsageError(f"The options cannot be read: {error}.") from None


def _help() -> str:
    with click.Context(_options, info_name="%%gridscan", max_content_width=100) as context:
        return _options.get_help(context)
