"""Jupyter: whether it loads our extensions, and its kernels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from jupyter_gridgpu import __version__
from jupyter_gridgpu.doctor.finding import Finding, note, ok, problem, several

SERVER = "jupyter_gridgpu.server"
LAB = "jupyter-gridgpu"
REINSTALL = "Install jupyter_gridgpu into the Python that runs Jupyter, then start Jupyter again."


def extensions() -> list[Finding]:
    """The server extension, and the one of the page."""
    return [_server(), *_lab()]


def _server() -> Finding:
    enabled = _enabled()
    if enabled is True:
        return ok("The server extension is enabled.")
    if enabled is False:
        return problem(
            "The server extension is disabled.", f"jupyter server extension enable {SERVER}"
        )
    return problem(
        "Jupyter does not know the server extension: it is in none of its configurations.",
        REINSTALL,
    )


def _enabled() -> bool | None:
    """What Jupyter's configuration says of the server extension; the folders that come first win."""
    from jupyter_core.paths import jupyter_config_path

    for folder in map(Path, jupyter_config_path()):
        for path in (
            folder / "jupyter_server_config.json",
            *_sorted(folder / "jupyter_server_config.d"),
        ):
            body = _json(path).get("ServerApp")
            known = body.get("jpserver_extensions") if isinstance(body, dict) else None
            if isinstance(known, dict) and SERVER in known:
                return bool(known[SERVER])
    return None


def _lab() -> list[Finding]:
    from jupyter_core.paths import jupyter_path

    if shutil.which("jupyter-lab") is None and not _importable("jupyterlab"):
        return [
            note(
                "JupyterLab is not installed here.",
                "The magic and the command line work; the panel needs JupyterLab.",
            )
        ]
    for folder in jupyter_path("labextensions"):
        package = Path(folder) / LAB / "package.json"
        if package.exists():
            return [_version(package), *_disabled()]
    return [problem("The extension of JupyterLab is not installed.", REINSTALL)]


def _version(package: Path) -> Finding:
    there = _json(package).get("version")
    if there != __version__:
        return note(
            f"The extension of JupyterLab in {package.parent} is of version {there}, the package {__version__}.",
            REINSTALL,
        )
    return ok(f"The extension of JupyterLab is installed ({package.parent}).")


def _disabled() -> list[Finding]:
    """JupyterLab's page_config.json may turn an extension off, or one of its plugins."""
    from jupyter_core.paths import jupyter_config_path

    for folder in map(Path, jupyter_config_path()):
        known = _json(folder / "labconfig" / "page_config.json").get("disabledExtensions")
        off = [name for name, value in known.items() if value] if isinstance(known, dict) else known
        if isinstance(off, list) and any(str(name).split(":")[0] == LAB for name in off):
            return [
                problem(
                    f"The extension is disabled in {folder / 'labconfig'}.",
                    f"jupyter labextension enable {LAB}",
                )
            ]
    return []


def kernels() -> list[Finding]:
    """The kernels that notebooks may name, and those whose program is not there."""
    from jupyter_client.kernelspec import KernelSpecManager

    specs = KernelSpecManager().get_all_specs()
    if not specs:
        return [problem("There is no kernel.", "python -m ipykernel install --sys-prefix")]
    found = [ok(several(len(specs), "kernel", "kernels", sorted(specs)))]
    for name, entry in sorted(specs.items()):
        argv = entry["spec"].get("argv") or [""]
        if shutil.which(argv[0]) is None:
            found.append(
                problem(
                    f"The kernel {name} starts {argv[0]!r}, which is not there.",
                    f"jupyter kernelspec remove {name}",
                )
            )
    return found


def _importable(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None


def _sorted(folder: Path) -> list[Path]:
    try:
        return sorted(folder.glob("*.json"))
    except OSError:
        return []


def _json(path: Path) -> dict[str, Any]:
    try:
        body = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return body if isinstance(body, dict) else {}
