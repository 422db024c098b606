"""The magics: `%%gridscan NOTEBOOK` starts a scan, `%gridscan NOTEBOOK` opens the form.

`%gridscan VERB SCAN` does the same as the command `gridgpu VERB SCAN`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from IPython.core.error import UsageError as IPythonUsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class

from jupyter_gridgpu import api, client
from jupyter_gridgpu.errors import GridGpuError, UsageError
from jupyter_gridgpu.model.escapes import visible
from jupyter_gridgpu.planning import scan_file
from jupyter_gridgpu.planning.dry_run import plan_text
from jupyter_gridgpu.planning.options import help_text, read_options_line, to_options
from jupyter_gridgpu.planning.profile_text import place_line
from jupyter_gridgpu.planning.request import Plan, plan
from jupyter_gridgpu.records.record import load_record
from jupyter_gridgpu.records.replay import plan_replay
from jupyter_gridgpu.store.access import sentence_of

USAGE = (
    "Write %gridscan NOTEBOOK.ipynb for a form,"
    " or %%gridscan NOTEBOOK.ipynb [options] with one assignment a line below it,"
    " or %gridscan run FILE.yaml [options],"
    " or %gridscan list,"
    " or %gridscan show, stop, retry, pause, resume, replay or compare with a SCAN."
)


@magics_class
class GridscanMagics(Magics):
    """The magic `gridscan`, for a line and for a cell.

    A mistake of the user is printed as one sentence, and the cell counts as failed.
    """

    @line_cell_magic
    def gridscan(self, line: str, cell: str | None = None) -> None:
        """Scan a notebook's hyper-parameters: `%%gridscan NOTEBOOK [options]` above assignments.

        Each line below it assigns the values of one parameter. `%gridscan NOTEBOOK [options]` alone
        opens a form that writes such a cell; `%gridscan --help` lists the options.
        """
        try:
            line, cell = _whole_line(line, cell)
            words = _split(line)
            if "--help" in words or "-h" in words:
                print(help_text())
            elif cell is None:
                self._run_line(words)
            else:
                self._start_scan(words, cell)
        except GridGpuError as error:
            # IPython prints an error of its own class without a traceback.
            raise IPythonUsageError(str(error)) from None
        except OSError as error:
            # A path that somebody has closed, a disk that is full or away: no fault of ours.
            raise IPythonUsageError(str(sentence_of(error))) from None

    def _run_line(self, words: list[str]) -> None:
        """Run a verb, or open the form if the words name a notebook. Raises UsageError."""
        if words and words[0] in _VERBS:
            _run_verb(words[0], words[1:])
        # The notebook may come after options. Only the parser knows which words are their values.
        elif any(word.endswith(".ipynb") for word in words):
            self._open_form(words)
        else:
            raise UsageError(USAGE)

    def _open_form(self, words: list[str]) -> None:
        values = read_options_line(words)
        values.pop("form")
        for name in ("dry_run", "rehearse", "there", "save", "overwrite"):
            if values.pop(name):
                option = name.replace("_", "-")
                raise UsageError(
                    f"--{option} needs a cell:"
                    " write %%gridscan and, below it, one assignment a line."
                )
        notebook = values.pop("notebook")
        _show_form(notebook, values, self._variables())

    def _start_scan(self, words: list[str], cell: str) -> None:
        values = read_options_line(words)
        wishes = _wishes(values)
        notebook = values.pop("notebook")
        if scan_file.is_scan_file(notebook):
            raise UsageError(
                f"{notebook} has a space of its own: %gridscan run {notebook} runs it."
            )
        if wishes["form"]:
            _show_form(notebook, values, self._variables(), cell)
            return
        made = plan(notebook, cell, to_options(values), self._variables())
        made = replace(made, command=f"%%gridscan {shlex.join(words)}\n{cell}")
        if wishes["save"] is not None:
            _say(
                scan_file.save(
                    wishes["save"],
                    notebook,
                    cell,
                    values,
                    variables=self._variables(),
                    overwrite=wishes["overwrite"],
                )
            )
        _carry_out(made, wishes)

    def _variables(self) -> Any:
        """Return the user's variables, which the assignments of a cell may use."""
        if self.shell is None:
            return {}
        return self.shell.user_ns


def _whole_line(line: str, cell: str | None) -> tuple[str, str | None]:
    """Return the line with the lines that a backslash at its end continues, and the other lines.

    A note behind ` #` is left out, as a shell does.
    """
    line = _without_note(line)
    while line.endswith("\\") and cell is not None:
        following, _, cell = cell.partition("\n")
        line = _without_note(f"{line[:-1]} {following.strip()}")
    return line, cell


def _without_note(line: str) -> str:
    """Return a line without the note that begins with a `#` outside of quotes."""
    quote, before = "", " "
    for index, character in enumerate(line):
        if character == "#" and not quote and before.isspace():
            return line[:index].rstrip()
        if character in "'\"" and before != "\\" and quote in ("", character):
            quote = "" if quote else character
        before = character
    return line.rstrip()


