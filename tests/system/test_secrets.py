"""A secret reaches the jobs of every backend, and stands nowhere else while and after they run."""

from __future__ import annotations

import hashlib
import secrets
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from jupyter_gridgpu.cli.doctor import doctor
from jupyter_gridgpu.cli.export import export
from jupyter_gridgpu.cli.pack import pack
from jupyter_gridgpu.cli.show import show
from tests.engines import images
from tests.engines.condor import Pool
from tests.engines.slurm import Cluster
from tests.kit import eventually
from tests.leaks import files_with, watched_commands

from .helpers import one_sentence, options, space
from .lab import Lab, ScanOfLab
from .notebooks import Executed
from .panda_lab import panda_for

NAME = "LAB_TOKEN"
# Variables of the session: of what sessions of conda and modules have, what means the same in an
# image too, and what stays here.
SESSION = {"CONDA_DEFAULT_ENV": "ml", "LOADEDMODULES": "cuda/12", "TF_CPP_MIN_LOG_LEVEL": "1"}
IN_IMAGES = ["TF_CPP_MIN_LOG_LEVEL"]
HERE_ALONE = {"MYSQL_PWD": "x", "GITHUB_PAT": "x", "DATABASE_URL": "x", "EDITOR": "vi"}
WATCHED = sorted({**SESSION, **HERE_ALONE})
# Prints a digest of the secret and what came of the session, and waits for a file.
SHOW = f"""
import hashlib, os, pathlib, time
from jupyter_gridgpu import report
value = os.environ[{NAME!r}]
print(hashlib.sha256(value.encode()).hexdigest(), os.environ["PLAIN"])
print(*[name for name in {WATCHED!r} if name in os.environ], flush=True)
report(loss=n)
while not pathlib.Path(gate).exists():
    time.sleep(0.05)
time.sleep(hold)
"""
EXPORTS = ("csv", "html", "json", "mlflow", "optuna", "papermill", "parquet")


class SecretLab(Lab):
    """A lab whose user has a secret, and settings of its own."""

    secret = ""

    @property
    def gate(self) -> Path:
        """The file for which jobs wait that can see its folder."""
        return self.folder / "gate"

    @property
    def settings(self) -> Path:
        """The folder of the user's settings for Jupyter."""
        return self.folder / "settings"

    def kept(self) -> list[Path]:
        """Return the files in which secrets are kept for runners."""
        return sorted((self.settings / "gridgpu" / "secrets").glob("*"))

    def begin(self, *words: str, count: int = 1, hold: float = 0.0) -> ScanOfLab:
        """Start a scan of jobs that get the secret and a plain variable.

        They end when the gate is there, or after `hold` seconds where they cannot see it.
        """
        notebook = self.notebook(SHOW, parameters="n = 0\ngate = '/'\nhold = 0.0")
        axes = space(n=list(range(1, count + 1)), gate="/" if hold else str(self.gate), hold=hold)
        more = ("--secret", NAME, "--env", "PLAIN=a b", "--retries", "0", *words)
        return self.start(notebook, *axes, *more, env={NAME: self.secret, **SESSION, **HERE_ALONE})

    def check_running(self, *spools: Path, travels: bool = False) -> None:
        """Check that the secret is in one private file, and where it travels in its copies."""
        (kept,) = self.kept()
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        found = files_with(self.secret, self.folder, *spools)
        others = [path for path in found if path != kept]
        if travels:
            assert {path.name for path in others} <= {kept.name}
            assert {stat.S_IMODE(path.stat().st_mode) for path in others} <= {0o600}
        else:
            assert others == []

    def check_ended(
        self, scan: ScanOfLab, *spools: Path, got: Iterable[str] = SESSION, count: int = 1
    ) -> None:
        """Check what the jobs got, of the session too, and that the secret is gone."""
        variants = scan.wait("done")["variants"]
        digest = hashlib.sha256(self.secret.encode()).hexdigest()
        printed = [Executed.read(variant["notebook"]).text() for variant in variants]
        assert printed == [f"{digest} a b\n{' '.join(sorted(got))}\n"] * count
        eventually(lambda: self.kept() == [], what="the secret is removed")
        eventually(lambda: files_with(self.secret, self.folder, *spools) == [])

    def check_told(self, scan: ScanOfLab, monkeypatch: pytest.MonkeyPatch) -> None:
        """Check that no file for others, and no report of a fault, has the secret."""
        for name, value in {**self.env, NAME: self.secret, "GRIDGPU_HOME": str(self.home)}.items():
            monkeypatch.setenv(name, value)
        made = self.folder / "made"
        made.mkdir()
        said = [_command(pack, scan.name, "-o", str(made / "scan.zip"))]
        said += [
            _command(export, scan.name, "--to", kind, "-o", str(made / kind)) for kind in EXPORTS
        ]
        said.append(_command(show, scan.name, "--json"))
        said.append(_command(doctor, "--on", "slurm", "--json"))
        assert NAME in said[-1]  # the name is told, as one that stays here
        assert not [text for text in said if self.secret in text]
        assert len(list(made.iterdir())) == 1 + len(EXPORTS)
        assert files_with(self.secret, self.folder) == []


