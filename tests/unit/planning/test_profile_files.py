"""Reading profiles: what a file may say, which mistakes are said, and which files are not read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.planning import profile_files, profiles
from jupyter_gridgpu.planning.profile import Profile
from tests.profile_files import folders, one
from tests.second_user import as_other, give_away, needs_root, open_place

WHOLE = """
profiles:
- name: lab-a100
  title: A100 nodes of the institute
  backend: htcondor
  account: atlas
  constraint: 'Machine != "node7"'
  gpus: 1
  gpu_model: A100
  vram: 40GB
  cuda: 12.0
  cpus: 4
  memory: 16GB
  disk: 20GB
  walltime: 4h
  grace: 2min
  parallel: 20
  per_gpu: 2
  per_job: 3
  no_prefork: yes
  retries: 1
  max_failures: none
  channel: end
  image: /cvmfs/lab/ml.sif
  runtime: apptainer
  no_shared_disk: true
  shared: [/eos, /cvmfs]
  setup: |
    module load cuda
    source /cvmfs/lab/setup.sh
  environment:
    env: {OMP_NUM_THREADS: 4, LAB_DATA: /data/lab, "EMPTY": "", HOST_OF_SESSION: }
    secrets: [LAB_KEY]
  collector: https://metrics.lab.example:8765/
