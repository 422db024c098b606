"""Facts that the jobs of a scan recorded: Python, packages, processor, GPUs, host."""

from __future__ import annotations

import json
from typing import Any

from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.records.record import Record

# Keys of a job's provenance and what a user calls them.
LABELS = {
    "python": "Python of the worker",
    "os": "operating system",
    "cpu": "processor",
    "cores": "cores",
    "gpus": "GPUs",
    "driver": "GPU driver",
    "host": "host",
}
PACKAGE = "package "  # how the label of a package begins
# The label of a fact that only says that some job recorded its packages. A package that is missing
# from one scan is a difference only if that scan has recorded its packages at all.
PACKAGES_KNOWN = "packages are known"
NAME_LIMIT = 80  # characters of a package's name
VALUE_LIMIT = 200  # characters of a value

# Label of a fact -> its different values over the jobs of a scan, in the order of their
# appearance. A dict of None serves as an ordered set.
Facts = dict[str, dict[str, None]]


def job_facts(record: Record) -> Facts:
    """Return the facts that the jobs of a scan recorded, each with its different values."""
    facts: Facts = {}
    # Many jobs share one list of some hundred packages. Each different list is read once.
    seen_packages: set[str] = set()
    for variant in record.variants:
        provenance = record.job_provenance(variant)
        _add_machine(facts, provenance)
        packages = as_dict(provenance.get("packages"))
        listing = json.dumps(packages, sort_keys=True)
        if packages and listing not in seen_packages:
            seen_packages.add(listing)
            _add_packages(facts, packages)
    return facts


def _add_machine(facts: Facts, provenance: dict[str, Any]) -> None:
    """Add what one job recorded of its machine and kernel."""
    for key, label in LABELS.items():
        value = provenance.get(key)
        # A job without a GPU records an empty list. That is no value to compare or to show.
        if value is not None and value != []:
            facts.setdefault(label, {})[_text(value)] = None
    for key, value in as_dict(provenance.get("kernel")).items():
        facts.setdefault(f"kernel {key}", {})[_text(value)] = None


def _add_packages(facts: Facts, packages: dict[str, Any]) -> None:
    facts.setdefault(PACKAGES_KNOWN, {})["yes"] = None
    for name, version in packages.items():
        label = f"{PACKAGE}{one_line(name, NAME_LIMIT)}"
        facts.setdefault(label, {})[_text(version)] = None


def as_dict(value: Any) -> dict[str, Any]:
    """Return `value` if it is a dict, else an empty one: a file on disk may hold anything."""
    if isinstance(value, dict):
        return value
    return {}


def short_text(text: str) -> str:
    """Return a text cut to VALUE_LIMIT characters."""
    return one_line(text, VALUE_LIMIT) or ""


def _text(value: Any) -> str:
    """Return the value of a fact as a text; the items of a list are joined by commas."""
    if isinstance(value, list):
        return short_text(", ".join(map(str, value)))
    return short_text(str(value))
