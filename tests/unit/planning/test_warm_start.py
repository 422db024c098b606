"""What a scan takes from earlier ones: which results count, and what is said of the others."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu import api, client, samplers
from jupyter_gridgpu.errors import UnknownScan, UsageError
from jupyter_gridgpu.model import extension
from jupyter_gridgpu.model.extension import Extension
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.scan import fingerprint
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.dry_run import plan_json, plan_text
from jupyter_gridgpu.planning.notebook import read_notebook
from jupyter_gridgpu.planning.request import Plan, plan
from jupyter_gridgpu.records.record import load_record
from jupyter_gridgpu.records.verify import verify
from jupyter_gridgpu.rehearsal import rehearsal_plan
from jupyter_gridgpu.runner.policy import earlier_trials
from jupyter_gridgpu.store import earlier, home
from jupyter_gridgpu.testing.examples import Story, notebook_json
from tests.unit.records.kit import write_scan

SOURCE = notebook_json(
    "lr = 0.1\nunits = 64\nkind = 'a'\nepochs = 5\nmomentum = 0.5\nseed = 0",
    "print(lr, units, kind, epochs, momentum, seed)",
)
SPACE = "lr = uniform(0, 1)\nunits = [64, 128]"
POINTS = {n: {"lr": n / 20, "units": 64 if n % 2 else 128} for n in range(1, 13)}


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    (tmp_path / "train.ipynb").write_text(SOURCE)
    return tmp_path / "train.ipynb"


def ran(
    name: str,
    space: str = SPACE,
    points: dict[int, dict[str, Any]] = POINTS,
    curves: dict[int, Any] | None = None,
    **changes: Any,
) -> None:
    """Let there be a scan of the same notebook, each point of which ended with an `acc`."""
    jobs = {number: {"acc": [0.9, number / 100]} for number in points}
    path = home.home().parent / "same.ipynb"
    path.write_text(SOURCE)
    write_scan(
        name,
        {**jobs, **(curves or {})},
        params=points,
        space=space,
        notebook=SOURCE,
        notebook_digest=changes.pop("digest", read_notebook(path).digest),
        defaults={"lr": 0.1, "units": 64, "kind": "a", "epochs": 5, "momentum": 0.5, "seed": 0},
        **changes,
    )


def planned(notebook: Path, *names: str, space: str = SPACE, **options: Any) -> Plan:
    asked = {"maximize": "acc", "trials": 9, "sampler": "tpe", **options}
    return plan(notebook, space, Options(warm_start=names, **asked), ask=False)


def taken(made: Plan) -> list[dict[str, Any]]:
    return [json.loads(line) for line in made.earlier.splitlines()]


def test_finished_results_are_taken_with_where_they_are_from(notebook: Path) -> None:
    ran("old", curves={3: {}, 4: "boom", 5: {"loss": [1.0]}, 6: {"acc": [math.nan]}})
    made = planned(notebook, "old")
    assert [(one.id, one.name, one.results) for one in made.scan.warm_start] == [
        ("id-old", "old", 8)
    ]
    assert [line["point"] for line in taken(made)] == [0, 1, 6, 7, 8, 9, 10, 11]
    assert taken(made)[1] == {
        "scan": "id-old", "point": 1, "params": {"lr": 0.1, "units": 128}, "values": [0.02]
    }  # fmt: skip
    assert made.scan.warnings == ("Left out of old: 2 results without acc.",)
    assert "The sampler learns from 8 results of old." in plan_text(made.scan, ())
    assert plan_json(made.scan)["warm_start"] == [{"id": "id-old", "name": "old", "results": 8}]


def test_several_scans_are_taken_by_name_id_or_folder(notebook: Path) -> None:
    for name in ("one", "two", "three"):
        ran(name)
    made = planned(notebook, "one", "id-two", str(home.home() / "three"))
    assert [one.name for one in made.scan.warm_start] == ["one", "two", "three"]
    assert len(taken(made)) == 36
    text = plan_text(made.scan, ())
    assert "learns from 12 results of one and 12 results of two and 12 results of three." in text


def test_the_mean_of_the_repeats_that_are_done_counts(notebook: Path) -> None:
    points = {n: {"lr": 0.5, "units": 64, "seed": n - 1} for n in (1, 2, 3)}
    curves = {1: {"acc": [0.2]}, 2: {"acc": [0.4]}, 3: "boom"}
    ran("old", f"{SPACE}\nseed = repeats(3)", points, curves)
    [line] = taken(planned(notebook, "old"))
    assert line["values"] == [pytest.approx(0.3)]


@pytest.mark.parametrize(
    ("asked", "values", "warned"),
    [
        ({"maximize": "acc"}, [0.01], False),
        ({"maximize": "max(acc)"}, [0.9], True),
        ({"maximize": (), "minimize": "min(acc)"}, [0.01], True),
        ({"maximize": ("acc", "max(acc2)")}, [0.01, 7.0], True),
    ],
)
def test_any_objective_is_computed_again(
    notebook: Path, asked: dict[str, Any], values: list[float], warned: bool
) -> None:
    ran("old", curves={1: {"acc": [0.9, 0.01], "acc2": [7.0, 1.0]}}, points={1: POINTS[1]})
    made = planned(notebook, "old", **asked)
    assert taken(made)[0]["values"] == values
    assert any("had another objective" in text for text in made.scan.warnings) == warned


# A space of now, one of before, how many of its 12 results count, and what is said.
OTHER_SPACES: dict[str, tuple[str, str, dict[str, Any], int, tuple[str, ...]]] = {
    "another range": (
        "lr = uniform(0.2, 1)\nunits = [64, 128]", SPACE, {}, 9,
        ("Left out of old: 3 results that this space does not have.",)),
    "another kind of axis": (
        "lr = [0.05, 0.1, 0.9]\nunits = integer(1, 64)", SPACE, {}, 1,
        ("Left out of old: 11 results that this space",)),
    "steps": (
        "lr = uniform(0, 1, step=0.1)\nunits = [64, 128]", SPACE, {}, 6,
        ("Left out of old: 6 results that this space",)),
    "a wider choice": ("lr = loguniform(0.01, 1)\nunits = [32, 128, 64]", SPACE, {}, 12, ()),
    "a row": ("lr = uniform(0, 1)\nunits, epochs = together([(64, 5), (9, 9)])", SPACE, {}, 6,
        ("Left out of old: 6 results that this space does not have.",)),
    "a constraint": (SPACE + "\nassert lr < 0.3", SPACE, {}, 5,
        ("Left out of old: 7 results that this space does not have.",)),
    "a new axis with the notebook's value": (
        SPACE + "\nmomentum = uniform(0, 1)", SPACE, {}, 12, ()),
    "a new axis without it": (
        SPACE + "\nmomentum = uniform(0.8, 1)", SPACE, {}, 12,
        ("Of old, 12 results without momentum:"
         " the sampler learns of the other parameters alone.",)),
    "an axis that was fixed": (
        SPACE + "\nmomentum = uniform(0, 1)", SPACE + "\nmomentum = 1", {"momentum": 1}, 12, ()),
    "an axis that is gone": (
        SPACE, SPACE + "\nmomentum = uniform(0, 1)", {"momentum": 0.2}, 12,
        ("momentum varied in old and does not vary here",)),
    "another fixed value": (
        SPACE + "\nepochs = 20", SPACE + "\nepochs = 3", {"epochs": 3}, 12,
        ("epochs was 3 in old and is 20 here",)),
    "a fixed value, and the notebook's": (
        SPACE, SPACE + "\nepochs = 3", {"epochs": 3}, 12, ("epochs was 3 in old and is 5 here",)),
    "the notebook's value, written": (SPACE + "\nepochs = 5", SPACE, {}, 12, ()),
    "a branch that was not there": (
        SPACE + "\nkind = ['a', 'b']\nif kind == 'b':\n    momentum = uniform(0, 1)", SPACE, {}, 12,
        ()),
    "a derived value": (
        "lr = uniform(0, 1)\nunits = [64, 128]\nepochs = units // 2",
        SPACE + "\nepochs = [1, 32]", {"epochs": 32}, 12, ("epochs varied in old and does not",)),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER_SPACES)
def test_results_count_where_they_lie_in_the_space(notebook: Path, name: str) -> None:
    now, before, more, count, words = OTHER_SPACES[name]
    ran("old", before, {number: {**point, **more} for number, point in POINTS.items()})
    made = planned(notebook, "old", space=now)
    assert made.scan.warm_start[0].results == count
    assert len(made.scan.warnings) == len(words)
    for text, part in zip(made.scan.warnings, words, strict=True):
        assert part in text
    searched = parse_space(now, {}).searched
    for line in taken(made):
        assert set(line["params"]) <= set(searched)


def test_values_are_those_of_the_new_space(notebook: Path) -> None:
    ran("old", points={1: {"lr": 1, "units": 64.0}})
    [line] = taken(planned(notebook, "old"))
    assert [repr(value) for value in line["params"].values()] == ["1.0", "64"]


def test_another_notebook_is_said(notebook: Path) -> None:
    ran("old", digest="other")
    [warning] = planned(notebook, "old").scan.warnings
    assert warning == "The notebook was another one in old, or another version of it."


@pytest.mark.parametrize(
    ("names", "options", "words"),
    [
        (["nowhere"], {}, r"There is no scan 'nowhere'"),
        (["oldd"], {}, r"did you mean old\?"),
        (["old", "id-old"], {}, "names the same scan twice"),
        (["empty"], {}, "empty: it has no finished result"),
        (["old"], {"maximize": "f1"}, "old: none of its results has f1, which ranks"),
        (["old"], {"maximize": ("acc", "f1")}, "old: none of its results has acc, f1"),
        (["old"], {"space": "lr = uniform(2, 3)"}, "none of its 12 results lies in this space"),
        (["old", "empty"], {}, "empty: it has no finished result"),
        (["old"], {"sampler": "random"}, r"old: --sampler random does not learn.*--sampler tpe"),
        (["old"], {"sampler": "sobol"}, "--sampler sobol does not learn"),
        (["old"], {"space": "units = [64, 128]", "sampler": None}, "--sampler grid does not learn"),
        (["old"], {"maximize": ()}, "--sampler tpe learns from results: say which"),
        (["few"], {"sampler": "cmaes"}, "cmaes needs at least 10 results.* there are 9"),
        (["old"], {"sampler": "cmaes", "space": SPACE + "\nmomentum = uniform(0.8, 1)"},
            "its results have no value of momentum"),
    ],
)  # fmt: skip
def test_what_gives_nothing_is_refused(
    notebook: Path, names: list[str], options: dict[str, Any], words: str
) -> None:
    ran("old")
    ran("empty", curves=dict.fromkeys(POINTS, "boom"))
    ran("few", points={number: POINTS[number] for number in range(1, 10)})
    with pytest.raises(UsageError, match=words):
        planned(notebook, *names, **options)


def test_a_folder_that_is_no_scan_or_damaged_is_a_sentence(notebook: Path) -> None:
    ran("old")
    (home.home() / "old" / "journal.jsonl").write_text("{}\n[1\n" * 50)
    with pytest.raises(UsageError, match="old: it has no finished result"):
        planned(notebook, "old")
    (home.home() / "old" / "scan.json").write_text("17")
    with pytest.raises(UnknownScan):
        planned(notebook, "old")


def test_a_sampler_gets_no_more_results_than_it_can_bear(
    notebook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran("old")
    monkeypatch.setattr("jupyter_gridgpu.planning.warm_start.RESULTS_LIMIT", 11)
    with pytest.raises(UsageError, match=r"there are 12 results, .* can learn from 11"):
        planned(notebook, "old")


def test_a_request_names_scans_whatever_results_they_have(notebook: Path) -> None:
    ran("old")
    ran("other")
    first = fingerprint(planned(notebook, "old").scan)
    ran("old", points={1: POINTS[1]})
    assert fingerprint(planned(notebook, "id-old").scan) == first
    scans: Iterable[tuple[str, ...]] = ((), ("other",), ("old", "other"), ("other", "old"))
    assert len({first, *(fingerprint(planned(notebook, *names).scan) for names in scans)}) == 5


def test_the_folder_of_the_new_scan_needs_no_earlier_one(notebook: Path) -> None:
    ran("old")
    handle = client.create(planned(notebook, "old", name="new"))
    shutil.rmtree(home.home() / "old")
    record = load_record(handle.folder)
    assert record.scan.warm_start == handle.scan.warm_start
    assert record.provenance()["warm_start"] == [{"id": "id-old", "name": "old", "results": 12}]
    assert "earlier.jsonl" in record.provenance()["inputs"]
    assert not verify(record).changed
    lines = (handle.folder / "earlier.jsonl").read_text().splitlines()
    assert len(lines) == 12
    (handle.folder / "earlier.jsonl").write_text("\n".join(lines[:3]) + "\n")
    assert verify(load_record(handle.folder)).changed == ["earlier.jsonl"]


def test_python_takes_scans_paths_and_handles(
    notebook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        ran(name)
    made: list[Plan] = []
    monkeypatch.setattr(api, "start", made.append)
    (notebook.parent / "own.csv").write_text("lr,units\n0.5,64\n")
    asked: dict[str, Any] = {"maximize": "acc", "trials": 9, "sampler": "tpe"}
    one, two = client.open_scan("one"), home.home() / "two"
    for given, count in (("one", 1), (one, 1), (two, 1), ([one, two], 2), (("one", "two"), 2)):
        points = notebook.parent / "own.csv"
        api.gridscan(notebook, SPACE, **asked, warm_start=given, points=points)
        assert len(made[-1].scan.warm_start) == count
        assert made[-1].scan.own_points == 1
    with pytest.raises(UsageError, match=r"--points \[\{'lr': 1\}\]: give the path of a file"):
        api.gridscan(notebook, SPACE, **asked, points=[{"lr": 1}])


def test_a_rehearsal_runs_the_first_point_of_a_sampler_that_has_learned(notebook: Path) -> None:
    ran("old")
    made = planned(notebook, "old")
    first = rehearsal_plan(made, False, 60)
    assert (first.scan.warm_start, first.earlier, first.points) == ((), "", "")
    spec = made.scan
    results = earlier_trials(map(earlier.parsed, made.earlier.splitlines()))
    [proposal] = samplers.load_for(spec).propose(results, 1, spec.seed, 0)
    assert first.scan.space.fixed == proposal.params


def test_a_scan_that_was_extended_says_what_it_varied(notebook: Path) -> None:
    ran("old", "lr = uniform(0, 1)\nunits = [64]")
    folder = home.home() / "old"
    journal = folder / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    story = Story(seq=len(lines))
    added = extension.to_json(Extension(add=parse_space("units = [128]", {}).body))
    told = {"id": "a", "action": "extend", "variants": None, "by": None, "first": 0, **added}
    story.tell("command.applied", **told)
    journal.write_bytes(journal.read_bytes() + story.text())
    assert planned(notebook, "old").scan.warnings == ()
    [warning] = planned(notebook, "old", space="lr = uniform(0, 1)").scan.warnings
    assert warning == "units varied in old and does not vary here."
