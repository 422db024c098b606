"""Declared queues: YAML files in `gridgpu/queues.d` on Jupyter's configuration path. The user's win over the site's, by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.job import bounded
from jupyter_gridgpu.model.queue import Queue
from jupyter_gridgpu.store.paths import write_atomic

BYTES = 1_000_000  # of one file
FILES = 100  # of one folder
SAID = 5  # slips of one file that are said
FOLDER = Path("gridgpu") / "queues.d"


def folders() -> list[Path]:
    """Return the folders that declarations are looked for in, those of the user first."""
    from jupyter_core.paths import jupyter_config_dir, jupyter_config_path

    return [
        Path(place) / FOLDER
        for place in dict.fromkeys([jupyter_config_dir(), *jupyter_config_path()])
    ]


def read_all() -> tuple[list[Queue], list[str]]:
    """Return the declared queues, each name of an engine once, and a sentence for whatever is wrong with a file."""
    found: dict[tuple[str, str], Queue] = {}
    problems: list[str] = []
    for path in files():
        queues, wrong = read(path)
        problems += wrong
        for queue in queues:
            found.setdefault((queue.backend, queue.name), queue)
    return list(found.values()), problems


def files() -> list[Path]:
    """Return the files there are, the winning ones first."""
    return [path for folder in folders() for path in _sorted(folder)]


def _sorted(folder: Path) -> list[Path]:
    try:
        inside = [
            path
            for path in folder.iterdir()
            if path.suffix in (".yaml", ".yml") and not path.name.startswith(".")
        ]
    except OSError:
        return []
    return sorted(inside)[:FILES]


def read(path: Path) -> tuple[list[Queue], list[str]]:
    """Return the sound queues of a file, and a sentence for each that is not."""
    import yaml

    from jupyter_gridgpu.queues.fields import queues_of

    try:
        loader = getattr(
            yaml, "CSafeLoader", yaml.SafeLoader
        )  # many times as fast, and it bounds how deep a file nests
        root = yaml.compose(_content(path), Loader=loader)
    except OSError as error:
        return [], [f"{path} cannot be read: {error.strerror}."]
    except yaml.YAMLError as error:
        return [], [f"{path}, {_place(error)}"]
    except (ValueError, RecursionError, UsageError) as error:
        return [], [
            f"{path} is no list of queues: {bounded(str(error)) or 'it is nested too deeply'}."
        ]
    if root is None:
        return [], []
    queues, slips = queues_of(root)
    said = [f"{path}, line {slip.line}: {slip}." for slip in slips[:SAID]]
    return [replace(queue, source=str(path)) for queue in queues], said


def _content(path: Path) -> str:
    with open(path, "rb") as file:
        data = file.read(BYTES + 1)
    if len(data) > BYTES:
        raise UsageError(f"it is larger than {BYTES // 1000:,} kB")
    return data.decode("utf-8")


def _place(error: Any) -> str:
    """Where a file is not YAML, in one sentence."""
    mark = getattr(error, "problem_mark", None)
    line = f"line {mark.line + 1}" if mark else "somewhere"
    return f"{line}: it is not YAML ({bounded(str(getattr(error, 'problem', None) or 'unreadable'), 120)}); mind the indentation."


def write(path: Path, queues: list[Queue], head: str) -> None:
    """Write declarations, with a comment before them. Raises UsageError."""
    import yaml

    from jupyter_gridgpu.queues.fields import declaration

    body = {"queues": [declaration(queue) for queue in queues]}
    text = f"# {head}\n" + yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=120)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None
