"""`gridgpu collector`: take metrics of jobs that share no disk with their users; and, for users, to have them taken there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.transport.signing import USER

MEGABYTE = 2**20


def _store() -> Path:
    import platformdirs

    given = os.environ.get("GRIDGPU_COLLECTOR")
    return Path(given or platformdirs.user_data_dir("gridgpu-collector", appauthor=False))


STORE = click.option(
    "--store", type=click.Path(path_type=Path), metavar="FOLDER",
    help="Where the collector keeps what it takes. Default: $GRIDGPU_COLLECTOR, else in your data folder.",
)  # fmt: skip


@click.group("collector", invoke_without_command=True)
@click.option("--ip", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8765,
    show_default=True,
    metavar="N",
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--certificate",
    type=click.Path(path_type=Path),
    metavar="FILE.pem",
    help="Serve over TLS with this certificate.",
)
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    metavar="FILE.pem",
    help="Its key, where it is in a file of its own.",
)
@click.option(
    "--space",
    default=8192,
    show_default=True,
    metavar="MB",
    help="Most that all members may have together.",
)
@STORE
@click.pass_context
def collector(
    context: click.Context,
    ip: str,
    port: int,
    certificate: Path | None,
    key: Path | None,
    space: int,
    store: Path | None,
) -> None:
    """Run a collector for a facility until it is ended: jobs push their metrics to it, runners fetch them.

    Whoever may use it is invited first. A user's own Jupyter server is a collector too, for that user alone.
    """
    if context.invoked_subcommand is not None:
        return
    from jupyter_gridgpu.collector.spool import CollectorLimits
    from jupyter_gridgpu.collector.standalone import serve, tls_context

    tls = tls_context(certificate, key)
    scheme = "https" if tls else "http"

    def started(bound: int) -> None:
        click.echo(f"Collecting on {scheme}://{ip}:{bound}/")

    os.umask(0o077)
    serve(store or _store(), ip, port, tls, started, CollectorLimits(total_bytes=space * MEGABYTE))


@collector.command()
@click.argument("name")
@click.argument("url")
@STORE
def invite(name: str, url: str, store: Path | None) -> None:
    """Print what a new member NAME gives to `gridgpu collector use`; URL is where jobs and users reach this collector.

    It is a secret between you and them.
    """
    from jupyter_gridgpu.collector.members import InvitedMembers

    _check(name, url)
    secret = InvitedMembers(store or _store()).secret(name)
    if secret is None:
        raise UsageError(f"{name} was expelled; invite them under another name.")
    click.echo(f"{url} {name} {secret.hex()}")


@collector.command()
@click.argument("name")
@STORE
def expel(name: str, store: Path | None) -> None:
    """Take nothing more of member NAME, and give them nothing; at once, and for good."""
    from jupyter_gridgpu.collector.members import InvitedMembers

    _check(name)
    InvitedMembers(store or _store()).expel(name)
    click.echo(f"{name} is no member any more.")


@collector.command()
@click.argument("url", required=False)
def use(url: str | None) -> None:
    """Have metrics pushed to a collector from now on: what its owner gave you is read from standard input.

    With URL, the collector is your own Jupyter server, at the address where jobs reach it.
    """
    from jupyter_gridgpu.channels.push import Account
    from jupyter_gridgpu.transport import key_files

    words = [url, "me", os.urandom(32).hex()] if url else _invitation()
    body = dict(zip(("url", "user", "secret"), words, strict=True))
    if url and not url.startswith(("http://", "https://")):
        raise UsageError(f"{url[:80]!r} is no address; give one like https://hub.example/user/me/.")
    Account(body)
    key_files.write(key_files.collector_file(), body)
    click.echo(
        f"Metrics may be pushed to {body['url']}; {key_files.collector_file()} keeps the secret."
    )


def _invitation() -> list[str]:
    words = sys.stdin.readline(2000).split()
    if len(words) != 3:
        raise UsageError(
            "Standard input holds no invitation; it is one line of an address, a name and a secret."
        )
    return words


@collector.command()
@click.argument("scan")
def revoke(scan: str) -> None:
    """Have nothing more taken for SCAN: whoever got hold of what travels with its jobs can do nothing with it any more.

    The scan goes on; its metrics then arrive when its jobs end.
    """
    from jupyter_gridgpu.channels import push
    from jupyter_gridgpu.client import open_scan

    handle = open_scan(scan)
    push.revoke(handle.scan.id)
    click.echo(f"The collector takes nothing more for {handle.name}.")


def _check(name: str, url: str = "https://") -> None:
    if not USER.fullmatch(name):
        raise UsageError(
            f"{name[:80]!r} is no name for a member: use letters, digits, '.', '_', '@' or '-'."
        )
    if not url.startswith(("http://", "https://")) or len(url.split()) != 1:
        raise UsageError(
            f"{url[:80]!r} is no address; give one like https://gridgpu.example:8765/."
        )
