"""Ways on which a job's metrics come back."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from jupyter_gridgpu.channels.base import Channel
from jupyter_gridgpu.channels.file import EndChannel, FileChannel
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.scan import AUTO_CHANNEL, CHANNELS, DROP, END, FILE, PUSH, ScanSpec
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.transport import key_files


def choose(asked: str, live_files: bool) -> str:
    """Return the channel for what `--metrics` asks; `live_files`: the engine brings files while jobs run. Raises UsageError."""
    if asked not in CHANNELS:
        raise UsageError(f"--metrics {asked!r} is not known; choose one of {', '.join(CHANNELS)}.")
    if asked == AUTO_CHANNEL:
        return (
            FILE
            if live_files
            else next((way for way in (PUSH, DROP) if _way_in(way) is not None), END)
        )
    if asked == PUSH and _way_in(PUSH) is None:
        raise UsageError(
            "--metrics push: you use no collector yet; `gridgpu collector use` takes what its owner gave you."
        )
    if asked == DROP and _way_in(DROP) is None:
        raise UsageError(
            "--metrics drop: you use no storage yet; tell its address with `gridgpu drop use`."
        )
    return asked


def load(scan: ScanSpec, paths: ScanPaths) -> Channel:
    """Return the channel of a scan; making it asks nobody."""
    if scan.channel == PUSH:
        from jupyter_gridgpu.channels.push import PushChannel

        return PushChannel(scan, paths)
    if scan.channel == DROP:
        from jupyter_gridgpu.channels.drop import DropChannel

        return DropChannel(scan, paths)
    return EndChannel() if scan.channel == END else FileChannel()


def equip(scan: ScanSpec) -> Path | None:
    """Write what the scan's jobs need to send metrics; None where they need nothing. Raises UsageError, StorageError."""
    way_in = _way_in(scan.channel)
    if way_in is None:
        return None
    path = key_files.sender_file(scan.id)
    key_files.write(path, way_in.sender(scan.id))
    return path


def disarm(scan: ScanSpec) -> None:
    """The scan has ended: nothing that its jobs could send with is kept."""
    key_files.sender_file(scan.id).unlink(missing_ok=True)


class _WayIn(Protocol):
    def sender(self, scan_id: str) -> dict[str, Any]: ...


def _way_in(channel: str) -> _WayIn | None:
    """What the user has of a collector or a storage."""
    if channel == PUSH:
        from jupyter_gridgpu.channels.push import account

        return account()
    if channel == DROP:
        from jupyter_gridgpu.channels.drop import storage

        return storage()
    return None
