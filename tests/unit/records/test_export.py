"""Each format is opened by the tool it is for."""

from __future__ import annotations

import csv
import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.api import open_scan
from jupyter_gridgpu.errors import StorageError, UsageError
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.records.export import (
    KINDS,
    csv_table,
    export,
    html_report,
    json_file,
    load_exporter,
    mlflow_runs,
    optuna_study,
    papermill_folder,
    parquet_table,
)
from jupyter_gridgpu.records.export.base import Exporter
from jupyter_gridgpu.records.export.mlflow_runs import allowed_name
from jupyter_gridgpu.records.record import Record

from .kit import tree, write_scan

# MLflow takes seconds to make its database.
LIGHT = [kind for kind in KINDS if kind != "mlflow"]
EVIL = "<img src=x onerror=alert(1)></script>"
SPACE = """\
lr = loguniform(0.01, 1)
layers = choice([8, 8], [16])
name = ['größe', 'x']
epochs = fixed(5)"""
PARAMS = {
    number: {
        "lr": number / 10,
        "layers": [8, 8],
        "name": "größe",
        "epochs": 5,
        "state": f"=cmd{number}",
    }
    for number in range(1, 5)
}


@pytest.fixture
def record(scans_home: Path) -> Record:
    jobs: dict[int, Any] = {
        1: {"acc": [0.5, 0.9], "val loss/größe": [2.0, math.nan]},
        2: {"acc": [0.6, math.inf], "val loss/größe": [3.0, 1e-300]},
        3: f"=HYPERLINK(1) {EVIL}",
        4: {"acc": [math.nan, math.nan], EVIL: [1.0, 2.0], "+1": [1.0]},
    }
    return write_scan(
        "btag", jobs, params=PARAMS, space=SPACE, objective=Objective("acc", "maximize", "last")
    )


# Written down with its type, so that mypy checks that each module is an exporter.
EXPORTERS: dict[str, Exporter] = {
    "csv": csv_table,
    "parquet": parquet_table,
    "json": json_file,
    "papermill": papermill_folder,
    "optuna": optuna_study,
    "mlflow": mlflow_runs,
    "html": html_report,
}


def test_every_format_has_an_exporter() -> None:
    assert {kind: load_exporter(kind) for kind in KINDS} == EXPORTERS
    # Two formats with one ending would have one default name.
    assert len({exporter.SUFFIX for exporter in EXPORTERS.values()}) == len(KINDS)


@pytest.mark.parametrize("kind", LIGHT)
def test_nothing_is_overwritten_and_nothing_written_into_the_scan(
    record: Record, kind: str, tmp_path: Path
) -> None:
    before = tree(record.paths.folder)
    target = export(record, kind, tmp_path / "out")
    assert target == tmp_path / "out"
    assert tree(record.paths.folder) == before
    with pytest.raises(UsageError, match="is there already"):
        export(record, kind, tmp_path / "out")
    with pytest.raises(StorageError, match="cannot be written"):
        export(record, kind, tmp_path / "none" / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "scans"]


def test_what_is_no_kind_of_export_is_refused(record: Record) -> None:
    with pytest.raises(UsageError, match="choose one of csv, parquet"):
        export(record, "excel")
    with pytest.raises(UsageError, match="has the curves in it anyway"):
        export(record, "json", curves=True)


