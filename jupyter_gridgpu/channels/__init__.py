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
    """Return the channel for what a user asks, one of CHANNELS. Raises UsageError.

    `live_files` says that the backend shows the files of jobs while these run.
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
    # A collector comes first: it is faster than a storage, and its key opens less.
    for channel in (PUSH, DROP):
        if _receiver(channel) is not None:
            return channel
    return END


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


def equip(scan: ScanSpec) -> Path | None:
    """Write the file with what the scan's jobs need to send metrics, and return its path.

    Return None where jobs need nothing. Raises UsageError or StorageError.
    """
    receiver = _receiver(scan.channel)
    if receiver is None:
        return None
    # Outside the scan's folder, which a user may share or export.
    path = key_files.sender_file(scan.id)
    key_files.write(path, receiver.sender(scan.id))
    return path


def disarm(scan: ScanSpec) -> None:
    """Remove what the scan's jobs needed to send metrics, when the scan has ended."""
    key_files.sender_file(scan.id).unlink(missing_ok=True)


class _Receiver(Protocol):
    """Where jobs send metrics: the user's collector or storage."""

    def sender(self, scan_id: str) -> dict[str, Any]: ...


def _receiver(channel: str) -> _Receiver | None:
    """Return what the user has set up for a channel; None if nothing, or if it needs nothing."""
    if channel == PUSH:
        from jupyter_gridgpu.channels.push import load_account

        return load_account()
    if channel == DROP:
        from jupyter_gridgpu.channels.drop import load_storage

        return load_storage()
    return None
