from __future__ import annotations

import json
import math

from jupyter_gridgpu.model import wire
from jupyter_gridgpu.model.view import ScanView
from jupyter_gridgpu.testing.examples import Story, small_scan


def test_what_is_not_finite_goes_out_as_words() -> None:
    story = Story()
    story.run(1, acc=math.inf, lr=math.nan)
    view = ScanView(small_scan()).apply_all(story.events)
    row = json.loads(json.dumps(wire.row(view, view.variants["v0001"]), allow_nan=False))
    assert (row["value"], row["params"]["lr"], row["metrics"]["acc"]["last"]) == (
        "Infinity",
        "NaN",
        "Infinity",
    )
    assert (row["metrics"]["acc"]["min"], row["metrics"]["acc"]["trail"]) == (None, ["Infinity"])
    assert wire.head(view, "done", 1.0)["best_value"] == "Infinity"


def test_a_row_leads_to_the_engine_s_page_where_there_is_one() -> None:
    story = Story()
    story.run(1, None, lr=0.1)
    story.tell(
        "job.observed",
        key="v0001.1",
        state="running",
        where="LAB_GPU",
        link="https://monitor.example/job/17",
    )
    story.run(2, None, lr=0.2)
    view = ScanView(small_scan()).apply_all(story.events)
    assert [wire.row(view, view.variants[ident]).get("link") for ident in ("v0001", "v0002")] == [
        "https://monitor.example/job/17",
        None,
    ]


def test_the_summary_names_states_notebooks_and_the_best() -> None:
    story = Story()
    story.run(1, None, acc=0.5, lr=0.1)
    story.tell("job.observed", key="v0001.1", state="done", notebook="jobs/v0001.1/ab/output.ipynb")
    story.run(2, "failed", lr=0.2)
    view = ScanView(small_scan()).apply_all(story.events)
    body = wire.summary(view, "done", "/scans/small")
    assert (body["scan"], body["folder"], body["state"], body["best"]) == (
        "small",
        "/scans/small",
        "done",
        "v0001",
    )
    assert [v["state"] for v in body["variants"]] == ["done", "failed"]
    assert [v["notebook"] for v in body["variants"]] == [
        "/scans/small/jobs/v0001.1/ab/output.ipynb",
        None,
    ]
    assert body["variants"][0]["metrics"] == {"acc": 0.5}


def test_the_head_tells_the_scan_as_a_whole() -> None:
    view = ScanView(small_scan("a = [1, 2]\nb = 3\nseed = repeats(2)"))
    head = wire.head(view, "orphaned", 5.0)
    assert (head["state"], head["total"], head["varied"], head["params"]) == (
        "orphaned",
        4,
        ["a", "seed"],
        ["a", "b", "seed"],
    )
    assert (head["best"], head["best_value"], head["left_s"], head["ended"]) == (
        None,
        None,
        None,
        None,
    )