def _split(line: str) -> list[str]:
    """Return the words of a line as a shell would. Raises UsageError."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UsageError(f"The options cannot be read: {error}.") from None


def _say(text: str) -> None:
    """Print a text below the cell, without what could steer the page or a terminal."""
    print(visible(text))


def _show_form(notebook: str, values: dict[str, Any], variables: Any, body: str = "") -> None:
    # Imported late: a kernel that opens no form need not load the widgets.
    from jupyter_gridgpu.widgets.form import ScanForm

    ScanForm(notebook, values, variables, body).show()


def _wishes(values: dict[str, Any]) -> dict[str, Any]:
    """Take what is no option of the scan out of the values, and return it. Raises UsageError."""
    names = ("form", "dry_run", "rehearse", "there", "save", "overwrite")
    wishes = {name: values.pop(name) for name in names}
    scan_file.check_named(wishes["save"], wishes["overwrite"])
    others = [name for name, value in wishes.items() if value and name != "form"]
    if wishes["form"] and others:
        word = others[0].replace("_", "-")
        raise UsageError(f"--form only opens the form, so --{word} does nothing; leave one out.")
    return wishes


def _carry_out(made: Plan, wishes: Mapping[str, Any]) -> None:
    """Do with a plan what the words beside the options say."""
    if wishes["dry_run"]:
        _say(plan_text(made.scan, made.files))
        return
    if wishes["rehearse"] or wishes["there"]:
        from jupyter_gridgpu import rehearsal

        rehearsal.rehearse_before_sending(made, wishes["there"], print)
    _start_and_show(made)


def _start_and_show(made: Plan) -> None:
    for text in made.scan.warnings:
        _say(f"Warning: {text}")
    scan = api.start(made)
    # This is no error: users run a cell again to see its scan again.
    if scan.attached:
        _say(f"This cell started {scan.name} before; here it is again. --new starts another scan.")
    elif line := place_line(scan.scan):
        _say(line)
    scan.table()


def _run_verb(verb: str, words: list[str]) -> None:
    """Run one of the verbs. Raises UsageError if it has too many words or too few."""
    if verb == "list":
        if words:
            raise UsageError("%gridscan list takes nothing more.")
    elif not words or (len(words) > 1 and verb not in ("replay", "compare", "run")):
        raise UsageError(f"%gridscan {verb} takes one {'file' if verb == 'run' else 'scan'}.")
    _VERBS[verb](*words)


def _list() -> None:
    texts, left_out = client.look_at_scans(repr)
    for text in texts:
        _say(text[1:-1])  # without the angle brackets
    for item in left_out:
        _say(f"{item.folder.name} is left out: {item.why}")
    if not texts and not left_out:
        _say("There are no scans yet.")


def _show(target: str) -> None:
    api.open_scan(target).table()


def _run_file(*words: str) -> None:
    """Run a file of a scan, over whose options those of the words win."""
    values = read_options_line(words)
    wishes = _wishes(values)
    path = values.pop("notebook")
    if not scan_file.is_scan_file(path):
        raise UsageError(
            f"%gridscan run takes a file of a scan, like scan.yaml. For {path}, write %%gridscan"
            " and the space below it."
        )
    file = scan_file.read(path)
    if wishes["form"]:
        # Without variables: nothing of a file is run.
        _show_form(str(file.notebook), file.merged(values), None, file.written.body)
        return
    made = replace(file.plan(values), command=shlex.join(["%gridscan", "run", *words]))
    if text := file.differences(values):
        _say(text)
    if wishes["save"] is not None:
        _say(scan_file.save_again(file, values, wishes["save"], wishes["overwrite"]))
    _carry_out(made, wishes)


def _replay(*words: str) -> None:
    # Imported late: a kernel that replays nothing need not load the command line.
    from jupyter_gridgpu.cli.replay import read_replay_request, variation_text

    target, request = read_replay_request(list(words))
    made = plan_replay(load_record(client.open_scan(target).folder), request)
    difference = variation_text(made.scan)
    if difference:
        _say(difference)
    _start_and_show(made)


def _compare(first: str, *others: str) -> None:
    from IPython.display import display

    if len(others) > 1:
        raise UsageError("%gridscan compare takes two scans, or a replay alone.")
    other = None
    if others:
        other = others[0]
    display(api.open_scan(first).compare(other))


def _command_verb(action: str) -> Callable[[str], None]:
    """Return the function of a verb that commands a scan, or one variant like `btag/v0017`."""

    def command(target: str) -> None:
        scan, variant = client.split_target(target)
        if variant and action in ("pause", "resume"):
            raise UsageError(f"%gridscan {action} takes a whole scan, like {scan.name}.")
        variants = None
        if variant:
            variants = [variant]
        scan.command(action, variants)
        _say(f"Asked {target} to {action}.")

    return command


_VERBS: dict[str, Callable[..., None]] = {
    "list": _list,
    "show": _show,
    "run": _run_file,
    "replay": _replay,
    "compare": _compare,
    **{action: _command_verb(action) for action in ("stop", "retry", "pause", "resume")},
}
