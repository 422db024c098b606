"""A request that is written into a file and read again is the same request."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_gridgpu.errors import GridGpuError, UsageError
from jupyter_gridgpu.model.scan import ScanSpec, fingerprint
from jupyter_gridgpu.model.space import Space
from jupyter_gridgpu.model.space_cell import cell_body
from jupyter_gridgpu.planning import request, scan_file, space_apart
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.options import to_options
from jupyter_gridgpu.planning.scan_file.fields import option_fields
from jupyter_gridgpu.planning.scan_file.reading import read_text
from jupyter_gridgpu.planning.scan_file.writing import NOT_OF_THE_SCAN
from jupyter_gridgpu.testing.examples import notebook_json
from tests.random_spaces import CONTINUOUS, DEFAULTS, DISCRETE, statements

NOTEBOOK = notebook_json("\n".join(f"{name} = {value}" for name, value in DEFAULTS.items()))
# Texts that YAML or a shell would take for something else.
WORDS = ["a", "on", "1", "1e3", "2h", "a: b", "# a", "- a", "{a}", "x #y", "é", "a'b\"c", "~", "=="]


@pytest.fixture(autouse=True)
def anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work beside a notebook, take any scan, and look for no images."""

    def accepted(scan: ScanSpec, ask: bool = True, files: object = None) -> ScanSpec:
        return scan

    monkeypatch.setattr(request, "accepted_by_backend", accepted)
    # The same code, without a process of its own for each of many spaces.
    monkeypatch.setattr(space_apart, "_is_plain", lambda body: True)
    monkeypatch.setattr(request, "helper_files", lambda folder, patterns: {})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.ipynb").write_text(NOTEBOOK)
    return tmp_path


def plain_options() -> st.SearchStrategy[dict[str, Any]]:
    """Return some options, each with a value that it may have on the command line."""
    sizes = st.sampled_from(["40GB", "4000", "1.5 TB"])
    times = st.sampled_from(["2h", "90", "30min"])
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "maximize": st.lists(st.sampled_from(["acc", "max(auc)", "x y"]), max_size=3, unique=True),
        "minimize": st.lists(st.sampled_from(["loss", "min(time)"]), max_size=2, unique=True),
        "sampler": st.sampled_from(["random", "tpe", "nsgaii"]),
        "on": st.sampled_from(["local", "slurm", "htcondor", "panda"]),
        "max_failures": st.sampled_from(["none", "7"]),
        "cuda": st.sampled_from(["12.0", "12"]),
        "channel": st.sampled_from(["auto", "push", "end"]),
        "kernel": st.just("python3"),
        "name": st.sampled_from(["1", "btag", "on", "1.0"]),
        "setup": st.lists(st.sampled_from(["true", "echo '# a: b'", "x=1 # y"]), max_size=3),
        "env": st.lists(st.sampled_from(["A=1", "B=", "C= x: y #", "D=é\"'"]), max_size=3),
        "secret": st.lists(st.sampled_from(["KEY", "no", "TOKEN"]), max_size=2, unique=True),
        "engine_option": st.lists(st.sampled_from(["--x=y", "-C {a: b}"]), max_size=2),
        **dict.fromkeys(("vram", "memory", "disk"), sizes),
        **dict.fromkeys(("walltime", "grace"), times),
        **dict.fromkeys(("queue", "account", "qos", "constraint", "gpu_model"), words()),
        **dict.fromkeys(
            ("trials", "parallel", "per_gpu", "per_job", "cpus"), st.integers(1, 10**10)
        ),
        **dict.fromkeys(("seed", "gpus", "retries"), st.integers(0, 10**12)),
        **dict.fromkeys(("no_prefork", "new"), st.booleans()),
    }
    return st.fixed_dictionaries({}, optional={**kinds, "trials": st.integers(1, 50)})


def words() -> st.SearchStrategy[str]:
    return st.sampled_from([word for word in WORDS if not word.startswith("-")])


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), plain_options())
def test_what_was_saved_is_the_same_request(data: st.DataObject, options: dict[str, Any]) -> None:
    body = cell_body(Space.of(data.draw(statements(st.one_of(DISCRETE, CONTINUOUS)))))
    options = {name: tuple(v) if isinstance(v, list) else v for name, v in options.items()}
    text = scan_file.text("train.ipynb", body, options)
    path = Path("scan.yaml")
    path.write_text(text)
    file = scan_file.read(path)
    kept = {name: value for name, value in options.items() if value != () and name != "new"}
    assert file.options == kept
    assert fingerprint_of(file.space, file.options) == fingerprint_of(body, options)
    # It says the same, so it stays as it is.
    assert "says the same" in scan_file.save(path, "train.ipynb", body, options)
    assert path.read_text() == text


