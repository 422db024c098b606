"""A scan with several objectives in selections, exports, comparisons and the command line."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jupyter_gridgpu.api import Scan, open_scan
from jupyter_gridgpu.cli.app import gridgpu
from jupyter_gridgpu.errors import GridGpuError, UsageError
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.rank_by import ranked, ranking_of
from jupyter_gridgpu.records.compare import compare
from jupyter_gridgpu.records.export import export
from jupyter_gridgpu.records.record import Record
from jupyter_gridgpu.records.selection import select_variants

from .kit import write_scan

TWO = (Objective("rej", "maximize", "max"), Objective("loss", "minimize"))
JOBS: dict[int, Any] = {
    1: {"rej": [9.0, 5.0], "loss": [0.9, 0.4], "auc": [0.7]},  # in the front
    2: {"rej": [4.0, 6.0], "loss": [0.9, 0.3], "auc": [0.9]},  # in the front
    3: {"rej": [5.0], "loss": [0.5], "auc": [0.8]},  # the first one dominates it
    4: {"rej": [99.0], "loss": [math.nan], "auc": [math.nan]},
    5: "it failed",
}
FRONT = ["v0001", "v0002"]
NO_SINGLE_BEST = "two has several objectives and no single best"


@pytest.fixture
def record(scans_home: Path) -> Record:
    return write_scan("two", JOBS, space="lr = [0.1, 0.2, 0.3, 0.4, 0.5]", objectives=TWO)


@pytest.fixture
def one(scans_home: Path) -> Record:
    return write_scan("one", JOBS, space="lr = [0.1, 0.2, 0.3, 0.4, 0.5]", objective=TWO[0])


def said(*words: str) -> str:
    result = CliRunner().invoke(gridgpu, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*words: str) -> str:
    """Return the sentence with which the command line refuses these words."""
    result = CliRunner().invoke(gridgpu, list(words))
    assert isinstance(result.exception, UsageError), result.output
    return str(result.exception)


def rows_of(path: Path) -> dict[str, dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def test_a_selection_takes_the_front_and_knows_no_best(record: Record, one: Record) -> None:
    assert [variant.id for variant in select_variants(record.view, "pareto")] == FRONT
    with pytest.raises(UsageError, match=f"{NO_SINGLE_BEST}; --only pareto"):
        select_variants(record.view, "best 2")
    with pytest.raises(UsageError, match="one has not several objectives"):
        select_variants(one.view, "pareto")


@pytest.mark.parametrize(
    ("text", "metric", "direction", "reduction", "best"),
    [
        ("rej", "rej", "maximize", "max", "v0004"),  # as the scan's objective has it
        ("last(rej)", "rej", "maximize", "last", "v0004"),
        ("min(rej)", "rej", "maximize", "min", "v0004"),
        ("minimize rej", "rej", "minimize", "last", "v0001"),
        (" loss ", "loss", "minimize", "last", "v0002"),
        ("maximize auc", "auc", "maximize", "last", "v0002"),
        ("minimize  max( auc )", "auc", "minimize", "max", "v0001"),
    ],
)
def test_a_ranking_is_a_metric_with_a_direction(
    record: Record, text: str, metric: str, direction: str, reduction: str, best: str
) -> None:
    assert ranking_of(record.view, text) == Objective(metric, direction, reduction)
    found = ranked(record.view, text).best()
    assert found is not None
    assert found.id == best
    # The view itself still has its front.
    assert [variant.id for variant in record.view.pareto()] == FRONT


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("auc", "auc is no objective of two: say which values are better, 'maximize auc'"),
        ("max(auc)", r"'maximize max\(auc\)' or 'minimize max\(auc\)'"),
        ("rejj", "two has no metric 'rejj'; it has auc, loss, rej. Is rej meant?"),
        ("maximize acc_of_nothing", "two has no metric 'acc_of_nothing'; it has auc, loss, rej."),
        ("lr", "two has no metric 'lr'"),
        ("", "is nothing to rank by"),
        ("maximize", "two has no metric 'maximize'"),
        ("mean(rej)", "is nothing to rank by"),
        ("upwards rej", "two has no metric 'upwards rej'"),
        ("x" * 100_000, "two has no metric"),
    ],
)
def test_what_is_no_ranking_is_refused_in_one_sentence(
    record: Record, text: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        ranking_of(record.view, text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_metric_may_be_called_like_the_words_of_a_ranking(scans_home: Path) -> None:
    names = ("maximize", "minimize a", "max(a)")
    jobs = {1: {name: [1.0] for name in names}}
    view = write_scan("odd", jobs, objectives=()).view
    for name in names:
        assert ranking_of(view, f"minimize {name}") == Objective(name, "minimize")
    with pytest.raises(UsageError, match="none has been reported yet"):
        ranking_of(write_scan("none", {1: {}}, finished=False).view, "a")


def test_json_has_the_front_or_the_best_of_a_ranking(record: Record) -> None:
    shown = json.loads(said("show", "two", "--json"))
    assert (shown["best"], shown["pareto"]) == (None, FRONT)
    shown = json.loads(said("show", "two", "--json", "--by", "rej"))
    assert (shown["best"], shown["by"]) == ("v0004", "maximize max(rej)")
    shown = json.loads(said("show", "two", "--json", "--by", "minimize auc"))
    assert (shown["best"], shown["by"]) == ("v0001", "minimize auc")


def test_a_scan_without_an_objective_gets_one_later(scans_home: Path) -> None:
    write_scan("bare", JOBS, objectives=())
    assert json.loads(said("show", "bare", "--json"))["best"] is None
    assert json.loads(said("show", "bare", "--json", "--by", "maximize auc"))["best"] == "v0002"
    text = said("show", "bare", "--by", "minimize loss")
    assert "v0002 ★" in text
    assert "Best by minimize loss: v0002 with loss 0.3000" in text


def test_the_terminal_marks_the_front_by_a_sign_and_a_word(record: Record, one: Record) -> None:
    text = said("show", "two")
    head, first, second, third, *_ = (
        line for line in text.splitlines() if "v000" in line or "id" in line
    )
    assert head.split()[:5] == ["id", "state", "Pareto", "lr", "epoch"]
    assert head.index("max(rej)") < head.index("loss")
    assert all("★" in line and "front" in line for line in (first, second))
    assert "★" not in third
    assert "front" not in third
    assert "Pareto front of 2, since there is no single best" in text
    assert "v0001 with max(rej) 9.000, loss 0.4000 (lr = 0.1)" in text
    # With one objective nothing is said of a front.
    assert "Pareto" not in said("show", "one")
    assert "Pareto" not in said("show", "two", "--by", "rej")


def test_a_list_of_scans_counts_the_front(record: Record, one: Record) -> None:
    text = said("list")
    assert "front of 2" in text
    assert "v0004" in text


def test_csv_has_each_objective_as_it_ranks(record: Record, tmp_path: Path) -> None:
    rows = rows_of(export(record, "csv", tmp_path / "a.csv"))
    assert list(rows["v0001"])[-3:] == ["objective:max(rej)", "objective:loss", "pareto"]
    assert (rows["v0001"]["objective:max(rej)"], rows["v0001"]["rej"]) == ("9.0", "5.0")
    assert [ident for ident, row in rows.items() if row["pareto"] == "True"] == FRONT
    said("export", "two", "--to", "csv", "--by", "maximize auc", "-o", str(tmp_path / "b.csv"))
    by = rows_of(tmp_path / "b.csv")
    assert by["v0002"]["objective"] == "0.9"
    assert "pareto" not in by["v0002"]


def test_names_of_ours_do_not_hide_what_is_called_the_same(
    scans_home: Path, tmp_path: Path
) -> None:
    jobs = {1: {"rej": [1.0], "loss": [2.0], "pareto": [3.0], "objective:loss": [4.0]}}
    params = {1: {"pareto": 5, "objective": 6}}
    record = write_scan("odd", jobs, params=params, objectives=TWO)
    (row,) = rows_of(export(record, "csv", tmp_path / "a.csv")).values()
    assert (row["pareto"], row["param:pareto"], row["metric:pareto"]) == ("True", "5", "3.0")
    assert (row["objective:loss"], row["metric:objective:loss"]) == ("2.0", "4.0")
    assert row["objective"] == "6"
    single = write_scan("single", jobs, params=params, objective=TWO[0])
    (row,) = rows_of(export(single, "csv", tmp_path / "b.csv")).values()
    assert (row["objective"], row["param:objective"], row["pareto"]) == ("1.0", "6", "5")


def test_json_and_parquet_have_the_front(record: Record, tmp_path: Path) -> None:
    body = json.loads(export(record, "json", tmp_path / "a.json").read_text())
    assert (body["best"], body["pareto"]) == (None, FRONT)
    assert body["variants"][0]["objectives"] == {"rej": 9.0, "loss": 0.4}
    assert [one["metric"] for one in body["scan"]["objectives"]] == ["rej", "loss"]
    said("export", "two", "--to", "json", "--by", "loss", "-o", str(tmp_path / "b.json"))
    body = json.loads((tmp_path / "b.json").read_text())
    assert (body["best"], body["by"]) == ("v0002", "minimize loss")
    # The spec is that of the scan, whatever it is ranked by.
    assert [one["metric"] for one in body["scan"]["objectives"]] == ["rej", "loss"]
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_parquet(export(record, "parquet", tmp_path / "a.parquet"))
    assert list(frame[frame["pareto"]]["id"]) == FRONT


def test_optuna_finds_the_same_front(record: Record, tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    from optuna.storages.journal import JournalFileBackend

    def study(path: Path) -> Any:
        storage = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
        return optuna.load_study(study_name="two", storage=storage)

    found = study(export(record, "optuna", tmp_path / "a.log"))
    assert [direction.name for direction in found.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert sorted(trial.user_attrs["id"] for trial in found.best_trials) == FRONT
    assert found.trials[0].values == [9.0, 0.4]
    assert [trial.state.name for trial in found.trials[3:]] == ["FAIL", "FAIL"]
    record.view.rank(ranking_of(record.view, "rej"))
    assert (
        study(export(record, "optuna", tmp_path / "b.log")).best_trial.user_attrs["id"] == "v0004"
    )


def test_mlflow_has_each_objective_and_a_tag(record: Record, tmp_path: Path) -> None:
    import sqlite3

    pytest.importorskip("mlflow")
    folder = export(record, "mlflow", tmp_path / "runs")
    with sqlite3.connect(folder / "mlflow.db") as connection:
        metrics = connection.execute(
            "SELECT m.key, m.value FROM latest_metrics m JOIN runs r ON r.run_uuid = m.run_uuid"
            " WHERE r.name = 'v0001' AND m.key LIKE 'objective/%'"
        ).fetchall()
        front = connection.execute(
            "SELECT r.name FROM tags t JOIN runs r ON r.run_uuid = t.run_uuid"
            " WHERE t.key = 'pareto' AND t.value = 'front'"
        ).fetchall()
    assert dict(metrics) == {"objective/rej": 9.0, "objective/loss": 0.4}
    assert sorted(name for (name,) in front) == FRONT


def test_the_report_names_the_front(record: Record, tmp_path: Path) -> None:
    page = export(record, "html", tmp_path / "a.html").read_text()
    assert "<h2>Pareto front</h2><p><b>v0001</b>, <b>v0002</b>:" in page
    assert page.count("<td>front</td>") == 2
    said("export", "two", "--to", "html", "--by", "minimize auc", "-o", str(tmp_path / "b.html"))
    page = (tmp_path / "b.html").read_text()
    assert "Best variant</h2><p><b>v0001</b>" in page
    assert "Pareto" not in page


@pytest.mark.parametrize("words", [["mlflow"], ["papermill"], ["csv", "--curves"]])
def test_a_ranking_that_an_export_cannot_show_is_refused(record: Record, words: list[str]) -> None:
    assert "--by is for csv" in refused("export", "two", "--to", *words, "--by", "rej")


def test_a_comparison_names_both_fronts(record: Record, scans_home: Path) -> None:
    changed = {**JOBS, 2: {"rej": [1.0], "loss": [0.6]}}
    space = "lr = [0.1, 0.2, 0.3, 0.4, 0.5]"
    other = write_scan("other", changed, space=space, objectives=TWO)
    found = compare(record, other)
    assert "Pareto front: v0001, v0002 in two; v0001 in other." in found.notes
    assert found.metrics()[:2] == found.to_json()["objectives"] == ["rej", "loss"]
    # An objective is compared as it is reduced.
    assert next(cell.a for cell in found.pairs[0].cells if cell.metric == "rej") == 9.0


def test_python_has_the_front_and_rankings(record: Record, one: Record) -> None:
    scan: Scan = open_scan("two")
    assert [found["id"] for found in scan.pareto()] == FRONT
    assert scan.pareto()[0]["values"] == {"rej": 9.0, "loss": 0.4}
    with pytest.raises(UsageError, match=rf"{NO_SINGLE_BEST}: use `scan.pareto\(\)`"):
        _ = scan.best
    best = scan.best_by("maximize auc")
    assert best is not None
    assert (best["id"], best["value"]) == ("v0002", 0.9)
    pytest.importorskip("pandas")
    frame = scan.to_frame(by="minimize auc")
    assert list(frame.index) == ["v0001", "v0003", "v0002", "v0004", "v0005"]
    assert list(frame.index[frame["pareto"]]) == FRONT
    single = open_scan("one")
    assert (single.pareto(), single.best is not None) == ([], True)
    assert "pareto" not in single.to_frame()


@pytest.mark.parametrize("by", ["auc", "nothing"])
def test_every_face_refuses_a_wrong_ranking(record: Record, by: str, tmp_path: Path) -> None:
    for words in (["show", "two"], ["watch", "two"], ["export", "two", "--to", "csv"]):
        assert by in refused(*words, "--by", by)
    with pytest.raises(GridGpuError):
        open_scan("two").best_by(by)
