"""Reads the user's notebook and checks whether it can be scanned.

The checks are: is the file a notebook, is its kernel here, does it have these parameters?
"""

from __future__ import annotations

import codecs
import difflib
import hashlib
import itertools
import json
import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import NotebookError, SpaceError
from jupyter_gridgpu.model.kernel_language import PYTHON
from jupyter_gridgpu.model.plain_values import NO_UTF8, is_text
from jupyter_gridgpu.model.space import Fixed, Space
from jupyter_gridgpu.planning.assignments import python_parameters
from jupyter_gridgpu.planning.effect import check_effect, derived_warning
from jupyter_gridgpu.planning.kernels import choose_kernel, kernel_to_be, runs_this_python
from jupyter_gridgpu.planning.papermill_reading import read_anyway
from jupyter_gridgpu.planning.parameter import NO_VALUE, Parameter, check_axis
from jupyter_gridgpu.planning.python_cell import NotPython
from jupyter_gridgpu.planning.reported_metrics import reported_names
from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.access import why
from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.opener import read_bounded, users_opener
from jupyter_gridgpu.store.paths import NOTEBOOK_BYTES
from jupyter_gridgpu.worker.sound_notebook import INJECTED_TAG

NAME_SHOWN = 100  # characters of a wrong name in a sentence
NAMED_PARAMETERS = 8  # the most parameters that a sentence names
# An assignment in the languages of Jupyter: `x = 1`, R's `x <- 1`, `local x=1`, `val x = 1`.
_ASSIGNED = re.compile(
    r"^[ \t]*(?:(?:local|val|var)[ \t]+)?([A-Za-z_.][\w.]*)[ \t]*(?:=|<-)", re.MULTILINE
)


@dataclass(frozen=True)
class Notebook:
    """A notebook that was read, and that can be scanned."""

    path: Path
    content: bytes
    kernel: str  # the name of its kernelspec; empty in a form if none is known yet
    language: str
    parameters: dict[str, Parameter]
    digest: str  # SHA-256 of what is run: the cells, their tags, the kernel
    remarks: tuple[str, ...] = ()  # what a user should know before it runs, in sentences


def read_notebook(
    path: str | Path,
    kernel_here: bool | None = True,
    wanted_kernel: str | None = None,
    own_python: bool = False,
) -> Notebook:
    """Return the notebook at `path`.

    With `own_python`, `--python` names the Python whose kernel runs a notebook in Python.
    `wanted_kernel` runs it instead of its own. With `kernel_here` that kernel must be installed on
    this machine; the kernel may be in an image otherwise. None stands for a form, which opens also
    if no kernel is known yet. Raises NotebookError with one sentence if the notebook cannot be
    used.
    """
    given = home.user_path(path)
    if not is_text(str(given)):
        raise NotebookError(f"The notebook {str(given)[-NAME_SHOWN:]!r}: {NO_UTF8}.")
    content = _read(given)
    whole = given.absolute()
    body = _parse(whole, content)
    metadata = _as_dict(body.get("metadata"))
    if kernel_here is None:
        kernel = kernel_to_be(given, metadata, wanted_kernel)
    else:
        kernel = choose_kernel(given, metadata, wanted_kernel, kernel_here, own_python)
    remarks: tuple[str, ...] = (kernel.remark,) if kernel.remark else ()
    try:
        parameters = _read_parameters(whole, content, kernel.language)
    except NotPython as error:
        source = _source(_parameters_cell(whole, content))
        other_python = own_python or not kernel_here or not runs_this_python(kernel.name)
        parameters, remark = read_anyway(source, given.name, error, other_python)
        remarks += (remark,)
    return Notebook(
        whole, content, kernel.name, kernel.language, parameters, _digest(body), remarks
    )


def check_space(notebook: Notebook, space: Space) -> None:
    """Check the space against the notebook's parameters.

    Raises SpaceError if a name is no parameter, or if a value is clearly of the wrong type.
    """
    for name, axis in space.lines():
        parameter = notebook.parameters.get(name)
        if parameter is None:
            hint = _hint(name, notebook)
            raise SpaceError(f"{name} is no parameter of {notebook.path.name}{hint}")
        if axis is not None:
            check_axis(parameter, axis, notebook.path.name)


