"""Checks Jupyter: whether it loads our extensions, and its kernels."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jupyter_gridgpu import __version__
from jupyter_gridgpu.doctor.finding import Finding, counted, note, ok, problem
from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.opener import read_bounded, users_opener

CONFIG_BYTES = 4_000_000  # of one file of settings
SERVER = "jupyter_gridgpu.server"  # the name of our server extension
LAB = "jupyter-gridgpu"  # the name of our extension of JupyterLab
REINSTALL = "Install jupyter_gridgpu into the Python that runs Jupyter, then start Jupyter again."


def extensions() -> list[Finding]:
    """Look whether Jupyter loads our server extension, and JupyterLab our labextension.

    An extension that is not installed, or is disabled, is a problem.
    """
    return [_server_extension(), *_lab_extension()]


def _server_extension() -> Finding:
    enabled = _server_extension_enabled()
    if enabled is None:
        text = "Jupyter does not know the server extension: it is in none of its configurations."
        return problem(text, REINSTALL)
    if not enabled:
        advice = f"jupyter server extension enable {SERVER}"
        return problem("The server extension is disabled.", advice)
    return ok("The server extension is enabled.")


def _server_extension_enabled() -> bool | None:
    """Return whether Jupyter's configuration enables the server extension, or None if unknown."""
    from jupyter_core.paths import jupyter_config_path

    # The folders come in Jupyter's order: the user's configuration comes before the system's.
    for folder in map(Path, jupyter_config_path()):
        files = folder / "jupyter_server_config.json", *_files(folder / "jupyter_server_config.d")
        for path in files:
            server_app = _read_object(path).get("ServerApp")
            if not isinstance(server_app, dict):
                continue
            known = server_app.get("jpserver_extensions")
            if isinstance(known, dict) and SERVER in known:
                return bool(known[SERVER])
    return None


def _lab_extension() -> list[Finding]:
    from jupyter_core.paths import jupyter_path

    if shutil.which("jupyter-lab") is None and find_spec("jupyterlab") is None:
        text = "JupyterLab is not installed here."
        advice = "The magic and the command line work; the panel needs JupyterLab."
        return [note(text, advice)]
    for folder in jupyter_path("labextensions"):
        package = Path(folder) / LAB / "package.json"
        if package.exists():
            return [_lab_version(package), *_lab_disabled()]
    return [problem("The extension of JupyterLab is not installed.", REINSTALL)]


def _lab_version(package: Path) -> Finding:
    installed = _read_object(package).get("version")
    # An extension of another version stays behind when the package is renewed elsewhere.
    if installed != __version__:
        text = (
            f"The extension of JupyterLab in {package.parent} is of version {installed},"
            f" the package {__version__}."
        )
        return note(text, REINSTALL)
    return ok(f"The extension of JupyterLab is installed ({package.parent}).")


def _lab_disabled() -> list[Finding]:
    """Return a problem if JupyterLab's page_config.json turns off our extension or a plugin."""
    from jupyter_core.paths import jupyter_config_path

    for folder in map(Path, jupyter_config_path()):
        labconfig = folder / "labconfig"
        disabled = _disabled_names(_read_object(labconfig / "page_config.json"))
        if LAB in [name.split(":")[0] for name in disabled]:
            text = f"The extension is disabled in {labconfig}."
            return [problem(text, f"jupyter labextension enable {LAB}")]
    return []


def _disabled_names(page_config: dict[str, Any]) -> list[str]:
    """Return the extensions and plugins (`extension:plugin`) that are turned off."""
    disabled = page_config.get("disabledExtensions")
    # JupyterLab 4 writes an object with true or false, JupyterLab 3 a list of names.
    if isinstance(disabled, dict):
        return [str(name) for name, is_off in disabled.items() if is_off]
    if isinstance(disabled, list):
        return [str(name) for name in disabled]
    return []


def kernels() -> list[Finding]:
    """Look at the kernels that notebooks may name.

    To have no kernel is a problem, and so is a kernel whose program is missing.
    """
    from jupyter_client.kernelspec import KernelSpecManager

    specs = KernelSpecManager().get_all_specs()
    if not specs:
        return [problem("There is no kernel.", "python -m ipykernel install --sys-prefix")]
    found = [ok(counted(len(specs), "kernel", "kernels", sorted(specs)))]
    for name, entry in sorted(specs.items()):
        argv = entry["spec"].get("argv") or [""]
        # The kernelspec of an environment that was removed stays behind.
        if shutil.which(argv[0]) is None:
            text = f"The kernel {name} starts {argv[0]!r}, which is not there."
            found.append(problem(text, f"jupyter kernelspec remove {name}"))
    return found


def _files(folder: Path) -> list[Path]:
    """Return the JSON files of a folder of configurations, sorted by name."""
    try:
        return sorted(folder.glob("*.json"))
    except OSError:
        return []


def _read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; an empty one for a file that is missing or unsound."""
    try:
        body = parse_json(read_bounded(path, CONFIG_BYTES, users_opener))
    except (OSError, ValueError):
        return {}
    return body if isinstance(body, dict) else {}
