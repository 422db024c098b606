"""Profiles in every face: lists, the doctor, the form, completion, the magic, Python, replays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from jupyter_gridgpu import api
from jupyter_gridgpu.cli.app import gridgpu
from jupyter_gridgpu.doctor import profiles as doctor_profiles
from jupyter_gridgpu.doctor.environment import session_variables
from jupyter_gridgpu.errors import NotAccepted, UsageError
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.planning.notebook import read_notebook
from jupyter_gridgpu.planning.option_values import backend_fields, container_of
from jupyter_gridgpu.planning.options import read_options_line, to_options
from jupyter_gridgpu.planning.profile_text import place_line, profile_words
from jupyter_gridgpu.planning.profiles import expanded
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.queues import discovery
from jupyter_gridgpu.records.record import Record
from jupyter_gridgpu.records.replay import ReplayRequest, plan_replay
from jupyter_gridgpu.testing.examples import notebook_json
from jupyter_gridgpu.widgets.form import ScanForm
from tests.profile_files import folders, one
from tests.second_user import give_away, needs_root
from tests.unit.records.kit import write_scan

PROFILES = """\
profiles:
- name: lab
  title: Two jobs here
  backend: local
  parallel: 2
  memory: 4GB
  walltime: 2h
  max_failures: none
  setup: [export LAB=1]
  environment: {env: {LAB_DATA: /data/lab, B: 2}, secrets: [LAB_KEY]}
