"""Limits as bars: figures, widths, and when a bar warns."""

from tenants.gauges import gauges_of
from tenants.specs import Limits

LIMITS = Limits(cpu_millicores=8000, memory_mib=16_384, pods=50, gpus=0)
HELD = Limits(cpu_millicores=3000, memory_mib=15_360, pods=5, gpus=0)


def test_a_bar_tells_held_and_limit_in_the_resource_own_words() -> None:
    cpu, memory, pods = gauges_of(LIMITS, HELD)
    assert [(bar.held, bar.limit) for bar in (cpu, memory, pods)] == [("3", "8"), ("15 GiB", "16 GiB"), ("5", "50")]
    assert cpu.used_width == "37.50%"


def test_a_bar_warns_from_ninety_percent_on() -> None:
    assert [bar.full for bar in gauges_of(LIMITS, HELD)] == [False, True, False]


def test_a_request_that_does_not_fit_fills_the_bar_and_no_more() -> None:
    adding = Limits(cpu_millicores=9000, memory_mib=1024, pods=1, gpus=0)
    cpu, memory, pods = gauges_of(LIMITS, HELD, adding)
    assert (cpu.add_x, cpu.add_width, cpu.exceeded) == ("37.50%", "62.50%", True)
    assert (memory.exceeded, pods.exceeded) == (False, False)


def test_a_resource_that_is_neither_allowed_nor_held_has_no_bar() -> None:
    labels = [str(bar.label) for bar in gauges_of(LIMITS, HELD)]
    assert "GPUs" not in labels


def test_what_is_held_above_a_limit_of_nothing_shows() -> None:
    nothing = Limits(cpu_millicores=0, memory_mib=0, pods=0, gpus=0)
    held = Limits(cpu_millicores=0, memory_mib=0, pods=0, gpus=2)
    (gpus,) = gauges_of(nothing, held)
    assert (gpus.used_width, gpus.full, gpus.exceeded) == ("100.00%", True, True)
