"""The fold takes any JSON: a damaged line is counted, and the rest of the scan is shown."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_gridgpu.model import wire
from jupyter_gridgpu.model.events import UNREADABLE, parse_line
from jupyter_gridgpu.model.view import ScanView
from jupyter_gridgpu.testing.examples import Story, small_scan

DATA = Path(__file__).parents[2] / "data"


def fresh() -> list[dict[str, Any]]:
    story = Story()
    story.tell("runner.started")
    story.run(1, acc=0.5, lr=0.1)
    story.tell("machine.slept", s=720.0)
    story.tell("clock.set", by_s=-3600.0)
    story.run(2, "failed", lr=0.2)
    story.tell("command.applied", id="a", action="stop", variants=None, trials=None, by=None)
    story.tell("scan.finished", state="stopped")
    return [json.loads(line) for line in story.text().splitlines()]


def journals() -> list[list[dict[str, Any]]]:
    paths = sorted(DATA.glob("format*/**/journal.jsonl"))
    texts = [path.read_bytes() for path in paths]
    return [fresh(), *([json.loads(line) for line in text.splitlines()] for text in texts)]


JOURNALS = journals()
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -1, 2**63, 1e308]),
    st.text(max_size=5),
    st.lists(st.none() | st.integers(), max_size=5),
    st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=2), max_size=3),
    st.sampled_from([60, 900]).map(lambda depth: json.loads("[" * depth + "]" * depth)),
)


def view_of(lines: list[bytes]) -> ScanView:
    view = ScanView(small_scan())
    return view.apply_all(parse_line(line) or UNREADABLE for line in lines)


def look(view: ScanView) -> None:
    json.dumps(wire.summary(view, view.state, "/scan"))
    json.dumps(wire.head(view, view.state, time.time()))
    for variant in view.variants.values():
        json.dumps([wire.row(view, variant), wire.job(view, variant, False)])
    list(view.waiting())


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_no_mutation_of_a_journal_raises(data: st.DataObject) -> None:
    lines = copy.deepcopy(data.draw(st.sampled_from(JOURNALS)))
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(0, len(lines) - 1))
        line = lines[index]
        line.pop("crc", None)
        match data.draw(st.sampled_from(["drop", "repeat", "swap", "remove", "change", "inner"])):
            case "drop" if len(lines) > 1:
                del lines[index]
            case "repeat":
                lines.insert(0, copy.deepcopy(line))
            case "swap":
                lines.insert(data.draw(st.integers(0, len(lines) - 1)), lines.pop(index))
            case "remove" if line:
                del line[data.draw(st.sampled_from(sorted(line)))]
            case "inner" if any(isinstance(value, dict) and value for value in line.values()):
                inner = next(value for value in line.values() if isinstance(value, dict) and value)
                inner[data.draw(st.sampled_from(sorted(inner)))] = data.draw(JUNK)
            case _ if line:
                line[data.draw(st.sampled_from(sorted(line)))] = data.draw(JUNK)
    look(view_of([json.dumps(line).encode() for line in lines]))


@pytest.mark.parametrize("number", range(len(fresh())))
def test_a_line_with_another_byte_is_damaged_and_counted(number: int) -> None:
    lines = [json.dumps(line, separators=(",", ":")).encode() for line in fresh()]
    changed = lines[number].replace(b'"type":"', b'"type":"x')
    view = view_of([*lines[:number], changed, *lines[number + 1 :]])
    assert view.unreadable == 1
    warnings = wire.head(view, "done", 0.0)["warnings"]
    assert warnings[0] == "1 event of the journal is unreadable."


def test_what_a_later_version_wrote_is_passed_over_and_is_no_damage() -> None:
    story = Story()
    story.run(1, acc=0.5, lr=0.1)
    before = view_of(story.text().splitlines())
    story.tell("prune.decided", key="v0001.1", step=[1], why={"a": None})
    story.tell("command.applied", id="b", action="rename", variants=None, trials=None, by=None)
    after = view_of(story.text().splitlines())
    assert after.unreadable == 0
    assert {**after.variants} == {**before.variants}
