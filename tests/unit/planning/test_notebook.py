from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_gridgpu.errors import NotebookError, SpaceError
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.planning.notebook import Notebook, check_space, read_notebook
from jupyter_gridgpu.testing.examples import notebook_json

PARAMETERS = """\
lr = 0.1  # of Adam
epochs: int = 3
units = 64
name = "adam"
layers = [256, 128]
flag = True
options = {"a": 1}
anything = None
computed = 2 ** 10
"""


def write(folder: Path, text: str | bytes, name: str = "train.ipynb") -> Path:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder / name


def refusal(path: str | Path) -> str:
    """The one sentence with which a notebook is refused."""
    with pytest.raises(NotebookError) as caught:
        read_notebook(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= 300
    assert str(caught.value).endswith((".", ")", "?", "…"))
    return str(caught.value)


def read_or_refused(path: Path) -> None:
    try:
        read_notebook(path)
    except NotebookError:
        refusal(path)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Notebook:
    return read_notebook(
        write(tmp_path_factory.mktemp("notebook"), notebook_json(PARAMETERS, "acc = lr"))
    )


def test_a_sound_notebook_is_read_with_its_parameters(notebook: Notebook) -> None:
    assert (notebook.kernel, notebook.language, notebook.path.name) == (
        "python3",
        "python",
        "train.ipynb",
    )
    assert notebook.path.is_absolute()
    found = {
        name: (p.type, p.default) for name, p in notebook.parameters.items() if name != "computed"
    }
    assert found == {
        "lr": (None, 0.1),
        "epochs": ("int", 3),
        "units": (None, 64),
        "name": (None, "adam"),
        "layers": (None, [256, 128]),
        "flag": (None, True),
        "options": (None, {"a": 1}),
        "anything": (None, None),
    }
    assert "computed" in notebook.parameters


# what cannot be used -------------------------------------------------------------------


def test_a_missing_notebook_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    write(tmp_path, "{}", "train_btag.ipynb")
    assert refusal(tmp_path / "train_btga.ipynb").endswith("did you mean train_btag.ipynb?")
    assert "There is no notebook" in refusal(tmp_path / "none" / "x.ipynb")


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "~",
        "~nobody-of-this-name/x.ipynb",
        "a\0b.ipynb",
        "x" * 5000,
        "/dev/null",
        "s3://a/b.ipynb",
    ],
)
def test_an_odd_path_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.chdir(tmp_path)
    refusal(path)


def test_a_folder_is_no_notebook(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)


def test_a_path_below_a_file_is_refused(tmp_path: Path) -> None:
    assert "Not a directory" in refusal(write(tmp_path, "{}") / "x.ipynb")


KERNELSPEC = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
CELL: dict[str, Any] = {
    "cell_type": "code",
    "metadata": {"tags": ["parameters"]},
    "source": "lr = 1",
    "outputs": [],
    "execution_count": None,
}
OTHER_TAG = {**CELL, "metadata": {"tags": ["Parameters"]}}
NO_KERNEL = {"kernelspec": {"name": "no-such-kernel"}}


