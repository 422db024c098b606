"""The rules of style that no linter holds: air, comments, no circle of imports, one name each."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import jupyter_gridgpu

PACKAGE = Path(jupyter_gridgpu.__file__).parent
FUNCTION_LINES = 50
CLASS_LINES = 250
CONDITIONAL_EXPRESSIONS = 20  # per 1,000 lines that are not blank
COMMENTS = 0.03  # of the lines that are not blank
TREES = {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}


def found(*kinds: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    """Yield every node of these kinds, with the place where it stands."""
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, kinds):
                line = getattr(node, "lineno", 0)
                yield f"{path.relative_to(PACKAGE)}:{line}", node


def lines_of(node: ast.AST) -> int:
    """Return how many lines a function or a class takes."""
    assert isinstance(node, ast.stmt)
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def full_lines() -> list[str]:
    """Return the lines of the package that are not blank, without the space around them."""
    lines = [line.strip() for path in TREES for line in path.read_text().splitlines()]
    return [line for line in lines if line]


def test_no_function_and_no_class_is_too_long_to_read() -> None:
    functions = found(ast.FunctionDef, ast.AsyncFunctionDef)
    assert [place for place, node in functions if lines_of(node) > FUNCTION_LINES] == []
    assert [place for place, node in found(ast.ClassDef) if lines_of(node) > CLASS_LINES] == []


def test_no_conditional_expression_stands_in_another() -> None:
    nested = []
    for place, node in found(ast.IfExp):
        assert isinstance(node, ast.IfExp)
        if any(isinstance(part, ast.IfExp) for part in (node.test, node.body, node.orelse)):
            nested.append(place)
    assert nested == []


def test_conditional_expressions_are_few() -> None:
    count = sum(1 for _ in found(ast.IfExp))
    assert 1000 * count / len(full_lines()) <= CONDITIONAL_EXPRESSIONS


def test_comments_say_why_often_enough() -> None:
    comments = sum(line.startswith("#") for line in full_lines())
    assert comments / len(full_lines()) >= COMMENTS


def test_a_class_has_a_name_of_its_own() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for place, node in found(ast.ClassDef):
        assert isinstance(node, ast.ClassDef)
        if not node.name.startswith("_"):
            places[node.name].append(place)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


# Calls that open a file, or decode JSON, without the care of store/opener.py and
# store/json_decoder.py. A pipe, a device, an endless file or JSON that is nested deeply would hang
# or end the process that makes such a call.
CARELESS_METHODS = ("read_text", "read_bytes", "write_text", "write_bytes")
CARELESS_FUNCTIONS = (
    "os.open", "io.open", "json.load", "json.loads", "shutil.copy", "shutil.copy2",
    "shutil.copyfile", "shutil.copytree", "zipfile.ZipFile", "tarfile.open",
)  # fmt: skip
# The files that may make such calls all the same, each with the calls that it makes.
MAY_OPEN: dict[str, set[str]] = {
    # These are the helpers themselves.
    "store/opener.py": {"open", "os.open"},
    "store/json_decoder.py": {"json.loads"},
    # They read files of the system: /proc, /sys, /dev/null.
    "doctor/home.py": {"open"},
    "store/process.py": {"read_text", "read_bytes"},
    "worker/interruption.py": {"read_text"},
    "worker/launch/fork_server.py": {"os.open"},
    "worker/memory.py": {"open"},
    "worker/oom_kills.py": {"read_text"},
    "worker/prefork/fork_safety.py": {"read_text"},
    "worker/prefork/parent.py": {"os.open"},
    "backends/panda/client.py": {"open"},
    # They read files of this package.
    "images/check.py": {"read_text"},
    "images/shell.py": {"read_text"},
    "worker/packing.py": {"read_text", "write_bytes", "zipfile.ZipFile"},  # into a new folder
    # They write into a folder that was just made and that nobody else knows.
    "records/export/csv_table.py": {"open"},
    "records/export/html_report.py": {"write_text"},
    "records/export/json_file.py": {"open"},
    "records/export/mlflow_runs.py": {"open"},
    "records/export/optuna_study.py": {"write_text"},
    "records/export/papermill_folder.py": {"open", "read_text", "write_bytes", "write_text"},
    "records/packing.py": {"zipfile.ZipFile"},  # mode "x", or an open file
    # They hand an open file over, or a function that opens with care.
    "backends/panda/outputs.py": {"tarfile.open"},
    "backends/panda/sandbox.py": {"tarfile.open"},
    "images/archive.py": {"tarfile.open"},
    "store/home.py": {"shutil.copytree", "json.loads"},  # and decodes what it has just made
    "worker/launch/grid_task.py": {"tarfile.open"},
    # The first decodes the lines that the runner itself has made, the second with hooks of its own.
    "model/events.py": {"json.loads"},
    "model/plain_values.py": {"json.loads"},  # and encodes what it decodes
    "server/notebook.py": {"json.loads"},
    # A notebook runs it in its kernel, also where this package is not installed.
    "worker/metrics/report.py": {"open"},
}


def careless_call(node: ast.AST) -> str | None:
    """Return the name of a call that opens a file or decodes JSON without care, or None."""
    if isinstance(node, ast.Attribute):
        # A function that is handed over is as careless as one that is called.
        name = ast.unparse(node)
        return name if name in CARELESS_FUNCTIONS else None
    if isinstance(node, ast.ImportFrom):
        names = {f"{node.module}.{alias.name}" for alias in node.names}
        return next(iter(names & set(CARELESS_FUNCTIONS)), None)
    if not isinstance(node, ast.Call):
        return None
    if isinstance(node.func, ast.Name) and node.func.id == "open":
        return "open"
    if not isinstance(node.func, ast.Attribute):
        return None
    if node.func.attr in CARELESS_METHODS:
        return node.func.attr
    first = node.args[0] if node.args else None
    if node.func.attr == "open" and isinstance(first, ast.Constant) and first.value in MODES:
        return "Path.open"
    return None


MODES = tuple(kind + more for kind in "rwax" for more in ("", "b", "+", "b+", "t"))


def test_files_are_opened_and_json_is_decoded_with_care() -> None:
    calls: dict[str, set[str]] = defaultdict(set)
    for path, tree in TREES.items():
        place = path.relative_to(PACKAGE).as_posix()
        # The contract tests read what they have written themselves.
        if not place.startswith("testing/"):
            calls[place] |= set(filter(None, map(careless_call, ast.walk(tree))))
    assert {place: names for place, names in calls.items() if names} == MAY_OPEN


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("open('x')", "open"),
        ("os.open(path, 0)", "os.open"),
        ("Path('x').read_text()", "read_text"),
        ("path.parent.read_bytes()", "read_bytes"),
        ("path.open('rb')", "Path.open"),
        ("decode = json.loads", "json.loads"),
        ("from json import loads", "json.loads"),
        ("json.load(file)", "json.load"),
        ("shutil.copyfile(a, b)", "shutil.copyfile"),
    ],
)
def test_careless_calls_would_be_found(code: str, name: str) -> None:
    assert {name} == set(filter(None, map(careless_call, ast.walk(ast.parse(code)))))


def module_name(path: Path) -> str:
    """Return the name by which a file of the package is imported."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    if parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(parts)


def imported_modules(tree: ast.Module, modules: set[str]) -> set[str]:
    """Return the modules of the package that a module imports while it is imported itself."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names & modules


def find_circle(graph: dict[str, set[str]]) -> list[str]:
    """Return the modules of one circle of imports; none if there is no circle."""
    left = dict(graph)
    while left:
        # What imports nothing that is left cannot be part of a circle.
        ends = [module for module, imports in left.items() if not imports & set(left)]
        if not ends:
            return sorted(left)
        for module in ends:
            del left[module]
    return []


def test_no_modules_import_each_other_in_a_circle() -> None:
    modules = {module_name(path) for path in TREES}
    graph = {}
    for path, tree in TREES.items():
        name = module_name(path)
        graph[name] = imported_modules(tree, modules) - {name}
    assert find_circle(graph) == []


@pytest.mark.parametrize("circle", [["a", "b"], ["a", "b", "c"]])
def test_a_circle_would_be_found(circle: list[str]) -> None:
    following = [*circle[1:], circle[0]]
    graph = {name: {after} for name, after in zip(circle, following, strict=True)}
    assert find_circle({**graph, "outside": {circle[0]}, "below": set()}) == [*circle, "outside"]
