"""Which kernel runs a notebook where the job is, and by what command."""

from __future__ import annotations

from collections.abc import Callable

from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpecManager, NoSuchKernel

from jupyter_gridgpu.worker.image import image


def kernel_for(name: str, language: str | None, log: Callable[[str], None]) -> str:
    """Return the kernel to run: the notebook's, or the image's own Python where only the user's machine has that one."""
    known = KernelSpecManager().find_kernel_specs()
    if (
        name in known
        or image() is None
        or (language or "").lower() != "python"
        or NATIVE_KERNEL_NAME not in known
    ):
        return name
    log(f"The image has no kernel {name!r}; its {NATIVE_KERNEL_NAME!r} runs the notebook.")
    return NATIVE_KERNEL_NAME


def kernel_argv(kernel_name: str) -> list[str] | None:
    """Return the command that starts a kernel, or None if there is no such kernel."""
    try:
        return list(KernelSpecManager().get_kernel_spec(kernel_name).argv)
    except NoSuchKernel:
        return None