def space_warnings(notebook: Notebook, space: Space) -> tuple[str, ...]:
    """Return what may keep values of the space from reaching the training, in sentences.

    Raises SpaceError if a value would surely do nothing.
    """
    cells = _parse(notebook.path, notebook.content)["cells"]
    numbers = _code_numbers(cells)
    tagged = [index for index, cell in enumerate(cells) if "parameters" in _tags(cell)]
    found: list[str | None] = []
    if len(tagged) > 1:
        listed = " and ".join(str(numbers[index]) for index in tagged)
        found.append(f"Cells {listed} have the tag 'parameters'; the first of them is used.")
    if notebook.language == PYTHON:
        # An earlier run of papermill left a cell; papermill replaces it by the values.
        injected = [index for index, cell in enumerate(cells) if INJECTED_TAG in _tags(cell)]
        place = injected[0] if injected else tagged[0]
        code = {
            index: (numbers[index], _source(cell))
            for index, cell in enumerate(cells)
            if cell["cell_type"] == "code"
            and not {"skip-execution", INJECTED_TAG} & set(_tags(cell))
        }
        before = [cell for index, cell in code.items() if index <= place]
        after = [cell for index, cell in code.items() if index > place]
        found += [check_effect(name, before, after) for name in space]
        changed = [name for name in space if not _keeps_default(notebook, space, name)]
        found.append(derived_warning(changed, _source(cells[tagged[0]])))
    return tuple(text for text in found if text)


def _code_numbers(cells: list[dict[str, Any]]) -> list[int]:
    """Return for each cell the number that In [n] shows, or that of the code cell before it."""
    is_code = (cell["cell_type"] == "code" and bool(_source(cell).strip()) for cell in cells)
    return list(itertools.accumulate(map(int, is_code)))


def _keeps_default(notebook: Notebook, space: Space, name: str) -> bool:
    axis, parameter = space.axes.get(name), notebook.parameters.get(name)
    if parameter is None or not isinstance(axis, Fixed):
        return False
    return repr(axis.value) == repr(parameter.default)


def parameters_cell(notebook: Notebook) -> int:
    """Return the number of the code cell with the parameters, from 1; 0 if there is none."""
    for index, cell in enumerate(_code_cells(notebook), 1):
        if "parameters" in _tags(cell):
            return index
    return 0


def metric_names(notebook: Notebook) -> list[str]:
    """Return names of metrics that a Python notebook seems to report; no names for another one."""
    if notebook.language != PYTHON:
        return []
    return reported_names(_source(cell) for cell in _code_cells(notebook))


def _read(path: Path) -> bytes:
    """Return the content of the notebook's file. Raises NotebookError."""
    try:
        if path.is_dir():
            raise NotebookError(f"{path} is a folder, not a notebook.")
        if path.exists() and not path.is_file():
            # Reading a pipe or a device might never end.
            raise NotebookError(f"{path} is no plain file.")
        if path.stat().st_size > NOTEBOOK_BYTES:
            limit = f"{NOTEBOOK_BYTES // 2**20} MB"
            raise NotebookError(
                f"{path.name} is larger than {limit}: clear its outputs and save it."
            )
        # Jobs read the file as UTF-8 without a mark at its beginning.
        content = read_bounded(path, NOTEBOOK_BYTES, users_opener)
        return content.removeprefix(codecs.BOM_UTF8)
    except FileNotFoundError:
        raise NotebookError(f"There is no notebook {path}{_near_file(path)}") from None
    except OSError as error:
        raise NotebookError(f"{path} cannot be read: {why(error, path)}.") from None
    except ValueError:  # for a null byte in the name
        raise NotebookError(f"{str(path)!r} is no file name.") from None


def _near_file(path: Path) -> str:
    """Return the end of a sentence: a notebook with a similar name, if there is one."""
    names = [file.name for file in path.absolute().parent.glob("*.ipynb")]
    near = difflib.get_close_matches(path.name, names, n=1)
    if near:
        return f"; did you mean {near[0]}?"
    return "."


@lru_cache(maxsize=1)  # a form reads the same notebook at every key press
def _parse(path: Path, content: bytes) -> dict[str, Any]:
    """Return the notebook's JSON, which has a list of cells. Raises NotebookError."""
    try:
        body = parse_json(content)
    except ValueError:
        raise NotebookError(f"{path.name} is no notebook: it is not JSON.") from None
    try:
        # json.loads takes UTF-16 and UTF-32 as well, but nbformat and papermill do not.
        content.decode("utf-8")
    except UnicodeDecodeError:
        raise NotebookError(f"{path.name} is not UTF-8: open it in Jupyter and save it.") from None
    if not isinstance(body, dict) or not isinstance(body.get("cells"), list):
        raise NotebookError(f"{path.name} is no notebook of format 4: it has no list of cells.")
    for cell in body["cells"]:
        if not isinstance(cell, dict) or not isinstance(cell.get("cell_type"), str):
            raise NotebookError(f"{path.name} is no sound notebook: a cell has no type.")
    return body


