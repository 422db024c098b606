"""Reads from a notebook what a prepared parent may import before any of its kernels runs.

The notebook is read as text; nothing of it is run. Its imports are taken in their order, from the
top level of its cells, as long as nothing before them could change what they do. A variable of the
environment that the notebook sets to a plain text is set for the imports too. Reading ends where a
variable is set to anything else, and where paths are changed or packages installed. If the notebook
imports a module that lies beside it, this module is read in the same way.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jupyter_gridgpu.store.opener import read_bounded, users_opener

# Modules that may be imported before a fork. matplotlib.pyplot, and what imports it, may not: it
# looks for its kernel when it is imported.
# fmt: off
ALLOWED = frozenset((
    "numpy", "pandas", "scipy", "numexpr", "sympy", "networkx", "statsmodels",
    "h5py", "tables", "pyarrow", "fsspec", "yaml", "tqdm", "requests",
    "sklearn", "skopt", "xgboost", "lightgbm",
    "tensorflow", "tf_keras", "keras", "tensorflow_probability",
    "torch", "torchvision", "torchmetrics", "lightning", "pytorch_lightning", "torch_geometric",
    "uproot", "awkward", "vector", "hist", "boost_histogram", "particle", "coffea",
))
# fmt: on
# The largest part of matplotlib that does not look for its kernel.
MATPLOTLIB_PART = "matplotlib.figure"
ACTIONS_LIMIT = 200
HELPER_BYTES = 1_000_000
INSTALLERS = ("pip", "conda", "mamba")  # words in a call that installs something
HARMLESS_MAGICS = ("%matplotlib", "%time", "%%time", "%%capture", "%config", "%precision")
# Ends of the names of functions that may change the environment, or where modules are found.
CHANGING_CALLS = (
    "putenv",
    "unsetenv",
    "environ.update",
    "environ.setdefault",
    "environ.pop",
    "sys.path.insert",
)
# ["set", VARIABLE, value] or ["import", MODULE, [names that are imported from it]]
Action = list[Any]


class Unclear(Exception):
    """The next statement may change what later imports do: reading ends here."""


class Helpers:
    """The modules that lie beside a notebook when it runs.

    Each is read once, where it is imported first.
    """

    def __init__(self, files: Path) -> None:
        self._files = files
        self._read: set[str] = set()

    def have(self, name: str) -> bool:
        """Return whether there is a module or package of this top-level name."""
        return (self._files / name).exists() or (self._files / f"{name}.py").exists()

    def sources(self, module: str, names: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Yield what `from MODULE import NAMES` runs, each as source text and name of its package.

        It runs the packages around the module, the module itself, and those of the names that are
        modules. Raises Unclear at a file of more than HELPER_BYTES.
        """
        parts = module.split(".")
        modules = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
        modules += [f"{module}.{name}" for name in names]
        for name in modules:
            path = self._files.joinpath(*name.split("."))
            around = name.rpartition(".")[0]
            yield from self._source(name, path / "__init__.py", package=name)
            yield from self._source(name, path.with_name(f"{path.name}.py"), package=around)

    def _source(self, name: str, file: Path, package: str) -> Iterator[tuple[str, str]]:
        if name in self._read or not file.is_file():
            return
        self._read.add(name)
        if file.stat().st_size > HELPER_BYTES:
            raise Unclear
        yield read_bounded(file, HELPER_BYTES, users_opener).decode("utf-8", "replace"), package


def import_actions(notebook: Any, files: Path) -> list[Action]:
    """Return what a prepared parent has to do for a notebook, the JSON object of its file.

    `files` is the folder of the files that lie beside the notebook when it runs. If a module there
    has the name of an allowed module, the notebook imports the one from the folder.
    """
    actions: list[Action] = []
    helpers = Helpers(files)
    try:
        for source in _code_cells(notebook):
            # extend() keeps the actions that come before a statement that raises Unclear.
            actions.extend(_actions_of_cell(source, helpers))
    except Unclear:
        pass
    actions = _without_repetitions(actions)
    return [*actions, *_keras_of_tensorflow(actions, notebook)][:ACTIONS_LIMIT]


def _code_cells(notebook: Any) -> Iterator[str]:
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            yield "".join(cell["source"])


def _without_repetitions(actions: list[Action]) -> list[Action]:
    """Return each action once, without the variables that are set after the last import."""
    kept: list[Action] = []
    for action in actions:
        if action not in kept:
            kept.append(action)
    while kept and kept[-1][0] == "set":
        kept.pop()
    return kept


