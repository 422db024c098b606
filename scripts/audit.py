"""Asks whether what we install or bundle has known security faults, with pip-audit and npm audit.

    python scripts/audit.py        both; the exit code is 1 if a fault is known, 2 if nobody answers

The Python packages are those of the environment that runs this script. Both programs ask services
on the internet, which continuous integration may not reach. So the script is run by hand, before
a release.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
TIMEOUT_S = 600
FAULTY, UNKNOWN = 1, 2
SHOWN = 300  # characters of a complaint


def main() -> int:
    """Ask both services, print what they say, and return the exit code."""
    codes = {audit_python(), audit_npm()}
    return next((code for code in (FAULTY, UNKNOWN) if code in codes), 0)


def audit_python() -> int:
    """Ask for faults of the installed Python packages."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "venv", with_pip=True)
        python = folder / "venv/bin/python"
        install = [python, "-m", "pip", "install", "--quiet", "pip-audit"]
        ended = run(install)
        if ended.returncode != 0:
            return not_asked("pip-audit cannot be installed", ended.stderr)
        answer = folder / "answer.json"
        packages = sysconfig.get_path("purelib")
        command = [python, "-m", "pip_audit", "--path", packages, "--skip-editable"]
        ended = run([*command, "--progress-spinner", "off", "-f", "json", "-o", answer])
        body = parsed(answer.read_text(encoding="utf-8") if answer.exists() else "")
    if "dependencies" not in body:
        return not_asked("The service that pip-audit asks did not answer", ended.stderr)
    faults = []
    for package in body["dependencies"]:
        for fault in package.get("vulns", []):
            better = ", ".join(fault.get("fix_versions", [])) or "no version yet"
            faults.append(
                f"{package['name']} {package['version']}: {fault['id']}, mended in {better}"
            )
    return said("pip-audit", len(body["dependencies"]), faults)


def audit_npm() -> int:
    """Ask for faults of the packages in package-lock.json."""
    npm = shutil.which("npm")
    if npm is None:
        return not_asked("npm is not installed", "")
    ended = run([npm, "audit", "--json", "--package-lock-only"])
    body = parsed(ended.stdout)
    if "vulnerabilities" not in body:
        return not_asked("The registry did not answer npm audit", str(body.get("message", "")))
    faults = [
        f"{name} {fault.get('range', '')}: {fault.get('severity', 'fault')}"
        for name, fault in body["vulnerabilities"].items()
    ]
    count = body.get("metadata", {}).get("dependencies", {}).get("total", 0)
    return said("npm audit", count, faults)


def run(command: list[Any]) -> subprocess.CompletedProcess[str]:
    """Run a command in the project's folder."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )


def parsed(text: str) -> dict[str, Any]:
    """Return a JSON object, or an empty one if the text is none."""
    try:
        body = json.loads(text)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def said(what: str, count: int, faults: list[str]) -> int:
    """Print the faults that are known, and return the exit code."""
    print(f"{what}: {count} packages, {len(faults)} known faults")
    for fault in faults:
        print(f"  {fault}")
    return FAULTY if faults else 0


def not_asked(why: str, complaint: str) -> int:
    """Print that nothing is known, and return the exit code."""
    lines = complaint.strip().splitlines() or ["no reason was given"]
    print(f"Not known: {why} ({lines[-1].strip()[:SHOWN]}).")
    return UNKNOWN


if __name__ == "__main__":
    sys.exit(main())
