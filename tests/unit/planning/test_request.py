from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.errors import BackendError, GridGpuError, NotebookError, SpaceError, UsageError
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.resources import Resources
from jupyter_gridgpu.model.scan import fingerprint, to_json
from jupyter_gridgpu.model.scan_record import from_json
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import Plan, plan
from jupyter_gridgpu.testing.examples import notebook_json


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    folder = tmp_path / "work"
    (folder / "lib").mkdir(parents=True)
    (folder / "lib" / "a.py").write_text("a = 1")
    (folder / "lib" / "b.py").write_text("b = 1")
    (folder / "data.csv").write_text("1,2")
    (folder / "train.ipynb").write_text(
        notebook_json("lr = 0.1\nunits = 64\nseed = 0\nlayers = [1]", "acc = lr")
    )
    return folder / "train.ipynb"


def planned(notebook: Path, space: Any = "lr = [0.1, 0.2]", **options: Any) -> Plan:
    return plan(notebook, space, Options(**options))


def test_a_plan_is_the_scan_that_would_be_started(notebook: Path, scans_home: Path) -> None:
    found = planned(
        notebook,
        "lr = loguniform(1e-4, 1)\nseed = repeats(2)",
        maximize="max(acc)",
        trials=5,
        walltime="2h",
        memory="4GB",
        retries=1,
        parallel=3,
        seed=7,
        name="btag",
        files=("lib",),
    )
    scan = found.scan
    assert (scan.name, scan.notebook, scan.kernel, scan.sampler, scan.trials) == (
        "btag",
        "train.ipynb",
        "python3",
        "tpe",
        5,
    )
    assert (scan.objective, scan.resources) == (
        Objective("acc", "maximize", "max"),
        Resources(0, 4096, 7200),
    )
    assert (scan.retries, scan.parallel, scan.seed, scan.files, scan.total()) == (
        1,
        3,
        7,
        ("lib",),
        10,
    )
    assert from_json(json.loads(json.dumps(to_json(scan)))) == scan
    assert not scans_home.exists()


@pytest.mark.parametrize(
    ("space", "options", "sampler", "trials"),
    [
        ("lr = [1, 2]", {}, "grid", None),
        ("lr = 1", {}, "grid", None),
        ("lr = integer(1, 5)", {}, "grid", None),
        ("lr = [1, 2]", {"trials": 9}, "grid", None),
        ("lr = [1, 2]", {"trials": 1, "maximize": "acc"}, "tpe", 1),
        ("lr = uniform(0, 1)", {"trials": 5, "minimize": "acc"}, "tpe", 5),
        ("lr = uniform(0, 1)", {"trials": 5, "sampler": "random"}, "random", 5),
        ("lr = [1, 2]", {"trials": 5, "sampler": "sobol"}, "sobol", 5),
    ],
)
def test_a_grid_where_it_fits_else_a_search(
    notebook: Path, space: str, options: Any, sampler: str, trials: int | None
) -> None:
    scan = planned(notebook, space, **options).scan
    assert (scan.sampler, scan.trials) == (sampler, trials)


def test_a_space_comes_as_text_mapping_or_space(notebook: Path) -> None:
    spaces = ["lr = [0.1, 0.2]", {"lr": [0.1, 0.2]}, parse_space("lr = [0.1, 0.2]")]
    assert len({fingerprint(planned(notebook, space).scan) for space in spaces}) == 1


def test_the_same_request_is_the_same_scan_but_for_its_id(notebook: Path) -> None:
    first, second = planned(notebook).scan, planned(notebook).scan
    assert first.id != second.id
    assert fingerprint(first) == fingerprint(second)