- {name: cluster, title: The cluster, backend: slurm, queue: gpu, gpus: 1}
"""
WORDS = (
    "--on local --parallel 2 --max-failures none --walltime 2h --memory 4GB"
    " --env LAB_DATA=/data/lab --env B=2 --secret LAB_KEY --setup 'export LAB=1'"
)


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("LAB_KEY", "not shown")
    monkeypatch.setattr(discovery, "find_queues", lambda *_: discovery.KnownQueues(()))
    found = folders(tmp_path, monkeypatch)[0]
    (found / "lab.yaml").write_text(PROFILES)
    return found


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    path = tmp_path / "train.ipynb"
    path.write_text(notebook_json("lr = 0.1", "acc = lr"))
    return path


def ran(*words: str) -> str:
    found = CliRunner().invoke(gridgpu, list(words), catch_exceptions=False)
    return found.output


def test_queues_lists_profiles_and_what_is_wrong(user: Path) -> None:
    (user / "wrong.yaml").write_text(one("wrong", more="walltime: soon"))
    (user / "open.yaml").write_text(one("open"))
    (user / "open.yaml").chmod(0o666)
    said = " ".join(ran("queues").split())
    assert "lab Two jobs here --on local --parallel 2" in said
    assert "wrong.yaml, line 4: walltime: 'soon' is no length of time" in said
    assert "open.yaml may be written by others: its profiles are not used." in said
    body = json.loads(ran("queues", "--json").splitlines()[0])
    assert [profile["name"] for profile in body["profiles"]] == ["lab", "cluster"]
    assert body["profiles"][1] == {
        "name": "cluster",
        "backend": "slurm",
        "title": "The cluster",
        "options": "--on slurm --gpus 1 --queue gpu",
        "collector": "",
        "source": str(user / "lab.yaml"),
    }
    assert len(body["problems"]) == 2


def test_the_doctor_says_mistakes_and_unsafe_files(user: Path) -> None:
    assert [finding.text for finding in doctor_profiles.profiles()] == ["2 profiles: lab, cluster"]
    (user / "wrong.yaml").write_text(one("wrong", more="walltime: soon"))
    (user / "open.yaml").write_text(one("open"))
    (user / "open.yaml").chmod(0o666)
    _, unsafe, wrong = doctor_profiles.profiles()
    assert (unsafe.level, wrong.level) == ("problem", "problem")
    assert "chmod go-w" in unsafe.advice
    assert "Correct the file" in wrong.advice
    for path in user.iterdir():
        path.unlink()
    [none] = doctor_profiles.profiles()
    assert str(user) in none.text


def test_the_doctor_takes_a_profile_for_its_variables(user: Path) -> None:
    found = session_variables("lab", {"PATH": "/bin", "LAB_KEY": "x", "OTHER": "y"})
    assert {"PATH", "LAB_DATA", "LAB_KEY"} <= set(found.travel)
    assert "LAB_KEY" not in found.secrets
    with pytest.raises(UsageError, match=r"--on 'labb' is not known.*Is lab meant\?"):
        session_variables("labb")


def test_the_form_offers_profiles_with_their_titles(user: Path, notebook: Path) -> None:
    form = ScanForm(notebook, {"on": "lab"})
    field = next(one for one in form.facts["where"] if one["name"] == "on")
    assert field["choices"][-2:] == ["lab", "cluster"]
    assert field["titles"] == {"lab": "Two jobs here", "cluster": "The cluster"}
    assert form.state["options"]["on"] == "lab"
    state = json.loads(json.dumps(form.state))
    state["parameters"][0].update(kind="list", text="1, 2", items="1, 2")
    answer = form._check(state)
    assert answer["cell"].splitlines()[0] == f"%%gridscan {notebook} --on lab"
    assert answer["errors"] == []
    # A field of the form wins over the profile, and what is wrong is said at a field.
    state["options"]["on"] = "labb"
    [error] = [one for one in form._check(state)["errors"] if one["field"] == "--on"]
    assert "Is lab meant?" in error["text"]


def test_completion_offers_backends_and_profiles(user: Path) -> None:
    complete = ShellComplete(gridgpu, {}, "gridgpu", "_GRIDGPU_COMPLETE")
    found = complete.get_completions(["run", "train.ipynb", "--on"], "l")
    assert [(item.value, item.help) for item in found] == [
        ("local", ""),
        ("lab", "Two jobs here"),
    ]


def test_a_dry_run_says_what_a_profile_stands_for(user: Path, notebook: Path) -> None:
    run = ["run", str(notebook), "-p", "lr = [1, 2]", "--on", "lab", "--dry-run"]
    assert ran(*run).splitlines()[0] == f"Profile lab: {WORDS}"
    body = json.loads(ran(*run, "--json", "--memory", "1GB"))
    assert (body["profile"], body["on"]) == ("lab", "local")
    assert body["options"][body["options"].index("--memory") + 1] == "1GB"


def test_the_words_of_a_scan_make_the_same_scan(user: Path, notebook: Path) -> None:
    made = planned(notebook, on="lab", gpus=0)
    words = profile_words(made)
    again = plan(notebook, "lr = [1, 2]", to_options(read_options_line(["n.ipynb", *words]))).scan
    for part in ("backend", "parallel", "resources", "environment", "placement", "max_failures"):
        assert getattr(again, part) == getattr(made, part), part
    assert len(place_line(made)) <= 300


def planned(notebook: Path, **options: Any) -> ScanSpec:
    return plan(notebook, "lr = [1, 2]", expanded(options)).scan


def test_python_takes_a_profile(user: Path, notebook: Path) -> None:
    with pytest.raises(UsageError, match="Is lab meant"):
        api.gridscan(notebook, {"lr": [1, 2]}, on="labb")
    made = planned(notebook, on="lab", env=["B=3"], retries=0)
    assert made.environment.variables == ("LAB_DATA=/data/lab", "B=3")


# replays ---------------------------------------------------------------------------------------


def recorded(notebook: Path, **options: Any) -> Record:
    digest = read_notebook(notebook).digest
    found = expanded(options)
    fields = backend_fields(found, container_of(found, exact=False))
    return write_scan(notebook=notebook.read_text(), notebook_digest=digest, **fields)


def replayed(origin: Record, **options: Any) -> ScanSpec:
    return plan_replay(origin, ReplayRequest(options=options), ask=False).scan


def test_a_replay_has_the_values_and_reads_no_profile(
    user: Path, notebook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = recorded(notebook, on="lab")
    (user / "lab.yaml").unlink()
    made = replayed(origin)
    assert made.profile == "lab"
    for part in ("backend", "parallel", "resources", "environment", "placement"):
        assert getattr(made, part) == getattr(origin.scan, part), part
    # On another backend it is no longer that of the profile.
    monkeypatch.setattr("shutil.which", lambda name, *_, **__: f"/usr/bin/{name}")
    assert replayed(origin, on="slurm").profile == ""


def test_a_replay_on_a_profile_uses_that_one(user: Path, notebook: Path) -> None:
    own = ("B=own", "MINE=1")
    origin = recorded(notebook, on="lab", env=own, setup=["mine"], account=None, memory="1GB")
    (user / "lab.yaml").write_text(
        one("lab", more="retries: 2\nsetup: [new]\nenvironment: {env: {B: site, C: 4}}")
    )
    made = replayed(origin, on="lab", env=["C=5"])
    assert (made.profile, made.retries) == ("lab", 2)
    # Lines of shell are of the place; variables are of the scan too, and the last word counts.
    assert made.environment.setup == ("new",)
    assert made.environment.variables == ("LAB_DATA=/data/lab", "MINE=1", "B=site", "C=5")
    # What the profile does not say stays as it was.
    assert made.resources.memory_mb == 1024
    assert replayed(origin, on="local").environment.setup == ("export LAB=1", "mine")


def test_a_replay_keeps_its_image(user: Path, notebook: Path) -> None:
    (user / "image.yaml").write_text(
        one("boxed", more="image: docker://site/ml:1\nruntime: podman")
    )
    origin = recorded(notebook, on="local", image="docker://my/ml:1")
    assert replayed(origin, on="boxed").container.image == "docker://my/ml:1"
    assert replayed(origin, on="boxed", image="docker://x/y:1").container.image == "docker://x/y:1"
    bare = recorded(notebook, on="local")
    made = replayed(bare, on="boxed")
    assert (made.container.image, made.container.runtime) == ("docker://site/ml:1", "podman")


@needs_root
def test_what_somebody_elses_scan_says_is_shown_also_with_a_profile(
    user: Path, notebook: Path
) -> None:
    origin = recorded(notebook, on="local", env=["EVIL=1"], setup=["evil"])
    give_away(origin.paths.folder)
    with pytest.raises(NotAccepted) as refused:
        replayed(origin, on="lab")
    # Its lines of shell are not taken over, and those of the profile are the user's own.
    told = " ".join(refused.value.effects)
    assert "EVIL=1" in told
    assert "setup" not in told