def fingerprint_of(space: Space | str, options: dict[str, Any]) -> str:
    """Return the fingerprint of a request, or the sentence with which it is refused."""
    try:
        plan = request.plan("train.ipynb", space, to_options(options), ask=False)
        return fingerprint(plan.scan)
    except GridGpuError as error:
        return str(error)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=3))
def test_any_text_survives(texts: list[str]) -> None:
    text = scan_file.text("train.ipynb", "p0 = 1", {"bind": texts, "name": texts[0]})
    written = read_text(text, "x")
    assert (written.options["bind"], written.options["name"]) == (tuple(texts), texts[0])


def test_every_option_can_stand_in_a_file() -> None:
    known = {field.name for field in option_fields().values()}
    assert known == {declared.name for declared in fields(Options)}
    values: dict[str, Any] = {}
    for field in option_fields().values():
        values[field.name] = 3 if field.whole else "a"
        if field.is_flag:
            values[field.name] = True
        if field.several:
            values[field.name] = ("A", "B")
    values |= {"env": ("A=1", "B="), "secret": ("KEY",)}
    Path("scan.yaml").write_text(scan_file.text("train.ipynb", "p0 = 1", values))
    kept = {name: value for name, value in values.items() if name not in NOT_OF_THE_SCAN}
    assert scan_file.read("scan.yaml").options == kept
    # Other programs that read YAML find the same.
    body = yaml.safe_load(Path("scan.yaml").read_text())
    assert (body["notebook"], body["space"]) == ("train.ipynb", "p0 = 1\n")


CELL = """
# the rate
p0 = [base, 2 * base]   # of Adam
p1 = [2**k for k in range(3)]
if p1 > 1:   # a branch
    p2 = load()  # a call
assert p0 * p1 < 400
p3 = p0 // 2
"""
VARIABLES = {"base": 64, "load": lambda: [5, 6]}


def test_lines_stay_and_only_what_a_file_cannot_know_is_put_in() -> None:
    text = scan_file.text("train.ipynb", CELL, {}, variables=VARIABLES)
    lines = CELL.replace("[base, 2 * base]", "[64, 128]").replace("load()", "[5, 6]")
    assert text == (
        "version: 1\nnotebook: train.ipynb\nspace: |\n"
        + "".join(f"  {line}\n" for line in lines.strip().splitlines())
    )


@pytest.mark.parametrize(
    ("cell", "lines"),
    [
        # Where it is not plain what a line has become, the space is written anew.
        ("if base > 5:\n    p0 = 1\nelse:\n    p0 = [base]", "p0 = 1"),
        ("p0 = [1, 99]\nassert p0 < base", "p0 = [1, 99]\nassert p0 < 64"),
        ("p0 = [1]; p1 = [base]", "p0 = [1]; p1 = [64]"),
        ("p0 = [base]; p1 = [base]", "p0 = [64]\np1 = [64]"),
        ("p0 = base.real", "p0 = 64"),
        ("    p0 = [1]\n    p1 = [2]", "p0 = [1]\np1 = [2]"),
        ("p0 = 'a\x07b'", "p0 = 'a\x07b'"),
        ("p0 = 'a\u2028b\x85c'", "p0 = 'a\u2028b\x85c'"),
        ("p0 = [1,\n  2]\n\n# below", "p0 = [1,\n  2]\n\n# below"),
        ("p0 = [1, 2]\nif p0 > 1:\n\tp1 = [3]  ", "p0 = [1, 2]\nif p0 > 1:\n\tp1 = [3]"),
        ("p0 = 'a'  # é: - {x}\r\np1 = 2\f", "p0 = 'a'  # é: - {x}\np1 = 2"),
    ],
)
def test_lines_of_any_kind_mean_the_same_in_the_file(cell: str, lines: str) -> None:
    text = scan_file.text("train.ipynb", cell, {}, variables=VARIABLES)
    assert read_text(text, "x").body.strip() == lines


def test_no_secret_value_gets_into_a_file() -> None:
    for options, words in (
        ({"secret": ("KEY=hunter2",)}, "--secret 'KEY'"),
        ({"env": ("API_TOKEN=hunter2",)}, "--env API_TOKEN"),
    ):
        with pytest.raises(UsageError) as refused:
            scan_file.save("scan.yaml", "train.ipynb", "p0 = 1", options)
        assert words in str(refused.value)
        assert "hunter2" not in str(refused.value)
        assert not Path("scan.yaml").exists()


