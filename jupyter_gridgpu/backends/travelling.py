"""Which variables of this session go with the jobs: one rule for all backends.

A job gets the variables that a session of conda, of environment modules or of a framework sets
(`TRAVELS`), and those that `--env` names. It never gets what describes this machine, this login or
this notebook, nor what looks like a secret: others may read the environment of a job. Secrets have
a way of their own, see transport/scan_secrets.py.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable, Mapping

from jupyter_gridgpu import images
from jupyter_gridgpu.model.scan import ScanSpec

# Names of variables; a star stands for any text. They are on this list since a Python that was
# found here, or a library that was chosen here, needs them to work on a node in the same way.
TRAVELS = (
    # where programs, libraries and modules of Python are
    "PATH", "LD_LIBRARY_PATH", "LIBRARY_PATH", "CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH",
    "PKG_CONFIG_PATH", "CMAKE_PREFIX_PATH", "PYTHON*", "CONDA_*", "_CONDA_*", "_CE_*", "MAMBA_*",
    "VIRTUAL_ENV", "PYENV_*", "PIXI_*", "SPACK_*", "EBROOT*", "EBVERSION*", "R_*", "JULIA_*",
    "JAVA_HOME", "ROOTSYS", "ROOT_*", "CLING_*", "LHAPATH", "LHAPDF*", "PYTHIA8*", "ALRB_*",
    "ATLAS_LOCAL_ROOT_BASE", "CMTCONFIG", "BINARY_TAG", "LCG_*",
    # environment modules, and the functions that a shell gets from them
    "MODULE*", "__MODULE*", "_MODULE*", "LMOD*", "_LMOD*", "__LMOD*", "_ModuleTable*",
    "LOADEDMODULES", "_LMFILES_*", "BASH_ENV", "BASH_FUNC_module*", "BASH_FUNC__module*",
    "BASH_FUNC_ml*",
    # how frameworks and their libraries work
    "OMP_*", "GOMP_*", "KMP_*", "MKL_*", "OPENBLAS_*", "BLIS_*", "VECLIB_*", "NUMEXPR_*",
    "NUMBA_*", "TF_*", "TFDS_*", "TFHUB_*", "KERAS_*", "XLA_*", "JAX_*", "TORCH_*", "PYTORCH_*",
    "NCCL_*", "CUDA_*", "CUDNN_*", "TENSORRT_*", "HIP_*", "ROCM_*", "HF_*", "TRANSFORMERS_*",
    "TOKENIZERS_*", "WANDB_*", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME",
    # where kernels and settings are
    "JUPYTER_PATH", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_CONFIG_PATH",
    "JUPYTER_PREFER_ENV_PATH", "IPYTHONDIR", "MPLCONFIGDIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME", "XDG_DATA_DIRS",
    # the grid: where credentials, certificates and data management are; these are paths of files
    "X509_*", "KRB5*", "RUCIO_*", "SSL_CERT_*", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    # the network, the language, and the user
    "http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy",
    "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY",
    "LANG", "LANGUAGE", "LC_*", "TZ", "HOME", "USER", "LOGNAME", "SHELL",
    "APPTAINER_*", "SINGULARITY_*", "APPTAINERENV_*", "SINGULARITYENV_*",
)  # fmt: skip
# These describe this machine and stay here, although the list has a pattern that fits them.
STAYS = ("*_VISIBLE_DEVICES", "CUDA_MPS_*", "JUPYTER_RUNTIME_DIR", "PYTHONSTARTUP")
# Variables of the user's login, and a Python's own folder, which a node without the user's disk
# does not have. There such a Python would not even start.
NEED_DISK = ("HOME", "USER", "LOGNAME", "SHELL", "PYTHONHOME", "XDG_*", "JUPYTER_*", "IPYTHONDIR")
# What a container runtime of a node needs itself. It hands none of these on to an image.
RUNTIME_NEEDS = (
    "PATH", "LD_LIBRARY_PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_*", "PYTHON*",
    "TMPDIR", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
    "APPTAINER_*", "SINGULARITY_*", "APPTAINERENV_*", "SINGULARITYENV_*", "CONTAINERS_*",
    "CONTAINER_HOST", "STORAGE_*", "REGISTRY_AUTH_FILE",
)  # fmt: skip
# Variables that we or the batch system set for each job.
OURS = (
    "GRIDGPU_*", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "SLURM_*", "SBATCH_*", "_CONDOR_*", "PANDA_*",
)  # fmt: skip
USUAL_PATH = "/usr/local/bin:/usr/bin:/bin"
# A word is a part of a name between underscores. TOKENIZERS_PARALLELISM and MAX_TOKENS are no
# tokens, PATH is no PAT, and GIT_AUTHOR_NAME no _AUTH.
_SECRET_NAME = re.compile(
    r"TOKEN(?!IZ|S(_|$))|SECRET|PASSW|PASSPHRASE|CREDENTIAL|COOKIE|WEBHOOK"
    r"|(?:API|ACCESS|PRIVATE|ACCOUNT|STORAGE|MASTER|ENCRYPTION|SIGNING|SSH|SERVICE|DEPLOY)_?KEY"
    r"|_AUTH(?!OR)|(?:^|_)(?:PASS|PAT|PWD|JWT|DSN|AUTH|BEARER|PGPASS|PSK)(?:_|$)"
    r"|(?:DATABASE|DB)_UR[IL]|CONNECTION_?STRING",
    re.I,
)
_LOGIN_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#\s@:]*:[^/?#\s@]+@", re.I)
# How tokens of well-known services begin, and private keys.
_TOKEN = re.compile(
    r"(?:gh[pousr]|github_pat|glpat|hf|xox[abprs])[_-][A-Za-z0-9_-]{16}|AKIA[A-Z0-9]{16}"
    r"|sk-[A-Za-z0-9_-]{20}|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.|-----BEGIN [A-Z ]*PRIVATE KEY"
)
_PATH_IN_VALUE = re.compile(r"(?:^|[=, ]|:(?!//))[/~]")
# Bash adds `%%` or `()` to the name of a function that it exports.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:%%|\(\))?")


def _pattern(globs: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(fnmatch.translate(glob) for glob in globs))


_TRAVELS, _STAYS, _OURS = _pattern(TRAVELS), _pattern(STAYS), _pattern(OURS)
_NEED_DISK, _RUNTIME_NEEDS = _pattern(NEED_DISK), _pattern(RUNTIME_NEEDS)
_ENTERS_IMAGE = _pattern(images.PASSED_VARIABLES)


def is_secret_name(name: str) -> bool:
    """Return whether a variable of this name mostly holds a secret."""
    return bool(_SECRET_NAME.search(name))


def is_secret_value(value: str) -> bool:
    """Return whether a value is a secret for certain: an address with a password, a token."""
    return bool(_LOGIN_URL.search(value) or _TOKEN.search(value))


def is_ours(name: str) -> bool:
    """Return whether we, or the batch system, set a variable for each job."""
    return bool(_OURS.fullmatch(name))


def travels(name: str, value: str) -> bool:
    """Return whether a variable goes with jobs that run in no image on a shared disk."""
    return bool(
        _NAME.fullmatch(name)
        and _TRAVELS.fullmatch(name)
        and not _STAYS.fullmatch(name)
        and not is_secret_name(name)
        and not is_secret_value(value)
    )


def passed(scan: ScanSpec, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a session that the list lets go with the jobs of a scan.

    Those of `--env` come in addition, see `chosen`. A local job without an image gets all, since it
    is a process of the same session.
    """
    if _is_of_this_session(scan):
        return dict(environment)
    # A secret goes its own way, whatever its name is.
    found = {
        name: value
        for name, value in environment.items()
        if _goes(scan, name, value) and name not in scan.environment.secrets
    }
    if not scan.placement.shared and "PATH" in found:
        # The programs of this session may be missing there, and those of the node are wanted.
        found["PATH"] += f":{USUAL_PATH}"
    return found


