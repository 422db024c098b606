"""What a job finds when it starts: variables, secrets, lines of shell before it, and its Python."""

from __future__ import annotations

import re
from dataclasses import dataclass

from jupyter_gridgpu.model.fields import Fields

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")  # the name of a variable
LINE_LIMIT = 2000  # characters of one line of shell, or of one option of a batch system
VALUE_LIMIT = 30_000  # characters of a variable with its value; a PATH may be long
LINES_LIMIT = 100  # of each kind


@dataclass(frozen=True)
class Environment:
    """What the user said about the environment of the jobs.

    `variables` are NAME=VALUE: a NAME that the user gave alone has got its value when the scan was
    planned. `secrets` are names alone: no record ever holds their values.
    """

    variables: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()  # lines of shell that run before the worker
    python: str | None = None  # the Python that runs the worker; None: the usual one
    # Whether secrets may go where others can read them; PanDA has no private way.
    exposed: bool = False

    def assigned(self) -> dict[str, str]:
        """Return the variables that have values; the last word on a name counts."""
        return dict(text.split("=", 1) for text in self.variables if "=" in text)


def is_variable(text: str) -> bool:
    """Return whether a text is NAME or NAME=VALUE, in one printable line."""
    name, _, value = text.partition("=")
    short = len(text) <= VALUE_LIMIT
    return bool(VARIABLE.fullmatch(name)) and short and (not value or value.isprintable())


def is_line(text: str) -> bool:
    """Return whether a text is one printable line that says something."""
    return bool(text.strip()) and text.isprintable() and len(text) <= LINE_LIMIT


def environment_from(fields: Fields) -> Environment:
    """Return the environment of a scan.json. Raises DamagedRecord."""
    return Environment(
        variables=fields.texts("variables", (), form=is_variable, what="NAME or NAME=VALUE"),
        secrets=fields.texts("secrets", (), form=VARIABLE.fullmatch, what="a variable's name"),
        setup=fields.texts("setup", (), form=is_line, what="a line of shell"),
        python=fields.maybe("python", fields.text, form=is_line, what="the name of a program"),
        exposed=fields.truth("exposed", False),
    )
