"""Chooses the kernel that runs a notebook, and checks whether it can start here."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import NotebookError
from jupyter_gridgpu.model.kernel_language import (
    NATIVE_KERNEL,
    PYTHON,
    language_of,
    normal_language,
)
from jupyter_gridgpu.model.plain_values import is_text

DEFAULT_KERNEL = NATIVE_KERNEL  # of images, and of most installations
# jupyter_client replaces these by the Python that it runs in.
_THIS_PYTHON = ("python", "python3", "python2")


@dataclass(frozen=True)
class Kernel:
    """The kernel that is to run a notebook."""

    name: str
    language: str
    remark: str | None = None  # what a user should know of the choice, in one sentence


def kernel_to_be(path: Path, metadata: Mapping[str, Any], wanted: str | None) -> Kernel:
    """Return the kernel of a notebook whose jobs are not described in full yet, as in a form.

    If no kernel can be chosen, its name is empty, and the remark says so. Nothing is checked.
    """
    try:
        return choose_kernel(path, metadata, wanted, here=False)
    except NotebookError:
        language = language_of(metadata) or PYTHON
    try:
        return _kernel_for(path, language, here=True)
    except NotebookError as error:
        return Kernel("", language, str(error))


def choose_kernel(
    path: Path,
    metadata: Mapping[str, Any],
    wanted: str | None,
    here: bool,
    own_python: bool = False,
) -> Kernel:
    """Return the kernel of a notebook: `wanted`, the one that it names, or the only one that fits.

    With `own_python`, the user has named the Python that runs the jobs, and its kernel runs a
    notebook in Python. With `here` the kernel must be installed on this machine, and its program
    must be there. Raises NotebookError.
    """
    spec = metadata.get("kernelspec")
    named = spec.get("name") if isinstance(spec, Mapping) else None
    name = wanted or named
    language = language_of(metadata) or PYTHON
    if own_python and wanted in (None, NATIVE_KERNEL) and language == PYTHON:
        return Kernel(NATIVE_KERNEL, language, _other_kernel(path, named))
    if isinstance(name, str) and name:
        kernel = Kernel(name, language)
    else:
        kernel = _kernel_for(path, language, here)
    if here:
        check_kernel(path, kernel, wanted)
    return kernel


def _other_kernel(path: Path, named: object) -> str | None:
    """Return what a user should know if --python runs a notebook that names another kernel."""
    if named in (None, "", NATIVE_KERNEL):
        return None
    return (
        f"{path.name} names the kernel {str(named)[:80]!r}; with --python, the kernel of that"
        " Python runs it."
    )


def _kernel_for(path: Path, language: str, here: bool) -> Kernel:
    """Return the kernel for a notebook that names none."""
    fitting = installed(language) if here else []
    if not here and language == PYTHON:
        fitting = [DEFAULT_KERNEL]
    if len(fitting) == 1:
        remark = f"{path.name} names no kernel; it runs with {fitting[0]}."
        return Kernel(fitting[0], language, remark)
    choice = ", ".join(fitting) or "none for its language"
    raise NotebookError(
        f"{path.name} does not say which kernel runs it: give --kernel NAME (there is: {choice}),"
        " or open it in Jupyter, choose a kernel and save it."
    )


def installed(language: str | None = None) -> list[str]:
    """Return the names of the kernels on this machine, sorted: all, or those of one language.

    A kernel whose kernel.json cannot be read is left out if a language is asked for.
    """
    from jupyter_client.kernelspec import KernelSpecManager

    manager = KernelSpecManager()
    names = sorted(manager.find_kernel_specs())
    if language is None:
        return names
    return [name for name in names if _language_on_disk(manager, name) == language]


def _language_on_disk(manager: Any, name: str) -> str | None:
    try:
        return normal_language(manager.get_kernel_spec(name).language)
    except Exception:
        # Whatever is wrong in a kernel.json comes as an error of json, of traitlets or of Python.
        return None


def check_kernel(path: Path, kernel: Kernel, wanted: str | None = None) -> None:
    """Raise NotebookError if the kernel cannot start on this machine."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    if not is_text(kernel.name):
        raise NotebookError(f"{path.name} names a kernel that is no text.")
    try:
        spec = KernelSpecManager().get_kernel_spec(kernel.name)
    except NoSuchKernel:
        raise NotebookError(
            f"{path.name} wants the kernel {kernel.name!r}, which is not installed here;"
            f" there is: {_choice(kernel)}. To run it with another one, give --kernel NAME."
        ) from None
    except Exception as error:
        reason = (str(error) or repr(error)).splitlines()[0].rstrip(".")[:100]
        raise NotebookError(
            f"The kernel {kernel.name[:80]!r} of {path.name} has no readable kernel.json: {reason}."
        ) from None
    _check_program(path, kernel, spec.argv)
    on_disk = normal_language(spec.language)
    if wanted and on_disk is not None and on_disk != kernel.language:
        raise NotebookError(
            f"--kernel {wanted} runs {on_disk}, but {path.name} is written in {kernel.language}."
        )


def _check_program(path: Path, kernel: Kernel, argv: list[str]) -> None:
    """Raise NotebookError if the program of a kernel is gone: its environment was removed."""
    program = argv[0] if argv else ""
    if program in _THIS_PYTHON or shutil.which(program):
        return
    raise NotebookError(
        f"The kernel {kernel.name!r} of {path.name} cannot start: its program"
        f" {program[:200]!r} is not there. To run it with another kernel, give --kernel NAME"
        f" (there is: {_choice(kernel)})."
    )


def runs_this_python(name: str) -> bool:
    """Return whether the kernel of this name on this machine runs in the Python that runs us."""
    from jupyter_client.kernelspec import KernelSpecManager

    try:
        argv = KernelSpecManager().get_kernel_spec(name).argv
    except Exception:
        # As in `_language_on_disk`: there is no such kernel, or its kernel.json is not sound.
        return False
    program = argv[0] if argv else ""
    # The Python of a virtual environment is a link to the one that it was made with.
    found = shutil.which(program) or program
    return program in _THIS_PYTHON or os.path.realpath(found) == os.path.realpath(sys.executable)


def _choice(kernel: Kernel) -> str:
    """Return the kernels that could run the notebook: those of its language, if there are any."""
    names = [name for name in installed(kernel.language) or installed() if name != kernel.name]
    return ", ".join(names) or "none"
