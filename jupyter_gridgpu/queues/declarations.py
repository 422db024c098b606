"""Declared queues: YAML files in `gridgpu/queues.d` in the folders of Jupyter's configuration.

Where two files declare a queue of the same name and backend, the file of the user wins over that of
the machine or the environment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.queue import Queue
from jupyter_gridgpu.store.access import closed, why
from jupyter_gridgpu.store.opener import open_users
from jupyter_gridgpu.store.paths import write_atomic

FOLDER = Path("gridgpu") / "queues.d"
FILE_LIMIT_BYTES = 1_000_000
FILES_LIMIT = 100  # files of one folder that are read
PROBLEMS_LIMIT = 5  # mistakes of one file that are reported


def places() -> list[Path]:
    """Return the folders of Jupyter's configuration, the user's folder first."""
    from jupyter_core.paths import jupyter_config_dir, jupyter_config_path

    # In Jupyter's own order, the folder of an environment may come before that of the user.
    return [Path(place) for place in dict.fromkeys([jupyter_config_dir(), *jupyter_config_path()])]


def folders() -> list[Path]:
    """Return the folders in which declarations are looked for, the user's folder first.

    The folders need not exist.
    """
    return [place / FOLDER for place in places()]


def read_all() -> tuple[list[Queue], list[str]]:
    """Return all declared queues, and a sentence for each mistake in a file.

    No two of the queues have the same name and backend.
    """
    queues: dict[tuple[str, str], Queue] = {}
    # What is not seen cannot be missed, so it is said.
    problems = [
        f"Queues declared in {folder} are left out: {reason}."
        for folder in folders()
        if (reason := closed(folder))
    ]
    for path in files():
        declared, problems_of_file = read(path)
        problems += problems_of_file
        for queue in declared:
            # The first file wins, since files() begins with those of the user.
            queues.setdefault((queue.backend, queue.name), queue)
    return list(queues.values()), problems


def files() -> list[Path]:
    """Return the files with declarations. A file wins over those after it."""
    return files_in(folders())


def files_in(folders_of_files: Iterable[Path]) -> list[Path]:
    """Return the YAML files in folders, of which none need exist, in the order of the folders."""
    return [path for folder in folders_of_files for path in _files_of(folder)]


def _files_of(folder: Path) -> list[Path]:
    try:
        entries = list(folder.iterdir())
    except OSError:
        return []
    # Editors keep unsaved copies in hidden files.
    found = [
        path
        for path in entries
        if path.suffix in (".yaml", ".yml") and not path.name.startswith(".")
    ]
    return sorted(found)[:FILES_LIMIT]


def read(path: Path) -> tuple[list[Queue], list[str]]:
    """Return the queues of a file, and a sentence for each queue that has a mistake.

    A file that cannot be read at all has no queues and one sentence.
    """
    # yaml is imported only here, since not every command reads declarations.
    from jupyter_gridgpu.queues import bounded_yaml
    from jupyter_gridgpu.queues.fields import queues_of

    try:
        text = _text_of(path)
    except OSError as error:
        return [], [f"{path} cannot be read: {why(error, path)}."]
    except (ValueError, UsageError) as error:
        return [], [f"{path} is no list of queues: {one_line(str(error))}."]
    try:
        root = bounded_yaml.compose(text)
    except UsageError as error:
        return [], [f"{path}, {error}."]
    if root is None:
        return [], []
    queues, mistakes = queues_of(root)
    problems = [f"{path}, line {mistake.line}: {mistake}." for mistake in mistakes[:PROBLEMS_LIMIT]]
    return [replace(queue, source=str(path)) for queue in queues], problems


def _text_of(path: Path) -> str:
    """Return the text of a file. Raises UsageError if it is too large."""
    with open_users(path) as file:
        data = file.read(FILE_LIMIT_BYTES + 1)
    if len(data) > FILE_LIMIT_BYTES:
        raise UsageError(f"it is larger than {FILE_LIMIT_BYTES // 1000:,} kB")
    return data.decode("utf-8")


def write(path: Path, queues: list[Queue], head: str) -> None:
    """Write a file of declarations, with `head` as a comment before them.

    Raises UsageError if the file cannot be written.
    """
    import yaml

    from jupyter_gridgpu.queues.fields import declaration

    body = {"queues": [declaration(queue) for queue in queues]}
    text = f"# {head}\n" + yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=120)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {why(error, path)}.") from None