def _keras_of_tensorflow(actions: list[Action], notebook: Any) -> list[Action]:
    """Return the import of keras if the notebook uses it through tensorflow.

    tensorflow imports keras when `tf.keras` is used first, which takes seconds.
    """
    modules = {name.partition(".")[0] for kind, name, _ in actions if kind == "import"}
    if "tensorflow" not in modules or "keras" in modules:
        return []
    # With this variable, tensorflow imports another keras, tf_keras.
    if any(action[:2] == ["set", "TF_USE_LEGACY_KERAS"] for action in actions):
        return []
    if not any("keras" in source for source in _code_cells(notebook)):
        return []
    return [["import", "keras", []]]


def _actions_of_cell(source: str, helpers: Helpers) -> Iterator[Action]:
    if source.startswith("%%") and not source.startswith(HARMLESS_MAGICS):
        raise Unclear
    lines = source.split("\n")
    for index, line in enumerate(lines):
        stripped = line.lstrip()
        if not stripped.startswith(("%", "!")):
            continue
        if not stripped.startswith(HARMLESS_MAGICS):
            raise Unclear
        # Magics are no Python; an empty line keeps the numbers of the others.
        lines[index] = ""
    yield from _actions_of_statements(_parse("\n".join(lines)), helpers)


def _parse(source: str) -> list[ast.stmt]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # It may be of a newer Python than this one, or fail when it runs.
        raise Unclear from None


def _actions_of_statements(
    statements: list[ast.stmt], helpers: Helpers, package: str = ""
) -> Iterator[Action]:
    """Yield the actions of statements; `package` is the package of the module they are in."""
    for statement in statements:
        setting = _variable_setting(statement)
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                yield from _actions_of_import(alias.name, [], helpers)
        elif isinstance(statement, ast.ImportFrom):
            module = _absolute_name(statement, package)
            names = [alias.name for alias in statement.names if alias.name != "*"]
            yield from _actions_of_import(module, names, helpers)
        elif setting is not None:
            yield ["set", *setting]
        elif isinstance(statement, (ast.Try, ast.With)):
            # The body of `try` surely begins; the body of `if` or of a function may never run.
            yield from _actions_of_statements(statement.body, helpers, package)
        elif _may_change_imports(statement, helpers):
            raise Unclear


def _actions_of_import(module: str, names: list[str], helpers: Helpers) -> Iterator[Action]:
    top = module.partition(".")[0]
    if helpers.have(top):
        for source, package in helpers.sources(module, names):
            yield from _actions_of_statements(_parse(source), helpers, package)
    elif top == "matplotlib":
        yield ["import", MATPLOTLIB_PART, []]
    elif top in ALLOWED:
        yield ["import", module, names]


def _absolute_name(statement: ast.ImportFrom, package: str) -> str:
    """Return the module that `from MODULE import ...` means in a module of `package`.

    Raises Unclear if the dots lead out of the package.
    """
    if not statement.level:
        return statement.module or ""
    parts = package.split(".")
    above = parts[: len(parts) - statement.level + 1]
    if not package or not above:
        raise Unclear
    if statement.module:
        above.append(statement.module)
    return ".".join(above)


def _variable_setting(statement: ast.stmt) -> tuple[str, str] | None:
    """Return name and value if a statement is `os.environ["NAME"] = "value"`, else None."""
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return None
    target, value = statement.targets[0], statement.value
    if not isinstance(target, ast.Subscript):
        return None
    if ast.unparse(target.value) not in ("os.environ", "environ"):
        return None
    name = target.slice
    if not isinstance(name, ast.Constant) or not isinstance(value, ast.Constant):
        return None
    if not isinstance(name.value, str) or not isinstance(value.value, str):
        return None
    return name.value, value.value


def _may_change_imports(statement: ast.stmt, helpers: Helpers) -> bool:
    """Return whether anything in a statement may change what later imports do."""
    for node in ast.walk(statement):
        if _changes_environment(node) or _imports_helper(node, helpers):
            return True
    return False


def _imports_helper(node: ast.AST, helpers: Helpers) -> bool:
    """Return whether a module beside the notebook is imported, in a place that may never run."""
    if isinstance(node, ast.ImportFrom):
        return bool(node.level) or helpers.have((node.module or "").partition(".")[0])
    if isinstance(node, ast.Import):
        return any(helpers.have(alias.name.partition(".")[0]) for alias in node.names)
    return False


def _changes_environment(node: ast.AST) -> bool:
    """Return whether a node may change variables, where modules are found, or what is installed."""
    if isinstance(node, ast.Constant):
        return node.value in INSTALLERS
    if isinstance(node, ast.Call):
        return ast.unparse(node.func).endswith(CHANGING_CALLS)
    if isinstance(node, (ast.Subscript, ast.Attribute)):
        if not isinstance(node.ctx, (ast.Store, ast.Del)):
            return False
        target = ast.unparse(node)
        return "environ" in target or target.startswith("sys.path")
    return False
