from __future__ import annotations

import dataclasses
import itertools
import json
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.errors import GridGpuError, NotebookError
from jupyter_gridgpu.model.form_cell import first_line, join_words, split_words
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.options import (
    option_list,
    read_options_line,
    to_options,
    words_for,
)
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.testing.examples import notebook_json
from jupyter_gridgpu.widgets.form import ScanForm
from jupyter_gridgpu.widgets.form_facts import (
    OBJECTIVE_OPTIONS,
    SEARCH_OPTIONS,
    option_text,
)

EXAMPLE = Path(__file__).parents[3] / "example_notebooks" / "train_btag.ipynb"
PARAMETERS = """\
lr = 0.001  # learning rate
units: int = 128
layers = [256, 128]  # <b>widths</b>
dropout = 0.1
name = "adam"
flag = True
nothing = None
computed = 2 ** 10
seed = 1
"""
TRAIN = """\
%matplotlib inline
values = {"val_loss": 1.0}
values["rej"] = 2
report(epoch=1, loss=0.5, **values)
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("form") / "train.ipynb"
    where.write_text(notebook_json(PARAMETERS, TRAIN))
    return where


class Driver:
    """A form and the state that a browser would hold."""

    def __init__(self, path: Path, names: dict[str, Any] | None = None, **values: Any) -> None:
        self.form = ScanForm(path, values, names)
        self.sent: list[dict[str, Any]] = []
        self.form.send = lambda content, buffers=None: self.sent.append(content)
        self.state = json.loads(json.dumps(self.form.state))

    def set(self, name: str, kind: str, **texts: Any) -> Driver:
        wish = next(wish for wish in self.state["parameters"] if wish["name"] == name)
        wish.update(kind=kind, **texts)
        return self

    def option(self, **texts: Any) -> Driver:
        self.state["options"].update(texts)
        return self

    def check(self) -> dict[str, Any]:
        self.form._on_message(self.form, {"type": "check", "state": self.state, "id": "a-1"}, [])
        answer = self.sent.pop()
        assert answer["type"] == "checked"
        json.dumps(answer, allow_nan=False)
        return answer

    def errors(self) -> list[tuple[str, str, str | None]]:
        return [(e["field"], e["text"], e["suggestion"]) for e in self.check()["errors"]]

    def body(self) -> str:
        return str(self.check()["cell"]).partition("\n")[2]

    def line(self) -> str:
        return str(self.check()["cell"]).split("\n")[0]


@pytest.fixture
def form(path: Path, monkeypatch: pytest.MonkeyPatch) -> Driver:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return Driver(path)


def test_a_form_opens_with_everything_as_the_notebook_has_it(form: Driver, path: Path) -> None:
    assert form.check()["cell"] == f"%%gridscan {path}"
    assert (form.check()["variants"], form.errors()) == (None, [])
    assert [wish["kind"] for wish in form.state["parameters"]] == ["fixed"] * 9


def test_the_facts_tell_what_each_parameter_can_be(form: Driver) -> None:
    found = {p["name"]: (p["default"], p["kinds"]) for p in form.form.facts["parameters"]}
    every = ["fixed", "list", "range", "repeats"]
    assert found["lr"] == ("0.001", every)
    assert found["layers"] == ("[256, 128]", ["fixed", "list"])
    assert found["name"] == ('"adam"', ["fixed", "list"])
    assert found["nothing"] == ("None", every)
    assert found["computed"][1] == every
    assert form.form.facts["parameters"][0]["comment"] == "learning rate"
    assert form.form.facts["cell"] == 1


def test_metrics_are_suggested_from_what_the_notebook_reports(form: Driver) -> None:
    assert form.form.facts["metrics"] == ["loss", "val_loss", "rej"] or set(
        form.form.facts["metrics"]
    ) == {
        "loss",
        "val_loss",
        "rej",
    }


@pytest.mark.parametrize("name", ["lr", "units", "dropout", "nothing", "computed", "seed"])
@pytest.mark.parametrize("kind", ["list", "range", "repeats"])
def test_every_kind_starts_with_values_that_are_sound(form: Driver, name: str, kind: str) -> None:
    known = name not in ("nothing", "computed") or kind != "list"
    answer = form.set(name, kind, **({} if known else {"items": "1, 2"})).check()
    assert answer["errors"] == []
    assert answer["variants"] >= 1


@pytest.mark.parametrize(("name", "count"), [("layers", 1), ("name", 1), ("flag", 2)])
def test_values_that_are_no_numbers_start_as_a_list(form: Driver, name: str, count: int) -> None:
    assert form.set(name, "list").check()["variants"] == count


def test_ranges_start_around_the_default(form: Driver) -> None:
    form.set("lr", "range").set("units", "range").set("dropout", "range")
    assert form.body() == (
        "lr      = geomspace(1e-4, 1e-2, 5)\n"
        "units   = [32, 64, 128, 256, 512]\n"
        "dropout = linspace(0, 0.2, 5)"
    )


def test_factors_and_points_are_counted(form: Driver) -> None:
    answer = (
        form.set("lr", "range", points="12")
        .set("units", "list", items="1, 2, 3, 4")
        .set("seed", "repeats")
        .check()
    )
    assert answer["points"]["factors"] == [3, 4, 12]
    assert answer["points"]["each"] == {"lr": 12, "units": 4, "seed": 3}
    assert answer["variants"] == 144
    assert answer["words"]["seed"] == "times each, seeds 0, 1, 2"
    assert answer["words"]["--trials"] == "all 48, 3 times"
    assert answer["words"]["--sampler"] == "grid: every point"


def test_a_sample_is_counted_by_its_trials(form: Driver) -> None:
    form.set("lr", "range", stepped=False).set("seed", "repeats").option(
        trials="20", sampler="random"
    )
    answer = form.check()
    assert (answer["variants"], answer["points"]["factors"], answer["points"]["each"]["lr"]) == (
        60,
        [20, 3],
        None,
    )
    assert answer["words"]["--sampler"] == "independent points"


def test_the_slip_of_the_mock_is_told_at_its_field_and_the_rest_still_counted(form: Driver) -> None:
    form.set("units", "list", items="64, 128").set("dropout", "fixed", value="0,2")
    assert form.errors() == [("dropout", "Not a number.", "0.2")]
    assert form.check()["variants"] == 2
    assert "dropout = 0,2" in form.body()
    form.set("dropout", "fixed", value="0.2")
    assert form.errors() == []


@pytest.mark.parametrize(
    ("name", "kind", "texts", "words"),
    [
        ("lr", "list", {"items": '0.1, "a"'}, "takes a number there"),
        ("name", "fixed", {"value": "3"}, "takes a string there"),
        ("units", "list", {"items": "1.5, 2"}, "takes a whole number there"),
        ("layers", "fixed", {"value": "3"}, "takes a list there"),
        ("layers", "list", {"items": "3, 4"}, "is a list"),
        (
            "lr",
            "range",
            {"low": "1", "high": "0", "stepped": False},
            "The lower end must be below the upper one.",
        ),
    ],
)
def test_what_the_notebook_does_not_take_is_told_at_the_parameter(
    form: Driver, name: str, kind: str, texts: dict[str, Any], words: str
) -> None:
    (error,) = form.set(name, kind, **texts).errors()
    assert error[0] == name
    assert words in error[1]
    assert "Line" not in error[1]


def test_only_one_parameter_can_be_the_repeated_seed(form: Driver) -> None:
    (error,) = form.set("units", "repeats").set("seed", "repeats").errors()
    assert error[0] == "seed"
    assert "only one parameter" in error[1]


@pytest.mark.parametrize(
    ("options", "field", "words"),
    [
        ({"trials": "1,000"}, "--trials", "Not a whole number."),
        ({"trials": "0"}, "--trials", "Trials 0: give a whole number"),
        ({"sampler": "random"}, "--trials", "give trials."),
        ({"sampler": "grid", "trials": "2"}, "--trials", "The grid has"),
        ({"sampler": "tpe", "trials": "2"}, "--maximize", "give an objective"),
        ({"walltime": "2 x"}, "--walltime", "no length of time"),
        ({"memory": "lots"}, "--memory", "no amount of memory"),
        ({"gpus": "7"}, "--gpus", "GPUs 7"),
        ({"on": "nowhere"}, "--on", "not known"),
        ({"name": "a/b"}, "--name", "a/b"),
        ({"name": "a{b}"}, "--name", "IPython"),
        ({"parallel": "-1"}, "--parallel", "from 1 up"),
    ],
)
def test_a_wrong_option_is_told_at_its_field(
    form: Driver, options: dict[str, str], field: str, words: str
) -> None:
    (error,) = form.set("lr", "range").option(**options).errors()
    assert error[0] == field
    assert words in error[1]
    assert "--" not in error[1]


def test_a_wrong_objective_is_told_at_the_objective(form: Driver) -> None:
    form.set("lr", "range").state["metric"] = "max(acc"
    assert [field for field, _, _ in form.errors()] == ["--maximize"]
    form.state["direction"] = "minimize"
    assert [field for field, _, _ in form.errors()] == ["--maximize"]


def test_a_metric_that_stands_nowhere_is_warned_of(form: Driver) -> None:
    form.state["metric"] = "max(val_lsos)"
    assert (
        form.check()["warning"] == "val_lsos stands nowhere in the notebook; did you mean val_loss?"
    )
    form.state["metric"] = "loss"
    assert form.check()["warning"] is None


def test_options_of_the_line_fill_the_form_and_stand_in_the_cell(path: Path) -> None:
    values = read_options_line(
        [
            str(path),
            "--gpus",
            "0",
            "--retries",
            "2",
            "--minimize",
            "loss",
            "--seed",
            "7",
            "--new",
            "--name",
            "my scan",
        ]
    )
    driver = Driver(
        path,
        **{name: value for name, value in values.items() if name in Options.__dataclass_fields__},
    )
    assert driver.state["options"]["retries"] == "2"
    assert (driver.state["direction"], driver.state["metric"]) == ("minimize", "loss")
    assert (
        driver.line()
        == f"%%gridscan {path} --minimize loss --seed 7 --retries 2 --name 'my scan' --new"
    )


def test_a_size_with_a_space_needs_no_quotes(form: Driver) -> None:
    assert (
        form.option(memory="24 GB", walltime="1 h 30 min")
        .line()
        .endswith("--walltime 1h30min --memory 24GB")
    )


def test_every_option_has_its_place_so_that_a_new_one_appears_by_itself(form: Driver) -> None:
    shown = [field["name"] for part in ("search", "where") for field in form.form.facts[part]]
    assert sorted([*shown, *OBJECTIVE_OPTIONS]) == sorted(
        field.name for field in dataclasses.fields(Options)
    )
    assert [field["name"] for field in form.form.facts["search"]] == list(SEARCH_OPTIONS)
    samplers = form.form.facts["search"][0]["choices"]
    assert {"grid", "random", "tpe"} <= set(samplers)


def sample(option: click.Option) -> Any:
    """Return a value that an option may have, other than its default."""
    if option.is_flag:
        return True
    if option.name in OBJECTIVE_OPTIONS:
        return ("max(a b)", "c")
    if option.multiple:
        return ("one", "two words", "a,b", "it's")
    if option.type is click.INT:
        return 7
    if option.metavar in ("SIZE", "TIME"):
        return "some"  # spaces are taken out of these
    return "some words"


@pytest.mark.parametrize("option", option_list(), ids=lambda option: option.name)
def test_the_form_can_say_every_option_and_reads_back_what_it_wrote(
    path: Path, option: click.Option
) -> None:
    name = option.name or ""
    value = sample(option)
    written = first_line([str(path), *words_for({name: value})])
    read = read_options_line(shlex.split(written)[1:])
    driver = Driver(path, **{name: read[name]})
    assert read[name] == value
    assert driver.line() == written
    # What a user types into the field is the same text.
    typed = Driver(path)
    if name in OBJECTIVE_OPTIONS:
        others = [{"direction": name, "metric": value[1]}]
        typed.state.update(direction=name, metric=value[0], others=others)
    else:
        typed.option(**{name: driver.state["options"][name]})
        fields = [field for part in ("search", "where") for field in typed.form.facts[part]]
        assert [field["flag"] for field in fields if field["name"] == name] == [option.opts[0]]
    assert typed.line() == written


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("jets.npz", ["jets.npz"]),
        ("a.npz b.npz", ["a.npz", "b.npz"]),
        ("a.npz, b.npz", ["a.npz", "b.npz"]),
        ("'my data.npz' d/*.csv", ["my data.npz", "d/*.csv"]),
        ("a#b # c", ["a#b", "#", "c"]),
    ],
)
def test_one_field_takes_several_values(text: str, words: list[str]) -> None:
    assert split_words(text) == words
    assert split_words(join_words(words)) == words


def test_a_field_of_lines_has_one_value_in_each(form: Driver) -> None:
    form.option(setup="module load cuda\n\n  source 'my env'/setup.sh \n")
    assert "--setup 'module load cuda' --setup " in form.line()
    words = shlex.split(form.line())
    lines = [after for word, after in itertools.pairwise(words) if word == "--setup"]
    assert lines == ["module load cuda", "source 'my env'/setup.sh"]
    assert option_text(lines, "setup") == "module load cuda\nsource 'my env'/setup.sh"


def test_a_quote_that_is_not_closed_is_told_at_its_field(form: Driver) -> None:
    form.set("lr", "range").option(files="'a.npz", inputs='"b')
    assert [(field, text) for field, text, _ in form.errors()] == [
        ("--in", "A quote is not closed."),
        ("--files", "A quote is not closed."),
    ]


def test_a_file_that_is_missing_is_told_at_the_files(form: Driver) -> None:
    (error,) = form.set("lr", "range").option(files="nope.npz").errors()
    assert error[0] == "--files"


def test_the_example_starts_from_the_form() -> None:
    driver = Driver(EXAMPLE, on="local", maximize="max(rej_light)", files=("jets.npz",))
    driver.set("lr", "list", items="1e-4, 1e-3").set("epochs", "fixed", value="12")
    answer = driver.check()
    assert (answer["errors"], answer["variants"]) == ([], 2)
    first, _, body = answer["cell"].partition("\n")
    values = read_options_line(shlex.split(first)[1:])
    made = plan(values["notebook"], body, to_options(values))
    assert list(made.files) == ["jets.npz"]


TEXTS = st.sampled_from(
    [
        "",
        "1",
        "3",
        "0.5",
        "1e-3",
        "0,2",
        "-1",
        "[1]",
        "[1], [2]",
        '"a"',
        "True",
        "base",
        "x y",
        "1, 2",
        "9" * 30,
        "{}",
        "$x",
    ]
)


@given(st.data())
def test_a_cell_without_errors_is_the_plan_the_form_tells_of(
    path: Path, data: st.DataObject
) -> None:
    driver = Driver(path, {"base": 4})
    for wish in driver.state["parameters"]:
        wish["kind"] = data.draw(st.sampled_from(["fixed", "list", "range", "repeats"]))
        for part in ("value", "items", "low", "high", "points", "times"):
            wish[part] = data.draw(st.just(wish[part]) | TEXTS)
        wish["stepped"], wish["log"] = data.draw(st.booleans()), data.draw(st.booleans())
    driver.option(
        trials=data.draw(TEXTS), sampler=data.draw(st.sampled_from(["", "grid", "random"]))
    )
    driver.state["metric"] = data.draw(st.sampled_from(["", "loss", "max(loss)"]))
    answer = driver.check()
    first, _, body = answer["cell"].partition("\n")
    values = read_options_line(shlex.split(first)[1:]) if not answer["errors"] else {}
    if answer["errors"]:
        assert all(error["text"].endswith((".", "?", ")")) for error in answer["errors"])
    elif answer["variants"] is not None:
        made = plan(values["notebook"], body, to_options(values), {"base": 4})
        assert made.scan.total() == answer["variants"]
        sizes = {
            name: getattr(axis, "count", None) or len(getattr(axis, "values", ()))
            for name, axis in made.scan.space.axes.items()
        }
        assert all(
            sizes[name] == points
            for name, points in answer["points"]["each"].items()
            if points and sizes[name]
        )
        assert parse_space(body, {"base": 4}) == made.scan.space


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {}, optional={"parameters": JSON, "direction": JSON, "metric": JSON, "options": JSON}
    )
)
def test_whatever_a_browser_sends_is_answered(path: Path, state: dict[str, Any]) -> None:
    driver = Driver(path)
    driver.state = state
    assert driver.check()["id"] == "a-1"
    strange: tuple[Any, ...] = (state, None, [], {"type": "check"}, {"type": "check", "state": 3})
    for content in strange:
        driver.form._on_message(driver.form, content, [])
    assert driver.sent == []


def test_a_notebook_that_vanishes_is_told_for_the_whole_form(tmp_path: Path) -> None:
    where = tmp_path / "train.ipynb"
    where.write_text(notebook_json("lr = 1"))
    driver = Driver(where)
    where.unlink()
    ((field, text, _),) = driver.errors()
    assert (field, text.startswith("There is no notebook")) == ("", True)


def test_a_page_that_opens_anew_shows_what_was_typed(form: Driver) -> None:
    form.set("lr", "range").check()
    assert form.form.state == form.state
    assert form.form.checked["variants"] == 5


@pytest.mark.parametrize("name", ["nope.ipynb", "."])
def test_what_is_no_notebook_has_no_form(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotebookError):
        ScanForm(tmp_path / name)


def test_a_form_has_several_objectives(path: Path) -> None:
    driver = Driver(path, maximize=("rej", "max(val_loss)"), minimize=("loss",))
    assert (driver.state["direction"], driver.state["metric"]) == ("maximize", "rej")
    assert driver.state["others"] == [
        {"direction": "maximize", "metric": "max(val_loss)"},
        {"direction": "minimize", "metric": "loss"},
    ]
    driver.set("lr", "list", items="0.1, 0.2").option(sampler="tpe", trials="10")
    line = driver.line().partition("ipynb ")[2]
    words = ["--maximize", "rej", "--maximize", "max(val_loss)", "--minimize", "loss"]
    assert shlex.split(line)[:6] == words
    assert driver.errors() == []
    # One that is not typed yet is left out.
    driver.state["others"].append({"direction": "minimize", "metric": ""})
    assert driver.line().partition("ipynb ")[2] == line
    driver.state["others"][-1]["metric"] = "rej"
    ((field, text, _),) = driver.errors()
    assert (field, "objective already" in text) == ("--maximize", True)
    assert driver.check()["errors"][0]["part"] == "rej"


@given(st.text(st.characters(exclude_characters="\n\r"), max_size=400))
def test_comments_and_defaults_of_a_notebook_are_bounded_text(
    tmp_path_factory: pytest.TempPathFactory, comment: str
) -> None:
    where = tmp_path_factory.mktemp("bounded") / "train.ipynb"
    where.write_text(notebook_json(f"lr = 1  # {comment}\nname = {comment!r}", "pass"))
    try:
        driver = Driver(where)
    except GridGpuError:
        return
    for parameter in driver.form.facts["parameters"]:
        assert all(
            len(parameter[part]) <= 201 and parameter[part].isprintable()
            for part in ("name", "default", "comment")
        )
    assert driver.errors() == []


def test_a_parameter_that_a_cell_cannot_name_is_left_as_it_is(tmp_path: Path) -> None:
    where = tmp_path / "train.ipynb"
    many = "\n".join(f"x{i} = {i}" for i in range(250))
    where.write_text(notebook_json(many))
    assert (len(Driver(where).form.facts["parameters"]), Driver(where).form.facts["more"]) == (
        200,
        50,
    )
