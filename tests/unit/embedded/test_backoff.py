"""How long a child waits for its next try."""

import pytest

from portal.embedded.backoff import Backoff


@pytest.mark.parametrize(("failures", "delay_s"), [(1, 0.5), (2, 1.0), (3, 2.0), (6, 16.0), (7, 30.0), (5000, 30.0)])
def test_the_pause_doubles_up_to_a_limit(failures: int, delay_s: float) -> None:
    assert Backoff().delay_s(failures) == delay_s


def test_quick_ends_add_up_and_a_healthy_run_starts_afresh() -> None:
    backoff = Backoff()
    assert backoff.failures_after(4, uptime_s=1.0) == 5
    assert backoff.failures_after(4, uptime_s=31.0) == 1
