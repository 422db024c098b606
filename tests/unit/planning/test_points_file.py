"""Points that a user wrote into a file: what is taken, and what is refused with which sentence."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.axes import Choice
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.program import point_key
from jupyter_gridgpu.model.space import Space, value_at
from jupyter_gridgpu.planning.points_file import read_points
from tests import random_spaces

LINES = """
optimizer = ["adam", "sgd"]
if optimizer == "sgd":
    momentum = uniform(0.5, 0.99)
    nesterov = [True, False]
units, layers = together([(64, 4), (128, 3)])
batch = logint(16, 4096)
drop = uniform(0, 0.5, step=0.1)
assert units * layers < 1000 and batch != 99
half = batch // 2
epochs = 20
seed = repeats(3)
"""
SPACE = parse_space(LINES, {})
ADAM = {"optimizer": "adam", "units": 64, "layers": 4, "batch": 32, "drop": 0.1}
SGD = {
    "optimizer": "sgd",
    "momentum": 0.9,
    "nesterov": True,
    "units": 128,
    "layers": 3,
    "batch": 64,
    "drop": 0.3,
}
HEAD = "optimizer,momentum,nesterov,units,layers,batch,drop"
ONE, TWO = "adam,,,64,4,32,0.1", "sgd,0.9,true,128,3,64,0.3"


def read(text: str | bytes, space: Space | str = SPACE, name: str = "p.csv") -> Any:
    made = space if isinstance(space, Space) else parse_space(space, {})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_points(path, made)


def as_csv(*lines: str) -> str:
    return "\n".join(lines) + "\n"


GOOD_CSV: dict[str, str | bytes] = {
    "plain": as_csv(HEAD, ONE, TWO),
    "no end of line": as_csv(HEAD, ONE, TWO)[:-1],
    "a BOM and CRLF": as_csv(HEAD, ONE, TWO).replace("\n", "\r\n").encode("utf-8-sig"),
    "old Mac": as_csv(HEAD, ONE, TWO).replace("\n", "\r"),
    "blank lines": as_csv("", HEAD, "", ONE, "  ", ",,,,,,", TWO, ""),
    "spaces": as_csv(HEAD.replace(",", " , "), ONE.replace(",", " , "), TWO),
    "quotes": as_csv('"optimizer",' + HEAD.partition(",")[2], '"adam"' + ONE[4:], TWO),
    "quoted as in a cell": as_csv(HEAD, "'adam'" + ONE[4:], '"""sgd"""' + TWO[3:]),
    "numbers of a spreadsheet": as_csv(HEAD, "adam,,,64.0,4.0,32.0,0.1", TWO),
    "other ways to write": as_csv(HEAD, "adam,,,64,+4,3.2e1,.1", "sgd,9e-1,TRUE,128,3,64,0.30"),
    "a rounded step": as_csv(HEAD, ONE, TWO[:-3] + "0.30000000000000004"),
    "fixed and derived values that agree": as_csv(
        HEAD + ",epochs,half", ONE + ",20,16", TWO + ",,32.0"
    ),
    "fewer values in a line": as_csv(
        "optimizer,units,layers,batch,drop,momentum,nesterov", "adam,64,4,32,0.1",
        "sgd,128,3,64,0.3,0.9,True",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD_CSV)
def test_a_table_gives_the_points_that_a_sampler_would_propose(name: str) -> None:
    assert read(GOOD_CSV[name]) == [ADAM, SGD]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (json.dumps([ADAM, SGD]), "p.json"),
        (json.dumps([{**ADAM, "momentum": None, "epochs": 20.0}, SGD], indent=2), "P.JSON"),
        ("\n".join(map(json.dumps, (ADAM, {**SGD, "half": 32}))) + "\n\n", "p.jsonl"),
        ("\ufeff" + json.dumps([ADAM, SGD]), "p.json"),
    ],
)
def test_json_gives_the_same_points(text: str, name: str) -> None:
    assert read(text, name=name) == [ADAM, SGD]


def test_values_are_those_of_the_space_whatever_their_kind() -> None:
    space = """
    kind = ["1", 1, 2.5, True, "true", None, "none", "", "a, b", float("nan"), float("inf")]
    shape = choice([256, 128], [60], ["a", None], {"n": [1]})
    """.replace("\n    ", "\n")
    cells = ['"""1"""', "1", "2.50", "True", '"""true"""', "none", "'none'", '""']
    cells += ['"a, b"', "NaN", "inf"]
    points = read(as_csv("kind,shape", *(f'{cell},"[256, 128]"' for cell in cells)), space)
    values = [point["kind"] for point in points]
    assert repr(values) == repr(list(parse_space(space, {}).searched["kind"].values))  # type: ignore[union-attr]
    shapes = ['"[256, 128]"', "[60]", "\"['a', None]\"", '"[""a"", null]"', '"{""n"": [1]}"']
    for cell, value in zip(
        shapes, ([256, 128], [60], ["a", None], ["a", None], {"n": [1]}), strict=True
    ):
        assert read(as_csv("kind,shape", f"2.5,{cell}"), space) == [{"kind": 2.5, "shape": value}]
    assert read(as_csv("n", "1"), 'n = ["1", "2"]') == [{"n": "1"}]
    assert read(as_csv("n", "7"), "n = uniform(0, 10)\n") == [{"n": 7.0}]
    assert type(read("n\n7", "n = uniform(0, 10)")[0]["n"]) is float
    assert type(read("n\n7.0", "n = integer(0, 10)")[0]["n"]) is int


def changed(name: str, value: str, line: str = TWO) -> str:
    cells = dict(zip(HEAD.split(","), line.split(","), strict=True))
    return as_csv(HEAD, ONE, ",".join({**cells, name: value}.values()))


# What is wrong: the file, where, and words of the sentence.
BAD: dict[str, tuple[str | bytes, str, str]] = {
    "nothing": ("", "line 1", "name the parameters"),
    "blank lines alone": ("\n\n", "line 1", "name the parameters"),
    "no points": (HEAD, "p.csv", "has no points"),
    "a name twice": (as_csv(HEAD + ",batch", ONE + ",1"), "line 1", "each once"),
    "a name missing": (as_csv(HEAD + ",", ONE), "line 1", "each once"),
    "semicolons": (as_csv(HEAD.replace(",", ";"), ONE), "line 1", "put commas between"),
    "tabs": (as_csv(HEAD.replace(",", "\t"), ONE), "line 1", "put commas between"),
    "unknown": (as_csv(HEAD + ",lr", ONE + ",1"), "line 2", "'lr' is no parameter of the space"),
    "unknown and empty": (as_csv(HEAD + ",lr", ONE), "line 2", "these vary: optimizer, momentum"),
    "the repeats": (as_csv(HEAD + ",seed", ONE + ",1"), "line 2", "leave seed out"),
    "another fixed value": (as_csv(HEAD + ",epochs", ONE + ",30"), "line 2", "makes it 20"),
    "another derived value": (as_csv(HEAD + ",half", ONE + ",15"), "line 2", "makes it 16"),
    "too many values": (as_csv(HEAD, ONE, TWO + ",1"), "line 3", "8 values for 7 names"),
    "a comma too many": (as_csv(HEAD, ONE, "sgd,0,9" + TWO[7:]), "line 3", "A text with a comma"),
    "out of range": (changed("batch", "8"), "line 3", "batch is 8, .* whole numbers from 16 to"),
    "beyond the range": (changed("momentum", "1"), "line 3", "takes numbers from 0.5 to 0.99"),
    "not whole": (changed("batch", "64.5"), "line 3", "batch is 64.5"),
    "between steps": (changed("drop", "0.25"), "line 3", "in steps of 0.1"),
    "infinite": (changed("momentum", "inf"), "line 3", "momentum is inf"),
    "no number": (changed("momentum", "nan"), "line 3", "momentum is nan"),
    "huge": (changed("batch", "1" + 380 * "0"), "line 3", "batch is 1000"),
    "longer than any number": (changed("batch", 9000 * "1"), "line 3", "batch is '111"),
    "another text": (changed("optimizer", "adamw"), "line 3", "one of 'adam', 'sgd'"),
    "another case": (changed("optimizer", "SGD"), "line 3", "optimizer is 'SGD'"),
    "a text for a number": (changed("batch", "many"), "line 3", "batch is 'many'"),
    "a truth for a number": (changed("batch", "true"), "line 3", "batch is True"),
    "a number for a truth": (changed("nesterov", "1"), "line 3", "nesterov is 1"),
    "no such row": (changed("layers", "4"), "line 3", r"units, layers are 128, 4, .*\[64, 4\]"),
    "half a row": (changed("layers", ""), "line 3", "layers has no value"),
    "no value": (changed("batch", ""), "line 3", "batch has no value"),
    "none": (changed("momentum", "none"), "line 3", "momentum is None"),
    "no column": (as_csv("optimizer,units,layers,drop", "adam,64,4,0.1"), "line 2", "batch has no"),
    "inactive": (changed("momentum", "0.9", ONE), "line 3", "momentum is 0.9, .* not active"),
    "a constraint": (changed("batch", "99"), "line 3", "does not meet `units . layers < 1000"),
    "twice": (as_csv(HEAD, ONE, "", TWO, ONE + "0"), "line 5", "same point as line 2"),
    "after a text of several lines": (
        as_csv(HEAD, ONE, '"a\nb"' + TWO[3:]), "line 3", "optimizer is 'a"),
    "a quote too few": (as_csv(HEAD, '"adam' + ONE[4:]), "line 2", "no CSV"),
    "text behind a quote": (as_csv(HEAD, '"adam"x' + ONE[4:]), "line 2", "no CSV"),
    "a long cell": (changed("optimizer", 20_000 * "x"), "line 3", "10,000 characters"),
    "a longer cell": (changed("optimizer", 200_000 * "x"), "line 3", "no CSV"),
    "no UTF-8": (as_csv(HEAD, ONE).encode("utf-16"), "p.csv", "not UTF-8"),
    "a null byte": (changed("optimizer", "sgd\0"), "line [23]", "is 'sgd.x00'|no CSV"),
    "a deep list": (changed("optimizer", 5000 * "["), "line 3", "optimizer is '"),
    "a Python call": (changed("optimizer", "(exit())"), "line 3", r"optimizer is '\(exit"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_in_a_table_is_one_sentence_with_its_line(name: str) -> None:
    text, place, words = BAD[name]
    with pytest.raises(UsageError, match=words) as refused:
        read(text)
    assert f"{place.strip()}" in str(refused.value) or "[" in place
    assert "p.csv" in str(refused.value)
    assert str(refused.value).count("\n") == 0
    assert len(str(refused.value)) < 600


BAD_JSON = {
    "{": "no JSON",
    "[" * 100_000: "no JSON",
    json.dumps(ADAM): "write a list of points",
    "[1]": "point 1: a point is an object",
    "[]": "has no points",
    json.dumps([ADAM, {**SGD, "momentum": "0.9"}]): "point 2: momentum is '0.9'",
    json.dumps([ADAM, {**SGD, "nesterov": 1}]): "point 2: nesterov is 1",
    json.dumps([ADAM, {**SGD, "batch": [64]}]): r"point 2: batch is \[64\]",
    json.dumps([ADAM, {**SGD, "batch": None}]): "point 2: batch has no value",
    json.dumps([ADAM, {**SGD, "lr": None}]): "point 2: 'lr' is no parameter",
    json.dumps([ADAM, {**SGD, "optimizer": "\ud800"}]): "point 2: .optimizer.: .*lone surrogate",
    json.dumps([{**ADAM, "drop": math.nan}]): "drop is nan",
    f'[{{"drop": {"[" * 50}{"]" * 50}}}]': "point 1: 'drop': the value is nested",
    json.dumps([ADAM, SGD, ADAM]): "point 3: it is the same point as point 1",
}


@pytest.mark.parametrize("text", BAD_JSON, ids=range(len(BAD_JSON)))
def test_what_is_wrong_in_json_is_one_sentence_with_its_place(text: str) -> None:
    with pytest.raises(UsageError, match=BAD_JSON[text]):
        read(text, name="p.json")


def test_what_is_wrong_in_a_line_of_json_names_the_line() -> None:
    for line, words in (("{", "no JSON"), ("3", "a point is an object")):
        with pytest.raises(UsageError, match=rf"p.jsonl, line 3: .*{words}"):
            read(f"{json.dumps(ADAM)}\n\n{line}\n", name="p.jsonl")


def test_only_a_plain_file_of_a_known_kind_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "huge.csv").touch()
    os.truncate(tmp_path / "huge.csv", 10**10)
    (tmp_path / "points.txt").write_text(as_csv(HEAD, ONE))
    table = {"pipe": "not a plain file", "folder": "directory|not a plain", "huge": "more than"}
    for name, words in {**table, "missing": "No such file"}.items():
        with pytest.raises(UsageError, match=rf"{name}.csv cannot be read: .*({words})"):
            read_points(tmp_path / f"{name}.csv", SPACE)
    with pytest.raises(UsageError, match=r"points.txt: give a table \(.csv\)"):
        read_points(tmp_path / "points.txt", SPACE)
    (tmp_path / "link.csv").symlink_to(tmp_path / "there.csv")
    (tmp_path / "there.csv").write_text(as_csv(HEAD, ONE))
    assert read_points(tmp_path / "link.csv", SPACE) == [ADAM]


def test_a_scan_has_no_more_points_than_it_may() -> None:
    many = as_csv("n", *map(str, range(100_001)))
    with pytest.raises(UsageError, match="more than 100,000 points"):
        read(many, "n = integer(0, 10**6)")
    assert len(read(many[: many.rindex("100000")], "n = integer(0, 10**6)")) == 100_000


def test_a_space_where_nothing_varies_has_no_points_to_choose() -> None:
    with pytest.raises(UsageError, match="no parameter varies"):
        read("lr\n1", "lr = 1\nseed = repeats(2)")


def test_an_expression_without_a_value_names_the_line() -> None:
    with pytest.raises(UsageError, match=r"p\.csv, line 3: "):
        read("n\n1\n0", "n = [0, 1]\nm = 12 // n")


def cell(value: Any) -> str:
    """Write a value as a user would; a text that may be taken for something else in quotes."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return json.dumps(value) if not isinstance(value, bool) else str(value)


