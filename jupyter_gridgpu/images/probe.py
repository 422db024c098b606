"""Prints what an image has, as one line of JSON. The Python of the image runs this file.

That Python may be old, and may lack everything but its standard library. So the file imports
nothing of ours, and uses no syntax that is newer than Python 3.5.
"""

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
    """Return the version of a package, or None if it is not installed."""
    # The package is looked up, not imported: to import tensorflow takes seconds, and may fail.
    try:
        from importlib.metadata import version

        return version(name)
    except Exception:
        return None


def kernels() -> object:
    """Return the names of the kernels that Jupyter finds in the image."""
    try:
        from jupyter_client.kernelspec import KernelSpecManager

        return sorted(KernelSpecManager().find_kernel_specs())
    except Exception:
        return []


def gpus() -> object:
    """Return the GPUs that nvidia-smi lists, without their UUIDs."""
    try:
        text = subprocess.check_output(["nvidia-smi", "-L"], stderr=subprocess.STDOUT).decode(
            "utf-8", "replace"
        )
    # The image may have no nvidia-smi, or one that does not fit the node's driver.
    except Exception:
        return []
    return [line.split(" (UUID")[0] for line in text.splitlines() if line.startswith("GPU ")]


versions = {name: version_of(name) for name in PACKAGES}
# The package without GPU support has a name of its own.
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
