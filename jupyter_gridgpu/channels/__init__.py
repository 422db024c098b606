"""Channels: the ways on which a job's metrics come to the runner while the job runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from jupyter_gridgpu.channels.base import Channel
from jupyter_gridgpu.channels.file import EndChannel, FileChannel
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.scan import AUTO_CHANNEL, CHANNELS, DROP, END, FILE, PUSH, ScanSpec
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.transport import key_files

OPTION = "--channel"  # the option that asks for a channel, as the texts for users name it


def choose(asked: str, live_files: bool) -> str:
    """Return the channel of a scan (file, push, drop or end) for what the user asked for.

    `asked` is one of CHANNELS. `live_files` says whether the backend shows the files of jobs while
    the jobs run. Raises UsageError if `asked` is unknown, or needs a collector or a storage that
    the user has not set up.
    """
    if asked not in CHANNELS:
        raise UsageError(f"{OPTION} {asked!r} is not known; choose one of {', '.join(CHANNELS)}.")
    if asked == AUTO_CHANNEL:
        return FILE if live_files else _first_set_up()
    if asked == PUSH and _receiver(PUSH) is None:
        raise UsageError(
            f"{OPTION} push: you use no collector yet;"
            " `gridgpu collector use` takes what its owner gave you."
        )
    if asked == DROP and _receiver(DROP) is None:
        raise UsageError(
            f"{OPTION} drop: you use no storage yet; tell its address with `gridgpu drop use`."
        )
    return asked


def _first_set_up() -> str:
    """Return the first channel that the user has set up a receiver for, else END."""
    # A collector comes first: it is faster than a storage, and its key allows less.
    for channel in (PUSH, DROP):
        if _receiver(channel) is not None:
            return channel
    return END


def collector_address() -> str | None:
    """Return the address of the collector that the user uses, or None. Raises UsageError."""
    from jupyter_gridgpu.channels.push import ROUTE, load_account

    account = load_account()
    return None if account is None else account.url.removesuffix(f"/{ROUTE}")


def load(scan: ScanSpec, paths: ScanPaths) -> Channel:
    """Return the channel of a scan. Nothing is asked over the network yet."""
    # Imported here, so that most runners need no HTTP client.
    if scan.channel == PUSH:
        from jupyter_gridgpu.channels.push import PushChannel

        return PushChannel(scan, paths)
    if scan.channel == DROP:
        from jupyter_gridgpu.channels.drop import DropChannel

        return DropChannel(scan, paths)
    if scan.channel == END:
        return EndChannel()
    return FileChannel()


def write_sender_file(scan: ScanSpec) -> Path | None:
    """Write the sender file, by which the scan's jobs send metrics, and return its path.

    Return None where jobs send nothing. Raises UsageError or StorageError.
    """
    receiver = _receiver(scan.channel)
    if receiver is None:
        return None
    # The file holds a key, so it lies outside the scan's folder, which a user may share.
    path = key_files.sender_file(scan.id)
    key_files.write(path, receiver.sender(scan.id))
    return path


def remove_sender_file(scan: ScanSpec) -> None:
    """Remove the sender file of a scan that has ended."""
    key_files.sender_file(scan.id).unlink(missing_ok=True)


class _Receiver(Protocol):
    """Where jobs send metrics: the user's collector or storage."""

    def sender(self, scan_id: str) -> dict[str, Any]:
        """Return the content of a scan's sender file."""
        ...


def _receiver(channel: str) -> _Receiver | None:
    """Return the receiver that the user has set up for a channel, or None.

    Raises UsageError or StorageError if its settings cannot be used.
    """
    if channel == PUSH:
        from jupyter_gridgpu.channels.push import load_account

        return load_account()
    if channel == DROP:
        from jupyter_gridgpu.channels.drop import load_storage

        return load_storage()
    return None
