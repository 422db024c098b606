"""Tries many records that anybody may have written, and many cells.

    python -m tests.fuzz [SEED] [EXAMPLES]

Without a seed it takes one by chance. It prints the seed first, so that the run can be repeated.
"""

from __future__ import annotations

import os
import random
import sys

import pytest


def main(words: list[str]) -> int:
    """Run the property tests with many examples; return the exit code of pytest."""
    seed = words[0] if words else str(random.randrange(10**9))
    examples = words[1] if len(words) > 1 else "20000"
    print(f"python -m tests.fuzz {seed} {examples}", flush=True)
    os.environ["GRIDGPU_TEST_EXAMPLES"] = examples
    options = ["-n0", "-q", "--tb=short", "--timeout=0", "--hypothesis-profile=long"]
    return int(pytest.main([*options, f"--hypothesis-seed={seed}", "-m", "any_record or any_cell"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
