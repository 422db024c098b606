"""Writes the parts of worker.sh that run the user's setup lines, and find the Python of `--python`.

The text is that of the files setup_lines.sh and setup.sh beside this module. Each line of the user
stands in single quotes and is run by `eval`, so that whatever it says is no part of the script.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jupyter_gridgpu.images.hidden import hiding
from jupyter_gridgpu.images.shell import filled, variable, within_quotes
from jupyter_gridgpu.model.environment import Environment
from jupyter_gridgpu.worker.image import OWN_KERNEL_VARIABLE

NOTHING_SAID = Environment()
SETUP_S = 600  # seconds that all setup lines of a task may take
OUTPUT_BYTES = 20_000_000  # that they may print
CONDA = "conda:"  # before the name of an environment
FIRST = variable("first")  # python3, if the setup lines have chosen another one
_LINES = Path(__file__).with_name("setup_lines.sh")
_SETUP = Path(__file__).with_name("setup.sh")
# Variables of the session that belong to another Python than the one of --python. They would make
# that one use the packages of the other.
OF_ANOTHER_PYTHON = ("PYTHONHOME", "PYTHONEXECUTABLE", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
_TRIAL = """\
if ! why=$("$program" -c "" 2>&1); then
    fail 74 "$program, which --python names, does not start as a Python on $host: $why"
fi"""


def conda_name(python: str | None) -> str | None:
    """Return the conda environment that `--python` names, or None if it names none."""
    if python is None or not python.startswith(CONDA):
        return None
    return python[len(CONDA) :]


def assignments(variables: Mapping[str, str]) -> str:
    """Return lines of shell that set variables; none for no variables."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())


def has_setup(environment: Environment) -> bool:
    """Return whether a shell has to set up the environment of a job before its Python starts."""
    return bool(environment.setup) or conda_name(environment.python) is not None


@dataclass(frozen=True)
class Setup:
    """What worker.sh does before the worker starts.

    `own_kernel` says that the notebook's kernel is that of the Python of `--python`. `before` is
    shell text that runs before the lines of the user.
    """

    environment: Environment = NOTHING_SAID
    own_kernel: bool = False
    before: str = ""

    def places(self) -> dict[str, str]:
        """Return the text of the places SETUP_LINES and SETUP of worker.sh."""
        first = "".join(f"{line}\n" for line in self._python_lines())
        if not has_setup(self.environment):
            return {"SETUP_LINES": "", "SETUP": first}
        texts = dict(enumerate(self.environment.setup, 1))
        ran = [_run(number, line, f"eval {shlex.quote(line)}") for number, line in texts.items()]
        name = conda_name(self.environment.python)
        if name is not None:
            texts[0] = f"python {self.environment.python}"
            ran.append(_run(0, texts[0], f"set +eu; gridgpu_conda {shlex.quote(name)}"))
        said = [
            f"{number}) printf '%s\\n' {shlex.quote(text)} ;;" for number, text in texts.items()
        ]
        places = {
            "LINES": "\n".join(ran),
            "TEXTS": "\n    ".join(said),
            "SECONDS": str(SETUP_S),
            "BYTES": str(OUTPUT_BYTES),
        }
        return {"SETUP_LINES": filled(_LINES, places), "SETUP": first + filled(_SETUP, places)}

    def program(self) -> str | None:
        """Return the program of `--python` as a word of worker.sh; None without `--python`."""
        if conda_name(self.environment.python) is not None:
            return f"{variable('CONDA_PREFIX')}/bin/python"
        return self.environment.python

    def first(self) -> list[str]:
        """Return the programs that come before all others: python3, if the lines chose another."""
        return [FIRST] if self.environment.setup else []

    def trial(self) -> str:
        """Return lines that look whether the program of `--python` starts; none without it."""
        return "" if self.environment.python is None else _TRIAL

    def no_program(self) -> str | None:
        """Return what `fail` says if the program of `--python` is not there."""
        if self.environment.python is None:
            return None
        return f'74 "$host has no {within_quotes(self.environment.python)}, which --python names."'

    def _python_lines(self) -> list[str]:
        lines = [f"unset {OWN_KERNEL_VARIABLE}"]
        if self.environment.python is not None:
            lines.append(hiding(OF_ANOTHER_PYTHON))
            if self.own_kernel:
                lines.append(f"export {OWN_KERNEL_VARIABLE}=1")
        if self.before:
            lines.append(self.before)
        return lines


def _run(number: int, text: str, command: str) -> str:
    # Programs that a line leaves in the background do not get handle 9.
    return f"gridgpu_line {number} {shlex.quote(text)}\n{command} 9>&-\ngridgpu_after $?"
