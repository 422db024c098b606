"""Which variables go with jobs: the same rule for all backends."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_gridgpu.backends import travelling
from jupyter_gridgpu.backends.htcondor.description import environment_text
from jupyter_gridgpu.backends.slurm.options import job_environment
from jupyter_gridgpu.model.environment import Environment
from jupyter_gridgpu.model.resources import Container, Placement
from jupyter_gridgpu.testing.examples import small_scan

# What a session of conda, of modules, or of a framework has.
WANTED = {
    "PATH": "/opt/conda/bin:/usr/bin",
    "LD_LIBRARY_PATH": "/opt/cuda/lib64",
    "PYTHONPATH": "/home/a/lib",
    "PYTHONNOUSERSITE": "1",
    "CONDA_PREFIX": "/opt/conda",
    "CONDA_DEFAULT_ENV": "ml",
    "VIRTUAL_ENV": "/home/a/venv",
    "MODULEPATH": "/sw/modules",
    "MODULESHOME": "/usr/share/modules",
    "LOADEDMODULES": "cuda/12",
    "_LMFILES_": "/sw/modules/cuda/12.lua",
    "LMOD_CMD": "/usr/share/lmod/lmod",
    "_ModuleTable001_": "X01vZHVsZVRhYmxl",
    "BASH_FUNC_module%%": "() {  eval `/usr/bin/modulecmd bash $*`\n}",
    "OMP_NUM_THREADS": "4",
    "MKL_NUM_THREADS": "4",
    "OPENBLAS_NUM_THREADS": "4",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "KERAS_BACKEND": "jax",
    "XLA_FLAGS": "--xla_gpu_autotune_level=0",
    "JAX_PLATFORMS": "cuda",
    "TORCH_HOME": "/data/torch",
    "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
    "CUDA_HOME": "/opt/cuda",
    "CUDA_PATH": "/opt/cuda",
    "HF_HOME": "/data/hf",
    "TOKENIZERS_PARALLELISM": "false",
    "X509_USER_PROXY": "/tmp/x509up_u1000",
    "KRB5CCNAME": "FILE:/tmp/krb5cc_1000",
    "RUCIO_ACCOUNT": "me",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "Europe/Zurich",
    "SSL_CERT_FILE": "/etc/ssl/cert.pem",
    "https_proxy": "http://proxy:3128",
    "NO_PROXY": "localhost",
    "JUPYTER_PATH": "/home/a/jupyter",
    "ROOTSYS": "/cvmfs/root",
    "HOME": "/home/a",
    "USER": "a",
}
# What is a secret, or says something about this machine, login or notebook alone.
KEPT_BACK = {
    "MYSQL_PWD": "x",
    "GITHUB_PAT": "x",
    "DATABASE_URL": "postgres://u:p@h/d",
    "HF_TOKEN": "x",
    "WANDB_API_KEY": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "CONDA_TOKEN": "x",
    "RUCIO_PASSWORD": "x",
    "JUPYTER_TOKEN": "x",
    "JUPYTERHUB_API_TOKEN": "x",
    "SSH_AUTH_SOCK": "/tmp/x",
    "HTTP_PROXY": "http://me:pw@proxy:3128",
    "MLFLOW_TRACKING_URI": "https://me:pw@mlflow",
    "PYTHONSTARTUP": "/home/a/.pythonrc",
    "CUDA_VISIBLE_DEVICES": "0",
    "CUDA_MPS_PIPE_DIRECTORY": "/tmp/mps",
    "SLURM_JOB_ID": "7",
    "SLURM_MEM_PER_CPU": "7",
    "GRIDGPU_HOME": "/home/a/scans",
    "JPY_SESSION_NAME": "x",
    "JUPYTER_RUNTIME_DIR": "/run/user/1000",
    "XDG_RUNTIME_DIR": "/run/user/1000",
    "TMPDIR": "/tmp/mine",
    "DISPLAY": ":0",
    "TMUX": "x",
    "HOSTNAME": "login01",
    "LD_PRELOAD": "/lib/x.so",
    "SOMETHING_ELSE": "1",
}
# What means the same in any image.
IN_IMAGES = {
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_CPP_MIN_LOG_LEVEL",
    "KERAS_BACKEND", "XLA_FLAGS", "JAX_PLATFORMS", "PYTORCH_CUDA_ALLOC_CONF", "TZ", "https_proxy",
    "NO_PROXY",
}  # fmt: skip
SESSION = {**WANTED, **KEPT_BACK}
SECRET_NAMES = (
    "TOKEN HF_TOKEN GITHUBTOKEN token_x SECRET my_secret DB_PASSWORD PASSWD MYSQL_PWD PGPASS "
    "SSH_PASSPHRASE API_KEY OPENAI_APIKEY AWS_ACCESS_KEY_ID PRIVATE_KEY X_CREDENTIALS COOKIE "
    "SESSION_COOKIE GITHUB_PAT PAT NPM_AUTH DOCKER_AUTH_CONFIG DATABASE_URL SENTRY_DSN MY_JWT "
    "SLACK_WEBHOOK_URL AZURE_STORAGE_KEY AZURE_CONNECTION_STRING"
)
PLAIN_NAMES = (
    "PATH PYTHONPATH TOKENIZERS_PARALLELISM MAX_TOKENS GIT_AUTHOR_NAME XAUTHORITY PATTERN "
    "KEY_SIZE COMPASS KEYS AUTHOR MONKEY PWDS EPOCHS"
)
IMAGE = Container("docker://example/ml:1")


def passed(**changes: Any) -> set[str]:
    return set(travelling.passed(small_scan(**changes), SESSION))


@pytest.mark.parametrize("backend", ["slurm", "htcondor"])
def test_jobs_get_what_sessions_of_conda_and_modules_need(backend: str) -> None:
    assert passed(backend=backend) == set(WANTED)


def test_slurm_gets_what_it_reads_itself_in_addition() -> None:
    own = {"SLURM_CONF": "/c", "SLURM_JWT": "x", "SBATCH_ACCOUNT": "phys"}
    left = {"SBATCH_EXPORT": "NONE", "SLURM_CONF_X": "1"}
    found = job_environment(small_scan(backend="slurm"), {**SESSION, **own, **left})
    assert found == {**WANTED, **own}


def test_a_node_without_the_disk_gets_no_folders_of_the_login() -> None:
    session = {**SESSION, "PYTHONHOME": "/opt/conda"}
    scan = small_scan(backend="htcondor", placement=Placement(shared=False))
    found = travelling.passed(scan, session)
    missing = {"HOME", "USER", "JUPYTER_PATH"}
    assert set(found) == set(WANTED) - missing
    # The Python of such a node is found whatever the session's PATH is.
    assert found["PATH"] == f"{WANTED['PATH']}:/usr/local/bin:/usr/bin:/bin"


@pytest.mark.parametrize("backend", ["local", "slurm", "htcondor"])
def test_no_folder_of_this_machine_enters_an_image(backend: str) -> None:
    scan = small_scan(backend=backend, container=IMAGE)
    ours = {"CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID", "SLURM_MEM_PER_CPU", "GRIDGPU_HOME"}
    inside = travelling.reaches_jobs(scan, SESSION)
    assert inside - ours == IN_IMAGES
    # What the runtime itself needs goes to the node, and no secret does.
    assert {"PATH", "HOME"} <= passed(backend=backend, container=IMAGE)
    outside = {"CONDA_PREFIX", "MYSQL_PWD", "HF_TOKEN", "HTTP_PROXY", "SOMETHING_ELSE"}
    assert not outside & passed(backend=backend, container=IMAGE)


def test_htcondor_starts_an_image_with_what_may_enter_it() -> None:
    assert (
        passed(backend="htcondor", container=IMAGE, placement=Placement(shared=False)) == IN_IMAGES
    )


def test_an_image_that_others_have_started_gets_no_folders_either() -> None:
    """Slurm needs some for sbatch itself; the launcher keeps these out of the image."""
    inside = Container("docker://example/ml:1", runtime="none")
    assert passed(backend="htcondor", container=inside) == IN_IMAGES
    assert not {"CONDA_PREFIX", "LOADEDMODULES"} & passed(backend="slurm", container=inside)
    assert travelling.reaches_jobs(small_scan(backend="slurm", container=inside), SESSION) == (
        IN_IMAGES
    )
    # A session in an image runs its own jobs in the same image.
    assert passed(backend="local", container=inside) == set(SESSION)


def test_panda_gets_only_what_the_user_names() -> None:
    scan = small_scan(backend="panda", environment=Environment(("A=1", "B=x=y", "A=2")))
    assert travelling.passed(scan, SESSION) == {}
    assert travelling.chosen(scan) == {"A": "2", "B": "x=y"}


def test_a_job_of_this_session_gets_the_session() -> None:
    assert passed(backend="local") == set(SESSION)


@pytest.mark.parametrize("name", SECRET_NAMES.split())
def test_names_of_secrets(name: str) -> None:
    assert travelling.is_secret_name(name)
    assert not travelling.travels(name, "x")


@pytest.mark.parametrize("name", PLAIN_NAMES.split())
def test_names_that_are_no_secrets(name: str) -> None:
    assert not travelling.is_secret_name(name)


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        ("postgres://user:pass@host/db", True),
        ("see https://:token@host", True),
        ("http://proxy:3128", False),
        ("http://me@host:80/a:b@c", False),
        ("https://host/a?b=c:d@e", False),
        ("ghp_" + "a1" * 18, True),
        ("hf_" + "a1" * 18, True),
        ("AKIA" + "A1B2" * 4, True),
        ("-----BEGIN RSA PRIVATE KEY-----", True),
        ("hf_data", False),
        ("", False),
    ],
)
def test_values_that_are_secrets(value: str, secret: bool) -> None:
    assert travelling.is_secret_value(value) is secret


def test_htcondor_reads_every_value_as_it_is() -> None:
    """The quotes and dollars of a value are written so that HTCondor reads them as they are."""
    values = {"A": "a b", "B": 'it\'s "so"', "C": "$(X) $ENV(HOME)", "D": "two\nlines", "E": ""}
    assert environment_text(values) == (
        "\"A='a b' B='it''s \"\"so\"\"' C='$(DOLLAR)(X) $(DOLLAR)ENV(HOME)' E=''\""
    )
