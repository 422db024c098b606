"""`gridgpu drop`: a storage that jobs and their runner both reach, through which metrics come."""

from __future__ import annotations

import os
import sys

import click

from jupyter_gridgpu.cli.output import echo
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.transport import key_files

CREDENTIAL = "`Bearer TOKEN`, `USER:PASSWORD` or `?name=value`"
LINE_LIMIT = 10_000  # characters of the longest credential; tokens may be long


@click.group("drop")
def drop() -> None:
    """Metrics through a storage that jobs and you both reach (WebDAV: EOS, dCache, Nextcloud)."""


@drop.command("use")
@click.argument("url")
def use(url: str) -> None:
    """Have jobs drop their metrics into the folder URL from now on.

    Two lines are read from standard input: the credential with which your runner reads and makes
    folders there, which stays here; and the one that travels with the jobs, which should be able
    to write and nothing else. Each is `Bearer TOKEN`, `USER:PASSWORD`, `?name=value` for the
    address, or empty.
    """
    from jupyter_gridgpu.channels.drop import Storage

    _check_url(url)
    mine = _ask("Credential of your runner, which stays here")
    jobs = _ask("Credential that travels with the jobs, to write only")
    # Two empty credentials are allowed: then the storage is open to everybody anyway.
    if mine and mine == jobs:
        raise UsageError(
            "Both credentials are the same: whoever reads a job's files could read and delete all"
            " there is."
        )
    body = {"url": url, "runner": mine, "jobs": jobs, "secret": os.urandom(32).hex()}
    Storage(body)  # raises UsageError for what cannot be used, before it is kept
    key_files.write(key_files.drop_file(), body)
    echo(f"Jobs may drop metrics into {url}; {key_files.drop_file()} keeps the credentials.")


def _check_url(url: str) -> None:
    """Raise UsageError if this is no address of a folder, or one with a credential in it."""
    if not url.startswith(("http://", "https://")) or "?" in url or "@" in url:
        # The address is not repeated here: it may hold a secret.
        raise UsageError(
            "That is no address of a folder; give one like"
            " https://eos.example/eos/user/m/me/gridgpu."
        )


def _ask(question: str) -> str:
    """Return a credential from a hidden prompt, or from a line of standard input."""
    if sys.stdin.isatty():
        text = click.prompt(question, default="", hide_input=True, show_default=False)
    else:
        text = sys.stdin.readline(LINE_LIMIT)
    text = str(text).strip()
    known_form = not text or text.startswith(("Bearer ", "?")) or ":" in text
    if not text.isprintable() or not known_form:
        raise UsageError(f"That is no credential; write {CREDENTIAL}.")
    return text
