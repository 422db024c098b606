"""The ways on which metrics come from jobs that share no disk: whether they are open, and whether they know the user."""

from __future__ import annotations

from jupyter_gridgpu.doctor.finding import Finding, note, ok, problem
from jupyter_gridgpu.errors import StorageError, Unreachable, UsageError
from jupyter_gridgpu.transport import http, key_files
from jupyter_gridgpu.transport.signing import READ

NOBODY = "doctor"  # a scan that no one has


def ways() -> list[Finding]:
    found = [*_collector(), *_storage()]
    none = note(
        "Metrics of jobs that share no disk arrive when the jobs end.",
        "`gridgpu collector use` or `drop use` opens a way.",
    )
    return found or [none]


def _collector() -> list[Finding]:
    from jupyter_gridgpu.channels.push import account

    try:
        known = account()
        if known is None:
            return []
        known.ask(NOBODY, READ)
    except (UsageError, StorageError) as error:
        return [problem(str(error), "Ask who runs the collector for another invitation.")]
    except Unreachable as error:
        return [
            problem(
                f"Metrics cannot be pushed: {error}",
                "Jobs go on without; ask who runs the collector.",
            )
        ]
    return [
        ok(f"Metrics may be pushed to {http.host(known.url)}, which knows you as {known.user}.")
    ]


def _storage() -> list[Finding]:
    from jupyter_gridgpu.channels.drop import storage

    try:
        known = storage()
        if known is None:
            return []
        status = known.ask("HEAD", f"{known.url}/").status
    except (UsageError, StorageError) as error:
        return [problem(str(error), f"Look at {key_files.drop_file()}.")]
    except Unreachable as error:
        return [
            problem(
                f"Metrics cannot be dropped: {error}",
                "Jobs go on without; ask who runs the storage.",
            )
        ]
    if status in (401, 403) or status >= 500:
        words = f"Metrics cannot be fetched from {http.host(known.url)}: it answers {status}."
        return [problem(words, "Give it a credential that is valid with `gridgpu drop use`.")]
    return [ok(f"Metrics may be dropped into {http.host(known.url)}, which lets your runner in.")]
