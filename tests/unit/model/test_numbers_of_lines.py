"""Lines of a journal whose numbers are damaged, and events that change nothing."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from jupyter_gridgpu.model import events
from jupyter_gridgpu.model.events import UNREADABLE, Event, parse_line
from jupyter_gridgpu.model.numbers import LARGEST_INT
from jupyter_gridgpu.model.view import ScanView
from jupyter_gridgpu.testing.examples import Story, small_scan

JOBS = 6


def journal(checksums: bool) -> list[bytes]:
    """Return the lines of a scan of six jobs, and of a second runner that ends it."""
    story = Story()
    story.tell("runner.started")
    for number in range(1, JOBS + 1):
        ident = f"v{number:04d}"
        story.tell(
            "variant.proposed", variant=ident, point=number - 1, repeat=0, params={}, attrs={}
        )
        story.tell("job.intended", key=f"{ident}.1")
        story.tell("job.submitted", key=f"{ident}.1", engine_id="1")
        story.tell("job.observed", key=f"{ident}.1", state="done", started=1.0, ended=2.0)
    lines = [line for line in story.text().splitlines() if line]
    if checksums:
        return lines
    return [re.sub(rb',"crc":\d+}$', b"}", line) for line in lines]


def folded(lines: list[bytes]) -> ScanView:
    view = ScanView(small_scan("lr = [1, 2, 3, 4, 5, 6]"))
    return view.apply_all(parse_line(line) or UNREADABLE for line in lines)


def ends(view: ScanView) -> list[str]:
    return [variant.state for variant in view.variants.values()]


def changed(line: bytes, **numbers: Any) -> bytes:
    """Return a line with other numbers and its old checksum, as a bad disk leaves it."""
    return json.dumps({**json.loads(line), **numbers}, separators=(",", ":")).encode()


NUMBERS = [13, 99, 10**6, 2**63, 10**300]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", ["seq", "term"])
def test_a_number_that_is_too_large_drops_no_later_event(name: str, number: int) -> None:
    lines = journal(checksums=False)
    for place in range(len(lines) - 1):
        damaged = [*lines]
        damaged[place] = changed(lines[place], **{name: number})
        # A number that is too small drops its own line alone. A small rise of the term is how a
        # runner that has taken over begins.
        is_too_small = name == "seq" and number < place + 1
        if is_too_small or (name == "term" and place == 0 and number < 10**6):
            continue
        view = folded(damaged)
        if number > LARGEST_INT:  # no line has such a number, so this one is damaged as a whole
            assert (view.unreadable, view.seq) == (1, len(lines)), place
        else:
            assert ends(view) == ["done"] * JOBS, place


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", ["seq", "term"])
def test_a_line_with_a_checksum_is_damaged_as_a_whole(name: str, number: int) -> None:
    lines = journal(checksums=True)
    lines[9] = changed(lines[9], **{name: number})
    view = folded(lines)
    assert view.unreadable == (0 if lines[9] in journal(checksums=True) else 1)
    assert view.seq == len(lines)


@pytest.mark.parametrize("lost", [1, 3, 8])
def test_numbers_that_are_missing_are_no_damage(lost: int) -> None:
    lines = journal(checksums=False)
    view = folded([*lines[:5], *lines[5 + lost :]])
    assert (view.unreadable, view.seq) == (0, len(lines))
    assert ends(view)[-1] == "done"


def test_an_event_of_a_runner_that_lost_its_lease_is_still_dropped() -> None:
    lines = journal(checksums=False)
    started = changed(lines[0], seq=len(lines) + 1, term=2)
    late = changed(lines[0], seq=len(lines) + 2, term=1, type="scan.finished", state="done")
    view = folded([*lines, started, late])
    assert (view.term, view.finished, view.unreadable) == (2, False, 0)
    again = folded([*lines, *lines])
    assert (again.seq, again.rev) == (len(lines), folded(lines).rev)


LATE = [
    {"state": "running", "message": "Runs."},
    {"state": "queued"},
    {"state": "failed", "reason": "node"},
    {"state": "done", "ended": 9.0},
]


@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("key", ["v0001.1", "v0001.7", "v0099.1"])
def test_a_late_word_about_a_job_that_has_ended_changes_nothing(
    late: dict[str, Any], key: str
) -> None:
    view = folded(journal(checksums=True))
    before = view.rev
    event = Event(view.seq + 1, 1, 5.0, events.JOB_OBSERVED, {"key": key, **late})
    view.apply(event)
    assert (view.rev, view.seq, view.changed_since(before)) == (before, event.seq, [])
    gone = Event(view.seq + 1, 1, 5.0, events.JOB_REPORTED, {"key": "v0001.7", "metrics": {}})
    view.apply(gone)
    assert view.rev == before
    view.apply(Event(view.seq + 1, 1, 6.0, events.SCAN_FINISHED, {"state": "done"}))
    assert view.rev == before + 1
