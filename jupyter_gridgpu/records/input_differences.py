"""Finds the inputs of two scans that differ: notebook, files, parameters, image, hardware."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_gridgpu.model import space_record
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.records.job_facts import (
    PACKAGE,
    PACKAGES_KNOWN,
    as_dict,
    job_facts,
    short_text,
)
from jupyter_gridgpu.records.record import Record
from jupyter_gridgpu.store.paths import NOTEBOOK_BYTES
from jupyter_gridgpu.worker.papermill_import import import_papermill

DIFF_LIMIT = 20_000  # characters
DIFF_HEAD_LINES = 3  # the first lines of nbdime's text: two made-up file names with times
DIGEST_SHOWN = 12  # hexadecimal digits
VALUES_SHOWN = 3  # the most values of one fact; jobs of one scan may have recorded several
HELPER_FOLDER = "files/"  # in the scan folder
_PARAMETER = "parameter "  # before the name of one, in a difference
NO_NBDIME = "The cells differ; which lines, nbdime shows: pip install 'jupyter_gridgpu[compare]'."


@dataclass(frozen=True)
class Difference:
    """One input that was not the same in both scans.

    `what` names the input, `a` is its value in the first scan, `b` in the second. `text` adds
    details, for example the diff of two notebooks. The field names are keys of the printed JSON.
    """

    what: str
    a: str
    b: str
    text: str = ""


def differences(first: Record, second: Record) -> list[Difference]:
    """Return all inputs of two scans that are known to differ.

    An input that one of the scans did not record is left out.
    """
    first_start, second_start = first.provenance(), second.provenance()
    return [
        *_notebook(first, second),
        *_helper_files(first_start, second_start),
        *_parameters(first, second),
        *_where_it_ran(first, second),
        *_versions(first_start, second_start),
        *_jobs(first, second),
    ]


def _notebook(first: Record, second: Record) -> list[Difference]:
    first_digest, second_digest = first.scan.notebook_digest, second.scan.notebook_digest
    if first_digest == second_digest:
        return []
    cells = cell_differences(first, second)
    return [
        Difference("notebook", first_digest[:DIGEST_SHOWN], second_digest[:DIGEST_SHOWN], cells)
    ]


def cell_differences(first: Record, second: Record) -> str:
    """Return how the cells of two notebooks differ, as nbdime prints it.

    The text is a hint for the user if nbdime is missing or a notebook cannot be read any more.
    """
    try:
        # nbdime imports nbformat, which takes ten times longer without import_papermill.
        import_papermill("nbformat")
        import nbformat
        from nbdime import diff_notebooks
        from nbdime.diffing.notebooks import set_notebook_diff_targets
        from nbdime.prettyprint import PrettyPrintConfig, pretty_print_notebook_diff
    except ImportError:
        return NO_NBDIME
    try:
        bodies = []
        for record in (first, second):
            with record.open("notebook.ipynb") as file:
                bodies.append(nbformat.reads(file.read(NOTEBOOK_BYTES).decode(), 4))
        set_notebook_diff_targets(outputs=False, metadata=False, details=False)
        printed = io.StringIO()
        config = PrettyPrintConfig(out=printed, use_color=False, use_git=False)
        pretty_print_notebook_diff("a", "b", bodies[0], diff_notebooks(*bodies), config)
    except (OSError, ValueError, KeyError, AttributeError, RecursionError) as error:
        # The file may have been changed into something that is no notebook. Then nbformat and
        # nbdime fail with any of these errors.
        return f"A notebook cannot be read any more: {one_line(str(error), 200)}."
    lines = printed.getvalue().splitlines()[DIFF_HEAD_LINES:]
    return "\n".join(map(_printable, lines))[:DIFF_LIMIT]


def _printable(line: str) -> str:
    """Return a line without control characters, which a terminal might obey."""
    return "".join(character for character in line if character.isprintable() or character == "\t")


def _helper_files(
    first_start: Mapping[str, Any], second_start: Mapping[str, Any]
) -> list[Difference]:
    """Compare the digests of helper files, given the provenance of both starts."""
    # Scans of earlier versions kept no digests, so their files cannot be compared.
    if "inputs" not in first_start or "inputs" not in second_start:
        return []
    first_digests, second_digests = _helper_digests(first_start), _helper_digests(second_start)
    found = []
    for name in sorted({*first_digests, *second_digests}):
        if first_digests.get(name) == second_digests.get(name):
            continue
        if name not in first_digests:
            values = ("not there", "there")
        elif name not in second_digests:
            values = ("there", "not there")
        else:
            values = ("one", "another")
        found.append(Difference(f"file {name.removeprefix(HELPER_FOLDER)}", *values))
    return found


def _helper_digests(start: Mapping[str, Any]) -> dict[str, str]:
    """Return digest and size of each helper file as a text, by the file's name."""
    inputs = as_dict(start.get("inputs"))
    return {name: str(pair) for name, pair in inputs.items() if name.startswith(HELPER_FOLDER)}


