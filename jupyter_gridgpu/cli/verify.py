"""`gridgpu verify`: whether the files of a scan are still what they were."""

from __future__ import annotations

import sys

import click

from jupyter_gridgpu import client
from jupyter_gridgpu.cli.output import echo, json_option, print_json
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.records.record import Record, load_record
from jupyter_gridgpu.records.verify import Verdict
from jupyter_gridgpu.records.verify import verify as verify_record


@click.command("verify")
@click.argument("scan")
@json_option
def verify(scan: str, as_json: bool) -> None:
    """Check every file of SCAN whose digest was kept.

    The exit code is 0 if all are as they were, 1 if one was changed or a line of the journal
    cannot be read, 3 if a file is missing or nothing was kept.
    """
    record = load_record(client.open_scan(scan).folder)
    verdict = verify_record(record)
    if as_json:
        print_json(verdict.to_json())
    else:
        echo("\n".join(verdict_lines(record, verdict)))
    sys.exit(verdict.exit_code)


def verdict_lines(record: Record, verdict: Verdict) -> list[str]:
    """Return what was found, one sentence a line."""
    # The sender of a scan has chosen the names of its files, so they are bounded.
    lines = [f"changed  {one_line(name)}" for name in verdict.changed]
    lines += [f"missing  {one_line(name)}" for name in verdict.missing]
    if verdict.unreadable:
        lines.append(f"{verdict.unreadable} lines of journal.jsonl cannot be read.")
    if verdict.running:
        lines.append(f"{verdict.running} jobs have not ended; theirs are checked later.")
    # Without any digest no file can be checked.
    if not verdict.checked:
        lines.append(
            f"{record.name} was made by an earlier version, which kept no digests:"
            " nothing can be checked."
        )
        return lines
    if verdict.unrecorded:
        lines.append(
            f"Of {len(verdict.unrecorded)} jobs that ended no digests were kept,"
            f" first {verdict.unrecorded[0]}."
        )
    good = verdict.checked - len(verdict.changed) - len(verdict.missing)
    counts = f"{len(verdict.changed)} changed, {len(verdict.missing)} missing"
    lines.append(f"{record.name}: {good} of {verdict.checked} files are as they were, {counts}.")
    return lines
