"""Checks what `--env`, `--secret`, `--setup` and `--python` say."""

from __future__ import annotations

import os
import re

from jupyter_gridgpu.backends import travelling
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.environment import (
    VALUE_LIMIT,
    VARIABLE,
    Environment,
    is_variable,
)
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.setup_options import NAME_SHOWN, python_of, setup_line

# The path of a file with a secret is none itself.
_NAMES_FILE = re.compile(r"\w+_(?:FILE|PATH|DIR)", re.I)


def environment_of(options: Options) -> Environment:
    """Return what the options say about the environment of the jobs. Raises UsageError.

    A variable that is only named gets its value here: the jobs of a scan all get the same one,
    whoever starts its next runner.
    """
    secrets = tuple(dict.fromkeys(_secret(name) for name in _texts("secret", options.secret)))
    variables = tuple(_variable(text) for text in _texts("env", options.env))
    for text in variables:
        name = text.partition("=")[0]
        if name in secrets:
            raise UsageError(f"{name} is given by --env and by --secret: leave one of them out.")
    if options.expose_secrets and not secrets:
        raise UsageError("--expose-secrets is for a --secret: name one, or leave it out.")
    return Environment(
        variables=variables,
        secrets=secrets,
        exposed=options.expose_secrets,
        setup=tuple(setup_line(line) for line in _texts("setup", options.setup)),
        python=None if options.python is None else python_of(options.python, options.image),
    )


def _texts(option: str, given: object) -> tuple[str, ...]:
    """Return the texts of an option that may be repeated. Raises UsageError.

    In Python, a single text may stand for a list with this text.
    """
    texts = (given,) if isinstance(given, str) else given
    if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts):
        raise UsageError(f"--{option}: give a list of texts, like ['NAME'].")
    return tuple(texts)


def _variable(text: str) -> str:
    """Return NAME=VALUE for what `--env` says. Raises UsageError, which never shows a value."""
    name, given, value = text.partition("=")
    shown = name[:NAME_SHOWN]
    if not VARIABLE.fullmatch(name) or not is_variable(text):
        raise UsageError(
            f"--env {shown!r}: write NAME or NAME=VALUE, in one line of at most"
            f" {VALUE_LIMIT:,} characters."
        )
    _refuse_ours("env", name)
    if not given:
        value = _value_here(name)
    is_path = _NAMES_FILE.fullmatch(name) and value.startswith(("/", "~", "."))
    if travelling.is_secret_name(name) and not is_path:
        raise UsageError(
            f"--env {shown}: by its name it holds a secret, and the records of a scan keep what"
            f" --env says. Say --secret {shown}."
        )
    if travelling.is_secret_value(value):
        raise UsageError(
            f"--env {shown}: its value holds a password or a token, and the records of a scan keep"
            f" what --env says. Say --secret {shown}."
        )
    return f"{name}={value}"


def _value_here(name: str) -> str:
    """Return the value that a variable has in this session. Raises UsageError."""
    value = os.environ.get(name)
    if value is None:
        raise UsageError(
            f"--env {name}: this session has no such variable. Set it, or say --env {name}=VALUE."
        )
    if not is_variable(f"{name}={value}"):
        raise UsageError(
            f"--env {name}: its value is no single line of at most {VALUE_LIMIT:,} characters."
        )
    return value


def _secret(name: str) -> str:
    # What stands behind an equals sign may be the secret itself, so it is never shown.
    shown = name.partition("=")[0][:NAME_SHOWN]
    if not VARIABLE.fullmatch(name):
        raise UsageError(f"--secret {shown!r}: give the name of a variable, without its value.")
    _refuse_ours("secret", name)
    return name


def _refuse_ours(option: str, name: str) -> None:
    """Raise UsageError for a variable that the user cannot set."""
    if travelling.is_ours(name):
        raise UsageError(
            f"--{option} {name}: jupyter_gridgpu or the batch system sets it for each job; leave it"
            " out."
        )
