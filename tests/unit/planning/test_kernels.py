"""Which kernel runs a notebook, and what is said where none can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.errors import NotebookError
from jupyter_gridgpu.planning.kernels import Kernel, choose_kernel
from tests.other_kernels import add_kernel, kernels_of_test

TRAIN = Path("train.ipynb")
GONE = "/nowhere/envs/ml/bin/python"


@pytest.fixture(autouse=True)
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return kernels_of_test(tmp_path, monkeypatch)


def named(name: Any, **more: Any) -> dict[str, Any]:
    return {"kernelspec": {"name": name, "display_name": "X", **more}}


NOTHING: list[dict[str, Any]] = [
    {},
    {"kernelspec": None},
    {"kernelspec": []},
    {"kernelspec": "python3"},
    named(""),
    named(3),
    {"language_info": {"name": "other"}},
]


@pytest.mark.parametrize("metadata", NOTHING)
def test_the_only_kernel_of_the_language_runs_a_notebook_that_names_none(
    kernels: Path, metadata: dict[str, Any]
) -> None:
    add_kernel(kernels, "only", "other")
    found = choose_kernel(TRAIN, {"language_info": {"name": "other"}, **metadata}, None, True)
    assert found == Kernel("only", "other", "train.ipynb names no kernel; it runs with only.")


def test_one_of_several_kernels_has_to_be_named(kernels: Path) -> None:
    add_kernel(kernels, "first")
    add_kernel(kernels, "second")
    add_kernel(kernels, "third", "another")
    with pytest.raises(NotebookError, match=r"--kernel NAME \(there is: first, second\)"):
        choose_kernel(TRAIN, {"language_info": {"name": "other"}}, None, True)


def test_in_an_image_python_runs_as_images_name_it() -> None:
    found = choose_kernel(TRAIN, {}, None, here=False)
    assert (found.name, found.language) == ("python3", "python")
    assert found.remark is not None
    with pytest.raises(NotebookError, match="which kernel"):
        choose_kernel(TRAIN, {"language_info": {"name": "R"}}, None, here=False)


def test_a_kernel_without_its_program_is_refused_here_alone(kernels: Path) -> None:
    add_kernel(kernels, "ml", "python", GONE)
    for metadata, wanted in ((named("ml"), None), (named("python3"), "ml")):
        with pytest.raises(NotebookError, match=f"{GONE}' is not there.*--kernel NAME.*python3"):
            choose_kernel(TRAIN, metadata, wanted, True)
    assert choose_kernel(TRAIN, named("ml"), None, here=False).name == "ml"


def test_a_broken_kernel_of_somebody_else_is_in_nobody_s_way(kernels: Path) -> None:
    (kernels / "broken").mkdir(parents=True)
    (kernels / "broken" / "kernel.json").write_text("{")
    add_kernel(kernels, "only")
    assert choose_kernel(TRAIN, named("python3"), None, True).name == "python3"
    assert choose_kernel(TRAIN, {"language_info": {"name": "other"}}, None, True).name == "only"
    with pytest.raises(NotebookError, match=r"no readable kernel\.json"):
        choose_kernel(TRAIN, named("broken"), None, True)


def test_a_kernel_of_another_language_is_refused(kernels: Path) -> None:
    add_kernel(kernels, "mine")
    with pytest.raises(NotebookError, match=r"--kernel mine runs other, but .* in python"):
        choose_kernel(TRAIN, named("python3", language="python"), "mine", True)


def test_kernels_of_the_notebook_s_language_are_offered(kernels: Path) -> None:
    add_kernel(kernels, "mine")
    with pytest.raises(NotebookError, match=r"there is: mine\."):
        choose_kernel(TRAIN, named("gone", language="other"), None, True)