def _digest(body: dict[str, Any]) -> str:
    """Return a SHA-256 of what the notebook does.

    Outputs and execution counts are left out, so running and saving a notebook does not change it.
    """
    # The notebook's own kernel: a kernel that was chosen stands in the spec of the scan.
    kernel = _as_dict(_as_dict(body.get("metadata")).get("kernelspec")).get("name") or ""
    cells = [[cell["cell_type"], _source(cell), _tags(cell)] for cell in body["cells"]]
    return hashlib.sha256(json.dumps([kernel, cells]).encode()).hexdigest()


def _parameters_cell(path: Path, content: bytes) -> dict[str, Any]:
    """Return the code cell with the parameters. Raises NotebookError."""
    tagged = [cell for cell in _parse(path, content)["cells"] if "parameters" in _tags(cell)]
    if not tagged:
        raise NotebookError(
            f"{path.name} has no cell tagged 'parameters': put the values to vary into one cell"
            " and give it that tag (property inspector, 'Cell Tags')."
        )
    if tagged[0]["cell_type"] != "code":
        kind = tagged[0]["cell_type"][:20]
        raise NotebookError(
            f"The tag 'parameters' of {path.name[:100]} is on a cell of type {kind!r}:"
            " move it to the code cell that sets the values."
        )
    cell: dict[str, Any] = tagged[0]
    return cell


@lru_cache(maxsize=1)
def _read_parameters(path: Path, content: bytes, language: str) -> dict[str, Parameter]:
    """Return the parameters by name, in the order of their cell.

    Raises NotebookError, or NotPython for a Python cell that cannot be read.
    """
    _check_sound(path, content)
    cell = _parameters_cell(path, content)
    if language == PYTHON:
        return python_parameters(_source(cell))
    # Papermill knows the syntax of few languages. Of other languages only the names are read.
    names = _ASSIGNED.findall(_source(cell))
    return {name: Parameter(name, None, NO_VALUE, "") for name in names}


def _check_sound(path: Path, content: bytes) -> None:
    """Raise NotebookError if the notebook cannot be read as jobs will read it."""
    import nbformat

    body = _parse(path, content)
    metadata = body.get("metadata")
    if isinstance(metadata, dict) and not isinstance(metadata.get("papermill", {}), dict):
        raise NotebookError(
            f"{path.name} is no sound notebook: its metadata 'papermill' is no group of values;"
            " remove it."
        )
    for number, cell in enumerate(body["cells"], 1):
        if cell["cell_type"] == "code" and not isinstance(cell.get("outputs"), list):
            raise NotebookError(
                f"{path.name} is no sound notebook: cell {number} has no list of outputs;"
                " clear its outputs and save it."
            )
        source = cell.get("source", "")
        lines = source if isinstance(source, list) else [source]
        if not all(isinstance(line, str) for line in lines):
            raise NotebookError(
                f"{path.name} is no sound notebook: the source of cell {number} is no text."
            )
        if not is_text(_source(cell)):
            raise NotebookError(
                f"Cell {number} of {path.name} has half of a character (a lone surrogate), which"
                " no file can hold: write it again."
            )
    with warnings.catch_warnings():
        # nbformat warns of cells without an id, which papermill accepts.
        warnings.simplefilter("ignore")
        try:
            made = nbformat.reads(content.decode(), as_version=4)
            for cell in made.cells:
                # papermill looks for these in every cell.
                _ = cell.metadata.get("tags", []), cell.metadata.get("papermill", {})
        except Exception as error:
            # nbformat raises many kinds of errors for a damaged notebook.
            reason = (str(error) or repr(error)).splitlines()[0].rstrip(".")[:200]
            raise NotebookError(f"{path.name} is no sound notebook: {reason}.") from None


def _hint(name: str, notebook: Notebook) -> str:
    """Return the end of a sentence about an unknown parameter: a similar name, or some names."""
    # The cutoff is low because one letter is much of a short name: `ls` must find `lr`.
    near = difflib.get_close_matches(name, notebook.parameters, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]}?"
    names = list(notebook.parameters)
    if not names:
        return "; it has none."
    shown = ", ".join(names[:NAMED_PARAMETERS])
    if len(names) > NAMED_PARAMETERS:
        shown += ", …"
    return f"; it has {shown}."


def _code_cells(notebook: Notebook) -> list[dict[str, Any]]:
    cells = _parse(notebook.path, notebook.content)["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    if isinstance(source, list):
        return "".join(map(str, source))
    return str(source)


def _tags(cell: dict[str, Any]) -> list[str]:
    tags = _as_dict(cell.get("metadata")).get("tags")
    if not isinstance(tags, list):
        return []
    return [tag for tag in tags if isinstance(tag, str)]


def _as_dict(value: Any) -> dict[str, Any]:
    """Return the value if it is a dictionary, else an empty one: any notebook may be odd."""
    if isinstance(value, dict):
        return value
    return {}
