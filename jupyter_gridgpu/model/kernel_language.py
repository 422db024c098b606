"""The language of a notebook's kernel, in the word that papermill knows it by.

Notebooks name it in many ways, or not at all: `Python`, `ipython`, `ir`. papermill writes the
parameters in the syntax of that language, and finds it by its exact word.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PYTHON = "python"
NATIVE_KERNEL = "python3"  # how Jupyter calls the kernel of the Python that it runs in
# The words of papermill, and how kernels and notebooks also say them, in lower case.
_ALSO = {
    PYTHON: ("ipython", "python2", "python3", "ipython3", "python 3", "py"),
    "R": ("r", "ir"),
    "scala": ("scala2", "scala3"),
    "julia": (),
    "matlab": (),
    ".net-csharp": ("c#", "csharp"),
    ".net-fsharp": ("f#", "fsharp"),
    ".net-powershell": ("powershell", "pwsh"),
    "bash": ("sh", "shell", "shellscript"),
}
_WORDS = {name: word for word, also in _ALSO.items() for name in (word.lower(), *also)}


def normal_language(name: object) -> str | None:
    """Return papermill's word for a language, or the trimmed name if papermill has no word for it.

    Returns None for what is no name.
    """
    if not isinstance(name, str) or not name.strip():
        return None
    trimmed = name.strip()
    return _WORDS.get(trimmed.lower(), trimmed)


def is_known(language: str | None) -> bool:
    """Return whether papermill can write parameters in a language that was normalised."""
    return language in _ALSO


def language_of(metadata: object, on_disk: object = None) -> str | None:
    """Return the language of a notebook by its metadata, None if nothing says it.

    `on_disk` is the language of the kernelspec that is installed. It decides where the notebook
    names no language, or one that papermill does not know.
    """
    spec = _part(metadata, "kernelspec")
    info = _part(metadata, "language_info")
    names = [normal_language(name) for name in (spec.get("language"), info.get("name"), on_disk)]
    said = [name for name in names if name is not None]
    known = [name for name in said if is_known(name)]
    return next(iter(known or said), None)


def _part(metadata: object, key: str) -> Mapping[str, Any]:
    """Return a group of a notebook's metadata; an empty one if it is missing or of a wrong type."""
    found = metadata.get(key) if isinstance(metadata, Mapping) else None
    return found if isinstance(found, Mapping) else {}
