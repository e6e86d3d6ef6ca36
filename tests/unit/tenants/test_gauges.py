"""Limits as bars: figures, widths, and when a bar warns."""

from collections.abc import Mapping

from tenants.gauges import Bar, Gauge, gauges_of, quota_gauges
from tenants.models import QuotaLine, ResourceType
from tenants.specs import CPU, GPUS, MEMORY, PODS, Unit

TYPES = {CPU: Unit.MILLICORES, MEMORY: Unit.MIB, GPUS: Unit.COUNT, PODS: Unit.COUNT}
LIMITS = {CPU: 8000, MEMORY: 16_384, PODS: 50}
HELD = {CPU: 3000, MEMORY: 15_360, PODS: 5}


def bars(limits: Mapping[str, int], held: Mapping[str, int], adding: Mapping[str, int] | None = None) -> list[Gauge]:
    found = (
        QuotaLine(type=ResourceType(key=key, unit=unit), nominal=limits.get(key, 0), used=held.get(key, 0))
        for key, unit in TYPES.items()
    )
    return quota_gauges(found, adding or {})


def test_a_bar_tells_held_and_limit_in_the_resource_own_words() -> None:
    cpu, memory, pods = bars(LIMITS, HELD)
    assert [(bar.held, bar.limit) for bar in (cpu, memory, pods)] == [("3", "8"), ("15 GiB", "16 GiB"), ("5", "50")]
    assert cpu.used_width == "37.50%"


def test_a_bar_warns_from_ninety_percent_on() -> None:
    assert [bar.full for bar in bars(LIMITS, HELD)] == [False, True, False]


def test_a_request_that_does_not_fit_fills_the_bar_and_no_more() -> None:
    cpu, memory, pods = bars(LIMITS, HELD, {CPU: 9000, MEMORY: 1024, PODS: 1})
    assert (cpu.add_x, cpu.add_width, cpu.exceeded) == ("37.50%", "62.50%", True)
    assert (memory.exceeded, pods.exceeded) == (False, False)


def test_a_resource_that_is_neither_allowed_nor_held_has_no_bar() -> None:
    assert gauges_of([Bar("GPUs", Unit.COUNT, 0, 0)]) == []


def test_what_is_held_above_a_limit_of_nothing_shows() -> None:
    (gpus,) = gauges_of([Bar("GPUs", Unit.COUNT, 0, 2)])
    assert (gpus.used_width, gpus.full, gpus.exceeded) == ("100.00%", True, True)