@pytest.mark.parametrize("change", ["notebook", "helper", "space", "option"])
def test_another_request_is_another_scan(notebook: Path, change: str) -> None:
    before = fingerprint(planned(notebook, files=("lib",)).scan)
    if change == "notebook":
        notebook.write_text(notebook.read_text().replace("acc = lr", "acc = -lr"))
    if change == "helper":
        (notebook.parent / "lib" / "b.py").write_text("b = 2")
    after = planned(
        notebook,
        "lr = [0.1, 0.3]" if change == "space" else "lr = [0.1, 0.2]",
        files=("lib",),
        retries=int(change == "option"),
    )
    assert fingerprint(after.scan) != before


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (("data.csv",), ["data.csv"]),
        (("lib",), ["lib"]),
        (("lib/",), ["lib"]),
        (("lib/*.py",), ["lib/a.py", "lib/b.py"]),
        (("./data.csv", "data.csv"), ["data.csv"]),
        (("../work/data.csv",), ["data.csv"]),
        (("../outside.py",), ["outside.py"]),
        (("**/*.py",), ["lib/a.py", "lib/b.py"]),
    ],
)
def test_helper_files_keep_their_place_beside_the_notebook(
    notebook: Path, patterns: tuple[str, ...], names: list[str]
) -> None:
    (notebook.parent.parent / "outside.py").touch()
    assert list(planned(notebook, files=patterns).files) == names


