"""Runs the campaign: `python -m tests.chaos --minutes 5 --seed 1`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from .campaign import Campaign


def main() -> int:
    """Run the campaign that the command line asks for; return 1 if it found a fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long scans are started")
    parser.add_argument("--seed", type=int, default=1, help="seed of the kills")
    parser.add_argument("--together", type=int, default=2, help="how many scans run at once")
    parser.add_argument("--folder", type=Path, help="where scans go; a new one by default")
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="gridgpu-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    found = Campaign(folder, asked.seed, asked.together).run(asked.minutes * 60)
    print(found.text())
    if found.faults:
        print(f"the scans are kept in {folder}")
    return int(bool(found.faults))


if __name__ == "__main__":
    sys.exit(main())
