from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.model import wire
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.view import ScanView
from jupyter_gridgpu.testing.examples import Story, small_scan
from jupyter_gridgpu.widgets.static_table import METRIC_LIMIT, ROW_LIMIT, html

TAGS = {"div", "p", "b", "bdi", "table", "thead", "tbody", "tr", "th", "td"}


def table(story: Story, **changes: Any) -> str:
    view = ScanView(small_scan(**changes)).apply_all(story.events)
    return html(
        wire.head(view, view.state, 2000.0), [wire.row(view, v) for v in view.variants.values()]
    )


def hostile(word: str) -> str:
    """A table in which every word that a job, a notebook or a user may choose is `word`."""
    story = Story()
    ident = story.propose(1, lr=word, lst=[word, {word: word}])
    story.tell("job.intended", key=f"{ident}.1")
    story.tell(
        "job.observed",
        key=f"{ident}.1",
        state="running",
        message=word,
        reason=word,
        where=word,
        gpu=word,
        notebook=word,
    )
    story.tell(
        "job.reported",
        key=f"{ident}.1",
        step=1,
        metrics={word: [1, 1, 1, [1]], f"{word}2": [1, None, None, [word]]},
    )
    story.tell("job.observed", key=f"{ident}.1", state="done")
    story.run(2)
    scan = small_scan(
        name=word, notebook=word, kernel=word, objective=Objective(word, "maximize"), backend=word
    )
    view = ScanView(scan).apply_all(story.events)
    head, rows = (
        wire.head(view, "done", 2000.0),
        [wire.row(view, v) for v in view.variants.values()],
    )
    head["varied"] = ["lr", "lst", word]
    head["note"] = head["note"] or word
    rows[0] = {**rows[0], "id": word}
    head["best"] = word
    return html(head, rows)


def test_no_script_comes_through() -> None:
    text = hostile("<script>alert(1)</script>")
    assert "&lt;script&gt;" in text
    assert "<script" not in text.lower()


@given(st.text())
def test_no_text_becomes_markup(word: str) -> None:
    text = hostile(word)
    assert set(re.findall(r"</?([^\s>/]*)[^>]*>", text)) <= TAGS
    assert re.findall(r"<(?!/?(?:div|p|b|bdi|table|thead|tbody|tr|th|td)>)", text) == []


def test_long_words_are_cut() -> None:
    assert len(hostile("x" * 100_000)) < 8000


def test_a_finished_scan_is_told_with_its_best() -> None:
    story = Story()
    story.run(1, acc=0.5, lr=0.1)
    story.run(2, acc=0.75, lr=0.2)
    text = table(story)
    assert "best <bdi>acc</bdi> 0.7500 in v0002" in text
    assert "<td>v0002 ★</td><td>done</td><td>0.200</td>" in text
    assert "2 done" in text


def test_a_parameter_that_is_not_active_is_a_dash_and_none_is_a_value() -> None:
    story = Story()
    story.run(1, acc=0.5, opt="adam", decay=None)
    story.run(2, acc=0.75, opt="sgd", momentum=0.9, decay=0.1)
    lines = 'opt = ["adam", "sgd"]\nif opt == "sgd":\n    momentum = [0.8, 0.9]\ndecay = [None, 1]'
    text = table(story, space=lines)
    assert "<th>opt</th><th>momentum</th><th>decay</th>" in text
    assert "<td>adam</td><td>–</td><td>None</td>" in text
    assert "<td>sgd</td><td>0.900</td><td>0.100</td>" in text


def test_a_scan_without_variants_or_objective_is_told() -> None:
    assert "no variants yet" in table(Story(), objective=None)


def test_a_large_scan_is_cut_with_a_word() -> None:
    story = Story()
    for number in range(1, ROW_LIMIT + 11):
        story.run(number, acc=0.5)
    text = table(story)
    assert text.count("<tr>") == ROW_LIMIT + 1
    assert "10 more rows" in text


def test_many_metrics_are_cut_with_the_objective_first() -> None:
    story = Story()
    story.run(1, None)
    story.tell(
        "job.reported",
        key="v0001.1",
        metrics={**{f"m{i}": [1, 1, 1, [1]] for i in range(64)}, "acc": [1, 2, 2, [2]]},
    )
    heads = re.findall("<th>(.*?)</th>", table(story))
    assert (
        heads[2:-2]
        == ["lr", "epoch", "acc", *(f"m{i}" for i in range(METRIC_LIMIT - 1))][: len(heads) - 4]
    )
    assert "m63" not in heads


def test_the_front_of_several_objectives_is_marked_by_a_sign_and_a_word() -> None:
    story = Story()
    story.run(1, acc=0.5, lr=0.1)
    story.run(2, acc=0.4, lr=0.2)
    metrics = {"acc": [2, 0.1, 0.9, [0.9, 0.1]], "loss": [1, 2.0, 2.0, [2.0]]}
    for number in (1, 2):
        key = f"v{number:04d}.2"
        story.tell("job.intended", key=key)
        story.tell(
            "job.reported", key=key, metrics=metrics if number == 1 else {"acc": [1, 0, 0, [0]]}
        )
        story.tell("job.observed", key=key, state="done")
    both = (Objective("acc", "maximize", "max"), Objective("loss", "minimize"))
    found = table(story, objectives=both)
    assert "<th>Pareto</th>" in found
    assert "<th>max(acc)</th><th>loss</th>" in found
    assert "<td>v0001 ★</td><td>done</td><td>front</td>" in found
    assert "<td>v0002</td><td>done</td><td></td>" in found
    assert "<td>0.9000</td><td>2.000</td>" in found
    assert "1 in the Pareto front" in found
    assert "Pareto" not in table(story)
