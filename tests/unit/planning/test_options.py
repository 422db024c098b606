"""The options of a scan: one declaration for the command line, the form and Python."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click
import pytest

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.planning.declaration import NOT_FOR_A_REPLAY, Options
from jupyter_gridgpu.planning.option_values import failure_limit
from jupyter_gridgpu.planning.options import (
    backend_options,
    help_text,
    option_list,
    read_options_line,
    to_options,
    words_for,
)
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.testing.examples import notebook_json


def test_every_option_is_a_field_and_every_field_an_option() -> None:
    fields = [declared.name for declared in dataclasses.fields(Options)]
    assert [option.name for option in option_list()] == fields


def test_the_command_line_without_options_gives_the_defaults() -> None:
    assert to_options(read_options_line(["train.ipynb"])) == Options()


def test_options_get_the_types_that_their_fields_declare() -> None:
    words = ["--trials", "5", "--vram", "40GB", "--files", "a", "--files", "b", "--new"]
    made = to_options(read_options_line(["train.ipynb", *words, "--partition", "gpu"]))
    assert made == Options(trials=5, vram="40GB", files=("a", "b"), new=True, queue="gpu")
    with pytest.raises(UsageError, match="'x' is not a valid integer"):
        read_options_line(["train.ipynb", "--cpus", "x"])


def test_words_of_options_give_the_same_options() -> None:
    words = ["--seed", "3", "--bind", "/a", "--bind", "/b", "--channel", "end", "--new"]
    values = read_options_line(["train.ipynb", *words])
    assert words_for(values) == words


@pytest.mark.parametrize("name", ["seed", "retries", "gpus", "per_gpu", "parallel", "trials"])
@pytest.mark.parametrize("value", [0, "0"])
def test_the_number_0_is_a_value_unless_it_is_the_default(name: str, value: object) -> None:
    default = getattr(Options(), name)
    word = f"--{name.replace('_', '-')}"
    assert words_for({name: value}) == ([] if default == 0 else [word, "0"])


@pytest.mark.parametrize("value", [None, False, "", (), []])
def test_what_is_not_given_needs_no_words(value: object) -> None:
    assert words_for(dict.fromkeys(("retries", "new", "files", "vram"), value)) == []


@pytest.mark.parametrize(
    ("value", "limit"), [("5", 5), ("12", 12), (3, 3), ("none", None), ("None", None), (None, None)]
)
def test_max_failures_is_a_number_or_none(value: object, limit: object) -> None:
    assert failure_limit(value) == limit  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["0", 0, -1, "-1", "many", "", True, 1.5, "1_0"])
def test_max_failures_is_nothing_else(value: object) -> None:
    with pytest.raises(UsageError, match=r"--max-failures .*: give a whole number from 1 up"):
        failure_limit(value)  # type: ignore[arg-type]


def test_a_replay_takes_those_options_that_say_where_jobs_run() -> None:
    names = [one.name for one in click.command(backend_options(lambda: None)).params]
    assert not set(names) & set(NOT_FOR_A_REPLAY)
    assert {*names, *NOT_FOR_A_REPLAY} == {one.name for one in option_list()}


def test_the_old_word_for_the_channel_is_understood_but_not_shown() -> None:
    old = read_options_line(["train.ipynb", "--metrics", "end"])
    assert old == read_options_line(["train.ipynb", "--channel", "end"])
    assert words_for(old) == ["--channel", "end"]
    assert "--channel NAME" in help_text()
    assert "--metrics" not in help_text()


def test_python_takes_the_old_name_of_the_channel() -> None:
    assert Options(metrics="end") == Options(channel="end")
    assert dataclasses.replace(Options(channel="push"), seed=1).channel == "push"
    assert dataclasses.replace(Options(channel="push"), metrics="end").channel == "end"


def test_a_scan_keeps_the_channel_under_the_name_that_old_scans_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    (tmp_path / "train.ipynb").write_text(notebook_json("lr = 0.1"))
    made = plan(tmp_path / "train.ipynb", "lr = [1, 2]", Options(channel="end")).scan
    assert (made.metrics, made.channel) == ("end", "end")