def _parameters(first: Record, second: Record) -> list[Difference]:
    first_lines, second_lines = _lines(first), _lines(second)
    found = []
    for what in {**first_lines, **second_lines}:
        # Only a parameter has a value where no line gives it one.
        missing = "the notebook's own" if what.startswith(_PARAMETER) else "not there"
        first_text = first_lines.get(what, missing)
        second_text = second_lines.get(what, missing)
        if first_text != second_text:
            found.append(Difference(what, first_text, second_text))
    return found


def _lines(record: Record) -> dict[str, str]:
    """Return what each line of a scan's space says; the key says which line it is."""
    found: dict[str, str] = {}
    for line in space_record.to_json(record.scan.space):
        what = _line_name(line)
        # Several lines may have the same condition.
        same = sum(known == what or known.startswith(f"{what} (") for known in found)
        found[f"{what} ({same + 1})" if same else what] = _line_text(line)
    return found


def _line_name(line: Mapping[str, Any]) -> str:
    """Return what a difference in a line of a space is called."""
    if "name" in line:
        return f"{_PARAMETER}{line['name']}"
    if "names" in line:
        return f"rows of {', '.join(line['names'])}"
    word = "condition" if line["kind"] == "when" else "constraint"
    return f"{word} {short_text(line['condition'])}"


def _line_text(line: Mapping[str, Any]) -> str:
    """Return in a few words what a line of a space says."""
    if line["kind"] == "require":
        return "there"
    if line["kind"] == "fixed":
        return short_text(repr(line["value"]))
    told = (item for item in line.items() if item[0] not in ("name", "names", "kind", "condition"))
    return short_text(", ".join(f"{key} {value!r}" for key, value in told))


def _where_it_ran(first: Record, second: Record) -> list[Difference]:
    """Compare backend, kernel and image."""
    first_place, second_place = _place(first), _place(second)
    found = []
    for what, first_value in first_place.items():
        second_value = second_place[what]
        if first_value != second_value:
            found.append(
                Difference(
                    what, short_text(first_value or "none"), short_text(second_value or "none")
                )
            )
    return found


def _place(record: Record) -> dict[str, str | None]:
    """Return where a scan runs, from its spec, with a user's word for each value."""
    scan = record.scan
    return {
        "backend": scan.backend,
        "kernel": scan.kernel,
        "image": scan.container.image,
        "image digest": scan.container.digest,
    }


def _versions(first_start: Mapping[str, Any], second_start: Mapping[str, Any]) -> list[Difference]:
    """Compare our own version and the git commit, given the provenance of both starts."""
    first_versions, second_versions = _known_versions(first_start), _known_versions(second_start)
    found = []
    for what, first_value in first_versions.items():
        second_value = second_versions[what]
        if first_value and second_value and first_value != second_value:
            found.append(
                Difference(what, short_text(str(first_value)), short_text(str(second_value)))
            )
    return found


def _known_versions(start: Mapping[str, Any]) -> dict[str, Any]:
    return {"gridgpu": start.get("gridgpu"), "git commit": as_dict(start.get("git")).get("commit")}


def _jobs(first: Record, second: Record) -> list[Difference]:
    """Compare what the jobs recorded. A fact may have several values in one scan."""
    first_facts, second_facts = job_facts(first), job_facts(second)
    both_have_packages = PACKAGES_KNOWN in first_facts and PACKAGES_KNOWN in second_facts
    found = []
    for what in {**first_facts, **second_facts}:
        first_values, second_values = first_facts.get(what, {}), second_facts.get(what, {})
        # If a list of packages lacks a package, it was not installed. Any other missing fact was
        # just not recorded.
        if what.startswith(PACKAGE):
            comparable = both_have_packages
        else:
            comparable = bool(first_values and second_values)
        if comparable and set(first_values) != set(second_values):
            found.append(Difference(what, _joined(first_values), _joined(second_values)))
    return found


def _joined(values: Mapping[str, None]) -> str:
    """Return the first few values of a fact in one line."""
    if not values:
        return "none"
    text = " | ".join(list(values)[:VALUES_SHOWN])
    if len(values) > VALUES_SHOWN:
        text += f" and {len(values) - VALUES_SHOWN} more"
    return text
