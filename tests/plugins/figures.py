"""Measured figures: a test says `figure("...")`, and the run prints them all above its closing line."""

from collections.abc import Callable

import pytest

KEY = "figure"
Figure = Callable[[str], None]


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Figure:
    """Return a function that notes one line of measured facts; nothing is asserted by it."""
    return lambda text: record_property(KEY, text)


class _Figures:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect what a finished test noted, also from another worker."""
        if report.when == "teardown":
            name = report.nodeid.rpartition("::")[2]
            self.lines += [f"{name}: {value}" for key, value in report.user_properties if key == KEY]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the collected lines."""
        if self.lines:
            terminalreporter.section("measured")
            for line in self.lines:
                terminalreporter.write_line(line)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Watch the run, in the process that reports it."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Figures(), "berth-figures")
