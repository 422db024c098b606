"""Inputs of somebody who means harm, for every reader of a file or a text that a user hands over.

Run as a program, it gives every input to its reader, with a limit of memory, and prints for each
one a line of JSON: which it was, what came of it, and the processor time that it took.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import GridGpuError
from jupyter_gridgpu.model.cause import cause_of
from jupyter_gridgpu.model.expressions import Expression
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.objective import parse_objective
from jupyter_gridgpu.model.rank_by import ranking_of
from jupyter_gridgpu.model.typed_values import check_one, check_several
from jupyter_gridgpu.model.units import parse_duration, parse_memory
from jupyter_gridgpu.model.view import ScanView
from jupyter_gridgpu.planning import scan_file
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.notebook import metric_names, read_notebook
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.planning.space_apart import space_apart
from jupyter_gridgpu.queues import cric, declarations, gpu_request
from jupyter_gridgpu.records.condition import Condition
from jupyter_gridgpu.records.importing import plan_import
from jupyter_gridgpu.testing.examples import Story, notebook_json, small_scan

MEMORY = 3 * 1024**3  # bytes
SECONDS = 20  # of processor time for one input
DIGITS = "1" * 100_000
DEEP = 100_000
LINES = ["a: &a0 [x, x]"] + [f"b{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
MERGED = ["- &m0 {x: 1}"] + [f"- &m{n} {{<<: [*m{n - 1}, *m{n - 1}]}}" for n in range(1, 60)]

VALUES = [
    DIGITS,
    "0x" + DIGITS,
    "1e" + DIGITS,
    "9**9**9",
    "-(9**9**9)",
    "[1, 9**9**9]",
    "{'a': 9**9**9}",
    "choice(9**9**9)",
    "uniform(0, 9**9**9)",
    "2**20000",
    "1 << 20000",
    "integer(0, 1 << 20000)",
    "repeats(1 << 20000)",
    '"a" * 10**10',
    "b'a' * 10**10",
    "10**10 * 'a'",
    "'a' * 99999 * 99999",
    "[0] * 10**9",
    "(0,) * 10**9",
    "[[0] * 90000] * 90000",
    "[[[0] * 900] * 900] * 900",
    "1 << 10**9",
    "1 << 10**9 << 10**9",
    "range(10**12)",
    "linspace(0, 1, 10**9)",
    "geomspace(1, 2, 10**9)",
    "'%999999999d' % 1",
    "'%*d' % (999999999, 1)",
    "(" * DEEP,
    "[" * DEEP + "]" * DEEP,
    "-" * DEEP + "1",
    "1" + "+1" * DEEP,
    "'" + "a" * 1_000_000 + "'",
    "a" * DEEP,
    "\0",
    "\ud800",
]
# These are computed in a process of their own.
COMPUTED = [
    "[n for n in range(10**10)]",
    "[n for n in range(10**5) for m in range(10**5)]",
    "f'{1:9999999999}'",
    "(lambda f: f(f))(lambda f: f(f))",
]
YAML = [
    "\n".join(LINES),
    "\n".join(MERGED),
    "&a [*a]",
    "a: &a {b: *a}",
    "[" * DEEP,
    "- " * DEEP,
    "{a: " * DEEP,
    "[" + "a," * 2_000_000 + "]",
    "- {lr: " + DIGITS + "}",
    "- {lr: 0x" + DIGITS + "}",
    "- {lr: 0b" + DIGITS + "}",
    "- {lr: " + "1:" * 100_000 + "1}",
    "- {lr: !!int '" + "1:" * 100_000 + "1'}",
    "- {lr: !!int ''}",
    "- {lr: !!float ''}",
    "- {lr: !!timestamp x}",
    "- {lr: !!bool x}",
    "- {lr: !!binary 'x'}",
    "- {lr: !!set {a, b}}",
    "- {lr: 2024-99-99}",
    "- {lr: !!python/object/apply:os.system [true]}",
    "- {? [a] : b}",
    "- {? {a: b} : c}",
    "- {1: 2}",
    "- {<<: 1}",
    "%YAML 9.9\n---\n",
    "!<tag:yaml.org,2002:int> x",
    "\x01",
    "a: b\n" * 300_000,
]
JSON = [
    "[" * DEEP,
    '{"a":' * DEEP,
    DIGITS,
    "[" + DIGITS + "]",
    "1e999",
    "NaN",
    '"\\ud800"',
    "[" + "0," * 1_000_000 + "0]",
    "{}",
    "",
    "\0" * 1000,
]


def notebooks() -> Iterator[str]:
    """Yield notebooks whose parts are hostile, and JSON that is no notebook."""
    yield from JSON
    for value in VALUES[:-1]:
        yield notebook_json(f"lr = {value}", "pass")
        yield notebook_json("lr = 0.1", f"x = {value}")
    for text in ("\n" * 120_000 + "!", "lr" + " " * 120_000, "%" * 120_000, "#" * 120_000):
        yield notebook_json(text, "pass")
        yield notebook_json(f"lr = 1\n{text}", text)
        yield notebook_json(text, "pass").replace('"python"', '"R"').replace("python3", "ir")
    for levels in (200, 500, 900):
        for where in ("metadata", "outputs"):
            body = json.loads(notebook_json("lr = 0.1", "pass"))
            deep: Any = 0
            for _ in range(levels):
                deep = {"a": deep}
            if where == "metadata":
                body["metadata"]["deep"] = deep
                body["metadata"]["papermill"] = {"parameters": {"lr": 0.1}, "end_time": "x"}
            else:
                body["cells"][-1]["outputs"] = [{"output_type": "display_data", "data": deep}]
                body["metadata"]["papermill"] = {"parameters": {"lr": deep}}
            yield json.dumps(body)
    body = json.loads(notebook_json("lr = 0.1", "pass"))
    for params in ({"lr": 10**4200}, {"lr": [[0] * 1000] * 1200}, {"lr": "a" * 10**6}):
        body["metadata"]["papermill"] = {"parameters": params, "end_time": "2024-01-01T00:00:00"}
        yield json.dumps(body)


def cells() -> Iterator[str]:
    """Yield tables in CSV."""
    for value in [*VALUES[:-1], *JSON]:
        yield f'lr\n"{value}"\n'
    yield "," * 1_000_000
    yield "lr\n" + "1\n" * 300_000
    yield 'lr\n"' + "a" * 200_000


def entries() -> Iterator[str]:
    """Yield registers of queues."""
    yield from JSON
    for value in (DIGITS[:4000], "1e999", '"' + DIGITS + '"', "[" * 500 + "]" * 500):
        for key in ("maxtime", "architectures", "tags", "nickname", "containers", "rc_site"):
            yield f'{{"Q": {{"nickname": "Q", "resource_type": "gpu", "{key}": {value}}}}}'
    tag = '{"type": "gpu", "version": V, "vram": V, "model": V}'
    for value in (DIGITS[:4000], '"' + DIGITS + '"', f"[{DIGITS[:4000]}]"):
        yield '{"Q": {"nickname": "Q", "architectures": [' + tag.replace("V", value) + "]}}"


TEXTS = [
    DIGITS,
    DIGITS[:4301] + "h",
    "max(" + " " * 100_000,
    "max(" + "\t" * 3_000 + "\n",
    "1h " * 50_000 + "!",
    "1" * 50_000 + "." * 50_000,
    "(" * 50_000,
    "a=" * 50_000,
    "A" * 200_000,
    "'" * 200_000,
    "0 " * 100_000,
    "\x1b[" * 100_000,
    "",
]


def _with_file(read: Callable[[Path], object], name: str) -> Callable[[str], object]:
    def reader(text: str) -> object:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_text(text, encoding="utf-8", errors="replace")
            return read(path)

    return reader


def _import(path: Path) -> object:
    notebook = path.with_name("notebook.ipynb")
    notebook.write_text(notebook_json("lr = 0.1\nx = 1", "pass"))
    return plan_import(path, notebook, ask=False)


def _import_executed(path: Path) -> object:
    return plan_import(path.parent, ask=False)


def _notebook(path: Path) -> object:
    found = read_notebook(path, kernel_here=False)
    return metric_names(found), plan(path, {"lr": [1, 2]}, Options(), ask=False)


def _declared(path: Path) -> object:
    return declarations.read(path)


def _typed(text: str) -> None:
    check_one(text[:2000], "value", "a number", {})
    check_several(text[:2000], "values", "a number", {})


def _condition(text: str) -> object:
    return Condition(f"lr < {text}", {"lr"}).holds({"lr": 1.0})


def _space(text: str) -> object:
    return parse_space(f"x = {text}", {"n": 3})


def _space_apart(text: str) -> object:
    return space_apart(f"x = {text}").grid_size()


def _constraint(text: str) -> object:
    return parse_space(f"a = [1, 2]\nassert a < {text}", {"n": 3}).grid_size()


def _constraint_apart(text: str) -> object:
    return space_apart(f"a = [1, 2]\nif a == {text}:\n    x = {text}").grid_size()


def _expression(text: str) -> object:
    return Expression(text).value({"lr": 1.0, "name": "adam", "sizes": [1, 2]})


def _cause(text: str) -> object:
    return cause_of("notebook", text, 1)


def _ranking(text: str) -> object:
    story = Story()
    story.run(1, acc=0.5, lr=0.1)
    return ranking_of(ScanView(small_scan()).apply_all(story.events), text)


SCAN_FILE = "notebook: n.ipynb\nspace: "
READERS: dict[str, tuple[Callable[[str], object], Callable[[], Iterator[str]]]] = {
    "space in a cell": (_space, lambda: iter(VALUES)),
    "space of a command": (_space_apart, lambda: iter(VALUES + COMPUTED)),
    "constraint in a cell": (_constraint, lambda: iter(VALUES)),
    "condition of a command": (_constraint_apart, lambda: iter(VALUES + COMPUTED)),
    "expression in a record": (_expression, lambda: iter(VALUES + COMPUTED + TEXTS)),
    "value in a form": (_typed, lambda: iter(VALUES + COMPUTED + TEXTS)),
    "condition": (_condition, lambda: iter(VALUES + COMPUTED + TEXTS)),
    "table in YAML": (_with_file(_import, "t.yaml"), lambda: iter(YAML)),
    "table in CSV": (_with_file(_import, "t.csv"), cells),
    "executed notebook": (_with_file(_import_executed, "n.ipynb"), notebooks),
    "notebook": (_with_file(_notebook, "n.ipynb"), notebooks),
    "declared queues": (_with_file(_declared, "q.yaml"), lambda: iter(YAML)),
    "file of a scan": (_with_file(scan_file.read, "s.yaml"), lambda: iter(YAML)),
    "lines in a file of a scan": (
        _with_file(scan_file.read, "s.yaml"),
        lambda: (SCAN_FILE + f"|\n  x = {value}\n" for value in VALUES + COMPUTED),
    ),
    "value in a file of a scan": (
        _with_file(scan_file.read, "s.yaml"),
        lambda: (SCAN_FILE + f"\n  x: {value}\n" for value in VALUES + COMPUTED + TEXTS),
    ),
    "register of queues": (_with_file(cric.load, "cric.json"), entries),
    "objective": (lambda text: parse_objective(text, "maximize"), lambda: iter(TEXTS)),
    "ranking": (_ranking, lambda: iter(TEXTS)),
    "time": (parse_duration, lambda: iter(TEXTS)),
    "memory": (parse_memory, lambda: iter(TEXTS)),
    "kind of GPU": (gpu_request.parse, lambda: iter(TEXTS)),
    "cause": (_cause, lambda: iter(TEXTS)),
}


class TooSlow(BaseException):
    """An input took too much processor time."""


def _too_slow(*_: object) -> None:
    raise TooSlow


def outcome(read: Callable[[str], object], text: str) -> str:
    """Return `value`, `sentence`, or what came instead of one of these."""
    try:
        read(text)
    except GridGpuError as error:
        said = str(error)
        if not said or "\n" in said.strip() or len(said) > 3000:
            return f"no one sentence: {said[:200]!r}"
        return "sentence"
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    return "value"


def main() -> None:
    """Try every input, and print what came of it."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGVTALRM, _too_slow)
    wanted = sys.argv[1:]
    for name, (read, texts) in READERS.items():
        if wanted and name not in wanted:
            continue
        for number, text in enumerate(texts()):
            began = time.process_time()
            signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
            found = outcome(read, text)
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            took = time.process_time() - began
            what = f"{name} {number}: {text[:40]!r}"
            print(json.dumps([what, found, round(took, 2)]), flush=True)


if __name__ == "__main__":
    main()
