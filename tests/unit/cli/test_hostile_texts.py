"""Texts that try to steer the terminal or the page: no face shows them as they are."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from jupyter_gridgpu.cli.app import gridgpu
from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model import wire
from jupyter_gridgpu.model.escapes import visible, visible_value
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.resources import Container
from jupyter_gridgpu.testing.examples import Story
from jupyter_gridgpu.widgets import static_table
from tests.unit.server.kit import write_copy, write_scan

# A colour, a title with a bell, a C1 sequence, a carriage return, a direction of writing, a mark
# that is not seen, half of a surrogate pair.
BAD = "a\x1b[31mb\x1b]0;title\x07c\x9b2Jd\re\u202ef\u2066g\u200bh\udc80i<script>"
HIDDEN = set("\x1b\x07\x9b\r\u202e\u2066\u200b\udc80\x00")


@pytest.fixture
def hostile(scans_home: Path) -> ScanHandle:
    """A scan all of whose texts are BAD, as far as a folder can have such a scan."""
    story = Story()
    story.tell("runner.started")
    story.tell(
        "variant.proposed", variant="v0001", point=0, repeat=0, params={"x": BAD, "y": [BAD]}
    )
    story.tell("job.intended", key="v0001.1")
    story.tell("job.submitted", key="v0001.1", engine_id=BAD)
    story.tell("job.reported", key="v0001.1", step=1, steps=2, metrics={BAD: [1, 1.0, 1.0, [1.0]]})
    known = {"message": BAD, "where": BAD, "node": BAD, "link": BAD, "gpu": BAD, "reason": BAD}
    story.tell("job.observed", key="v0001.1", state="done", **known)
    story.tell("engine.noted", message=BAD)
    story.tell("rule.met", rule="max-failures", why=BAD)
    story.tell("scan.finished", state="stopped")
    handle = write_scan(
        scans_home,
        "hostile",
        story,
        notebook=f"{BAD}.ipynb".replace("/", ""),
        language=BAD,
        choice=BAD,
        warnings=(BAD,),
        defaults={"x": BAD},
        objective=Objective(BAD, "maximize"),
        container=Container(image=BAD, digest=BAD, binds=(BAD,)),
    )
    spec = json.loads(handle.paths.spec.read_text())
    spec["space"] = [
        {"name": "x", "kind": "choice", "values": [BAD, "b"]},
        {"name": "y", "kind": "fixed", "value": [BAD]},
    ]
    handle.paths.spec.write_text(json.dumps(spec))
    handle.paths.log.write_text(BAD, errors="replace")
    provenance = {"user": BAD, "command": BAD, "git": {"commit": BAD}, "packages": {BAD: BAD}}
    handle.paths.provenance.write_text(json.dumps(provenance))
    copy = write_copy(handle)
    copy.log.write_text(BAD, errors="replace")
    found = ScanHandle(handle.folder)
    found.refresh()
    return found


VERBS = [
    ["list"],
    ["show", "hostile"],
    ["show", "hostile", "--all"],
    ["watch", "hostile"],
    ["logs", "hostile"],
    ["logs", "hostile/v0001"],
    ["compare", "hostile", "hostile", "--all"],
    ["verify", "hostile"],
    ["retry", "hostile/v0009"],
    ["show", BAD],
    ["stop", "hostile", "--only", BAD],
]


@pytest.mark.parametrize("words", VERBS, ids=lambda words: " ".join(words[:2])[:20])
def test_no_verb_prints_what_steers_a_terminal(hostile: ScanHandle, words: list[str]) -> None:
    result = CliRunner().invoke(gridgpu, words)
    assert result.exception is None or isinstance(result.exception, (SystemExit, UsageError))
    said = result.stdout + result.stderr + str(result.exception or "")
    assert said
    assert not HIDDEN & set(said)


def test_a_real_terminal_gets_the_colours_of_the_table_alone(hostile: ScanHandle) -> None:
    code = (
        "import sys; from jupyter_gridgpu.cli.output import console, echo;"
        " from rich.text import Text; screen = console(force_terminal=True);"
        " bad = sys.argv[1].encode().decode('unicode_escape');"
        " screen.print(Text(bad, style='red')); echo(bad)"
    )
    bad = BAD.encode("unicode_escape").decode()
    ran = subprocess.run([sys.executable, "-c", code, bad], capture_output=True, check=True)
    text = ran.stdout.decode()
    assert set(HIDDEN & set(text)) <= {"\x1b"}
    assert "title" not in text
    assert "\x1b[31ma" in text  # the colour that we asked for
    assert text.count("\x1b[") == 2


def test_no_other_face_shows_what_steers_it(hostile: ScanHandle) -> None:
    head = wire.head(hostile.view, "stopped", 1.0)
    rows = [wire.row(hostile.view, variant) for variant in hostile.view.variants.values()]
    job = wire.job(hostile.view, hostile.view.variants["v0001"], False)
    for told in (head, rows, job):
        text = json.dumps(told, ensure_ascii=False)
        assert not HIDDEN & set(text)
        assert visible_value(told) == told
    assert rows[0]["metrics"][head["objective"]["metric"]]["last"] == 1.0  # type: ignore[index]
    table = static_table.html(head, rows)
    assert not HIDDEN & set(table)
    assert "<script>" not in table


@pytest.mark.parametrize("kind", ["html", "csv", "json", "optuna", "papermill"])
def test_an_export_is_text_that_every_program_can_read(
    hostile: ScanHandle, tmp_path: Path, kind: str
) -> None:
    (hostile.paths.notebook).write_text('{"cells": [], "metadata": {}, "nbformat": 4}')
    words = ["export", "hostile", "--to", kind, "-o", str(tmp_path / "made")]
    result = CliRunner().invoke(gridgpu, words)
    assert result.exception is None or isinstance(result.exception, (SystemExit, UsageError))
    for path in [tmp_path / "made", *(tmp_path / "made").rglob("*")]:
        if path.is_file():
            text = path.read_bytes().decode()
            assert kind != "html" or not (HIDDEN & set(text) or "<script>alert" in text)


def test_json_has_the_texts_as_they_are(hostile: ScanHandle) -> None:
    result = CliRunner().invoke(gridgpu, ["show", "hostile", "--json"])
    assert result.stdout.isascii()
    (variant,) = json.loads(result.stdout)["variants"]
    # No program could print half of a surrogate pair, so that is left out of the record.
    text = BAD.replace("\udc80", "\ufffd")
    assert variant["params"] == {"x": text, "y": [text]}
    assert variant["message"] == text
    assert list(variant["metrics"]) == [text]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\u202eb", "a b"),
        ("a\udc80b", "a\\udc80b"),
        ("é 🎉", "é 🎉"),
    ],
)
def test_what_is_shown_of_a_text(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible_value({text: [text, 1, None]}) == {shown: [shown, 1, None]}


def test_an_error_is_one_clean_line() -> None:
    assert not HIDDEN & set(str(UsageError(BAD)))
    assert str(UsageError("a\nb\x1b[2Jc")) == "a b [2Jc"


def test_a_parameter_that_cannot_be_seen_is_no_parameter() -> None:
    story = Story()
    story.tell("variant.proposed", variant="v0001", point=0, repeat=0, params={BAD: 1})
    from jupyter_gridgpu.model.view import ScanView
    from jupyter_gridgpu.testing.examples import small_scan

    view = ScanView(replace(small_scan(), space=parse_space("x = 1"))).apply_all(story.events)
    assert view.variants == {}
    assert view.unreadable == 1


def test_verbs_print_through_one_module() -> None:
    folder = Path(__file__).parents[3] / "jupyter_gridgpu/cli"
    for path in folder.glob("*.py"):
        text = path.read_text()
        assert path.name == "output.py" or "click.echo" not in text, path
        assert path.name == "output.py" or "Console(" not in text, path
