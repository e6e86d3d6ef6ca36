"""Samples and what is said of them: medians, worst hundredth, ratios taken round by round. Pure."""

import math
import statistics
from collections.abc import Sequence


def quantile(samples: Sequence[float], share: float) -> float:
    """Return the smallest sample that at least this share of all do not exceed (nearest rank)."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def milliseconds(samples_s: Sequence[float]) -> tuple[str, str, str]:
    """Return median, 99th percentile and number of samples in seconds, as cells of a table in milliseconds."""
    median, worst = quantile(samples_s, 0.5) * 1000, quantile(samples_s, 0.99) * 1000
    return _short(median), _short(worst), str(len(samples_s))


def spread_s(samples_s: Sequence[float]) -> str:
    """Return the median of a few long samples with the smallest and the largest, in seconds."""
    return f"{statistics.median(samples_s):.1f} ({min(samples_s):.1f}–{max(samples_s):.1f})"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Return the median of the ratios of two series that were measured in turn, with the smallest and the largest."""
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"
