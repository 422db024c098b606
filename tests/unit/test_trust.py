"""The claims of docs/trust.md name tests, and these tests exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_claim_about_trust_names_tests_that_exist() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "trust.md").read_text()))
    assert len(named) > 30
    written: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        written.update(re.findall(r"^ *(?:async )?def (test_\w+)\(", path.read_text(), re.M))
    assert named - written == set()
