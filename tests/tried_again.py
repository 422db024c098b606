"""The marker `may_be_tried_again(reason)`, and a list of the tests that were tried again.

No other test is tried again when it fails. A test gets the marker only if it fails now and then
for a reason that lies outside of this project and its tests, for example a crash of a browser:

    @pytest.mark.may_be_tried_again("Chromium crashes now and then when it is short of memory")
    def test_a_page() -> None: ...

This is a plugin of pytest. The file `tests/conftest.py` loads it.
"""

from __future__ import annotations

from collections import Counter

import pytest

MARKER = "may_be_tried_again"
PROPERTY = "tried again because"  # its value in the properties of a report is the reason
TRIES_MORE = 2


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, since the tests run with `--strict-markers`."""
    config.addinivalue_line(
        "markers", f"{MARKER}(reason): try a failed test {TRIES_MORE} times more, and list it"
    )


# Before all other plugins, so that each of them sees the marker of pytest-rerunfailures.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests with the marker that of pytest-rerunfailures. Raises UsageError without reason."""
    for item in items:
        marker = item.get_closest_marker(MARKER)
        if marker is None:
            continue
        reason = reason_of(marker)
        if not reason:
            raise pytest.UsageError(f"{item.nodeid}: {MARKER} needs a reason, a text")
        item.add_marker(pytest.mark.flaky(reruns=TRIES_MORE))
        # Reports carry these properties from the processes of pytest-xdist to the one that prints.
        item.user_properties.append((PROPERTY, reason))


def reason_of(marker: pytest.Mark) -> str:
    """Return the reason that a marker gives, or an empty text."""
    values = [*marker.args, *marker.kwargs.values()]
    if len(values) != 1 or not isinstance(values[0], str):
        return ""
    return values[0].strip()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print which tests were tried again, how often, and why that is allowed."""
    reports = terminalreporter.stats.get("rerun", [])
    if not reports:
        return
    times = Counter(report.nodeid for report in reports)
    # With `--reruns` on the command line, tests without the marker are tried again as well.
    reasons = {report.nodeid: dict(report.user_properties).get(PROPERTY) for report in reports}
    terminalreporter.section("tests that were tried again")
    for name, count in times.items():
        reason = reasons[name] or "no reason is given"
        terminalreporter.line(f"{name}: {count} more; {reason}")
