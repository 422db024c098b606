"""`gridgpu collector`: run a collector for jobs that share no disk with their users.

`invite` and `expel` are for the owner of a collector, `use` and `revoke` for its users.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from jupyter_gridgpu.cli.output import echo
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.transport.signing import USER

MEGABYTE = 2**20
STORAGE_MB = 8192  # of all members together
INVITATION_LIMIT = 2000  # characters of the line that holds an invitation

_FILE = click.Path(path_type=Path)


def _store_folder() -> Path:
    """Return the folder of a collector if `--store` is not given."""
    import platformdirs

    given = os.environ.get("GRIDGPU_COLLECTOR")
    return Path(given or platformdirs.user_data_dir("gridgpu-collector", appauthor=False))


store_option = click.option(
    "--store",
    type=_FILE,
    metavar="FOLDER",
    help="Where the collector keeps what it takes."
    " Default: $GRIDGPU_COLLECTOR, else in your data folder.",
)


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
    type=_FILE,
    metavar="FILE.pem",
    help="Serve over TLS with this certificate.",
)
@click.option(
    "--key", type=_FILE, metavar="FILE.pem", help="Its key, where it is in a file of its own."
)
@click.option(
    "--storage",
    default=STORAGE_MB,
    show_default=True,
    metavar="MB",
    help="Most that all members may have together.",
)
# The word of earlier versions. In all other commands --space is what a scan searches.
@click.option("--space", "storage", default=STORAGE_MB, hidden=True)
@store_option
@click.pass_context
def collector(
    context: click.Context,
    ip: str,
    port: int,
    certificate: Path | None,
    key: Path | None,
    storage: int,
    store: Path | None,
) -> None:
    """Run a collector for a facility until it is ended: jobs push their metrics to it, runners
    fetch them.

    Whoever may use it is invited first. A user's own Jupyter server is a collector too, for that
    user alone.
    """
    # click calls the group before its verbs, too.
    if context.invoked_subcommand is not None:
        return
    from jupyter_gridgpu.collector.spool import CollectorLimits
    from jupyter_gridgpu.collector.standalone import serve, tls_context

    tls = tls_context(certificate, key)
    scheme = "https" if tls else "http"

    def say_started(bound_port: int) -> None:
        echo(f"Collecting on {scheme}://{ip}:{bound_port}/")

    # No other user of the machine may read the metrics.
    os.umask(0o077)
    limits = CollectorLimits(total_bytes=storage * MEGABYTE)
    serve(store or _store_folder(), ip, port, tls, say_started, limits)


@collector.command("invite")
@click.argument("name")
@click.argument("url")
@store_option
def invite(name: str, url: str, store: Path | None) -> None:
    """Print what a new member NAME gives to `gridgpu collector use`; URL is where jobs and users
    reach this collector.

    It is a secret between you and them.
    """
    from jupyter_gridgpu.collector.members import InvitedMembers

    _check_member(name)
    _check_url(url)
    secret = InvitedMembers(store or _store_folder()).secret(name)
    if secret is None:
        raise UsageError(f"{name} was expelled; invite them under another name.")
    echo(f"{url} {name} {secret.hex()}")


@collector.command("expel")
@click.argument("name")
@store_option
def expel(name: str, store: Path | None) -> None:
    """Take nothing more of member NAME, and give them nothing; at once, and for good."""
    from jupyter_gridgpu.collector.members import InvitedMembers

    _check_member(name)
    InvitedMembers(store or _store_folder()).expel(name)
    echo(f"{name} is no member any more.")


@collector.command("use")
@click.argument("url", required=False)
def use(url: str | None) -> None:
    """Have metrics pushed to a collector from now on: what its owner gave you is read from standard
    input.

    With URL, the collector is your own Jupyter server, at the address where jobs reach it.
    """
    from jupyter_gridgpu.channels.push import Account
    from jupyter_gridgpu.transport import key_files

    if url:
        # Users need no invitation to their own server. The secret is made here.
        address, user, secret = url, "me", os.urandom(32).hex()
    else:
        address, user, secret = _invitation()
    body = {"url": address, "user": user, "secret": secret}
    if url and not url.startswith(("http://", "https://")):
        raise UsageError(f"{url[:80]!r} is no address; give one like https://hub.example/user/me/.")
    Account(body)  # raises UsageError for what cannot be used, before it is kept
    key_files.write(key_files.collector_file(), body)
    echo(f"Metrics may be pushed to {body['url']}; {key_files.collector_file()} keeps the secret.")


def _invitation() -> tuple[str, str, str]:
    """Return address, user and secret from standard input. Raises UsageError."""
    # An invitation must not be an argument: the list of processes would show it to all users.
    words = sys.stdin.readline(INVITATION_LIMIT).split()
    if len(words) != 3:
        raise UsageError(
            "Standard input holds no invitation; it is one line of an address, a name and a secret."
        )
    address, user, secret = words
    return address, user, secret


@collector.command("revoke")
@click.argument("scan")
def revoke(scan: str) -> None:
    """Have nothing more taken for SCAN: whoever got hold of what travels with its jobs can do
    nothing with it any more.

    The scan goes on; its metrics then arrive when its jobs end.
    """
    from jupyter_gridgpu.channels import push
    from jupyter_gridgpu.client import open_scan

    handle = open_scan(scan)
    push.revoke(handle.scan.id)
    echo(f"The collector takes nothing more for {handle.name}.")


def _check_member(name: str) -> None:
    if not USER.fullmatch(name):
        raise UsageError(
            f"{name[:80]!r} is no name for a member: use letters, digits, '.', '_', '@' or '-'."
        )


def _check_url(url: str) -> None:
    # An invitation is three words, so the address must have no space in it.
    if not url.startswith(("http://", "https://")) or len(url.split()) != 1:
        raise UsageError(
            f"{url[:80]!r} is no address; give one like https://gridgpu.example:8765/."
        )
