"""Looks whether jobs can run with the Python that runs this file, and says what it lacks.

That Python may be old, and may lack everything but its standard library. So the file imports
nothing of ours, and uses no syntax that is newer than Python 3.5.
"""

import os
import sys

OWN_KERNEL = "GRIDGPU_OWN_KERNEL"


def lacks() -> str:
    """Return a sentence about what is missing; empty if nothing is."""
    from importlib.metadata import version
    from importlib.util import find_spec

    wanted = ["papermill"]
    if os.environ.get(OWN_KERNEL):
        wanted.append("ipykernel")
    missing = [name for name in wanted if find_spec(name) is None]
    if missing:
        text = "{0} has no {1}: {0} -m pip install {2}."
        return text.format(sys.executable, " and no ".join(missing), " ".join(missing))
    found = version("papermill")
    numbers = [int(number) for number in found.split(".")[:2] if number.isdigit()]
    if numbers < [2, 4]:
        return f"{sys.executable} has papermill {found}; 2.4 or newer is needed."
    return ""


if __name__ == "__main__":
    if sys.version_info < (3, 9):  # noqa: UP036  (any Python may run this)
        text = "{} is Python {}.{}; 3.9 or newer is needed."
        sys.exit(text.format(sys.executable, *sys.version_info[:2]))
    sys.exit(lacks() or 0)