def body(cells: Any = None, metadata: Any = KERNELSPEC, **more: Any) -> str:
    return json.dumps(
        {
            "cells": [CELL] if cells is None else cells,
            "metadata": metadata,
            "nbformat": 4,
            "nbformat_minor": 4,
            **more,
        }
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("print(1)", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"\x00" * 100, "not JSON"),
        ("[" * 100_000, "not JSON"),
        (body()[:-20], "not JSON"),
        ("null", "no list of cells"),
        ("[]", "no list of cells"),
        ('{"worksheets": []}', "no list of cells"),
        ('{"cells": {}}', "no list of cells"),
        (body(cells=[1]), "a cell has no type"),
        (body(cells=[{}]), "a cell has no type"),
        (body(cells=[]), "no cell tagged 'parameters'"),
        (body(cells=[{**CELL, "metadata": {}}]), "no cell tagged 'parameters'"),
        (body(cells=[OTHER_TAG]), "no cell tagged 'parameters'"),
        (body(metadata=NO_KERNEL), "not installed here; there is:"),
        (body(metadata={"kernelspec": {"name": "../../etc"}}), "train.ipynb"),
        (body(metadata={"kernelspec": {"name": "a\nb" * 500}}), "train.ipynb"),
        (body(metadata={**KERNELSPEC, "language_info": "python"}), ""),
        (body(metadata={"kernelspec": {"name": "python3", "language": 3}}), ""),
        (body(cells=[{**CELL, "metadata": []}]), "train.ipynb"),
        (body(cells=[{**CELL, "metadata": "x"}]), "train.ipynb"),
        (body(cells=[{**CELL, "metadata": {"tags": 3}}]), "train.ipynb"),
        (body(cells=[{**CELL, "source": 3}]), "train.ipynb"),
        (body(cells=[{**CELL, "cell_type": "code\n" * 200}]), "train.ipynb"),
        (body(cells=[{**CELL, "outputs": "x" * 1000}]), "train.ipynb"),
        (body(nbformat=99), "train.ipynb"),
        (body(nbformat="four"), "train.ipynb"),
        (body(nbformat=3), "train.ipynb"),
    ],
)
def test_what_is_no_sound_notebook_is_refused(
    tmp_path: Path, text: str | bytes, words: str
) -> None:
    path = write(tmp_path, text)
    if not words:  # odd, but it may be read
        read_or_refused(path)
        return
    assert words in refusal(path)


def test_what_has_no_format_is_refused_or_read_but_never_a_crash(tmp_path: Path) -> None:
    for text in (
        json.dumps({"cells": [CELL], "metadata": KERNELSPEC}),
        body(cells=[{"cell_type": "code", "metadata": CELL["metadata"]}]),
    ):
        read_or_refused(write(tmp_path, text))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda v: st.lists(v, max_size=2),
    max_leaves=3,
)


@settings(max_examples=50)
@given(st.sampled_from(["cell_type", "metadata", "source", "outputs", "execution_count"]), JSON)
def test_no_cell_is_too_odd(
    tmp_path_factory: pytest.TempPathFactory, name: str, value: object
) -> None:
    path = write(
        tmp_path_factory.getbasetemp(), body(cells=[CELL, {**CELL, name: value}]), "odd.ipynb"
    )
    read_or_refused(path)


# what can ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["a{b}.ipynb", "with space.ipynb", "ünï.ipynb", "notebook", "a%b#c?.ipynb", "-x.ipynb"]
)
def test_a_notebook_may_have_any_name(tmp_path: Path, name: str) -> None:
    assert set(read_notebook(write(tmp_path, notebook_json("lr = 1"), name)).parameters) == {"lr"}


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    (tmp_path / "{run}").mkdir()
    assert read_notebook(write(tmp_path / "{run}", notebook_json("lr = 1"))).parameters


def test_a_notebook_is_read_from_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, notebook_json("lr = 1"))
    monkeypatch.chdir(tmp_path)
    assert read_notebook("train.ipynb").path == tmp_path / "train.ipynb"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_notebook("~/train.ipynb").path == tmp_path / "train.ipynb"


def test_an_empty_parameters_cell_has_no_parameters(tmp_path: Path) -> None:
    found = read_notebook(write(tmp_path, notebook_json("# nothing yet")))
    assert found.parameters == {}
    with pytest.raises(SpaceError, match=r"lr is no parameter of train.ipynb; it has none\."):
        check_space(found, parse_space("lr = 1"))


