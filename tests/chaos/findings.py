"""What a scan must have left, however often its processes were killed."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.system.lab import ScanOfLab
from tests.system.notebooks import Executed

WORDS = ("start", "end", "forked")  # in the order of the fields of Ledger
FAULTS = ("lost", "twice", "wrong", "left over")


def expected(x: float) -> float:
    """Return the objective of a variant, as its notebook computes it."""
    return x * x + 1.0


@dataclass
class Findings:
    """What the campaign did, and the faults that it found: a sentence for each."""

    scans: int = 0
    variants: int = 0
    attempts: int = 0
    forked: int = 0  # kernels that came from a prepared parent
    strikes: Counter[str] = field(default_factory=Counter)
    found: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in FAULTS})

    @property
    def faults(self) -> list[str]:
        """All faults, each with its kind."""
        return [f"{kind}: {text}" for kind, texts in self.found.items() for text in texts]

    def text(self) -> str:
        """Return the figures, and below them the faults."""
        strikes = ", ".join(f"{count} {what}" for what, count in sorted(self.strikes.items()))
        figures = ", ".join(f"{len(texts)} {kind}" for kind, texts in self.found.items())
        head = f"{self.scans} scans, {self.variants} variants, {self.attempts} attempts"
        head += f", {self.forked} forked kernels"
        total = f"{sum(self.strikes.values())} strikes: {strikes}"
        return "\n".join([head, total, figures, *self.faults])


@dataclass(frozen=True)
class Ledger:
    """What the notebooks of one scan wrote outside of it: a word and the job's key.

    The words are `start`, `forked` if a prepared parent forked the kernel, and `end`.
    """

    starts: Counter[str]
    ends: Counter[str]
    forked: Counter[str]

    @staticmethod
    def read(path: Path) -> Ledger:
        """Read the file; it is not there if no notebook began."""
        lines = path.read_text().splitlines() if path.exists() else []
        words = [line.split() for line in lines]
        return Ledger(*(Counter(key for word, key in words if word == name) for name in WORDS))


def check(scan: ScanOfLab, count: int, ledger: Path, done_before: dict[str, int]) -> Findings:
    """Return the faults of a scan that had the time to end.

    `done_before` has the variants that were seen done while it ran, with their attempt.
    """
    findings = Findings(scans=1, variants=count)
    lost, twice, wrong = (findings.found[kind] for kind in FAULTS[:3])
    noted, variants = Ledger.read(ledger), scan.variants()
    findings.forked = noted.forked.total()
    findings.attempts = sum(variant["attempts"] for variant in variants.values())
    if scan.state() != "done" or len(variants) != count:
        lost.append(f"{scan.folder} is {scan.state()} with {len(variants)} variants of {count}")
    for ident, attempt in done_before.items():
        if variants.get(ident, {}).get("attempts") != attempt:
            lost.append(f"{scan.folder} {ident}: was done in attempt {attempt}, and is not now")
    for ident, variant in variants.items():
        place = f"{scan.folder} {ident}"
        if variant["state"] != "done":
            lost.append(f"{place}: {variant['state']}, {variant.get('message')}")
            continue
        lost += [f"{place}: {text}" for text in _missing(scan, variant, noted)]
        if not math.isclose(
            variant["metrics"].get("loss", math.nan), expected(variant["params"]["x"])
        ):
            wrong.append(f"{place}: {variant['params']} gave {variant['metrics']}")
    twice += [f"{scan.folder} {text}" for text in _twice(scan, variants, noted)]
    wrong += [f"{scan.folder}: {text}" for text in _wrong_best(scan, variants)]
    return findings


def _missing(scan: ScanOfLab, variant: dict[str, Any], noted: Ledger) -> list[str]:
    """Return what is missing of a variant that is done."""
    key = f"{variant['id']}.{variant['attempts']}"
    missing = []
    if not scan.job(key).joinpath("result.json").is_file():
        missing.append("done without a result")
    if not noted.ends[key]:
        missing.append("done, though its last cell never ended")
    if set(Executed.read(variant["notebook"]).statuses()) != {"completed"}:
        missing.append("done with a notebook that is not complete")
    return missing


def _twice(scan: ScanOfLab, variants: dict[str, dict[str, Any]], noted: Ledger) -> list[str]:
    """Return which jobs ran more than once, and which ran though their variant was done."""
    found = [f"{key} began {times} times" for key, times in noted.starts.items() if times > 1]
    done = [event["key"] for event in scan.events_of("job.observed") if event["state"] == "done"]
    found += [f"{key} is done twice" for key, times in Counter(done).items() if times > 1]
    for key in set(done):
        ident, _, attempt = key.partition(".")
        if variants[ident]["attempts"] > int(attempt):
            found.append(f"{key} was done, and another attempt was made")
    return found


def _wrong_best(scan: ScanOfLab, variants: dict[str, dict[str, Any]]) -> list[str]:
    """Return a sentence if the scan names another variant as its best than the best."""
    best = scan.summary()["best"]
    done = [variant for variant in variants.values() if variant["state"] == "done"]
    least = min((expected(variant["params"]["x"]) for variant in done), default=math.nan)
    if best in variants and math.isclose(expected(variants[best]["params"]["x"]), least):
        return []
    return [f"{best} is named the best"]
