"""The user's notebook before it is scanned: is it one, has it its kernel, does it take these parameters?"""

from __future__ import annotations

import ast
import difflib
import hashlib
import json
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import NotebookError, SpaceError
from jupyter_gridgpu.model.space import Axis, Choice, Fixed, Range, Space
from jupyter_gridgpu.store import home
from jupyter_gridgpu.worker.papermill_import import import_papermill, literal_path

NOTEBOOK_LIMIT = 100 * 1024 * 1024
SOURCE_LIMIT = 200_000  # characters of a cell that are searched for metrics
METRIC_LIMIT = 30
_ASSIGNED = re.compile(
    r"^\s*(?:local\s+|val\s+|var\s+)?([A-Za-z_.][\w.]*)\s*(?:=|<-)", re.MULTILINE
)
NOTHING = object()


@dataclass(frozen=True)
class Parameter:
    """A parameter as the notebook declares it."""

    name: str
    type: str | None  # the annotation, if there is one
    default: Any  # a plain value, or NOTHING where the default is an expression
    comment: str


@dataclass(frozen=True)
class Notebook:
    """A notebook that was read and found usable."""

    path: Path
    content: bytes
    kernel: str
    language: str
    parameters: dict[str, Parameter]
    digest: str


def read_notebook(path: str | Path, kernel_here: bool = True) -> Notebook:
    """Return the notebook at `path`. Raises NotebookError, in one sentence, for whatever makes it unusable.

    Its kernel must be installed here, unless it is in an image (`kernel_here` is False then).
    """
    where = home.user_path(path)
    content = _content(where)
    body = _body(where.absolute(), content)
    metadata = _dict(body.get("metadata"))
    spec = _dict(metadata.get("kernelspec"))
    kernel, language = (
        spec.get("name"),
        spec.get("language") or _dict(metadata.get("language_info")).get("name") or "python",
    )
    if not isinstance(kernel, str) or not kernel:
        raise NotebookError(
            f"{where.name} does not say which kernel runs it: open it in Jupyter, choose a kernel and save it."
        )
    if kernel_here:
        _check_kernel(where, kernel)
    parameters = _parameters(where.absolute(), content, str(language))
    return Notebook(
        where.absolute(), content, kernel, str(language), parameters, _digest(body, kernel)
    )


def check_space(notebook: Notebook, space: Space) -> None:
    """Raise SpaceError if a name is no parameter of the notebook or a value is clearly of the wrong type."""
    for name, axis in space.axes.items():
        parameter = notebook.parameters.get(name)
        if parameter is None:
            raise SpaceError(
                f"{name} is no parameter of {notebook.path.name}{_hint(name, notebook)}"
            )
        for value in _samples(axis):
            _check_value(notebook, parameter, axis, value)


def parameters_cell(notebook: Notebook) -> int:
    """Return which code cell holds the parameters, counted from 1."""
    code = [
        cell
        for cell in _body(notebook.path, notebook.content)["cells"]
        if cell["cell_type"] == "code"
    ]
    return next((index for index, cell in enumerate(code, 1) if "parameters" in _tags(cell)), 0)


def metric_names(notebook: Notebook) -> list[str]:
    """Return names of metrics that a Python notebook seems to report: keywords of `report(...)` and what Keras prints."""
    if notebook.language.lower() != "python":
        return []
    cells = _body(notebook.path, notebook.content)["cells"]
    nodes = [
        node for cell in cells if cell["cell_type"] == "code" for node in _nodes(_source(cell))
    ]
    found = dict.fromkeys(name for node in nodes for name in _reported(node, nodes))
    return [
        name
        for name in found
        if name not in ("epoch", "epochs", "step", "steps") and name.isprintable()
    ][:METRIC_LIMIT]


def _nodes(source: str) -> list[ast.AST]:
    """The syntax of a cell without its magics; nothing where it is not Python."""
    lines = [
        "" if line.startswith(("%", "!")) else line for line in source[:SOURCE_LIMIT].split("\n")
    ]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return list(ast.walk(ast.parse("\n".join(lines))))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _reported(node: ast.AST, nodes: list[ast.AST]) -> Iterator[str]:
    if not isinstance(node, ast.Call):
        return
    called = getattr(node.func, "attr", getattr(node.func, "id", None))
    if called == "report":
        for keyword in node.keywords:
            yield from [keyword.arg] if keyword.arg else _keys(keyword.value, nodes)
    elif called == "glue" and node.args:
        yield from _texts([node.args[0]])
    elif called == "compile":
        listed = [
            k.value for k in node.keywords if k.arg == "metrics" and isinstance(k.value, ast.List)
        ]
        names = (
            ["loss", *_texts(item for one in listed for item in one.elts)] if node.keywords else []
        )
        yield from [*names, *(f"val_{name}" for name in names)]


