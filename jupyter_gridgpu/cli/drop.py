"""`gridgpu drop`: a storage that jobs and their runner both reach, through which metrics come."""

from __future__ import annotations

import os
import sys

import click

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.transport import key_files

CREDENTIAL = "`Bearer TOKEN`, `USER:PASSWORD` or `?name=value`"


@click.group("drop")
def drop() -> None:
    """Metrics through a storage that jobs and you both reach (WebDAV: EOS, dCache, Nextcloud)."""


@drop.command()
@click.argument("url")
def use(url: str) -> None:
    """Have jobs drop their metrics into the folder URL from now on.

    Two lines are read from standard input: the credential with which your runner reads and makes folders there, which
    stays here; and the one that travels with the jobs, which should be able to write and nothing else. Each is
    `Bearer TOKEN`, `USER:PASSWORD`, `?name=value` for the address, or empty.
    """
    from jupyter_gridgpu.channels.drop import Storage

    if not url.startswith(("http://", "https://")) or set(url) & set(
        "?@"
    ):  # it may hold a secret: it is not repeated
        raise UsageError(
            "That is no address of a folder; give one like https://eos.example/eos/user/m/me/gridgpu."
        )
    mine = _ask("Credential of your runner, which stays here")
    jobs = _ask("Credential that travels with the jobs, to write only")
    if mine and mine == jobs:
        raise UsageError(
            "Both credentials are the same: whoever reads a job's files could read and delete all there is."
        )
    body = {"url": url, "runner": mine, "jobs": jobs, "secret": os.urandom(32).hex()}
    Storage(body)
    key_files.write(key_files.drop_file(), body)
    click.echo(f"Jobs may drop metrics into {url}; {key_files.drop_file()} keeps the credentials.")


def _ask(words: str) -> str:
    asked = sys.stdin.isatty()
    text = (
        click.prompt(words, default="", hide_input=True, show_default=False)
        if asked
        else sys.stdin.readline(10_000)
    )
    text = str(text).strip()
    if not text.isprintable() or (text and not (text.startswith(("Bearer ", "?")) or ":" in text)):
        raise UsageError(f"That is no credential; write {CREDENTIAL}.")
    return text
