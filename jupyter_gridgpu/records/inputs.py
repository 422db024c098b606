"""What differed in what two scans were made of: notebook, files, parameters, image, packages, hardware."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_gridgpu.model import space as spaces
from jupyter_gridgpu.model.job import bounded
from jupyter_gridgpu.records.record import Record
from jupyter_gridgpu.worker.papermill_import import import_papermill

FACTS = {  # of a job's provenance, in the words of the user
    "python": "Python of the worker", "os": "operating system", "cpu": "processor", "cores": "cores", "gpus": "GPUs",
    "driver": "GPU driver", "host": "host",
}  # fmt: skip
NOTEBOOK_BYTES = 100 * 1024 * 1024
DIFF_LIMIT = 20_000
SHOWN = 3  # values of one fact, where the jobs of a scan have several
PACKAGE = "package "
KNOWN = "packages are known"
NO_NBDIME = "The cells differ; which lines, nbdime shows: pip install 'jupyter_gridgpu[compare]'."


@dataclass(frozen=True)
class Difference:
    """One thing that was not the same; `text` says more where two words do not."""

    what: str
    a: str
    b: str
    text: str = ""


def differences(a: Record, b: Record) -> list[Difference]:
    """Return all that is known to have differed. What one of the scans did not keep is not called different."""
    starts = a.provenance(), b.provenance()
    return [
        *_notebooks(a, b),
        *_files(*starts),
        *_parameters(a, b),
        *_engines(a, b),
        *_versions(*starts),
        *_jobs(a, b),
    ]


def _notebooks(a: Record, b: Record) -> list[Difference]:
    one, other = a.scan.notebook_digest, b.scan.notebook_digest
    if one == other:
        return []
    return [Difference("notebook", one[:12], other[:12], cell_differences(a, b))]


def cell_differences(a: Record, b: Record) -> str:
    """Return how the cells of two notebooks differ, as nbdime writes it."""
    try:
        import_papermill("nbformat")  # in a tenth of the time
        import nbformat
        from nbdime import diff_notebooks
        from nbdime.diffing.notebooks import set_notebook_diff_targets
        from nbdime.prettyprint import PrettyPrintConfig, pretty_print_notebook_diff
    except ImportError:
        return NO_NBDIME
    try:
        bodies = []
        for record in (a, b):
            with record.open("notebook.ipynb") as file:
                bodies.append(nbformat.reads(file.read(NOTEBOOK_BYTES).decode(), 4))
        set_notebook_diff_targets(outputs=False, metadata=False, details=False)
        out = io.StringIO()
        config = PrettyPrintConfig(out=out, use_color=False, use_git=False)
        pretty_print_notebook_diff("a", "b", bodies[0], diff_notebooks(*bodies), config)
    except (
        OSError,
        ValueError,
        KeyError,
        AttributeError,
        RecursionError,
    ) as error:  # whatever stands there now
        return f"A notebook cannot be read any more: {bounded(str(error), 200)}."
    lines = [
        "".join(c for c in line if c.isprintable() or c == "\t")
        for line in out.getvalue().splitlines()[3:]
    ]
    return "\n".join(lines)[:DIFF_LIMIT]


def _files(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    digests = [
        {n: str(v) for n, v in (as_dict(start.get("inputs"))).items() if n.startswith("files/")}
        for start in (a, b)
    ]
    if not all("inputs" in start for start in (a, b)):
        return []
    names = sorted(
        name
        for name in {**digests[0], **digests[1]}
        if digests[0].get(name) != digests[1].get(name)
    )
    words = {
        (True, True): ("one", "another"),
        (True, False): ("there", "not there"),
        (False, True): ("not there", "there"),
    }
    return [
        Difference(f"file {name[6:]}", *words[name in digests[0], name in digests[1]])
        for name in names
    ]


def _parameters(a: Record, b: Record) -> list[Difference]:
    axes = [{item["name"]: item for item in spaces.to_json(record.scan.space)} for record in (a, b)]
    found = []
    for name in {**axes[0], **axes[1]}:
        one, other = (_axis_words(one.get(name)) for one in axes)
        if one != other:
            found.append(Difference(f"parameter {name}", one, other))
    return found


def _axis_words(axis: Mapping[str, Any] | None) -> str:
    if axis is None:
        return "the notebook's own"
    if axis["kind"] == "fixed":
        return _short(repr(axis["value"]))
    return _short(
        ", ".join(f"{key} {value!r}" for key, value in axis.items() if key not in ("name", "kind"))
    )


def _engines(a: Record, b: Record) -> list[Difference]:
    told = [
        {
            "engine": record.scan.backend,
            "kernel": record.scan.kernel,
            "image": record.scan.container.image,
            "image digest": record.scan.container.digest,
        }
        for record in (a, b)
    ]
    return [
        Difference(what, _short(told[0][what] or "none"), _short(told[1][what] or "none"))
        for what in told[0]
        if told[0][what] != told[1][what]
    ]


def _versions(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    told = [
        {"gridgpu": s.get("gridgpu"), "git commit": as_dict(s.get("git")).get("commit")}
        for s in (a, b)
    ]
    return [
        Difference(what, _short(str(told[0][what])), _short(str(told[1][what])))
        for what in told[0]
        if told[0][what] and told[1][what] and told[0][what] != told[1][what]
    ]


def _jobs(a: Record, b: Record) -> list[Difference]:
    """What jobs told of themselves; a fact may have several values in one scan."""
    one, other = facts(a), facts(b)
    listed = KNOWN in one and KNOWN in other
    found = []
    for what in {**one, **other}:
        first, second = one.get(what, {}), other.get(what, {})
        told = listed if what.startswith(PACKAGE) else bool(first and second)
        if told and set(first) != set(second):
            found.append(Difference(what, _several(first), _several(second)))
    return found


def facts(record: Record) -> dict[str, dict[str, None]]:
    """Fact -> its values over the jobs of a scan; many jobs share one list of packages, which is looked at once."""
    found: dict[str, dict[str, None]] = {}
    seen: set[str] = set()
    for variant in record.variants:
        about = record.job_provenance(variant)
        for name, words in FACTS.items():
            if about.get(name) not in (None, []):
                found.setdefault(words, {})[_short(_text(about[name]))] = None
        for name, value in as_dict(about.get("kernel")).items():
            found.setdefault(f"kernel {name}", {})[_short(_text(value))] = None
        packages = as_dict(about.get("packages"))
        known = json.dumps(packages, sort_keys=True)
        if packages and known not in seen:
            seen.add(known)
            found.setdefault(KNOWN, {})["yes"] = None
            for name, version in packages.items():
                found.setdefault(f"{PACKAGE}{bounded(name, 80)}", {})[_short(_text(version))] = None
    return found


def as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _several(values: Mapping[str, None]) -> str:
    shown = list(values)[:SHOWN]
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    return " | ".join(shown) + more if shown else "none"


def _short(text: str) -> str:
    return bounded(text, 200) or ""
