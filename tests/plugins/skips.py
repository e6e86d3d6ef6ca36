"""Fails a run that skips or expects a failure anywhere but where tests/allowed_skips.txt says so."""

from pathlib import Path

import pytest

_ALLOWED_FILE = Path(__file__).parents[1] / "allowed_skips.txt"


def allowed_skips(text: str) -> frozenset[str]:
    """Return the node ids (or their beginnings) of a list with one a line; `#` starts a comment."""
    lines = (line.split("#", 1)[0].strip() for line in text.splitlines())
    return frozenset(line for line in lines if line)


def is_allowed(nodeid: str, allowed: frozenset[str]) -> bool:
    """Say whether the list names this test, its class, its file or its parametrised family."""
    return any(nodeid == entry or nodeid.startswith((f"{entry}::", f"{entry}[")) for entry in allowed)


class _Skips:
    def __init__(self) -> None:
        self.allowed = allowed_skips(_ALLOWED_FILE.read_text(encoding="utf-8"))
        self.unlisted: list[str] = []

    def note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        """Remember a skip or an expected failure that nobody allowed."""
        if (report.skipped or hasattr(report, "wasxfail")) and not is_allowed(report.nodeid, self.allowed):
            self.unlisted.append(report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Look at each phase of each test; under xdist the controller sees all of them."""
        self.note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Look at modules that skip themselves whole."""
        self.note(report)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Turn a green run with unlisted skips red."""
        if self.unlisted and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name them above the closing line."""
        if self.unlisted:
            terminalreporter.section("skips that tests/allowed_skips.txt does not list", red=True)
            for nodeid in dict.fromkeys(self.unlisted):
                terminalreporter.write_line(nodeid)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Watch the run, in the process that reports it."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Skips(), "berth-skips")
