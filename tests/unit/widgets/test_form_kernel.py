"""A form opens whether or not the notebook names its kernel, and says which one is needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.testing.examples import notebook_json
from jupyter_gridgpu.widgets.form import ScanForm
from tests.other_kernels import add_kernel, kernels_of_test

OTHER = {"language_info": {"name": "other"}}


@pytest.fixture(autouse=True)
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return kernels_of_test(tmp_path, monkeypatch)


def add(kernels: Path, *names: str) -> None:
    for name in names:
        add_kernel(kernels, name)


def notebook(folder: Path, metadata: dict[str, Any]) -> Path:
    body = json.loads(notebook_json("lr <- 0.1", "print(lr)"))
    body["metadata"] = metadata
    (folder / "train.ipynb").write_text(json.dumps(body))
    return folder / "train.ipynb"


def answer(form: ScanForm, kind: str, **options: str) -> dict[str, Any]:
    state = json.loads(json.dumps(form.state))
    state["parameters"][0].update(kind=kind, value="1", items="1, 2")
    state["options"].update(options)
    return form._check(state)


@pytest.mark.parametrize(
    ("metadata", "there", "words"),
    [
        (OTHER, [], "(there is: none for its language)"),
        (OTHER, ["a", "b"], "(there is: a, b)"),
        (OTHER, ["a"], "it runs with a."),
        ({**OTHER, "kernelspec": {}}, ["a", "b"], "(there is: a, b)"),
        ({**OTHER, "kernelspec": {"name": ""}}, ["a", "b"], "(there is: a, b)"),
        ({**OTHER, "kernelspec": {"language": "other"}}, ["a", "b"], "(there is: a, b)"),
        ({}, [], "it runs with python3."),
        ({"kernelspec": None}, [], "it runs with python3."),
    ],
)
def test_a_notebook_without_a_kernel(
    tmp_path: Path, kernels: Path, metadata: dict[str, Any], there: list[str], words: str
) -> None:
    add(kernels, *there)
    form = ScanForm(notebook(tmp_path, metadata))
    if "language_info" in metadata:
        assert [each["name"] for each in form.facts["parameters"]] == ["lr"]
    [warning] = form.checked["warnings"]
    assert words in warning
    assert form.checked["errors"] == []


def test_the_kernel_is_asked_for_at_its_field_and_then_taken(tmp_path: Path, kernels: Path) -> None:
    add(kernels, "a", "b")
    path = notebook(tmp_path, OTHER)
    form = ScanForm(path)
    [error] = answer(form, "list")["errors"]
    assert error["field"] == "--kernel"
    assert "(there is: a, b)" in error["text"]
    taken = answer(form, "list", kernel="a")
    assert (taken["errors"], taken["warnings"], taken["variants"]) == ([], [], 2)
    assert "--kernel a" in taken["cell"]
    assert ScanForm(path, {"kernel": "b"}).checked["warnings"] == []


def test_a_kernel_that_is_named_needs_no_words(tmp_path: Path) -> None:
    named = {"kernelspec": {"name": "gone", "language": "other"}, **OTHER}
    assert ScanForm(notebook(tmp_path, named)).checked["warnings"] == []
