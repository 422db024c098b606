"""`--on PROFILE`: what it expands to, and what of it a scan keeps."""

from __future__ import annotations

import dataclasses
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.scan import ScanSpec, fingerprint
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.options import read_options_line, to_options
from jupyter_gridgpu.planning.profile import NOT_IN_A_PROFILE, Profile, option_names, profile_of
from jupyter_gridgpu.planning.profiles import expanded, merged
from jupyter_gridgpu.planning.request import Plan, plan
from jupyter_gridgpu.testing.examples import notebook_json
from tests.profile_files import folders, one


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return folders(tmp_path, monkeypatch)[0]


def planned(folder: Path, words: str, space: str = "lr = [1, 2]") -> Plan:
    path = folder / "train.ipynb"
    path.write_text(notebook_json("lr = 0.1"))
    return plan(path, space, to_options(read_options_line([str(path), *shlex.split(words)])))


def scan_of(folder: Path, words: str) -> ScanSpec:
    return planned(folder, words).scan


# what wins -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "words", "name", "value"),
    [
        # A default that the user writes is a wish, too.
        ("gpus: 1", "--gpus 0", "gpus", 0),
        ("per_gpu: 2", "--per-gpu 1", "per_gpu", 1),
        ("retries: 3", "", "retries", 3),
        ("channel: end", "--channel auto", "channel", "auto"),
        ("channel: end", "--metrics auto", "channel", "auto"),
        ("max_failures: none", "--max-failures 5", "max_failures", "5"),
        ("max_failures: none", "", "max_failures", "none"),
        ("memory: 4GB", "--memory 2GB", "memory", "2GB"),
        ("no_prefork: true", "", "no_prefork", True),
        ("python: a", "--python b", "python", "b"),
        # Several values: those of the profile come first.
        ("setup: [module load a, x]", "--setup y", "setup", ("module load a", "x", "y")),
        ("setup: [x]", "--setup x", "setup", ("x", "x")),
        ("environment: {env: {A: 1, B: 2}}", "--env A=3 --env C", "env", ("B=2", "A=3", "C")),
        ("environment: {env: [A, B=2]}", "--env A=3", "env", ("B=2", "A=3")),
        ("environment: {env: {A: 1, B: 2}}", "--secret A", "env", ("B=2",)),
        ("environment: {secrets: [K, L]}", "--secret L --secret M", "secret", ("K", "L", "M")),
        ("environment: {secrets: [K, L]}", "--env K=1", "secret", ("L",)),
        ("image: a.sif\nbinds: [/a, /b:/c]", "--bind /d:/c:ro", "bind", ("/a", "/d:/c:ro")),
        # What is for an image says nothing to a scan without one.
        ("runtime: apptainer\nbinds: [/a]", "", "bind", ()),
        ("runtime: apptainer\nbinds: [/a]", "", "runtime", "auto"),
        ("runtime: apptainer\nbinds: [/a]", "--image b.sif", "runtime", "apptainer"),
        ("runtime: apptainer\nbinds: [/a]", "--image b.sif", "bind", ("/a",)),
        ("image: a.sif\nbinds: [/a]", "--runtime none", "bind", ()),
        ("image: a.sif", "--image b.sif", "image", "b.sif"),
        # An image has a Python of its own.
        ("python: a", "--image b.sif", "python", None),
        ("image: a.sif\nruntime: podman", "--python b", "image", None),
        ("image: a.sif\nruntime: podman", "--python b", "runtime", "auto"),
    ],
)
def test_what_the_user_gives_wins(
    user: Path, profile: str, words: str, name: str, value: object
) -> None:
    (user / "a.yaml").write_text(one(more=profile))
    made = to_options(read_options_line(["n.ipynb", "--on", "lab", *words.split()]))
    assert getattr(made, name) == value
    assert (made.on, profile_of(made)) == ("local", "lab")


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ("--reservation=a", "--reservation=b", ("--reservation=b",)),
        ("--reservation a", "--reservation=b", ("--reservation=b",)),
        ("-M a", "-m b", ("-M a", "-m b")),
        ('+JobFlavour = "a"', 'MY.jobflavour="b"', ('MY.jobflavour="b"',)),
        ("want_x = a", "Want_X=b", ("Want_X=b",)),
        ("want_x = a", "+want_x=b", ("want_x = a", "+want_x=b")),
    ],
)
def test_an_option_of_the_batch_system_is_replaced_by_the_same_one(
    first: str, second: str, kept: tuple[str, ...]
) -> None:
    profile = Profile("lab", "slurm", options={"engine_option": (first, "--exclude=n1")})
    found = merged(profile, {"engine_option": (second,)})["engine_option"]
    assert sorted(found) == sorted((*kept, "--exclude=n1"))


NAMES = st.sampled_from(["A", "B", "C", "D"])
VARIABLES = st.lists(st.builds(lambda name, value: f"{name}={value}", NAMES, st.integers(0, 3)))


@given(VARIABLES, VARIABLES, st.lists(NAMES), st.lists(NAMES))
def test_each_variable_is_said_by_the_profile_or_by_the_user(
    first: list[str], second: list[str], keys: list[str], users_keys: list[str]
) -> None:
    profile = Profile("lab", "local", options={"env": tuple(first), "secret": tuple(keys)})
    found = merged(profile, {"env": tuple(second), "secret": tuple(users_keys)})
    own = {text.partition("=")[0] for text in second} | set(users_keys)
    # All that the user said, in this order, at the end.
    for name, said in (("env", second), ("secret", users_keys)):
        values = list(found.get(name, ()))
        assert values[len(values) - len(said) :] == said
        for text in values[: len(values) - len(said)]:
            assert text.partition("=")[0] not in own
    kept = [text for text in first if text.partition("=")[0] not in own]
    assert list(found.get("env", ()))[: len(kept)] == kept


