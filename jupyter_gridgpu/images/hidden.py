"""Variables that stay outside of an image: with them, another Python than the image's would run.

A job may have variables of whoever sent it, and of the node. Some of these choose a Python, its
packages, the kernels of Jupyter, or the libraries that a program loads.
"""

from __future__ import annotations

import re

# A star stands for any text.
HIDDEN_VARIABLES = (
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PYTHONUSERBASE",
    "PYTHONPLATLIBDIR",
    "PYTHONEXECUTABLE",
    "PYTHONPYCACHEPREFIX",
    "PYTHONBREAKPOINT",
    "PYTHONWARNINGS",
    "PYTHONINSPECT",
    "VIRTUAL_ENV",
    "CONDA_*",
    "MAMBA_*",
    "PIXI_*",
    "PYENV_*",
    "JUPYTER_*",
    "IPYTHON*",
    "XDG_DATA_HOME",
    "XDG_DATA_DIRS",
    "XDG_CONFIG_HOME",
    "XDG_CONFIG_DIRS",
    "XDG_CACHE_HOME",
    "MPLBACKEND",
    "MPLCONFIGDIR",
    "MATPLOTLIBRC",
    "R_HOME",
    "R_LIBS*",
    "R_PROFILE*",
    "R_ENVIRON*",
    "JULIA_*",
    "ROOTSYS",
    "LD_PRELOAD",
    "LD_AUDIT",
    # Shells run the files that these name.
    "ENV",
    "BASH_ENV",
)
# Each of them would put other folders before those of the image.
PATHS = ("PATH", "LD_LIBRARY_PATH")
# The search path of whoever sent the job, where a batch system hands it on.
SENT_PATH = "GRIDGPU_SENT_PATH"
# Where programs are in an image that says nothing else.
USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Apptainer sets NAME in the container from APPTAINERENV_NAME, and from the name of its old self.
_PREFIXES = ("APPTAINERENV_", "SINGULARITYENV_")
_RUNTIME_PATHS = (*PATHS, "PREPEND_PATH", "APPEND_PATH")
# Apptainer reads options from these, which would cover files of the image or set any variable. The
# last one says in which image a process is: the sender's own says nothing of the job.
_RUNTIME_OPTIONS = ("OVERLAY", "OVERLAYIMAGE", "ENV_FILE", "ENVFILE", "CONTAINER")
RUNTIME_VARIABLES = (
    *(f"{prefix}{name}" for prefix in _PREFIXES for name in (*HIDDEN_VARIABLES, *_RUNTIME_PATHS)),
    *(f"{start}_{name}" for start in ("APPTAINER", "SINGULARITY") for name in _RUNTIME_OPTIONS),
)


def is_hidden(variable: str, patterns: tuple[str, ...] = HIDDEN_VARIABLES) -> bool:
    """Return whether a variable stays outside of an image."""
    return re.fullmatch("|".join(map(_expression, patterns)), variable) is not None


def hiding(patterns: tuple[str, ...]) -> str:
    """Return one line of shell that removes variables; empty for no patterns.

    An image may lack all tools, so the line has none but those of the shell itself.
    """
    commands = []
    plain = [name for name in patterns if "*" not in name]
    if plain:
        commands.append(f"unset {' '.join(plain)}")
    starred = "|".join(f"{name}=*" for name in patterns if "*" in name)
    if starred:
        # A word of a value may look like a variable. To remove that does no harm.
        commands.append(
            f"set -f; for word in $(export -p); do case $word in {starred}) word=${{word%%=*}};"
            ' case $word in *[!A-Za-z0-9_]*) ;; *) unset "$word" ;; esac ;; esac; done; set +f'
        )
    return "; ".join(commands)


def own_path() -> str:
    """Return one line of shell that leaves the search path of whoever sent the job.

    Inside of an image, that path may lead to a Python of a disk that the image sees.
    """
    return (
        f'if [ "${{PATH:-}}" = "${{{SENT_PATH}:-}}" ]; then PATH={USUAL_PATH}; fi;'
        f" export PATH; unset {SENT_PATH}"
    )


def image_alone() -> str:
    """Return one line of shell after which the image alone chooses the Python of a job.

    It is for a container that a batch system has started.
    """
    return f"{hiding(HIDDEN_VARIABLES)}; {own_path()}"


def _expression(pattern: str) -> str:
    return pattern.replace("*", "[A-Za-z0-9_]*")
