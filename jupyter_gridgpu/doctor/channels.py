"""Checks the collector and the drop storage, for metrics of jobs that share no disk with us."""

from __future__ import annotations

from jupyter_gridgpu.channels.drop import load_storage
from jupyter_gridgpu.channels.push import load_account
from jupyter_gridgpu.doctor.finding import Finding, note, ok, problem
from jupyter_gridgpu.errors import StorageError, Unreachable, UsageError
from jupyter_gridgpu.transport import http, key_files
from jupyter_gridgpu.transport.signing import READ

NO_SCAN = "doctor"  # an id that no scan has, so that asking for it changes nothing


def receivers() -> list[Finding]:
    """Look whether the user's collector and storage answer and know the user.

    One that is set up but does not answer, or refuses the user, is a problem. To have neither is a
    note: metrics then come when jobs end.
    """
    found = [*_collector(), *_storage()]
    if found:
        return found
    return [
        note(
            "Metrics of jobs that share no disk arrive when the jobs end.",
            "`gridgpu collector use` or `drop use` opens a way.",
        )
    ]


def _collector() -> list[Finding]:
    try:
        account = load_account()
        if account is None:
            return []
        # The answer is 404, since there is no such scan. A wrong secret is refused before that.
        account.ask(NO_SCAN, READ)
    except (UsageError, StorageError) as error:
        return [problem(str(error), "Ask who runs the collector for another invitation.")]
    except Unreachable as error:
        text = f"Metrics cannot be pushed: {error}"
        return [problem(text, "Jobs go on without; ask who runs the collector.")]
    host = http.host(account.url)
    return [ok(f"Metrics may be pushed to {host}, which knows you as {account.user}.")]


def _storage() -> list[Finding]:
    try:
        storage = load_storage()
        if storage is None:
            return []
        status = storage.ask("HEAD", f"{storage.url}/").status
    except (UsageError, StorageError) as error:
        return [problem(str(error), f"Look at {key_files.drop_file()}.")]
    except Unreachable as error:
        text = f"Metrics cannot be dropped: {error}"
        return [problem(text, "Jobs go on without; ask who runs the storage.")]
    host = http.host(storage.url)
    # 404 and 405 are no problem: some storages do not answer HEAD for a folder.
    if status in (401, 403) or status >= 500:
        text = f"Metrics cannot be fetched from {host}: it answers {status}."
        return [problem(text, "Give it a credential that is valid with `gridgpu drop use`.")]
    return [ok(f"Metrics may be dropped into {host}, which lets your runner in.")]
