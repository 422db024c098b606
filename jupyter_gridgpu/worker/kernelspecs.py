"""Chooses the Jupyter kernel that runs the notebook of a job, and finds its command."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from jupyter_client.kernelspec import (
    NATIVE_KERNEL_NAME,
    KernelSpec,
    KernelSpecManager,
    NoSuchKernel,
)

from jupyter_gridgpu.model.kernel_language import PYTHON, language_of, normal_language
from jupyter_gridgpu.worker.image import OWN_KERNEL_VARIABLE, image_name


def choose_kernel(name: str, language: str | None, log: Callable[[str], None]) -> str:
    """Return the name of the kernel to run: `name`, or the image's own Python kernel.

    The notebook may name a kernel that only the user's machine has, for example one of a virtual
    environment. In an image, the image's Python then runs a Python notebook, and `log` gets a line
    about it. Outside images `name` is returned in any case: if that kernel is missing, the job
    fails and tells the user.
    """
    if os.environ.get(OWN_KERNEL_VARIABLE):
        _use_own_kernel()
    known = KernelSpecManager().find_kernel_specs()
    if name in known or image_name() is None:
        return name
    # Only between Python kernels does a notebook usually run in another one, too.
    is_python = normal_language(language) == PYTHON
    if not is_python or NATIVE_KERNEL_NAME not in known:
        return name
    log(f"The image has no kernel {name!r}; its {NATIVE_KERNEL_NAME!r} runs the notebook.")
    return NATIVE_KERNEL_NAME


@functools.cache
def _use_own_kernel() -> None:
    """Have the kernel `python3` be that of this very Python, for all of this process.

    A kernel of that name in the user's home, or where JUPYTER_PATH leads, belongs to another one.
    """
    by_name = KernelSpecManager.get_kernel_spec

    def get_kernel_spec(manager: KernelSpecManager, kernel_name: str) -> KernelSpec:
        if kernel_name != NATIVE_KERNEL_NAME:
            return by_name(manager, kernel_name)
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language=PYTHON)

    setattr(KernelSpecManager, "get_kernel_spec", get_kernel_spec)  # noqa: B010  (mypy)


def kernel_command(kernel_name: str) -> list[str] | None:
    """Return the command that starts a kernel, or None if there is no such kernel."""
    try:
        return list(KernelSpecManager().get_kernel_spec(kernel_name).argv)
    except NoSuchKernel:
        return None


def notebook_language(metadata: Mapping[str, Any], kernel_name: str) -> str:
    """Return the language in which a notebook gets its values, in papermill's word.

    The notebook says it, or the kernelspec that is installed. That one alone counts where another
    kernel than the notebook's own runs it. It is Python if nobody says it.
    """
    try:
        on_disk = KernelSpecManager().get_kernel_spec(kernel_name).language
    except Exception:  # whatever is wrong with it, the start of the kernel will tell
        on_disk = None
    own = metadata.get("kernelspec", {}).get("name") == kernel_name
    return language_of(metadata if own or not on_disk else {}, on_disk) or PYTHON