def test_another_language_s_parameters_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tmp_path / "kernels" / "other"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text(
        json.dumps({"argv": ["true"], "display_name": "Other", "language": "bash"})
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    metadata = {"kernelspec": {"name": "other", "language": "bash"}}
    found = read_notebook(
        write(tmp_path, notebook_json("lr=0.1\nlocal epochs=3\n# word=1\n", metadata=metadata))
    )
    assert (found.kernel, found.language, list(found.parameters)) == (
        "other",
        "bash",
        ["lr", "epochs"],
    )
    check_space(found, parse_space("lr = uniform(0, 1)\nepochs = ['a', None]"))


def test_the_digest_is_of_what_a_notebook_does(tmp_path: Path) -> None:
    def digest(text: str) -> str:
        return read_notebook(write(tmp_path, text)).digest

    text = notebook_json("lr = 1", "acc = lr")
    ran = json.loads(text)
    ran["cells"][1].update(
        execution_count=7, outputs=[{"output_type": "stream", "name": "stdout", "text": "x"}]
    )
    ran["cells"][0]["source"] = ["lr = 1"]
    ran["metadata"]["language_info"] = {"name": "python", "version": "3.12"}
    assert digest(json.dumps(ran)) == digest(text)
    tagged = json.loads(text)
    tagged["cells"][1]["metadata"]["tags"] = ["other"]
    others = [
        notebook_json("lr = 2", "acc = lr"),
        notebook_json("lr = 1", "acc = -lr"),
        notebook_json("lr = 1"),
        json.dumps(tagged),
    ]
    assert len({digest(other) for other in [text, *others]}) == 5


# the space for it ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "space",
    [
        "lr = loguniform(1e-4, 1)",
        "lr = 1",
        "lr = [1, 0.5]",
        "epochs = 5",
        "epochs = 5.0",
        "epochs = [1, 2]",
        "epochs = logint(1, 9)",
        "units = uniform(1, 9)",
        "name = ['adam', 'sgd']",
        "layers = fixed([1, 2])",
        "layers = choice([1], [1, 2])",
        "flag = [True, False]",
        "flag = 1",
        "options = {'b': 2}",
        "anything = [1, 'a', None]",
        "lr = None",
        "computed = 5",
        "units = repeats(3)",
    ],
)
def test_values_a_notebook_can_take_are_accepted(notebook: Notebook, space: str) -> None:
    check_space(notebook, parse_space(space))


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ("ls = 0.1", "did you mean lr?"),
        ("epoch = 1", "did you mean epochs?"),
        ("zzzzzz = 1", "it has lr, epochs, units"),
        ("lr = 'high'", "'high' is a string, but train.ipynb takes a number there (0.1)."),
        ("lr = ['0.1', 0.2]", "'0.1' is a string"),
        ("lr = fixed([0.1])", "is a list"),
        ("lr = True", "is True or False"),
        ("epochs = 1.5", "takes a whole number"),
        ("epochs = uniform(1, 5)", "takes a whole number"),
        ("epochs = 'all'", "is a string"),
        ("name = 3", "is a number"),
        ("name = uniform(0, 1)", "is a number"),
        ("flag = 'yes'", "takes True or False"),
        ("flag = 2", "takes True or False"),
        (
            "layers = [256, 128]",
            "write fixed([256, 128]) for one, choice([...], [...]) for several.",
        ),
        ("layers = 256", "takes a list"),
        ("layers = repeats(2)", "takes a list"),
        ("options = [1]", "takes a dict"),
        ("lr = " + repr("x" * 5000), "is a string"),
        ("layers = " + repr(list(range(1000))), "its default in train.ipynb is a list"),
        ("x" * 5000 + " = 1", "xxx"),
    ],
)
def test_values_it_cannot_take_are_refused_in_one_sentence(
    notebook: Notebook, space: str, words: str
) -> None:
    with pytest.raises(SpaceError) as caught:
        check_space(notebook, parse_space(space))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= 300


def test_of_many_parameters_some_are_named(tmp_path: Path) -> None:
    found = read_notebook(
        write(tmp_path, notebook_json("\n".join(f"number_of_things_{i} = {i}" for i in range(60))))
    )
    with pytest.raises(SpaceError) as caught:
        check_space(found, parse_space("zzzzzz = 1"))
    assert len(str(caught.value)) <= 300


def test_reading_creates_nothing(notebook: Notebook, tmp_path: Path, scans_home: Path) -> None:
    write(tmp_path, notebook_json("lr = 1"))
    before = sorted(os.listdir(tmp_path))
    check_space(read_notebook(tmp_path / "train.ipynb"), parse_space("lr = 2"))
    assert sorted(os.listdir(tmp_path)) == before
    assert not scans_home.exists()
