"""Which modules of a notebook a prepared parent may import before any kernel runs, and with which environment.

The notebook is read as text. Its imports are taken in their order, from the top level of its cells, as long as nothing
before them could change what they do: what the notebook sets in the environment is set for the import too where it is a
plain value, and where it is not, or where paths or packages are changed, reading ends there. A module that lies beside the
notebook is read in the same way where it is imported.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Modules that may be imported before a fork. Not matplotlib.pyplot and what imports it: it looks for its kernel then.
ALLOWED = frozenset((
    "numpy", "pandas", "scipy", "numexpr", "sympy", "networkx", "statsmodels", "h5py", "tables", "pyarrow", "fsspec", "yaml",
    "tqdm", "requests", "sklearn", "skopt", "xgboost", "lightgbm", "tensorflow", "tf_keras", "keras", "tensorflow_probability",
    "torch", "torchvision", "torchmetrics", "lightning", "pytorch_lightning", "torch_geometric", "uproot", "awkward", "vector",
    "hist", "boost_histogram", "particle", "coffea",
))  # fmt: skip
FIGURES = "matplotlib.figure"  # the largest part of matplotlib that does not look for its kernel
LIMIT = 200
HELPER_BYTES = 1_000_000
STOPS = ("pip", "conda", "mamba")  # words in a call that installs something
HARMLESS = ("%matplotlib", "%time", "%%time", "%%capture", "%config", "%precision")
Step = list[Any]


class Helpers:
    """The modules that lie beside a notebook when it runs. Each is read once, where it is imported first."""

    def __init__(self, files: Path) -> None:
        self._files = files
        self._read: set[str] = set()

    def have(self, name: str) -> bool:
        return (self._files / name).exists() or (self._files / f"{name}.py").exists()

    def sources(self, module: str, names: list[str]) -> Iterator[tuple[str, str]]:
        """Yield what an import of `module` runs, with those of `names` that are modules themselves: text, and package."""
        parts = module.split(".")
        packages = [".".join(parts[: i + 1]) for i in range(len(parts))]
        for name in [*packages, *(f"{module}.{name}" for name in names)]:
            path = self._files.joinpath(*name.split("."))
            for file, package in (
                (path / "__init__.py", name),
                (path.with_name(f"{path.name}.py"), name.rpartition(".")[0]),
            ):
                if name not in self._read and file.is_file():
                    self._read.add(name)
                    if file.stat().st_size > HELPER_BYTES:
                        raise Unclear
                    yield file.read_text(encoding="utf-8", errors="replace"), package


class Unclear(Exception):
    """What comes now may change what later imports do."""


def steps(notebook: Any, files: Path) -> list[Step]:
    """Return what to do: `["set", name, value]` and `["import", module, [names]]`; nothing for a notebook without sense.

    `files` are beside the notebook when it runs: a module of the same name would be taken from there.
    """
    made: list[Step] = []
    helpers = Helpers(files)
    try:
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                made.extend(_steps_of_cell("".join(cell["source"]), helpers))
    except Unclear:
        pass
    return [*_merged(made), *_keras(made, notebook)][:LIMIT]


def _keras(made: list[Step], notebook: Any) -> list[Step]:
    """tensorflow imports its keras when it is first used."""
    modules = {step[1].partition(".")[0] for step in made if step[0] == "import"}
    legacy = any(step[:2] == ["set", "TF_USE_LEGACY_KERAS"] for step in made)
    used = any(
        "keras" in "".join(cell["source"])
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    )
    return (
        [["import", "keras", []]]
        if used and "tensorflow" in modules and "keras" not in modules and not legacy
        else []
    )


def _merged(made: list[Step]) -> list[Step]:
    """Each import once; what is set after the last import changes none."""
    found = [step for i, step in enumerate(made) if step not in made[:i]]
    while found and found[-1][0] == "set":
        found.pop()
    return found


def _steps_of_cell(source: str, helpers: Helpers) -> Iterator[Step]:
    lines = source.split("\n")
    if source.startswith("%%") and not source.startswith(HARMLESS):
        raise Unclear
    for number, line in enumerate(lines):
        if line.lstrip().startswith(("%", "!")):
            if not line.lstrip().startswith(HARMLESS):
                raise Unclear
            lines[number] = ""
    yield from _steps_of(_parsed("\n".join(lines)), helpers)


def _parsed(source: str) -> list[ast.stmt]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise Unclear from None


def _steps_of(statements: list[ast.stmt], helpers: Helpers, package: str = "") -> Iterator[Step]:
    for statement in statements:
        if isinstance(statement, ast.Import):
            for name in statement.names:
                yield from _import(name.name, [], helpers)
        elif isinstance(statement, ast.ImportFrom):
            module = _absolute(statement, package)
            yield from _import(
                module, [name.name for name in statement.names if name.name != "*"], helpers
            )
        elif setting := _setting(statement):
            yield ["set", *setting]
        elif isinstance(statement, (ast.Try, ast.With)):
            yield from _steps_of(statement.body, helpers, package)
        elif any(_meddles(node) or _imports_helper(node, helpers) for node in ast.walk(statement)):
            raise Unclear


def _absolute(statement: ast.ImportFrom, package: str) -> str:
    """The module that is meant by `from module import name`, in a module of that package."""
    if not statement.level:
        return statement.module or ""
    above = package.split(".")[: len(package.split(".")) - statement.level + 1]
    if not package or not above:
        raise Unclear
    return ".".join([*above, *filter(None, [statement.module])])


def _imports_helper(node: ast.AST, helpers: Helpers) -> bool:
    """Whether a module beside the notebook is imported, in a place where it may be or not."""
    if isinstance(node, ast.ImportFrom):
        return bool(node.level) or helpers.have((node.module or "").partition(".")[0])
    return isinstance(node, ast.Import) and any(
        helpers.have(name.name.partition(".")[0]) for name in node.names
    )


def _import(module: str, names: list[str], helpers: Helpers) -> Iterator[Step]:
    top = module.partition(".")[0]
    if helpers.have(top):
        for source, package in helpers.sources(module, names):
            yield from _steps_of(_parsed(source), helpers, package)
    elif top == "matplotlib":
        yield ["import", FIGURES, []]
    elif top in ALLOWED:
        yield ["import", module, names]


def _setting(statement: ast.stmt) -> tuple[str, str] | None:
    """`os.environ["NAME"] = "value"`, with plain texts."""
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return None
    target, value = statement.targets[0], statement.value
    if not isinstance(target, ast.Subscript) or ast.unparse(target.value) not in (
        "os.environ",
        "environ",
    ):
        return None
    key = target.slice
    if not isinstance(key, ast.Constant) or not isinstance(value, ast.Constant):
        return None
    return (
        (key.value, value.value)
        if isinstance(key.value, str) and isinstance(value.value, str)
        else None
    )


def _meddles(node: ast.AST) -> bool:
    """Whether something may change the environment, the way modules are found, or which are installed."""
    if isinstance(node, ast.Constant):
        return node.value in STOPS
    if isinstance(node, ast.Call):
        called = ast.unparse(node.func)
        return called.endswith(
            (
                "putenv",
                "unsetenv",
                "environ.update",
                "environ.setdefault",
                "environ.pop",
                "sys.path.insert",
            )
        )
    if isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(
        node.ctx, (ast.Store, ast.Del)
    ):
        return "environ" in ast.unparse(node) or ast.unparse(node).startswith("sys.path")
    return False
