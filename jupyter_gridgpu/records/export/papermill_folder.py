"""A plain folder that needs nothing but papermill: the notebook, its files, one YAML a variant, and run.sh."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.records.record import Record
from jupyter_gridgpu.records.scan_provenance import helper_files
from jupyter_gridgpu.worker.metrics import report

SUFFIX = "-papermill"
OURS = ("notebook.ipynb", "run.sh", "parameters", "executed", "README.txt", "jupyter_gridgpu.py")
_HEAD = """\
#!/bin/sh
# Runs the variants again, one after another: sh run.sh
# The executed notebooks go to executed/. All of them run in this folder, beside the notebook's files.
set -u
cd "$(dirname "$0")" || exit
mkdir -p executed
failed=0
"""
_README = """\
{count} variants of {notebook}, from the scan {name}.

    pip install papermill        # and the kernel {kernel}
    sh run.sh

parameters/v0001.yaml holds the parameters of the variant v0001, and so on.
"""
_STUB = "# For notebooks that import report(): outside of a scan nothing reads what is reported.\n"


def write(record: Record, target: Path, curves: bool) -> None:
    (target / "parameters").mkdir(parents=True)
    with record.open("notebook.ipynb") as source:
        content = source.read()
    (target / "notebook.ipynb").write_bytes(content)
    for path in helper_files(record.paths):
        _copy(record, path.relative_to(record.paths.files), target)
    for variant in record.variants:
        (target / "parameters" / f"{variant.id}.yaml").write_text(
            yaml_text(variant.params), encoding="utf-8"
        )
    if b"jupyter_gridgpu" in content:
        (target / "jupyter_gridgpu.py").write_text(
            _STUB + Path(report.__file__).read_text(encoding="utf-8"), encoding="utf-8"
        )
    kernel = shlex.quote(record.scan.kernel)
    lines = [
        f"papermill notebook.ipynb executed/{variant.id}.ipynb -f parameters/{variant.id}.yaml -k {kernel} || failed=1\n"
        for variant in record.variants
    ]
    (target / "run.sh").write_text(_HEAD + "".join(lines) + 'exit "$failed"\n', encoding="utf-8")
    facts = {
        "count": len(lines),
        "notebook": record.scan.notebook,
        "name": record.name,
        "kernel": record.scan.kernel,
    }
    (target / "README.txt").write_text(_README.format(**facts), encoding="utf-8")


def _copy(record: Record, name: Path, target: Path) -> None:
    if name.parts[0] in OURS:
        raise UsageError(
            f"The scan has a file {name}, where the folder for papermill needs one of its own."
        )
    (target / name).parent.mkdir(parents=True, exist_ok=True)
    with record.open(f"files/{name.as_posix()}") as source, open(target / name, "wb") as copy:
        shutil.copyfileobj(source, copy)


def yaml_text(params: dict[str, Any]) -> str:
    """Return parameters as `papermill -f` reads them back."""
    import yaml

    return str(yaml.safe_dump(params, allow_unicode=True, sort_keys=False))
