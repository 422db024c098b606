"""Run by the Python of an image, of whatever age: prints as JSON what there is. Packages are looked up, not imported."""

import json
import os
import subprocess
import sys

PACKAGES = (
    "papermill",
    "ipykernel",
    "psutil",
    "tensorflow",
    "torch",
    "jax",
    "keras",
    "scikit-learn",
    "uproot",
    "numpy",
)


def version_of(name: str) -> object:
    """Return the version of a package, or None."""
    try:
        from importlib.metadata import version

        return version(name)
    except Exception:
        return None


def kernels() -> object:
    """Return the names of the kernels that Jupyter finds."""
    try:
        from jupyter_client.kernelspec import KernelSpecManager

        return sorted(KernelSpecManager().find_kernel_specs())
    except Exception:
        return []


def gpus() -> object:
    """Return what nvidia-smi names."""
    try:
        text = subprocess.check_output(["nvidia-smi", "-L"], stderr=subprocess.STDOUT).decode(
            "utf-8", "replace"
        )
    except Exception:
        return []
    return [line.split(" (UUID")[0] for line in text.splitlines() if line.startswith("GPU ")]


versions = {name: version_of(name) for name in PACKAGES}
if versions["tensorflow"] is None:
    versions["tensorflow"] = version_of("tensorflow-cpu")
print(
    json.dumps(
        {
            "python": list(sys.version_info[:3]),
            "executable": sys.executable,
            "packages": versions,
            "kernels": kernels(),
            "gpus": gpus(),
            "writable": os.access(os.environ.get("TMPDIR", "/tmp"), os.W_OK),
        }
    )
)