@pytest.mark.parametrize(("kind", "module"), [("parquet", "pyarrow"), ("mlflow", "mlflow")])
def test_a_package_that_is_not_there_is_said(
    record: Record, kind: str, module: str, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    if kind == "parquet":
        monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UsageError, match=r"jupyter_gridgpu\[export\]"):
        export(record, kind, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_csv(record: Record, tmp_path: Path) -> None:
    with open(export(record, "csv", tmp_path / "a.csv"), encoding="utf-8", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["v0001", "v0002", "v0003", "v0004"]
    first = rows["v0001"]
    assert (first["acc"], first["val loss/größe"], first["objective"]) == ("0.9", "NaN", "0.9")
    assert (first["layers"], first["name"], first["param:state"]) == ("[8, 8]", "größe", "=cmd1")
    assert rows["v0002"]["acc"] == "Infinity"
    assert rows["v0003"]["message"].startswith("'=HYPERLINK")
    assert "'+1" in first
    with open(
        export(record, "csv", tmp_path / "c.csv", curves=True), encoding="utf-8", newline=""
    ) as file:
        curves = list(csv.DictReader(file))
    assert [
        (row["step"], row["value"])
        for row in curves
        if (row["id"], row["metric"]) == ("v0001", "acc")
    ] == [
        ("1", "0.5"),
        ("2", "0.9"),
    ]


def test_parquet_is_read_by_pandas(record: Record, tmp_path: Path) -> None:
    import pandas
    import pyarrow.parquet

    export(record, "parquet", tmp_path / "a.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "a.parquet")
    assert json.loads(table.schema.metadata[b"gridgpu"])["id"] == "id-btag"
    frame = pandas.read_parquet(tmp_path / "a.parquet").set_index("id")
    assert frame.loc["v0001", "acc"] == 0.9
    assert math.isinf(float(frame["acc"].to_list()[1]))
    assert frame["epochs"].to_list() == [5] * 4
    assert json.loads(str(frame.loc["v0001", "layers"])) == [8, 8]
    curves = pandas.read_parquet(export(record, "parquet", tmp_path / "c.parquet", curves=True))
    assert len(curves) == 2 * 2 * 2 + 2 + 2 + 1


def test_json_is_strict_and_holds_all(record: Record, tmp_path: Path) -> None:
    def refuse(word: str) -> Any:
        raise AssertionError(word)

    body = json.loads(
        export(record, "json", tmp_path / "a.json").read_text(), parse_constant=refuse
    )
    assert body["scan"]["id"] == "id-btag"
    assert body["provenance"]["command"] == "gridgpu run"
    assert body["best"] == "v0002"
    first = body["variants"][0]
    assert first["curves"]["acc"] == {
        "steps": [1, 2],
        "times": [1001.0, 1002.0],
        "values": [0.5, 0.9],
    }
    assert first["provenance"]["packages"] == {"numpy": "1.0"}
    assert first["metrics"]["val loss/größe"] == "NaN"


def test_optuna_loads_the_study(record: Record, tmp_path: Path) -> None:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend
    from optuna.trial import TrialState

    export(record, "optuna", tmp_path / "a.log")
    study = optuna.load_study(
        study_name="btag", storage=JournalStorage(JournalFileBackend(str(tmp_path / "a.log")))
    )
    assert [trial.state for trial in study.trials] == [
        TrialState.COMPLETE,
        TrialState.COMPLETE,
        TrialState.FAIL,
        TrialState.FAIL,
    ]
    first = study.trials[0]
    assert (first.value, first.intermediate_values) == (0.9, {1: 0.5, 2: 0.9})
    assert first.params == {"lr": 0.1, "layers": "[8, 8]", "name": "größe"}
    assert (first.user_attrs["id"], first.user_attrs["fixed"]["epochs"]) == ("v0001", 5)
    assert study.best_trial.user_attrs["id"] == "v0002"
    assert first.datetime_start is not None


def test_points_outside_of_the_space_are_in_the_study_too(tmp_path: Path) -> None:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    params: dict[int, Any] = {
        1: {"lr": 5, "n": 2, "kind": "c"},
        2: {"lr": 0.5, "n": 2.5, "kind": None},
        3: {"lr": 0.5, "n": 3},
    }
    space = "lr = loguniform(0.1, 1)\nn = integer(3, 4)\nkind = ['a', 'b']"
    jobs: dict[int, Any] = {number: {"acc": [1.0]} for number in params}
    target = export(
        write_scan("odd", jobs, params=params, space=space), "optuna", tmp_path / "a.log"
    )
    study = optuna.load_study(
        study_name="odd", storage=JournalStorage(JournalFileBackend(str(target)))
    )
    assert [trial.params for trial in study.trials] == list(params.values())


@pytest.mark.filterwarnings("ignore")  # of what mlflow itself uses of others
def test_mlflow_shows_the_runs_wherever_the_folder_is(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.tracking import MlflowClient

    before = tree(record.paths.folder)
    export(record, "mlflow", tmp_path / "exported")
    assert tree(record.paths.folder) == before
    moved = (tmp_path / "exported").rename(tmp_path / "moved")
    monkeypatch.chdir(moved)
    client = MlflowClient("sqlite:///mlflow.db")
    (experiment,) = [
        experiment for experiment in client.search_experiments() if experiment.name == "btag"
    ]
    runs = {
        run.info.run_name: run
        for run in client.search_runs([experiment.experiment_id], max_results=100)
    }
    assert {name: run.info.status for name, run in runs.items()} == {
        "v0001": "FINISHED", "v0002": "FINISHED", "v0003": "FAILED", "v0004": "FINISHED",
    }  # fmt: skip
    first = runs["v0001"]
    assert first.data.params["layers"] == "[8, 8]"
    assert first.data.metrics["acc"] == 0.9
    assert math.isnan(first.data.metrics["val loss/größe"])
    history = client.get_metric_history(first.info.run_id, "acc")
    assert [
        (point.step, point.value) for point in sorted(history, key=lambda point: point.step)
    ] == [(1, 0.5), (2, 0.9)]
    assert {item.path for item in client.list_artifacts(first.info.run_id)} == {
        "output.ipynb",
        "provenance.json",
    }
    assert runs["v0003"].data.tags["gridgpu.message"].endswith(EVIL)
    (best,) = client.search_runs(
        [experiment.experiment_id], "metrics.acc > 0.5 and params.lr = '0.1'"
    )
    assert best.info.run_name == "v0001"
    client._tracking_client.store.engine.dispose()


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ("val loss/x", "val loss/x"),
        ("größe", "größe"),
        ("a<b>", "a_b_"),
        ("../x", "___x"),
        ("/x", "_x"),
        ("a//b", "a__b"),
        (".", "_"),
    ],
)
def test_names_are_such_as_mlflow_takes(given: str, allowed: str) -> None:
    assert allowed_name(given) == allowed


def test_the_report_stands_alone_and_runs_nothing(record: Record, tmp_path: Path) -> None:
    page = export(record, "html", tmp_path / "a.html").read_text(encoding="utf-8")
    assert "<img" not in page
    assert "<script" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "http" not in page.replace("http-equiv", "")
    for text in (
        "Best variant",
        "v0002",
        "größe",
        "numpy==1.0",
        "gridgpu run",
        "A100",
        "<polyline",
    ):
        assert text in page


def test_without_jobs_journal_or_provenance_what_is_there_is_written(
    record: Record, tmp_path: Path
) -> None:
    import shutil

    from jupyter_gridgpu.records.record import load_record

    shutil.rmtree(record.paths.jobs)
    record.paths.provenance.unlink()
    for kind in LIGHT:
        assert os.path.exists(
            export(load_record(record.paths.folder), kind, tmp_path / f"a-{kind}")
        )
    record.paths.journal.unlink()
    for kind in LIGHT:
        assert os.path.exists(
            export(load_record(record.paths.folder), kind, tmp_path / f"b-{kind}")
        )
    record.paths.notebook.unlink()
    with pytest.raises(StorageError, match="cannot be written: No such file"):
        export(load_record(record.paths.folder), "papermill", tmp_path / "c")


def test_a_scan_that_runs_still_is_written_as_of_now(tmp_path: Path) -> None:
    running = write_scan("run", {1: {"acc": [0.5]}, 2: {}}, finished=False)
    for kind in LIGHT:
        export(running, kind, tmp_path / kind)
    assert "has not ended yet" in (tmp_path / "html").read_text()
    assert json.loads((tmp_path / "json").read_text())["variants"][1]["state"] == "running"


def test_a_file_that_would_be_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text("x")
    with pytest.raises(UsageError, match=r"has a file run\.sh"):
        export(write_scan(files={"run.sh": tmp_path / "run.sh"}), "papermill", tmp_path / "out")


def test_a_parameter_that_is_not_active_at_first_stands_among_the_others(
    scans_home: Path, tmp_path: Path
) -> None:
    space = "opt = ['a', 'b']\nif opt == 'b':\n    lr = [0.1]\n    m = [1]\nn = [2, 3]"
    # `m` is a metric where the parameter `m` is not active.
    jobs = {1: {"acc": [0.5], "m": [7.0]}, 2: {"acc": [0.6]}}
    params = {1: {"opt": "a", "n": 2}, 2: {"opt": "b", "lr": 0.1, "m": 1, "n": 2}}
    record = write_scan("mixed", jobs, params=params, space=space)
    with open(export(record, "csv", tmp_path / "a.csv"), encoding="utf-8", newline="") as file:
        names = next(csv.reader(file))
    assert names[names.index("opt") : -1] == ["opt", "lr", "m", "n", "acc", "metric:m"]
    pytest.importorskip("pandas")
    frame = open_scan("mixed").to_frame()
    assert list(frame.columns)[-6:] == ["opt", "lr", "m", "n", "acc", "metric:m"]
    assert frame["m"].isna().tolist() == [True, False]


def test_a_parameter_may_have_the_name_of_a_column_of_ours(scans_home: Path) -> None:
    pytest.importorskip("pandas")
    space = "id = [7, 8]\nif id == 8:\n    state = ['x']\npareto = 3"
    params: dict[int, Any] = {1: {"id": 7, "pareto": 3}, 2: {"id": 8, "state": "x", "pareto": 3}}
    write_scan("named", {1: {"id": [1.0]}, 2: {"state": [2.0]}}, params=params, space=space)
    frame = open_scan("named").to_frame()
    assert frame.index.tolist() == ["v0001", "v0002"]
    assert frame["state"].tolist() == ["done", "done"]
    assert frame["param:id"].tolist() == [7, 8]
    assert list(frame.columns)[4:] == [
        "pareto", "param:id", "param:state", "metric:id", "metric:state",
    ]  # fmt: skip
