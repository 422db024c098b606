"""Looks whether secrets are kept for scans, and whether this user alone can read them."""

from __future__ import annotations

import stat

from jupyter_gridgpu.doctor.finding import Finding, counted, note, ok, problem
from jupyter_gridgpu.transport import key_files


def kept() -> list[Finding]:
    """Look at the files that keep the secrets of scans which have not ended.

    A file that others may read is a problem. The findings name scans, and no secret.
    """
    folder = key_files.secrets_file("any").parent
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not files:
        return [ok("No secrets are kept.")]
    open_to_others = [path for path in files if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]
    if open_to_others:
        text = f"Others may read {open_to_others[0]}, which holds secrets."
        return [problem(text, f"chmod 600 {folder}/*, and renew the secrets.")]
    scans = counted(len(files), "scan", "scans", [path.stem for path in files])
    return [
        note(
            f"Secrets are kept in {folder} until their scans have ended, for {scans}.",
            "Stop or resume a scan whose runner was killed. Remove the file of one that is gone.",
        )
    ]
