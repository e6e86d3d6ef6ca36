"""What the placer learns of requests: their parts, a window of them, and when they have become others."""

from gpu.placement.mix import FIRST_SAMPLES, LOOK_EVERY, WINDOW, Learner, TaskClass, Weighted, class_of, usual_mix
from tests.unit.gpu.clusters import asks

SINGLE, SHARE = TaskClass(4_000, 1, 1_000, 0b11), TaskClass(2_000, 1, 300, 0b01)


def observed(learner: Learner, task: TaskClass, times: int, memory_mib: int = 1_024) -> list[int]:
    """Return after how many requests in all it was due."""
    return [learner.seen for _ in range(times) if learner.observe(task, memory_mib)]


def test_a_mix_is_what_was_asked_for_by_its_parts_with_the_memory_on_average() -> None:
    learner = Learner()
    observed(learner, SINGLE, 6, 1_000)
    observed(learner, SINGLE, 2, 3_000)
    observed(learner, TaskClass(1_000, 0, 0, 0), 2)
    mix = learner.mix()
    assert mix.classes == (Weighted(SINGLE, 0.8, 1_500.0),)
    assert round(mix.cpu_only, 9) == 0.2


def test_it_is_learned_after_the_first_samples_and_again_when_requests_have_become_others() -> None:
    learner = Learner()
    assert observed(learner, SINGLE, FIRST_SAMPLES) == [FIRST_SAMPLES]
    learner.mix()
    assert observed(learner, SINGLE, 4 * LOOK_EVERY) == []
    due = observed(learner, SHARE, LOOK_EVERY)
    assert len(due) == 1
    assert due[0] % LOOK_EVERY == 0


def test_what_has_left_the_window_is_forgotten() -> None:
    learner = Learner()
    observed(learner, SHARE, 10)
    observed(learner, SINGLE, WINDOW)
    assert [found.task for found in learner.mix().classes] == [SINGLE]


def test_requests_without_devices_are_one_class_for_the_same_cpu_whatever_else_they_name() -> None:
    bare = asks(0, models=frozenset({"T4"}))
    assert class_of(bare, 0b10) == class_of(asks(0, 500), 0b01) == TaskClass(4_000, 0, 0, 0)


def test_the_usual_mix_admits_every_kind_and_adds_up() -> None:
    mix = usual_mix(0b111)
    assert {found.task.kinds for found in mix.classes} == {0b111}
    assert round(sum(found.weight for found in mix.classes) + mix.cpu_only, 9) == 1