- {name: small, backend: panda, exclude_sites: [BAD_SITE], attempts: 2}
- {name: bare, backend: local, python: /opt/lab/bin/python3}
"""


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return folders(tmp_path, monkeypatch)[0]


@pytest.fixture
def site(user: Path, tmp_path: Path) -> Path:
    return tmp_path / "site/gridgpu/profiles.d"


def texts() -> list[str]:
    return [problem.text for problem in profile_files.read_all()[1]]


def names() -> list[str]:
    return [profile.name for profile in profile_files.read_all()[0]]


def test_all_fields_of_a_profile_are_read(user: Path) -> None:
    (user / "lab.yaml").write_text(WHOLE)
    found, problems = profile_files.read_all()
    assert problems == []
    assert found[0] == Profile(
        name="lab-a100",
        backend="htcondor",
        title="A100 nodes of the institute",
        options={
            "account": "atlas",
            "constraint": 'Machine != "node7"',
            "gpus": 1,
            "gpu_model": "A100",
            "vram": "40GB",
            "cuda": "12.0",
            "cpus": 4,
            "memory": "16GB",
            "disk": "20GB",
            "walltime": "4h",
            "grace": "2min",
            "parallel": 20,
            "per_gpu": 2,
            "per_job": 3,
            "no_prefork": True,
            "retries": 1,
            "max_failures": "none",
            "channel": "end",
            "image": "/cvmfs/lab/ml.sif",
            "runtime": "apptainer",
            "no_shared_disk": True,
            "shared": ("/eos", "/cvmfs"),
            "setup": ("module load cuda", "source /cvmfs/lab/setup.sh"),
            "env": ("OMP_NUM_THREADS=4", "LAB_DATA=/data/lab", "EMPTY=", "HOST_OF_SESSION"),
            "secret": ("LAB_KEY",),
        },
        collector="https://metrics.lab.example:8765",
        source=str(user / "lab.yaml"),
    )
    assert found[1].options == {"exclude_site": ("BAD_SITE",), "attempts": 2}
    assert found[2].options == {"python": "/opt/lab/bin/python3"}


# The lines after the backend, the backend, and what is said; the first of them is line 4.
MISTAKES = [
    ("walltime: soon", "local", "line 4: walltime: 'soon' is no length of time"),
    ("memory: 4 gigs", "local", "line 4: memory: '4 gigs' is no amount of memory"),
    ("gpus: -1", "local", "line 4: gpus: -1: give a whole number from 0 up"),
    ("gpus: one", "local", "line 4: gpus: 'one' is no whole number"),
    ("cpus: 0", "slurm", "line 4: cpus: 0: give a whole number from 1 up"),
    ("cuda: new", "htcondor", "line 4: cuda: 'new' is no version"),
    ("no_prefork: perhaps", "local", "line 4: no_prefork: 'perhaps' is neither true nor false"),
    ("max_failures: 0", "local", "line 4: max_failures: 0: give a whole number from 1 up"),
    ("channel: radio", "slurm", "line 4: channel: 'radio' is not known; write one of auto"),
    ("runtime: docker", "slurm", "line 4: runtime: 'docker' is not known; write one of auto"),
    ("queue: --all", "slurm", "line 4: queue: '--all' cannot be a name"),
    ("queue: [a, b]", "slurm", "line 4: queue: a list is not one line"),
    ("qos: high", "local", "line 4: qos means nothing with backend local: this machine knows none"),
    ("qos: high", "htcondor", "line 4: HTCondor knows no qos"),
    ("gpus: 1\nvram: 40GB", "slurm", "line 5: Slurm knows no vram: name a gpu_model"),
    ("attempts: 2", "slurm", "line 4: attempts means nothing with backend slurm"),
    ("gpus: 1\nruntime: podman", "panda", "line 5: runtime: at the grid's sites PanDA's pilot"),
    ("binds: [/a]", "panda", "line 4: PanDA knows no binds: leave it out"),
    ("environment: {env: {X_TOKEN: 1}}", "local", "line 4: env: X_TOKEN: by its name it holds"),
    ("environment:\n  env: {A: 1, U: 'https://a:b@c'}", "local", "line 5: env: U: its value"),
    ("shared: [/eos]", "htcondor", "line 4: shared is for nodes that do not see"),
    (
        "no_shared_disk: true\nshared:\n- /eos\n- cvmfs",
        "htcondor",
        "line 7: shared: 'cvmfs': give the whole path",
    ),
    (
        "engine_options:\n- --exclude=n1\n- --mail-user=me",
        "slurm",
        "line 6: --engine-option --mail-user: ",
    ),
    (
        "engine_options:\n- +JobFlavour = 1\n- executable = /bin/sh\n- +A = 1",
        "htcondor",
        "line 6: --engine-option 'executable = /bin/sh' is refused",
    ),
    ("engine_options: [--exec=x]", "panda", "line 4: --engine-option --exec=x: the scan sets"),
    ("engine_options: [--x]", "local", "line 4: engine_options means nothing with backend local"),
    ("setup:\n- module load a\n- [b]", "local", "line 6: setup: a list is not one line"),
    ("environment: {env: [A B]}", "local", "line 4: env: 'A B': write NAME or NAME=VALUE"),
    ("environment:\n  env:\n    A: 1\n    2B: 1", "local", "line 7: env: '2B'"),
    ("environment:\n  env:\n    A: 1\n    A: 2", "local", "line 7: env: A is given twice"),
    ("environment:\n  env:\n    A: [1]", "local", "line 6: env: A is a list; write one value"),
    (
        "environment:\n  env: {" + ", ".join(f"A{n}: 1" for n in range(101)) + "}",
        "local",
        "line 5: env: it has 101 variables; 100 are the most",
    ),
    ("environment:\n  secrets: [KEY=1]", "local", "line 5: secret: 'KEY': give the name"),
    ("environment: {vars: []}", "local", "line 4: environment has no field 'vars'"),
    ("image: a.sif\npython: b", "local", "line 5: python is for jobs that run in no image"),
    ("collector: here", "local", "line 4: collector: 'here' is no address"),
    ("collector: https://me:pw@a", "local", "line 4: collector: 'https://me:pw@a' is no address"),
    ("gpu-model: T4", "slurm", "line 4: a profile has no field 'gpu-model'; perhaps gpu_model is"),
    ("files: [a.py]", "local", "line 4: files belongs to one scan, not to a place"),
    ("trials: 5", "local", "line 4: trials belongs to one scan, not to a place"),
    ("queue: a\nqueue: b", "slurm", "line 5: queue is given twice; keep one"),
    ("title: |\n  two\n  lines", "local", "line 4: title: 'two\\nlines\\n' is no usable text"),
]


@pytest.mark.parametrize(("lines", "backend", "said"), MISTAKES)
def test_a_mistake_is_one_sentence_with_its_line_and_hides_no_other(
    user: Path, lines: str, backend: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name, *_, **__: f"/usr/bin/{name}")
    path = user / "lab.yaml"
    path.write_text(one(backend=backend, more=lines) + "- {name: other, backend: local}\n")
    found, [problem] = profile_files.read_all()
    assert problem.text.startswith(f"{path}, {said}"), problem.text
    assert problem.text.endswith(".")
    assert "\n" not in problem.text
    assert problem.profile == "lab"
    assert [profile.name for profile in found] == ["other"]
    with pytest.raises(UsageError, match="--on lab: the profile has a mistake") as refused:
        profiles.named("lab")
    assert problem.text in str(refused.value)


FILES = [
    ("- name: a\n", "line 1: the file is a list; write fields like `profiles: ...`"),
    ("queues: []\n", "line 1: the file has no field 'queues'; there are profiles"),
    ("profiles: 3\n", "line 1: profiles is the text '3'; write a list"),
    ("profiles:\n- 3\n", "line 2: a profile is the text '3'; write fields"),
    ("profiles:\n- backend: local\n", "line 2: the profile has no name"),
    ("profiles:\n- name: lab\n", "line 2: the profile has no backend"),
    ("profiles:\n- {name: lab, backend: lsf}\n", "line 2: backend: 'lsf' is no backend; write"),
    ("profiles:\n- {name: lab, backend: auto}\n", "line 2: backend: 'auto' is no backend"),
    ("profiles:\n- {name: a b, backend: local}\n", "line 2: name: 'a b' cannot name a profile"),
    ("profiles:\n- {name: a/b, backend: local}\n", "line 2: name: 'a/b' cannot name a profile"),
    (one() + "- {name: lab, backend: slurm}\n", "line 4: the file has two profiles lab; keep one"),
    ("profiles: [\n", "line 2: it is not YAML"),
    ("a: &a [*a]\n", "line 1: an alias stands for no node before it"),
]
FILES += [
    (one(name), f"line 2: name: '{name}' is a backend, so no profile can have this name")
    for name in ("local", "slurm", "htcondor", "panda", "auto", "Slurm", "AUTO")
]


@pytest.mark.parametrize(("text", "said"), FILES)
def test_a_file_with_a_mistake_is_one_sentence(user: Path, text: str, said: str) -> None:
    (user / "lab.yaml").write_text(text)
    [problem] = texts()
    assert problem.startswith(f"{user / 'lab.yaml'}, {said}"), problem


def test_a_bomb_of_aliases_is_refused(user: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    (user / "lab.yaml").write_text("\n".join(lines))
    [problem] = texts()
    assert "values and keys" in problem


@pytest.mark.parametrize("content", [b"\xff\xfe", b"# " + b"x" * 1_000_001])
def test_a_file_that_is_no_text_or_too_large_is_refused(user: Path, content: bytes) -> None:
    (user / "lab.yaml").write_bytes(content)
    [problem] = texts()
    assert problem.startswith(f"{user / 'lab.yaml'} is no list of profiles: ")


def test_a_pipe_is_refused_at_once(user: Path) -> None:
    os.mkfifo(user / "lab.yaml")
    assert texts() == [f"{user / 'lab.yaml'} cannot be read: it is not a plain file."]


def test_the_profile_of_the_user_wins_also_if_it_has_a_mistake(user: Path, site: Path) -> None:
    (site / "site.yaml").write_text(one("lab", more="retries: 1") + "- {name: b, backend: local}\n")
    (user / "mine.yml").write_text(one("lab", more="retries: 2"))
    lab = profiles.named("lab")
    assert lab is not None
    assert (lab.options, lab.source) == ({"retries": 2}, str(user / "mine.yml"))
    (user / "mine.yml").write_text(one("lab", more="retries: many"))
    assert names() == ["b"]


# files that somebody else may have written ----------------------------------------------------


UNSAFE = [
    ("file", 0o664, "{file} may be written by others: its profiles are not used."),
    ("file", 0o646, "{file} may be written by others: its profiles are not used."),
    ("folder", 0o775, "{folder} may be written by others: the profiles in {file} are not used."),
    ("folder", 0o777, "{folder} may be written by others: the profiles in {file} are not used."),
    ("folder", 0o1777, "{folder} may be written by others: the profiles in {file} are not used."),
    ("middle", 0o757, "{middle} may be written by others: the profiles in {file} are not used."),
    ("top", 0o777, "{top} may be written by others: the profiles in {file} are not used."),
]


def places(folder: Path) -> dict[str, Path]:
    middle = folder.parent
    return {"file": folder / "a.yaml", "folder": folder, "middle": middle, "top": middle.parent}


@pytest.mark.parametrize(("what", "mode", "said"), UNSAFE)
def test_what_others_may_write_is_not_read(
    user: Path, site: Path, what: str, mode: int, said: str
) -> None:
    (user / "a.yaml").write_text(one("mine", more="retries: many"))
    (site / "b.yaml").write_text(one("theirs"))
    found = places(user)
    found[what].chmod(mode)
    assert texts() == [said.format(**found)]
    # The others are shown, and one that is asked for says why it is not there.
    assert names() == ["theirs"]
    with pytest.raises(UsageError, match=r"'mine' is not known.* may be written by others"):
        profiles.named("mine")


@needs_root
@pytest.mark.parametrize("what", ["file", "folder", "middle", "top"])
def test_what_belongs_to_somebody_else_is_not_read(user: Path, what: str) -> None:
    (user / "a.yaml").write_text(one("mine"))
    found = places(user)
    give_away(found[what])
    [problem] = texts()
    assert problem.startswith(f"{found[what]} belongs to nobody, who is neither root nor you: ")
    assert names() == []


@needs_root
def test_another_user_takes_the_profiles_of_root_and_of_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with open_place() as place:
        user, site = folders(place, monkeypatch)
        (site / "roots.yaml").write_text(one("roots"))
        (site / "others.yaml").write_text(one("others"))
        os.lchown(site / "others.yaml", 12345, 12345)
        (user / "own.yaml").write_text(one("own"))
        give_away(user / "own.yaml", user, user.parent, user.parent.parent)
        assert names() == ["roots"]  # root does not run what a user wrote
        found, said = as_other(lambda: [names(), texts()])
    assert found == ["own", "roots"]
    assert said == [
        f"{site}/others.yaml belongs to user 12345, who is neither root nor you:"
        " its profiles are not used."
    ]


def test_a_link_to_a_safe_file_is_read(user: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    (elsewhere / "a.yaml").write_text(one("mine"))
    (user / "a.yaml").symlink_to(elsewhere / "a.yaml")
    assert (names(), texts()) == (["mine"], [])


@pytest.mark.parametrize("what", ["file", "folder", "above"])
def test_a_link_to_what_others_may_write_is_not_read(user: Path, tmp_path: Path, what: str) -> None:
    above = tmp_path / "elsewhere"
    folder = above / "more"
    folder.mkdir(parents=True, mode=0o755)
    (folder / "a.yaml").write_text(one("mine"))
    (user / "a.yaml").symlink_to(folder / "a.yaml")
    unsafe = {"file": folder / "a.yaml", "folder": folder, "above": above}[what]
    unsafe.chmod(0o777)
    [problem] = texts()
    assert "may be written by others" in problem
    assert names() == []


def test_a_link_among_the_folders_is_followed_with_the_same_care(
    user: Path, tmp_path: Path
) -> None:
    above = tmp_path / "dotfiles"
    (above / "profiles").mkdir(parents=True)
    (above / "profiles/a.yaml").write_text(one("mine"))
    user.rmdir()
    user.symlink_to(above / "profiles")
    assert (names(), texts()) == (["mine"], [])
    above.chmod(0o777)
    assert names() == []
    [problem] = texts()
    assert problem.startswith(f"{above} may be written by others: the profiles in {user}/a.yaml")
