"""What `--env` and `--secret` take, and what they refuse in a sentence without the value."""

from __future__ import annotations

import pytest

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.environment_options import environment_of

VALUE = "hunter2hunter2"
SECRETS = (
    "HF_TOKEN MY_SECRET DB_PASSWORD MYSQL_PWD API_KEY AWS_ACCESS_KEY PRIVATE_KEY "
    "GOOGLE_CREDENTIALS COOKIE GITHUB_PAT NPM_AUTH DATABASE_URL"
)


@pytest.mark.parametrize("text", ["A=1", "A=", "A=b=c", "HF_HOME=/data/hf", "MAX_TOKENS=512",
    "TOKENIZERS_PARALLELISM=false", "BEARER_TOKEN_FILE=/run/token", "LD_PRELOAD=libtcmalloc.so",
    "REDIS_URL=redis://host", "PATH=/a:/b"])  # fmt: skip
def test_a_variable_with_a_value_is_taken(text: str) -> None:
    assert environment_of(Options(env=(text,))).variables == (text,)


def test_a_name_alone_gets_the_value_of_this_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA", "/data/jets 1")
    assert environment_of(Options(env=("DATA",))).variables == ("DATA=/data/jets 1",)
    monkeypatch.setenv("DATA", "x" * 20_000)  # a PATH may be long
    assert len(environment_of(Options(env=("DATA",))).variables[0]) == 20_005
    monkeypatch.delenv("DATA")
    with pytest.raises(UsageError, match="--env DATA: this session has no such variable"):
        environment_of(Options(env=("DATA",)))


@pytest.mark.parametrize("name", SECRETS.split())
@pytest.mark.parametrize("with_value", [True, False])
def test_what_looks_like_a_secret_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, with_value: bool
) -> None:
    monkeypatch.setenv(name, VALUE)
    text = f"{name}={VALUE}" if with_value else name
    with pytest.raises(UsageError) as refused:
        environment_of(Options(env=(text,)))
    assert f"Say --secret {name}." in str(refused.value)
    assert VALUE not in str(refused.value)


@pytest.mark.parametrize("with_value", [True, False])
def test_a_value_that_is_a_secret_is_refused(
    monkeypatch: pytest.MonkeyPatch, with_value: bool
) -> None:
    value = f"https://me:{VALUE}@host/path"
    monkeypatch.setenv("STORE", value)
    with pytest.raises(UsageError) as refused:
        environment_of(Options(env=(f"STORE={value}" if with_value else "STORE",)))
    assert "Say --secret STORE." in str(refused.value)
    assert VALUE not in str(refused.value)


@pytest.mark.parametrize("name", ["GRIDGPU_HOME", "CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID",
    "SBATCH_EXPORT", "_CONDOR_SLOT", "NVIDIA_VISIBLE_DEVICES"])  # fmt: skip
def test_what_is_set_for_each_job_is_refused(name: str) -> None:
    for options in (Options(env=(f"{name}=1",)), Options(secret=(name,))):
        with pytest.raises(UsageError, match=f"{name}: jupyter_gridgpu or the batch system sets"):
            environment_of(options)


@pytest.mark.parametrize(
    "text", ["", "=x", "1A=x", "A B=x", "A=two\nlines", "A-B", "A=" + "x" * 30_000]
)
def test_what_is_no_variable_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="write NAME or NAME=VALUE"):
        environment_of(Options(env=(text,)))


def test_python_may_give_one_text() -> None:
    found = environment_of(Options(env="A=1", secret="KEY"))  # type: ignore[arg-type]
    assert (found.variables, found.secrets) == (("A=1",), ("KEY",))
    for wrong in ({"A": "1"}, (1,), 1):
        with pytest.raises(UsageError, match="--env: give a list of texts"):
            environment_of(Options(env=wrong))  # type: ignore[arg-type]


def test_a_secret_is_a_name_alone() -> None:
    assert environment_of(Options(secret=("A", "B", "A"))).secrets == ("A", "B")
    with pytest.raises(UsageError, match="without its value") as refused:
        environment_of(Options(secret=(f"A={VALUE}",)))
    assert VALUE not in str(refused.value)
    with pytest.raises(UsageError, match="A is given by --env and by --secret"):
        environment_of(Options(env=("A=1",), secret=("A",)))
