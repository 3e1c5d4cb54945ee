"""Rules of the whole test run: in CI nothing is skipped silently, and vector results are always shown."""

import os
from collections import defaultdict
from collections.abc import Generator
from fnmatch import fnmatch
from pathlib import Path
from typing import TypeVar

import hypothesis
import pytest

hypothesis.settings.register_profile("no timed assertions", deadline=None)
hypothesis.settings.load_profile("no timed assertions")

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

ALLOWED_SKIPS = Path(__file__).parent / "allowed_skips.txt"
VECTOR_RESULT = "vectors"
"""The user property in which tests/vectors reports (family, suite, passed, total)."""


def allowed_skips() -> list[str]:
    """Test id patterns that may be skipped in CI; each line is `pattern  # reason`."""
    patterns = []
    for line in ALLOWED_SKIPS.read_text(encoding="utf-8").splitlines():
        pattern, _, reason = line.partition("#")
        if not pattern.strip():
            continue
        if not reason.strip():
            raise pytest.UsageError(f"{ALLOWED_SKIPS.name}: '{pattern.strip()}' has no reason")
        patterns.append(pattern.strip())
    return patterns


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI set, a skip that is not on the list is a failure."""
    report = yield
    return _no_silent_skip(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips itself while it is collected."""
    report = yield
    return _no_silent_skip(report)


def _no_silent_skip(report: Report) -> Report:
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        if any(fnmatch(report.nodeid, pattern) for pattern in allowed_skips()):
            return report
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} is skipped, and {ALLOWED_SKIPS.name} does not allow it: {reason}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line per vector family and suite."""
    passed: dict[tuple[str, str], int] = defaultdict(int)
    total: dict[tuple[str, str], int] = defaultdict(int)
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == VECTOR_RESULT and report.when == "call":
                    family, suite, good, count = value
                    passed[family, suite] += good
                    total[family, suite] += count
    if not total:
        return
    terminalreporter.section("test vectors")
    for family, suite in sorted(total):
        good, count = passed[family, suite], total[family, suite]
        mark = "ok" if good == count else "FAILED"
        terminalreporter.write_line(f"{family:<24} {suite:<14} {good:>4}/{count:<4} {mark}")
    terminalreporter.write_line(f"{'all':<39} {sum(passed.values()):>4}/{sum(total.values())}")
