"""A folder that needs papermill alone: the notebook, its files, one YAML a variant, and run.sh.

It loses all results and the provenance: it is for running the variants again without us.
"""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.escapes import visible
from jupyter_gridgpu.records.record import Record
from jupyter_gridgpu.records.scan_provenance import copied_helper_files
from jupyter_gridgpu.store.paths import NOTEBOOK_BYTES
from jupyter_gridgpu.worker.metrics import report

SUFFIX = "-papermill"
# Names in the folder that no helper file may have.
RESERVED = (
    "notebook.ipynb", "run.sh", "parameters", "executed", "README.txt", "jupyter_gridgpu.py",
)  # fmt: skip
_SCRIPT_HEAD = """\
#!/bin/sh
# Runs the variants again, one after another: sh run.sh
# The executed notebooks go to executed/. All of them run in this folder, \
beside the notebook's files.
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
    """Write the folder. Raises UsageError if a helper file has a name that the folder needs."""
    parameters = target / "parameters"
    parameters.mkdir(parents=True)
    notebook = record.read("notebook.ipynb", NOTEBOOK_BYTES)
    (target / "notebook.ipynb").write_bytes(notebook)
    for path in copied_helper_files(record.paths):
        _copy_helper(record, path.relative_to(record.paths.files), target)
    for variant in record.variants:
        text = _yaml_text(variant.params)
        _write(parameters / f"{variant.id}.yaml", text)
    # A notebook that imports our package, most likely for `report`, has to run without us.
    if b"jupyter_gridgpu" in notebook:
        stub = _STUB + Path(report.__file__).read_text(encoding="utf-8")
        (target / "jupyter_gridgpu.py").write_text(stub, encoding="utf-8")
    _write(target / "run.sh", _script(record))
    _write(target / "README.txt", visible(_readme(record)))


def _write(path: Path, text: str) -> None:
    """Write a text; halves of characters, which no file can hold, become escapes."""
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def _copy_helper(record: Record, name: Path, target: Path) -> None:
    """Copy a helper file, given relative to the scan's folder of files."""
    if name.parts[0] in RESERVED:
        raise UsageError(
            f"The scan has a file {name}, where the folder for papermill needs one of its own."
        )
    (target / name).parent.mkdir(parents=True, exist_ok=True)
    with record.open(f"files/{name.as_posix()}") as source, open(target / name, "wb") as copy:
        shutil.copyfileobj(source, copy)


def _script(record: Record) -> str:
    """Return the shell script that runs all variants."""
    kernel = shlex.quote(record.scan.kernel)
    # A variant that fails must not keep the others from running.
    runs = [
        f"papermill notebook.ipynb executed/{variant.id}.ipynb "
        f"-f parameters/{variant.id}.yaml -k {kernel} || failed=1\n"
        for variant in record.variants
    ]
    return "".join([_SCRIPT_HEAD, *runs, 'exit "$failed"\n'])


def _readme(record: Record) -> str:
    return _README.format(
        count=len(record.variants),
        notebook=record.scan.notebook,
        name=record.name,
        kernel=record.scan.kernel,
    )


def _yaml_text(params: dict[str, Any]) -> str:
    """Return parameters as `papermill -f` reads them."""
    import yaml

    return str(yaml.safe_dump(params, allow_unicode=True, sort_keys=False))