def test_helper_files_may_be_given_by_their_whole_path(notebook: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.py").touch()
    found = planned(
        notebook, files=(str(tmp_path / "elsewhere.py"), str(notebook.parent / "lib" / "a.py"))
    ).files
    assert list(found) == ["elsewhere.py", "lib/a.py"]


def refusal(
    kind: type[GridGpuError], notebook: Path | str, space: Any = "lr = [0.1, 0.2]", **options: Any
) -> str:
    """The one sentence with which a request is refused."""
    with pytest.raises(kind) as caught:
        plan(notebook, space, Options(**options))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= 300
    assert str(caught.value).endswith((".", ")", "?", "…"))
    return str(caught.value)


@pytest.mark.parametrize(
    ("space", "options", "words"),
    [
        ("lr = uniform(0, 1)", {"maximize": "acc"}, "give --trials"),
        ("lr = uniform(0, 1)", {}, "--sampler"),
        (
            "lr = uniform(0, 1)",
            {"sampler": "random"},
            "--sampler random needs to know how many points",
        ),
        ("lr = uniform(0, 1)", {"trials": 5}, "--maximize NAME or --minimize NAME"),
        ("lr = uniform(0, 1)", {"sampler": "grid"}, "continuous range"),
        ("lr = [1, 2, 3]", {"sampler": "grid", "trials": 2}, "more than --trials 2"),
        ("lr = logint(1, 10**9)", {}, "1,000,000,000 points"),
        ("lr = list(range(1000))\nunits = list(range(1000))", {}, "1,000,000 points"),
        (
            "lr = list(range(1000))\nunits = list(range(100))\nseed = repeats(2)",
            {},
            "200,000 variants",
        ),
        ("lr = uniform(0, 1)", {"sampler": "random", "trials": 10**9}, "1,000,000,000 variants"),
        ("lr = 1", {"sampler": "random", "trials": 5}, "at least one parameter"),
        ("lr = [1, 2]", {"sampler": "guess"}, "'guess' is not known; choose one of"),
        ("lr = [1, 2]", {"on": "moon"}, "--on 'moon' is not known; choose one of"),
        ("lr = [1, 2]", {"maximize": "a", "minimize": "max(a)"}, "in one direction"),
        ("lr = [1, 2]", {"maximize": "mean(acc)"}, "is no objective"),
        ("lr = [1, 2]", {"maximize": "  "}, "is no objective"),
        ("lr = [1, 2]", {"trials": 0}, "--trials 0"),
        ("lr = [1, 2]", {"trials": -1}, "--trials -1"),
        ("lr = [1, 2]", {"parallel": 0}, "--parallel 0"),
        ("lr = [1, 2]", {"per_gpu": 0}, "--per-gpu 0"),
        ("lr = [1, 2]", {"per_gpu": -1}, "--per-gpu -1"),
        ("lr = [1, 2]", {"retries": -1}, "--retries -1"),
        ("lr = [1, 2]", {"gpus": -1}, "--gpus -1"),
        ("lr = uniform(0, 1)", {"sampler": "sobol", "trials": 2, "seed": -1}, "--seed -1"),
        ("lr = [1, 2]", {"walltime": "soon"}, "is no length of time"),
        ("lr = [1, 2]", {"walltime": 0}, "no usable length of time"),
        ("lr = [1, 2]", {"walltime": "9" * 400}, "999"),
        ("lr = [1, 2]", {"memory": "much"}, "is no amount of memory"),
        ("lr = [1, 2]", {"memory": "0"}, "less than one MB"),
        ("lr = [1, 2]", {"name": "a/b"}, "cannot name a scan"),
        ("lr = [1, 2]", {"name": ""}, "cannot name a scan"),
        ("lr = [1, 2]", {"name": "x" * 1000}, "xxx"),
        ("lr = [1, 2]", {"files": ("none.py",)}, "--files none.py: there is no such file"),
        ("lr = [1, 2]", {"files": ("none/*.py",)}, "there is no such file"),
        ("lr = [1, 2]", {"files": ("/none.py",)}, "there is no such file"),
        ("lr = [1, 2]", {"files": ("",)}, "--files"),
        ("lr = [1, 2]", {"files": (".",)}, "--files"),
        ("lr = [1, 2]", {"files": ("..",)}, "--files"),
        ("lr = [1, 2]", {"files": ("~nobody-of-this-name/x",)}, "--files"),
        ("lr = [1, 2]", {"files": ("a\0b",)}, "--files"),
    ],
)
def test_a_wrong_request_is_refused_in_one_sentence_and_leaves_nothing(
    notebook: Path, scans_home: Path, space: str, options: dict[str, Any], words: str
) -> None:
    assert words in refusal(UsageError, notebook, space, **options)
    assert not scans_home.exists()


@pytest.mark.parametrize(
    "space",
    [
        "",
        "import os",
        "lr",
        "lr += 1",
        "lr, units = 1, 2",
        "lr = ",
        "nope = 1",
        "lr = 'x'",
        "layers = [1, 2]",
        "lr = uniform(2, 1)",
    ],
)
def test_a_wrong_space_is_refused_before_anything_else(
    notebook: Path, scans_home: Path, space: str
) -> None:
    refusal(SpaceError, notebook, space)
    assert not scans_home.exists()


def test_a_wrong_notebook_is_refused(notebook: Path, scans_home: Path) -> None:
    refusal(NotebookError, notebook.parent / "none.ipynb")
    refusal(NotebookError, notebook.parent)
    refusal(NotebookError, notebook.parent / "data.csv")
    assert not scans_home.exists()


def test_a_gpu_where_there_is_none_is_refused_by_the_backend(
    notebook: Path, scans_home: Path
) -> None:
    assert "this machine has no GPUs" in refusal(BackendError, notebook, gpus=1)
    assert not scans_home.exists()


def test_helper_files_that_would_hide_each_other_are_refused(
    notebook: Path, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "helper.py").touch()
    refusal(
        UsageError,
        notebook,
        files=(str(tmp_path / "one" / "helper.py"), str(tmp_path / "two" / "helper.py")),
    )


def test_names_of_the_notebook_around_may_be_used(notebook: Path) -> None:
    found = plan(notebook, "lr = [base, 2 * base]", Options(), {"base": 0.5})
    assert found.scan.space == parse_space("lr = [0.5, 1.0]")


@pytest.mark.parametrize(
    "options",
    [
        {"inputs": ("user.me:jets",)},
        {"out": "user.me.x"},
        {"exclude_site": ("A",)},
        {"attempts": 2},
    ],
)
def test_options_for_the_grid_are_for_the_grid_alone(
    notebook: Path, options: dict[str, Any]
) -> None:
    assert "--on panda" in refusal(UsageError, notebook, **options)
    scan = plan(notebook, "lr = [0.1]", Options(on="panda", **options), ask=False).scan
    assert from_json(json.loads(json.dumps(to_json(scan)))) == scan


def test_a_space_with_conditions_knows_the_notebooks_own_values(notebook: Path) -> None:
    body = "lr = [0.1, 0.2]\nif lr > 0.15: units = [16, 32]\nassert units > 20"
    made = planned(notebook, body)
    assert made.scan.space.defaults == {"units": 64}
    assert made.scan.total() == 2
    assert from_json(to_json(made.scan)) == made.scan
    assert to_json(made.scan)["format"] == 3
    assert to_json(planned(notebook).scan)["format"] == 2


def test_what_counts_is_in_the_fingerprint(notebook: Path) -> None:
    bodies = [
        "lr = [0.1, 0.2]\nunits = [16, 32]",
        "lr = [0.1, 0.2]\nunits = [16, 32]\nassert lr * units < 9",
        "lr = [0.1, 0.2]\nunits = [16, 32]\nassert lr * units < 3",
        "lr = [0.1, 0.2]\nif lr > 0.15: units = [16, 32]",
        "lr, units = together([(0.1, 16), (0.2, 32)])",
        "lr = [0.1, 0.2]\nunits = int(100 * lr)",
        "lr = ordinal(0.1, 0.2)\nunits = [16, 32]",
        "lr = uniform(0.1, 0.2, step=0.1)\nunits = [16, 32]",
    ]
    prints = [fingerprint(planned(notebook, body).scan) for body in bodies]
    assert len(set(prints)) == len(bodies)
    again = "lr = [0.1,0.2]\nunits=[16, 32]\nassert (lr*units) < k"
    assert fingerprint(plan(notebook, again, Options(), {"k": 9}).scan) == prints[1]


@pytest.mark.parametrize(
    ("space", "options", "words"),
    [
        ("lr = [0.1, 0.2]\nsteps = lr * 2", {}, "steps is no parameter of train.ipynb"),
        ("lr = [0.1, 0.2]\nif lr > 0.1: epochs = 3", {}, "epochs is no parameter"),
        ("lr, widths = together([(0.1, 2)])", {}, "widths is no parameter"),
        ("lr = [0.1, 0.2]\nif lr > 0.1: units = 'x'", {}, "units: 'x' is a string"),
        ("lr, units = together([(0.1, 'x')])", {}, "units: 'x' is a string"),
        ("lr = [0.1, 0.2]\nlayers = lr * 2", {}, "layers: .* is a number"),
        ("lr = [0.1, 0.2]\nassert lr > 5", {}, "No point of the grid meets `lr > 5`"),
        ("lr = uniform(0, 1)\nassert lr > 5", {"trials": 5, "sampler": "random"}, "none meets"),
        ("lr = [0, 1]\nunits = 64 // lr", {}, "divided by zero, where lr = 0"),
        ("lr = [0, 1]\nassert 64 / lr > 3", {}, "divided by zero, where lr = 0"),
    ],
)
def test_points_are_looked_at_before_anything_starts(
    notebook: Path, space: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        planned(notebook, space, **options)


def test_few_points_that_count_are_worth_a_warning(notebook: Path) -> None:
    strict = planned(notebook, "lr = uniform(0, 1)\nassert lr < 0.01", trials=3, sampler="random")
    assert any("of the points meet the constraints" in text for text in strict.scan.warnings)
    some = planned(notebook, "lr = uniform(0, 1)\nassert lr < 0.1", trials=3, sampler="random")
    assert some.scan.warnings == ()
    body = "lr = uniform(0, 1)\nassert 1 / int(lr * 2) < 3"
    odd = planned(notebook, body, trials=3, sampler="random")
    assert any("divided by zero" in text for text in odd.scan.warnings)


def test_a_parameter_that_is_a_variable_too_is_said(notebook: Path) -> None:
    body = "units = [16, 32]\nlr = units / 100"
    made = plan(notebook, body, Options(), {"units": 3})
    assert any("mean the parameter" in text for text in made.scan.warnings)