OLD = """\
# yaml-language-server: $schema=scan-file.schema.json
version: 1   # of the format
notebook: train.ipynb

# what is tried
space: |
  # the rate
  p0 = [1, 2]   # small

  p1 = uniform(0, 1)  # wide
  if p0 > 1:
      p2 = 3   # three
# below the space
options:
  # where it runs
  on: slurm   # our cluster
  gpus: 1
  env:
    # for the reader
    - A=1  # one
    - B=2
  # how many
  trials: 20
  name: "a # b"
# the end
"""
NEW_BODY = "p0 = [1, 2]\np1 = uniform(0, 2)\nif p0 > 1:\n    p2 = 3\nassert p1 < p0"
NEW_OPTIONS = {"on": "htcondor", "env": ("A=1", "C=3"), "trials": 20, "seed": 4, "name": "b"}
CHANGED = """\
# yaml-language-server: $schema=scan-file.schema.json
version: 1   # of the format
notebook: train.ipynb

# what is tried
space: |
  # the rate
  p0 = [1, 2]   # small

  p1 = uniform(0, 2)  # wide
  if p0 > 1:
      p2 = 3   # three
  assert p1 < p0
# below the space
options:
  # where it runs
  on: htcondor   # our cluster
  env:
    # for the reader
    - A=1  # one
    - C=3
  # how many
  trials: 20
  name: b
  seed: 4
# the end
"""


def test_a_file_that_is_changed_keeps_its_comments() -> None:
    path = Path("scan.yaml")
    path.write_text(OLD)
    with pytest.raises(UsageError, match="it is there and describes another scan; say --overwrite"):
        scan_file.save(path, "train.ipynb", NEW_BODY, NEW_OPTIONS)
    assert path.read_text() == OLD
    path.chmod(0o600)
    Path("link.yaml").symlink_to("scan.yaml")
    said = scan_file.save("link.yaml", "train.ipynb", NEW_BODY, NEW_OPTIONS, overwrite=True)
    assert said == "Changed: link.yaml"
    assert Path("link.yaml").is_symlink()
    assert path.read_text() == CHANGED
    assert path.stat().st_mode & 0o777 == 0o600
    again = scan_file.save("link.yaml", "train.ipynb", NEW_BODY, NEW_OPTIONS)
    assert again == "link.yaml says the same already."


@pytest.mark.parametrize(
    "old",
    [
        "{notebook: train.ipynb, space: 'p0 = 1', options: {gpus: 1}}  # braces\n",
        "# top\nnotebook: a.ipynb # other\nspace:\n  p0: 1  # one\n  # two\n  p1: [1, 2]\n",
        "# top\nnotebook: train.ipynb\nspace: p0 = 1\noptions: # none yet\n",
        "# top\noptions: {gpus: 1, env: [A=1]}\nspace: 'p0 = 1'\nnotebook: train.ipynb",
        "options:\n  env: # several\n  - A=1\n  # more\n  - B=1\n\n# sp\nspace: |\n  p0 = 1\n\n\n"
        "# nb\nnotebook: train.ipynb\n",
        "notebook: train.ipynb\nspace: |+ # keep\n  p0 = 1\n\n# x\noptions:\n  setup: |\n   true\n"
        "   # shell\n\n  # y\n  gpus: 1\n",
    ],
)
def test_a_file_of_any_style_is_changed(old: str) -> None:
    path = Path("scan.yaml")
    path.write_text(old)
    scan_file.save(path, "train.ipynb", NEW_BODY, NEW_OPTIONS, overwrite=True)
    file = scan_file.read(path)
    assert file.options == NEW_OPTIONS
    assert fingerprint_of(file.space, file.options) == fingerprint_of(NEW_BODY, NEW_OPTIONS)
    said = path.read_text()
    for line in old.splitlines():
        if line.strip().startswith("#") and line.strip() != "# shell":
            assert line.strip() in said


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), plain_options(), plain_options())
def test_any_file_can_be_changed_into_any_other(
    data: st.DataObject, first: dict[str, Any], second: dict[str, Any]
) -> None:
    path = Path("scan.yaml")
    path.unlink(missing_ok=True)
    spaces = [cell_body(Space.of(data.draw(statements()))) for _ in range(2)]
    scan_file.save(path, "train.ipynb", spaces[0], first)
    lines = path.read_text().splitlines()
    notes = []
    for place in sorted(data.draw(st.lists(st.integers(0, len(lines)), max_size=4)), reverse=True):
        below = lines[place] if place < len(lines) else ""
        notes.append(f"# note {place}")
        lines.insert(place, " " * (len(below) - len(below.lstrip())) + notes[-1])
    path.write_text("\n".join(lines) + "\n")
    scan_file.save(path, "train.ipynb", spaces[1], second, overwrite=True)
    file = scan_file.read(path)
    assert fingerprint_of(file.space, file.options) == fingerprint_of(spaces[1], second)
    said = path.read_text()
    assert [note for note in notes if note not in said] == []


