"""A papermill batch that somebody has already becomes a scan."""

from __future__ import annotations

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu import client
from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.errors import GridGpuError, UsageError
from jupyter_gridgpu.model import notes
from jupyter_gridgpu.model.space import Choice, Fixed
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.records import papermill_batch, parameter_table
from jupyter_gridgpu.records.importing import plan_import, space_of_points, write_imported_scan
from jupyter_gridgpu.records.record import load_record
from jupyter_gridgpu.records.replay import plan_replay
from jupyter_gridgpu.records.verify import verify
from jupyter_gridgpu.testing.examples import notebook_json

SCRAP = {"application/scrapbook.scrap.json+json": {"name": "größe", "data": 7, "version": 1}}
KERAS_OUTPUT = """\
Epoch 1/2
3/3 - 0s - loss: 0.5000 - accuracy: 0.7000
Epoch 2/2
3/3 - 0s - loss: 0.2500 - accuracy: 0.9000
"""


def executed(
    path: Path,
    params: dict[str, Any],
    error: str | None = None,
    source: str = "acc = 1 - lr",
    **about: Any,
) -> None:
    """Write a notebook as papermill leaves it."""
    body = json.loads(notebook_json("lr = 0.1\nseed = 0\nword = ''", source))
    injected = {
        "cell_type": "code",
        "execution_count": 2,
        "metadata": {"tags": ["injected-parameters"]},
        "outputs": [],
        "source": [f"{name} = {value!r}\n" for name, value in params.items()],
    }
    body["cells"].insert(1, injected)
    outputs: list[dict[str, Any]] = [
        {"output_type": "stream", "name": "stdout", "text": KERAS_OUTPUT.splitlines(keepends=True)},
        {"output_type": "display_data", "data": SCRAP, "metadata": {}},
    ]
    if error:
        outputs.append(
            {"output_type": "error", "ename": "KeyError", "evalue": error, "traceback": []}
        )
        mark = {
            "cell_type": "markdown",
            "metadata": {"tags": ["papermill-error-cell-tag"]},
            "source": "failed",
        }
        body["cells"].insert(0, mark)
    body["cells"][-1]["outputs"] = outputs
    body["cells"][-1]["metadata"]["papermill"] = {"status": "completed"}
    times = {"start_time": "2026-01-02T03:04:05.000000", "end_time": "2026-01-02T03:05:05.500000"}
    known = {
        "parameters": params,
        "input_path": "/home/me/train größe.ipynb",
        "exception": bool(error) or None,
        **times,
        **about,
    }
    body["metadata"]["papermill"] = known
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(body))


def imported(source: Path, notebook: Path | None = None, **options: Any) -> ScanHandle:
    plan, variants = plan_import(source, notebook, Options(**options))
    handle = client.create(plan, partial(write_imported_scan, plan, variants))
    handle.refresh()
    return handle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    batch = tmp_path / "my batch"
    executed(batch / "a" / "1.ipynb", {"lr": 0.1, "seed": 1, "word": "größe"})
    executed(batch / "a" / "2.ipynb", {"lr": 0.2, "seed": 1, "word": "NaN"}, error="'jet_pt'")
    executed(batch / "b.ipynb", {"lr": 0.3, "seed": 1, "word": "x"}, end_time=None)
    (batch / "train.ipynb").write_text(notebook_json("lr = 0.1", "pass"))
    (batch / "broken.ipynb").write_text("{")
    executed(batch / ".ipynb_checkpoints" / "1.ipynb", {"lr": 9})
    return batch


def test_executed_notebooks_become_variants(folder: Path) -> None:
    handle = imported(folder, maximize="max(accuracy)")
    assert (handle.name, handle.state, handle.scan.notebook) == (
        "my-batch",
        "done",
        "train größe.ipynb",
    )
    body = handle.summary()
    assert [variant["state"] for variant in body["variants"]] == ["done", "failed", "failed"]
    assert body["variants"][0]["params"] == {"lr": 0.1, "seed": 1, "word": "größe"}
    assert body["variants"][0]["metrics"] == {"loss": 0.25, "accuracy": 0.9, "größe": 7}
    assert body["variants"][1]["message"] == "KeyError: 'jet_pt'"
    assert body["variants"][2]["message"] == "It had not ended when it was imported."
    assert body["best"] == "v0001"
    first = handle.view.variants["v0001"]
    assert (first.ended or 0) - (first.started or 0) == 60.5
    assert (handle.view.variants["v0002"].params["word"]) == "NaN"
    assert json.loads(Path(body["variants"][0]["notebook"]).read_text())["metadata"]["papermill"]
    assert handle.curves("v0001")["curves"]["loss"]["values"] == [0.5, 0.25]
    assert handle.to_frame()["lr"].to_list() == [0.1, 0.2, 0.3]