def _command(command: click.Command, *words: str) -> str:
    """Run a command of the command line in this process, and return what it prints."""
    return CliRunner().invoke(command, words, catch_exceptions=False).output


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[SecretLab]:
    """Yield a lab with a secret that no other test has."""
    made = SecretLab(tmp_path)
    made.secret = f"private-{secrets.token_hex(12)}"
    made.env["JUPYTER_CONFIG_DIR"] = str(made.settings)
    yield made
    made.gate.touch()
    made.end()


def wait_for_first(lab: SecretLab, scan: ScanOfLab) -> None:
    """Wait until the first job has its secret."""
    eventually(lambda: scan.variant("v0001")["metrics"].get("loss"), what=scan.log())


def test_a_secret_on_this_machine_outlives_its_runner_and_the_variable(
    lab: SecretLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    with watched_commands(lab.secret) as shown:
        scan = lab.begin("--parallel", "1", count=2)
        wait_for_first(lab, scan)
        lab.check_running()
        # A shell without the variable starts the next runner, which sends the second job.
        assert scan.kill_runner() == 1
        scan.gridgpu("resume")
        lab.gate.touch()
        scan.wait("done")
        digest = hashlib.sha256(lab.secret.encode()).hexdigest()
        printed = [Executed.read(one["notebook"]).text() for one in scan.variants().values()]
        # A job here is a process of the session of its runner.
        assert printed == [f"{digest} a b\n{' '.join(WATCHED)}\n", f"{digest} a b\n\n"]
        eventually(lambda: lab.kept() == [], what="the secret is removed")
    assert shown == []
    # After the end nothing is kept, and the value is asked for again.
    refused = scan.gridgpu("retry", variant="v0001", code=2)
    assert f"--secret {NAME}: it is neither in the environment" in one_sentence(refused.stderr)
    lab.gridgpu("retry", f"{scan.name}/v0001", env={NAME: lab.secret})
    eventually(lambda: scan.variant("v0001")["attempts"] == 2)
    scan.wait("done")
    eventually(lambda: lab.kept() == [], what="the secret is removed")
    lab.check_told(scan, monkeypatch)


@pytest.mark.parametrize("runtime", ["apptainer", "podman"])
def test_a_secret_enters_an_image(
    lab: SecretLab, monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    podman = runtime == "podman"
    lab.env.update(images.podman_environment() if podman else images.apptainer_environment())
    with watched_commands(lab.secret) as shown:
        asked = options(f"--image {images.sandbox()} --runtime {runtime}")
        scan = lab.begin(*asked, hold=1.0)
        wait_for_first(lab, scan)
        lab.check_running()
        lab.check_ended(scan, got=IN_IMAGES)
    assert shown == []


def test_slurm_hands_a_secret_on_by_a_file(lab: SecretLab, slurm: Cluster) -> None:
    with watched_commands(lab.secret) as shown:
        scan = lab.begin("--on", "slurm", "--gpus", "1")
        wait_for_first(lab, scan)
        lab.check_running(slurm.folder)
        lab.gate.touch()
        lab.check_ended(scan, slurm.folder)
    assert shown == []


@pytest.mark.parametrize("shared", [True, False])
def test_htcondor_hands_a_secret_on_by_a_file(
    lab: SecretLab, condor_pool: Pool, shared: bool
) -> None:
    words = () if shared else ("--no-shared-disk",)
    with watched_commands(lab.secret) as shown:
        scan = lab.begin("--on", "htcondor", *words)
        wait_for_first(lab, scan)
        lab.check_running(condor_pool.folder, travels=not shared)
        lab.gate.touch()
        lab.check_ended(scan, condor_pool.folder)
    assert shown == []


def test_panda_gets_a_secret_only_when_the_user_says_so(lab: SecretLab, tmp_path: Path) -> None:
    # The server keeps the secret, so its files are not in the folder that is searched for it.
    with panda_for(lab, tmp_path.with_name(f"{tmp_path.name}-panda")):
        notebook = lab.notebook(SHOW, parameters="n = 0")
        there = options("--on panda --site LAB_GPU")
        asked = [str(notebook), *space(n=[1]), *there, "--secret", NAME]
        refused = lab.gridgpu("run", *asked, code=3, env={NAME: lab.secret})
        assert "say --expose-secrets" in one_sentence(refused.stderr)
        lab.gate.touch()
        with watched_commands(lab.secret) as shown:
            scan = lab.begin(*there, "--expose-secrets")
            lab.check_ended(scan, got=())
        assert shown == []


def test_a_secret_that_is_not_there_is_refused_before_anything_is_made(lab: SecretLab) -> None:
    notebook = lab.notebook(SHOW, parameters="n = 0")
    refused = lab.gridgpu("run", str(notebook), *space(n=[1]), "--secret", NAME, code=2)
    assert f"`keyring set gridgpu {NAME}`" in one_sentence(refused.stderr)
    assert not list(lab.home.glob("*/scan.json"))