def test_what_is_no_file_of_a_scan_is_never_replaced() -> None:
    Path("other.yaml").write_text("a: 1\n")
    Path("folder.yaml").mkdir()
    for name, words in (
        ("other.yaml", "something else is there, which stays as it is .*no field 'a'"),
        ("train.ipynb", "give a file whose name ends in .yaml or .yml"),
        ("folder.yaml", "cannot be read"),
        ("none/scan.yaml", "cannot be written: No such file"),
    ):
        with pytest.raises(GridGpuError, match=words):
            scan_file.save(name, "train.ipynb", "p0 = 1", {}, overwrite=True)
    assert Path("other.yaml").read_text() == "a: 1\n"


def test_paths_are_written_as_the_file_sees_them(anywhere: Path) -> None:
    (anywhere / "scans").mkdir()
    (anywhere / "elsewhere").symlink_to(anywhere / "scans")
    (anywhere / "ml.sif").write_bytes(b"\0" * 32 + b"SIF_MAGIC")
    options = {"files": ("jets.npz", "/data/y", "*.csv"), "image": "ml.sif", "points": "p.csv"}
    scan_file.save("scans/scan.yml", "train.ipynb", "p0 = 1", options)
    written = read_text(Path("scans/scan.yml").read_text(), "x")
    assert written.notebook == "../train.ipynb"
    assert written.options == {
        "files": ("../jets.npz", "/data/y", "../*.csv"),
        "image": "../ml.sif",
        "points": "../p.csv",
    }
    file = scan_file.read("scans/scan.yml")
    assert (file.notebook, file.options["image"]) == ("train.ipynb", "ml.sif")
    assert file.options["files"] == options["files"]
    assert "says the same" in scan_file.save_again(file, {}, "scans/scan.yml")
    # The path of an image, and that of a Python, is a part of the fingerprint.
    for more in ({"image": "ml.sif"}, {"python": "v/bin/python"}):
        asked = {"on": "slurm", **more}
        for name in ("scans/a.yaml", "b.yaml", "elsewhere/c.yaml"):
            scan_file.save(name, "train.ipynb", "p0 = 1", asked, overwrite=True)
            read = scan_file.read(name)
            assert fingerprint_of(read.space, read.options) == fingerprint_of("p0 = 1", asked)


def test_options_of_the_command_line_win_and_are_said() -> None:
    path = Path("scan.yaml")
    path.write_text(OLD.replace("  gpus: 1\n", "  gpus: 1\n  maximize: acc\n  no-prefork: true\n"))
    file = scan_file.read(path)
    assert file.differences({"gpus": 1, "on": "slurm"}) == ""
    assert file.differences({"gpus": 1, "env": ["A=1", "B=2"], "maximize": "acc"}) == ""
    given = {"gpus": 2, "minimize": ("loss",), "env": ("A=2",), "no_prefork": False}
    assert file.differences(given) == (
        "Other than in scan.yaml: --gpus 2 (there 1), no --maximize (there acc), --no-prefork no"
        " (there yes), --env A (there A, B), --minimize loss (not there)."
    )
    assert file.merged(given) == {"on": "slurm", "trials": 20, "name": "a # b", **given}
    # Its own file is changed without another word: it was read, and is named again.
    assert scan_file.save_again(file, given, path) == "Changed: scan.yaml"
    assert scan_file.read(path).options == file.merged(given)
    # A copy of it gets its comments.
    assert (
        scan_file.save_again(scan_file.read(path), {"gpus": 3}, "copy.yaml") == "Saved: copy.yaml"
    )
    assert "# what is tried" in Path("copy.yaml").read_text()
    assert scan_file.read("copy.yaml").options["gpus"] == 3


def test_a_wrong_value_is_said_with_its_line() -> None:
    Path("scan.yaml").write_text(OLD.replace("gpus: 1", "walltime: soon"))
    file = scan_file.read("scan.yaml")
    with pytest.raises(UsageError, match=r"^scan\.yaml, line 17: 'soon' is no length of time"):
        file.plan({"on": "local", "sampler": "random", "name": "x"}, ask=False)
    # What the user has just written is not in the file.
    with pytest.raises(UsageError) as refused:
        file.plan({"walltime": "late", "sampler": "random", "name": "x"}, ask=False)
    assert "scan.yaml" not in str(refused.value)
