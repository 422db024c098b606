"""Reads the user's notebook and checks whether it can be scanned.

The checks are: is the file a notebook, is its kernel here, does it have these parameters?
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import json
import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import NotebookError, SpaceError
from jupyter_gridgpu.model.space import Space
from jupyter_gridgpu.planning.parameter import NO_VALUE, Parameter, check_axis
from jupyter_gridgpu.planning.reported_metrics import reported_names
from jupyter_gridgpu.store import home
from jupyter_gridgpu.worker.papermill_import import import_papermill, literal_path

NOTEBOOK_LIMIT = 100 * 1024 * 1024  # bytes
NAMED_PARAMETERS = 8  # the most parameters that a sentence names
# An assignment in the languages of Jupyter: `x = 1`, R's `x <- 1`, `local x=1`, `val x = 1`.
_ASSIGNED = re.compile(
    r"^\s*(?:local\s+|val\s+|var\s+)?([A-Za-z_.][\w.]*)\s*(?:=|<-)", re.MULTILINE
)


@dataclass(frozen=True)
class Notebook:
    """A notebook that was read, and that can be scanned."""

    path: Path
    content: bytes
    kernel: str  # the name of its kernelspec
    language: str
    parameters: dict[str, Parameter]
    digest: str  # SHA-256 of what is run: the cells, their tags, the kernel


def read_notebook(path: str | Path, kernel_here: bool = True) -> Notebook:
    """Return the notebook at `path`.

    With `kernel_here` its kernel must be installed on this machine; the kernel may be in an image
    otherwise. Raises NotebookError with one sentence if the notebook cannot be used.
    """
    given = home.user_path(path)
    content = _read(given)
    whole = given.absolute()
    body = _parse(whole, content)
    kernel, language = _kernel_and_language(given, body)
    if kernel_here:
        _check_kernel(given, kernel)
    parameters = _read_parameters(whole, content, language)
    return Notebook(whole, content, kernel, language, parameters, _digest(body, kernel))


def check_space(notebook: Notebook, space: Space) -> None:
    """Check the space against the notebook's parameters.

    Raises SpaceError if a name is no parameter, or if a value is clearly of the wrong type.
    """
    for name, axis in space.axes.items():
        parameter = notebook.parameters.get(name)
        if parameter is None:
            hint = _hint(name, notebook)
            raise SpaceError(f"{name} is no parameter of {notebook.path.name}{hint}")
        check_axis(parameter, axis, notebook.path.name)


def parameters_cell(notebook: Notebook) -> int:
    """Return the number of the code cell with the parameters, from 1; 0 if there is none."""
    for index, cell in enumerate(_code_cells(notebook), 1):
        if "parameters" in _tags(cell):
            return index
    return 0


def metric_names(notebook: Notebook) -> list[str]:
    """Return names of metrics that a Python notebook seems to report; no names for another one."""
    if notebook.language.lower() != "python":
        return []
    return reported_names(_source(cell) for cell in _code_cells(notebook))


def _read(path: Path) -> bytes:
    """Return the content of the notebook's file. Raises NotebookError."""
    try:
        if path.is_dir():
            raise NotebookError(f"{path} is a folder, not a notebook.")
        if path.exists() and not path.is_file():
            # Reading a pipe or a device might never end.
            raise NotebookError(f"{path} is no file.")
        if path.stat().st_size > NOTEBOOK_LIMIT:
            limit = f"{NOTEBOOK_LIMIT // 2**20} MB"
            raise NotebookError(
                f"{path.name} is larger than {limit}: clear its outputs and save it."
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise NotebookError(f"There is no notebook {path}{_near_file(path)}") from None
    except OSError as error:
        raise NotebookError(f"{path} cannot be read: {error.strerror}.") from None
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
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise NotebookError(f"{path.name} is no notebook: it is not JSON.") from None
    if not isinstance(body, dict) or not isinstance(body.get("cells"), list):
        raise NotebookError(f"{path.name} is no notebook of format 4: it has no list of cells.")
    for cell in body["cells"]:
        if not isinstance(cell, dict) or not isinstance(cell.get("cell_type"), str):
            raise NotebookError(f"{path.name} is no sound notebook: a cell has no type.")
    return body


def _kernel_and_language(path: Path, body: dict[str, Any]) -> tuple[str, str]:
    """Return the name of the notebook's kernel and its language. Raises NotebookError."""
    metadata = _as_dict(body.get("metadata"))
    spec = _as_dict(metadata.get("kernelspec"))
    kernel = spec.get("name")
    if not isinstance(kernel, str) or not kernel:
        raise NotebookError(
            f"{path.name} does not say which kernel runs it: open it in Jupyter, choose a kernel"
            " and save it."
        )
    language = spec.get("language") or _as_dict(metadata.get("language_info")).get("name")
    return kernel, str(language or "python")


def _check_kernel(path: Path, kernel: str) -> None:
    """Raise NotebookError if the kernel is not installed here."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    manager = KernelSpecManager()
    try:
        manager.get_kernel_spec(kernel)
    except NoSuchKernel:
        known = ", ".join(sorted(manager.find_kernel_specs())) or "none"
        raise NotebookError(
            f"{path.name} wants the kernel {kernel!r}, which is not installed here; there is:"
            f" {known}."
        ) from None


def _digest(body: dict[str, Any], kernel: str) -> str:
    """Return a SHA-256 of what the notebook does.

    Outputs and execution counts are left out, so running and saving a notebook does not change it.
    """
    cells = [[cell["cell_type"], _source(cell), _tags(cell)] for cell in body["cells"]]
    return hashlib.sha256(json.dumps([kernel, cells]).encode()).hexdigest()


@lru_cache(maxsize=1)
def _read_parameters(path: Path, content: bytes, language: str) -> dict[str, Parameter]:
    """Return the parameters by name, in the order of their cell. Raises NotebookError."""
    tagged = [cell for cell in _parse(path, content)["cells"] if "parameters" in _tags(cell)]
    if not tagged:
        raise NotebookError(
            f"{path.name} has no cell tagged 'parameters': put the values to vary into one cell"
            " and give it that tag (property inspector, 'Cell Tags')."
        )
    if language.lower() == "python":
        return {name: _parameter(item) for name, item in _inspect(path).items()}
    # Papermill knows the syntax of few languages. Of other languages only the names are read.
    names = _ASSIGNED.findall(_source(tagged[0]))
    return {name: Parameter(name, None, NO_VALUE, "") for name in names}


def _inspect(path: Path) -> dict[str, dict[str, Any]]:
    """Return what papermill finds out about each parameter, by name. Raises NotebookError."""
    import_papermill()
    from papermill.inspection import inspect_notebook

    with warnings.catch_warnings():
        # nbformat warns of cells without an id, which papermill accepts.
        warnings.simplefilter("ignore")
        try:
            found: dict[str, dict[str, Any]] = inspect_notebook(literal_path(path))
        except Exception as error:
            # nbformat and papermill raise many kinds of errors for a damaged notebook.
            reason = (str(error) or repr(error)).splitlines()[0].rstrip(".")
            raise NotebookError(f"{path.name} is no sound notebook: {reason}.") from None
    return found


def _parameter(item: dict[str, Any]) -> Parameter:
    """Return the Parameter that papermill describes with `item`."""
    type_name = item.get("inferred_type_name")
    if type_name == "None":  # papermill writes this where there is no annotation
        type_name = None
    try:
        default = ast.literal_eval(item.get("default", ""))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        default = NO_VALUE
    return Parameter(item["name"], type_name, default, item.get("help") or "")


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
        return "".join(source)
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