@settings(max_examples=60)
@given(st.data())
def test_points_of_any_space_are_read_as_they_were_written(data: st.DataObject) -> None:
    axes = random_spaces.DISCRETE | random_spaces.CONTINUOUS
    space = Space.of(data.draw(random_spaces.statements(axes)), random_spaces.DEFAULTS)
    points: dict[str, dict[str, Any]] = {}
    for _ in range(8):
        walked = space.point(
            lambda draw: value_at(draw.axis, data.draw(st.floats(0, 1, exclude_max=True)))
        )
        if walked.broken is None:
            points[point_key(walked.chosen)] = walked.chosen
    wanted = list(points.values())
    names = list(space.searched)
    if not wanted or not names:
        return
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(names)
    for point in wanted:
        writer.writerow([cell(point[name]) if name in point else "" for name in names])
    assert repr(read(table.getvalue(), space)) == repr(wanted)
    assert repr(read(json.dumps(wanted), space, "p.json")) == repr(wanted)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.lists(SCALARS | st.lists(SCALARS, max_size=3), min_size=1, max_size=6)


@given(VALUES)
def test_every_value_of_a_choice_is_found_again_in_quotes(values: list[Any]) -> None:
    try:
        json.dumps(values).encode()
        "".join(filter(lambda value: isinstance(value, str), values)).encode()
    except UnicodeEncodeError:
        return
    different = tuple({repr(value): value for value in values}.values())
    space = Space({"x": Choice(different)})
    for value in different:
        table = io.StringIO()
        csv.writer(table, quoting=csv.QUOTE_ALL).writerows([["x"], [cell(value)]])
        [point] = read(table.getvalue(), space)
        assert repr(point["x"]) == repr(value) or point["x"] == value


@settings(max_examples=100)
@given(
    st.binary(max_size=200) | st.text(max_size=200).map(str.encode),
    st.sampled_from(["p.csv", "p.json", "p.jsonl"]),
)
def test_any_file_gives_points_or_one_sentence(text: bytes, name: str) -> None:
    for prefix in (b"", b"optimizer,batch\n", b'[{"optimizer": '):
        try:
            found = read(prefix + text, name=name)
        except UsageError:
            continue
        assert all(numbers.encode_all(point) for point in found)
