"""Each line once, wherever a stream is cut; and when what waits is due."""

from hypothesis import given
from hypothesis import strategies as st

from portal.live.payloads import LINE
from workloads.logs.sequencer import (
    FLUSH_BYTES,
    IDLE_S,
    MAX_PENDING_BYTES,
    PACE_S,
    SECOND_NS,
    Draft,
    Mark,
    Pending,
    Seen,
    resume_ns,
    resume_time,
)

BASE_NS = 1_767_225_600 * SECOND_NS
# Steps between lines: none (same timestamp), small, over a second, and now and then a little back.
STEPS = st.sampled_from([0, 0, 1, 1_000, 400_000_000, 1_300_000_000, -200_000_000])


def times(steps: list[int]) -> list[int]:
    now_ns, found = BASE_NS, []
    for step in steps:
        now_ns += step
        found.append(now_ns)
    return found


@given(steps=st.lists(STEPS, max_size=60), cuts=st.lists(st.integers(0, 12), max_size=12))
def test_a_log_that_is_cut_anywhere_and_read_again_gives_each_line_once(steps: list[int], cuts: list[int]) -> None:
    log = list(enumerate(times(steps)))
    stored: list[tuple[int, int]] = []
    mark = Mark()
    for length in [*cuts, len(log)]:
        since_ns = resume_ns(mark)
        seen = Seen(time_ns for _, time_ns in stored if time_ns >= since_ns)
        again = [entry for entry in log if entry[1] >= since_ns]
        new = [entry for entry in again if seen.is_new(entry[1])][:length]
        for entry in new:
            mark = mark.next(entry[1])
        stored += new
    assert stored == log


def test_lines_of_one_timestamp_are_told_apart_by_their_place() -> None:
    seen = Seen([5, 5])
    assert [seen.is_new(5) for _ in range(4)] == [False, False, True, True]


def test_the_mark_counts_the_lines_of_its_time() -> None:
    mark = Mark().next(7).next(7).next(9)
    assert (mark, Mark().next(7).next(7)) == (Mark(9, 1), Mark(7, 2))


def test_a_log_is_read_again_from_a_whole_second_before_its_last_line() -> None:
    since_ns = resume_ns(Mark(BASE_NS + 5 * SECOND_NS + 1, 1))
    assert since_ns == BASE_NS + 4 * SECOND_NS
    assert str(resume_time(since_ns)) == "2026-01-01 00:00:04+00:00"


def test_a_log_of_which_nothing_is_stored_is_read_from_its_beginning() -> None:
    assert resume_time(resume_ns(Mark())) is None


def test_a_stretch_of_which_nothing_comes_again_was_rotated_away() -> None:
    torn, whole = Seen([1, 2]), Seen([1, 2])
    torn.is_new(9)
    whole.is_new(2)
    assert (torn.is_torn, whole.is_torn, Seen([]).is_torn) == (True, False, False)


def draft(text: str = "x") -> Draft:
    return Draft(BASE_NS, 1, "r0", "main", text, LINE)


def added(pending: Pending, *, now_s: float, size_bytes: int = 1) -> float:
    pending.add(1, draft(), Mark(1, 1), size_bytes=size_bytes, now_s=now_s)
    return pending.due_s


def test_a_line_after_a_pause_is_due_at_once() -> None:
    assert added(Pending(flushed_s=10.0), now_s=10.0 + IDLE_S) == 10.0 + IDLE_S


def test_lines_in_quick_succession_are_due_at_the_pace() -> None:
    pending = Pending(flushed_s=10.0)
    assert [added(pending, now_s=10.01), added(pending, now_s=10.03)] == [10.0 + PACE_S] * 2


def test_many_bytes_are_due_at_once() -> None:
    assert added(Pending(flushed_s=10.0), now_s=10.01, size_bytes=FLUSH_BYTES) == 10.01


def test_a_full_buffer_makes_its_reader_wait_until_it_is_taken() -> None:
    pending = Pending()
    added(pending, now_s=1.0, size_bytes=MAX_PENDING_BYTES)
    assert pending.is_full
    assert pending.take(1.0) == ([draft()], {1: Mark(1, 1)}, MAX_PENDING_BYTES)
    assert not pending.is_full


def test_lines_without_text_make_the_reader_wait_too() -> None:
    pending, count = Pending(), 0
    while not pending.is_full:
        pending.add(1, Draft(BASE_NS, 1, "r0", "main", "", LINE), Mark(), size_bytes=0, now_s=0.0)
        count += 1
        assert count <= MAX_PENDING_BYTES
    assert pending.take(1.0)[2] == 0
    assert not pending.is_full