def test_what_was_imported_can_be_verified_and_replayed(folder: Path) -> None:
    handle = imported(folder)
    record = load_record(handle.folder)
    assert verify(record).exit_code == 0
    plan = plan_replay(record)
    assert plan.scan.recorded == 3
    assert plan.scan.name == "my-batch-replay"
    sources = [
        "".join(cell["source"]) for cell in json.loads(handle.paths.notebook.read_bytes())["cells"]
    ]
    assert sources == ["lr = 0.1\nseed = 0\nword = ''", "acc = 1 - lr"]
    assert json.loads(handle.paths.notebook.read_bytes())["cells"][-1]["outputs"] == []


def test_notebooks_of_two_kinds_are_not_mixed(folder: Path) -> None:
    executed(folder / "z.ipynb", {"lr": 0.9, "seed": 1, "word": "x"}, source="acc = 0")
    with pytest.raises(UsageError, match=r"are not of the same notebook"):
        imported(folder)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.csv", "lr,word\n0.1,größe\n1e-3,True\n,x\n"),
        ("p.yaml", "- {lr: 0.1, word: größe}\n- {lr: 0.001, word: true}\n- {word: x}\n"),
        (
            "p.yml",
            "first: {lr: 0.1, word: größe}\nsecond: {lr: 0.001, word: true}\nthird: {word: x}\n",
        ),
    ],
)
def test_a_table_of_parameters_becomes_variants_that_wait(
    tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "train.ipynb").write_text(notebook_json("lr = 0.1\nword = None", "pass"))
    handle = imported(tmp_path / name, notebook=tmp_path / "train.ipynb", name="table")
    assert handle.state == "stopped"
    assert [variant.params for variant in handle.view.variants.values()] == [
        {"lr": 0.1, "word": "größe"}, {"lr": 0.001, "word": True}, {"word": "x"},
    ]  # fmt: skip
    assert {variant.state for variant in handle.view.variants.values()} == {"cancelled"}
    messages = {variant.message for variant in handle.view.variants.values()}
    assert messages == {"Not run yet: only its parameters were imported."}
    assert "not run yet" in str(notes.note(handle.view, 0.0))
    with pytest.raises(UsageError, match="say with --notebook"):
        imported(tmp_path / name)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"on": "slurm", "gpus": 1, "vram": "40GB"}, "Slurm knows no --vram"),
        ({"queue": "gpu"}, "--queue means nothing with --on local"),
        ({"attempts": 3}, "--attempts is for jobs on the grid"),
        ({"on": "nowhere"}, "'nowhere' is not known"),
        ({"maximize": "a", "minimize": "a"}, "in one direction"),
    ],
)
def test_an_import_refuses_what_a_backend_cannot_honour(
    folder: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(GridGpuError, match=words):
        plan_import(folder, options=Options(**options), ask=False)


def test_a_folder_for_papermill_that_was_not_run_is_imported_too(tmp_path: Path) -> None:
    from jupyter_gridgpu.records.export import export

    from .kit import write_scan

    record = write_scan(params={1: {"lr": 0.25}, 2: {"lr": math.inf}})
    folder = export(record, "papermill", tmp_path / "plain")
    assert [variant.params for variant in imported(folder).view.variants.values()] == [
        {"lr": 0.25},
        {"lr": math.inf},
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "first line has to name"),
        ("lr,lr\n1,2\n", "first line has to name"),
        ("lr\n", "no line of values"),
        ("lr\n1,2\n", "line 2: there are more values"),
        ("lrr\n1\n", "did you mean lr"),
        ("lr\nmany\n", "takes a number"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "p.csv").write_text(text)
    (tmp_path / "train.ipynb").write_text(notebook_json("lr = 0.1", "pass"))
    with pytest.raises(UsageError, match=words):
        imported(tmp_path / "p.csv", notebook=tmp_path / "train.ipynb")


@pytest.mark.parametrize(
    "text", ["!!python/object/apply:os.system ['true']", "[1, 2]", "7", "a: [", "", "- {}"]
)
def test_yaml_that_is_no_table_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"not YAML|has no parameters"):
        papermill_batch.read_tables(tmp_path / "p.yaml")


def test_what_is_no_batch_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("x")
    for name, words in {
        "empty": "has no notebook",
        "a.txt": "is no papermill batch",
        "none": "There is no",
    }.items():
        with pytest.raises(UsageError, match=words):
            imported(tmp_path / name)


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ("3", 3),
        ("1e-3", 0.001),
        ("-inf", -math.inf),
        ("true", True),
        ("[1, 2]", [1, 2]),
        ('"3"', "3"),
        ("3 a", "3 a"),
        ("v1", "v1"),
    ],
)
def test_a_cell_is_a_number_a_truth_json_or_a_text(cell: str, meant: Any) -> None:
    assert parameter_table.cell_value(cell) == meant
    assert type(parameter_table.cell_value(cell)) is type(meant)


def test_the_space_of_points() -> None:
    space = space_of_points(
        [{"a": 1, "b": [1], "c": 1}, {"a": 1, "b": [2]}, {"a": 1, "b": [1], "c": True}]
    )
    assert space.axes == {"a": Fixed(1), "b": Choice(([1], [2])), "c": Choice((1, True))}