@given(st.dictionaries(st.sampled_from(option_names()), st.integers()), st.data())
def test_single_values_of_the_user_win_and_no_other_is_lost(
    theirs: dict[str, Any], data: st.DataObject
) -> None:
    usual = Options()
    single = [name for name in option_names() if not isinstance(getattr(usual, name), tuple)]
    single.remove("python")  # an image has its own
    theirs = {name: value for name, value in theirs.items() if name in single}
    theirs["image"] = "a.sif"
    own = data.draw(st.dictionaries(st.sampled_from(single), st.integers()))
    own.pop("image", None)
    found = merged(Profile("lab", "slurm", options=theirs), own)
    assert {name: found[name] for name in {*theirs, *own}} == {**theirs, **own}


def test_every_option_is_for_a_profile_or_for_one_scan() -> None:
    names = {declared.name for declared in dataclasses.fields(Options)}
    assert {*option_names(), *NOT_IN_A_PROFILE} >= names
    assert not set(option_names()) & set(NOT_IN_A_PROFILE)


# what a scan keeps -----------------------------------------------------------------------------


def test_a_scan_keeps_what_its_profile_stands_for(user: Path) -> None:
    (user / "a.yaml").write_text(one(more="parallel: 2\nmemory: 4GB\nsetup: [x=1]"))
    made = scan_of(user, "--on lab")
    assert (made.backend, made.profile, made.parallel) == ("local", "lab", 2)
    assert made.resources.memory_mb == 4096
    assert made.environment.setup == ("x=1",)
    assert fingerprint(made) == fingerprint(
        scan_of(user, "--on local --parallel 2 --memory 4GB --setup x=1")
    )


def test_the_fingerprint_has_the_content_of_a_profile_and_not_its_name(user: Path) -> None:
    path = user / "a.yaml"
    path.write_text(one(more="retries: 1"))
    first = fingerprint(scan_of(user, "--on lab"))
    path.write_text(one("other", more="title: Another name\nretries: 1"))
    assert fingerprint(scan_of(user, "--on other")) == first
    path.write_text(one("other", more="retries: 2"))
    assert fingerprint(scan_of(user, "--on other")) != first


@pytest.mark.parametrize("on", ["local", "auto", "slurm"])
def test_no_profile_is_read_for_a_backend(
    user: Path, on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_gridgpu.planning.profile_files.files", lambda: 1 / 0)
    assert expanded({"on": on}) == Options(on=on)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("laab", r"profiles lab, other\. Is lab meant\?"),
        ("slrum", r"choose one of .*slurm, auto, or .*Is slurm meant\?"),
        ("\x1b[31m", r"'\\x1b\[31m' is not known; choose one of"),
        ("", "'' is not known"),
        ("x" * 5000, "is not known"),
    ],
)
def test_a_name_that_is_neither_is_refused_with_what_there_is(
    user: Path, wrong: str, said: str
) -> None:
    (user / "a.yaml").write_text(one() + "- {name: other, backend: slurm}\n")
    with pytest.raises(UsageError, match=said) as refused:
        expanded({"on": wrong})
    text = str(refused.value)
    for name in ("htcondor", "local", "panda", "slurm", "auto", "lab", "other"):
        assert re.search(rf"\b{name}\b", text)


@pytest.mark.parametrize("words", ["--bind /a:/b", "--env A=1", "--gpus 0", "--channel end", ""])
def test_only_options_that_are_written_count_as_given(words: str) -> None:
    values = read_options_line(["n.ipynb", *words.split()])
    names = {declared.name for declared in dataclasses.fields(Options)} & set(values)
    assert len(names) == bool(words)


def test_the_collector_of_a_profile_is_said_where_metrics_need_one(
    user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = "no_shared_disk: true\ncollector: https://metrics.lab.example/"
    (user / "a.yaml").write_text(one("away", "htcondor", more) + "  gpus: 0\n")
    (user / "b.yaml").write_text(one("here", more="collector: https://metrics.lab.example"))
    monkeypatch.setattr("jupyter_gridgpu.backends.htcondor.backend.call", lambda *_, **__: None)
    monkeypatch.setattr("jupyter_gridgpu.channels.choose", lambda asked, shows_files: "end")
    monkeypatch.setattr("jupyter_gridgpu.channels.collector_address", lambda: None)
    made = scan_of(user, "--on away")
    assert [text for text in made.warnings if "collector" in text] == [
        "Jobs of profile away reach the collector https://metrics.lab.example, and you use none:"
        " `gridgpu collector use` takes what its owner gave you."
    ]
    monkeypatch.setattr(
        "jupyter_gridgpu.channels.collector_address", lambda: "https://metrics.lab.example"
    )
    assert not [text for text in scan_of(user, "--on away").warnings if "collector" in text]
    monkeypatch.setattr("jupyter_gridgpu.channels.choose", lambda asked, shows_files: "file")
    assert not [text for text in scan_of(user, "--on here").warnings if "collector" in text]