def _keys(values: ast.expr, nodes: list[ast.AST]) -> Iterator[str]:
    """The keys that a dict gets: in a literal, and by assignment to `name["key"]`."""
    name = ast.unparse(values)
    literals = [values]
    for node in nodes:
        if isinstance(node, (ast.Assign, ast.AugAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            literals += (
                [node.value] if any(ast.unparse(target) == name for target in targets) else []
            )
        elif (
            isinstance(node, ast.Subscript)
            and isinstance(node.ctx, ast.Store)
            and ast.unparse(node.value) == name
        ):
            yield from _texts([node.slice])
    for literal in literals:
        yield from _texts(filter(None, literal.keys)) if isinstance(literal, ast.Dict) else ()


def _texts(nodes: Iterable[ast.expr]) -> list[str]:
    return [
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def _content(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise NotebookError(f"{path} is a folder, not a notebook.")
        if path.exists() and not path.is_file():
            raise NotebookError(f"{path} is no file.")
        if path.stat().st_size > NOTEBOOK_LIMIT:
            raise NotebookError(
                f"{path.name} is larger than {NOTEBOOK_LIMIT // 2**20} MB: clear its outputs and save it."
            )
        return path.read_bytes()
    except FileNotFoundError:
        near = difflib.get_close_matches(
            path.name, [p.name for p in path.absolute().parent.glob("*.ipynb")], n=1
        )
        raise NotebookError(
            f"There is no notebook {path}{f'; did you mean {near[0]}?' if near else '.'}"
        ) from None
    except OSError as error:
        raise NotebookError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError:  # a null byte
        raise NotebookError(f"{str(path)!r} is no file name.") from None


@lru_cache(maxsize=1)  # a form reads the same notebook at every key
def _body(path: Path, content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise NotebookError(f"{path.name} is no notebook: it is not JSON.") from None
    if not isinstance(body, dict) or not isinstance(body.get("cells"), list):
        raise NotebookError(f"{path.name} is no notebook of format 4: it has no list of cells.")
    if not all(
        isinstance(cell, dict) and isinstance(cell.get("cell_type"), str) for cell in body["cells"]
    ):
        raise NotebookError(f"{path.name} is no sound notebook: a cell has no type.")
    return body


def _check_kernel(path: Path, kernel: str) -> None:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    manager = KernelSpecManager()
    try:
        manager.get_kernel_spec(kernel)
    except NoSuchKernel:
        known = ", ".join(sorted(manager.find_kernel_specs())) or "none"
        raise NotebookError(
            f"{path.name} wants the kernel {kernel!r}, which is not installed here; there is: {known}."
        ) from None


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return "".join(source) if isinstance(source, list) else str(source)


def _tags(cell: dict[str, Any]) -> list[str]:
    tags = _dict(cell.get("metadata")).get("tags")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _digest(body: dict[str, Any], kernel: str) -> str:
    """Hash what the notebook does, so that saving it with other outputs does not make it another one."""
    cells = [[cell["cell_type"], _source(cell), _tags(cell)] for cell in body["cells"]]
    return hashlib.sha256(json.dumps([kernel, cells]).encode()).hexdigest()


@lru_cache(maxsize=1)
def _parameters(path: Path, content: bytes, language: str) -> dict[str, Parameter]:
    tagged = [cell for cell in _body(path, content)["cells"] if "parameters" in _tags(cell)]
    if not tagged:
        raise NotebookError(
            f"{path.name} has no cell tagged 'parameters': put the values to vary into one cell and give it that tag"
            " (property inspector, 'Cell Tags')."
        )
    if str(language).lower() != "python":
        return {
            name: Parameter(name, None, NOTHING, "")
            for name in _ASSIGNED.findall(_source(tagged[0]))
        }
    import_papermill()
    from papermill.inspection import inspect_notebook

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = inspect_notebook(literal_path(path))
        except (
            Exception
        ) as error:  # nbformat and papermill raise many kinds for what is not a sound notebook
            raise NotebookError(
                f"{path.name} is no sound notebook: {(str(error) or repr(error)).splitlines()[0].rstrip('.')}."
            ) from None
    return {name: _parameter(item) for name, item in found.items()}


def _parameter(item: dict[str, Any]) -> Parameter:
    type_ = item.get("inferred_type_name")
    try:
        default = ast.literal_eval(item.get("default", ""))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        default = NOTHING
    return Parameter(
        item["name"], None if type_ in (None, "None") else type_, default, item.get("help") or ""
    )


def _hint(name: str, notebook: Notebook) -> str:
    near = difflib.get_close_matches(name, notebook.parameters, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]}?"
    names = list(notebook.parameters)
    return f"; it has {', '.join(names[:8]) or 'none'}{', …' if len(names) > 8 else ''}."


def _samples(axis: Axis) -> list[Any]:
    if isinstance(axis, Fixed):
        return [axis.value]
    if isinstance(axis, Choice):
        return list(axis.values)
    return (
        [int(axis.low) if axis.whole else 0.5 * (axis.low + axis.high)]
        if isinstance(axis, Range)
        else [0]
    )


def _check_value(notebook: Notebook, parameter: Parameter, axis: Axis, value: Any) -> None:
    default = parameter.default
    if (
        isinstance(default, list)
        and isinstance(axis, Choice)
        and not any(isinstance(v, list) for v in axis.values)
    ):
        raise SpaceError(
            f"{parameter.name}: its default in {notebook.path.name} is a list, so a list here could be one value or several;"
            f" write fixed({_short(list(axis.values))}) for one, choice([...], [...]) for several."
        )
    wanted = kind_of(default)
    if parameter.type == "int" and isinstance(value, float):
        wanted, fits = "a whole number", value.is_integer() and not isinstance(axis, Range)
    elif wanted is None or value is None:
        return
    else:
        fits = kind_of(value) == wanted or (wanted == "True or False" and value in (0, 1))
    if not fits:
        takes = f"{notebook.path.name} takes {wanted} there ({_short(default)})"
        raise SpaceError(f"{parameter.name}: {_short(value)} is {kind_of(value)}, but {takes}.")


def kind_of(value: Any) -> str | None:
    """What sort of value it is, in words; None where nothing can be said."""
    if value is NOTHING or value is None:
        return None
    kinds = (
        (bool, "True or False"),
        ((int, float), "a number"),
        (str, "a string"),
        ((list, tuple), "a list"),
        (dict, "a dict"),
    )
    return next((words for kind, words in kinds if isinstance(value, kind)), None)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
