"""How long a child that ended waits for its next try. Pure."""

from dataclasses import dataclass

FIRST_S = 0.5
LONGEST_S = 30.0
HEALTHY_AFTER_S = 30.0


@dataclass(frozen=True)
class Backoff:
    """Doubles from `first_s` to `longest_s`; a run of `healthy_after_s` counts as health and starts afresh."""

    first_s: float = FIRST_S
    longest_s: float = LONGEST_S
    healthy_after_s: float = HEALTHY_AFTER_S

    def failures_after(self, earlier_failures: int, *, uptime_s: float) -> int:
        """Return the length of the streak of failures, this end included."""
        return 1 if uptime_s >= self.healthy_after_s else earlier_failures + 1

    def delay_s(self, failures: int) -> float:
        """Return the pause before the next try."""
        return min(self.longest_s, self.first_s * 2.0 ** min(failures - 1, 16))