def _is_of_this_session(scan: ScanSpec) -> bool:
    """Return whether jobs are processes of this session; if it runs in an image, so do they."""
    return scan.backend == "local" and not images.starts_container(scan.container)


def _goes(scan: ScanSpec, name: str, value: str) -> bool:
    if scan.backend == "panda":
        return False
    if scan.backend == "local":
        return _enters_image(name, value) or bool(_RUNTIME_NEEDS.fullmatch(name))
    if not travels(name, value):
        return False
    shared = scan.placement.shared
    if scan.container.image is None:
        return shared or not _NEED_DISK.fullmatch(name)
    if _enters_image(name, value):
        return True
    # On a shared disk our launcher starts the image, and leaves outside what the runtime needs.
    # sbatch needs the same, and whatever starts an image on a node of Slurm.
    launched = shared and images.starts_container(scan.container)
    return (launched or scan.backend == "slurm") and bool(_RUNTIME_NEEDS.fullmatch(name))


def _enters_image(name: str, value: str) -> bool:
    """Return whether a variable means the same in an image: it names no path of this machine."""
    if is_ours(name):  # what the batch system or the launcher set on the node where this is asked
        return True
    return bool(
        _ENTERS_IMAGE.fullmatch(name)
        and not is_secret_name(name)
        and not is_secret_value(value)
        and not _PATH_IN_VALUE.search(value)
    )


def chosen(scan: ScanSpec, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables of `--env`, as job.json holds them; the last word on a name counts.

    A name without a value has the value of the `environment`, by default of this process.
    """
    known = os.environ if environment is None else environment
    found: dict[str, str] = {}
    for text in scan.environment.variables:
        name, given, value = text.partition("=")
        if given:
            found[name] = value
        elif name in known:
            found[name] = known[name]
    return found


def reaches_jobs(scan: ScanSpec, environment: Mapping[str, str]) -> set[str]:
    """Return the names of the variables of a session that the processes of a job find."""
    names = set(passed(scan, environment))
    if scan.container.image is not None and not _is_of_this_session(scan):
        names = {name for name in names if _enters_image(name, environment[name])}
    wanted = {*chosen(scan, environment), *scan.environment.secrets}
    return names | (wanted & set(environment))
