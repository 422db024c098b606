"""Chooses the Jupyter kernel that runs the notebook of a job, and finds its command."""

from __future__ import annotations

from collections.abc import Callable

from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpecManager, NoSuchKernel

from jupyter_gridgpu.worker.image import image_name


def choose_kernel(name: str, language: str | None, log: Callable[[str], None]) -> str:
    """Return the name of the kernel to run: `name`, or the image's own Python kernel.

    The notebook may name a kernel that only the user's machine has, for example one of a virtual
    environment. In an image, the image's Python then runs a Python notebook, and `log` gets a line
    about it. Outside images `name` is returned in any case: if that kernel is missing, the job
    fails and tells the user.
    """
    known = KernelSpecManager().find_kernel_specs()
    if name in known or image_name() is None:
        return name
    # Only between Python kernels does a notebook usually run in another one, too.
    is_python = language is not None and language.lower() == "python"
    if not is_python or NATIVE_KERNEL_NAME not in known:
        return name
    log(f"The image has no kernel {name!r}; its {NATIVE_KERNEL_NAME!r} runs the notebook.")
    return NATIVE_KERNEL_NAME


def kernel_command(kernel_name: str) -> list[str] | None:
    """Return the command that starts a kernel, or None if there is no such kernel."""
    try:
        return list(KernelSpecManager().get_kernel_spec(kernel_name).argv)
    except NoSuchKernel:
        return None
