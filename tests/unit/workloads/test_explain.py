"""Reasons in words: every code has a line and a card, short, with the numbers, whatever the parameters hold."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from workloads.explain import explanation, reason_text
from workloads.specs import Reason, State

MAX_LINE = 48
UNEXPLAINED = {Reason.NONE, Reason.CREATING, Reason.PULLING_IMAGE, Reason.CONTAINER_CREATING, Reason.CANCELLED_BY}


@dataclass
class Row:
    """What is read of a workload."""

    state: str = State.FAILED
    reason_code: str = Reason.UNKNOWN
    reason_params: Any = field(default_factory=dict)
    memory_mib: int = 64
    extra: Any = field(default_factory=dict)


def quota(resource: str, asked: int, held: int, limit: int) -> dict[str, Any]:
    return {"resource": resource, "asked": asked, "held": held, "limit": limit}


@pytest.mark.parametrize(
    ("reason", "params", "line"),
    [
        (Reason.NONE, {}, ""),
        (Reason.OVER_QUOTA, quota("gpus", 2, 3, 4), "Asks 2 GPUs, tenant has 1 GPU left"),
        (Reason.OVER_QUOTA, quota("memory_mib", 8192, 20_000, 16_384), "Asks 8 GiB, tenant has 0 MiB left"),
        (Reason.OVER_SHARE, {"whose": "user", **quota("gpus", 2, 3, 4)}, "Asks 2 GPUs, its owner has 1 GPU left"),
        (
            Reason.OVER_SHARE,
            {"whose": "priority", **quota("gpus", 2, 4, 4)},
            "Asks 2 GPUs, its priority has 0 GPUs left",
        ),
        (Reason.MAX_RUNNING, {"running": 5, "limit": 5}, "The tenant runs 5 of at most 5"),
        (Reason.NO_CAPACITY, {"resource": "gpus", "asked": 3, "free": 1}, "Asks 3 GPUs, cluster has 1 GPU free"),
        (
            Reason.TOO_LARGE,
            {"resource": "cpu_millicores", "asked": 8000, "largest": 2000},
            "Asks 8 cores, largest node has 2 cores",
        ),
        (Reason.RETRYING, {"attempt": 1, "retries": 3}, "Run 1 failed; tries again"),
        (Reason.EXIT_CODE, {"exit_code": 3}, "Ended with exit code 3"),
        (Reason.EXIT_CODE, {"exit_code": 126}, "The command cannot be run (exit code 126)"),
        (Reason.EXIT_CODE, {"exit_code": 127}, "The command was not found (exit code 127)"),
        (Reason.EXIT_CODE, {"exit_code": 137}, "Ended by SIGKILL (exit code 137)"),
        (Reason.EXIT_CODE, {"exit_code": 139}, "Ended by SIGSEGV (exit code 139)"),
        (Reason.EXIT_CODE, {"exit_code": 143}, "Ended by SIGTERM (exit code 143)"),
        (Reason.EXIT_CODE, {"exit_code": 255}, "Ended with exit code 255"),
        (Reason.EXIT_CODE, {}, "Ended with an unknown exit code"),
        (Reason.OOM_KILLED, {"limit": "64Mi", "exit_code": 137}, "Used more than its 64 MiB of memory"),
        (Reason.OOM_KILLED, {"limit": "plenty"}, "Used more memory than its limit"),
        (Reason.DEADLINE, {"limit_s": 5400}, "Reached its time limit of 1 h 30 min"),
        (Reason.START_FAILED, {"exit_code": 127}, "The command was not found (exit code 127)"),
        (Reason.START_FAILED, {}, "The container could not start"),
        (Reason.CANCELLED_BY, {"user": "mchen"}, "Cancelled by mchen"),
        (Reason.CANCELLED_BY, {"user": "x" * 200}, "Cancelled by " + "x" * 31 + "…"),
    ],
)
def test_the_line_gives_the_meaning_and_the_number(reason: Reason, params: dict[str, Any], line: str) -> None:
    assert reason_text(reason, params) == line


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason])
def test_each_reason_has_a_short_line_without_a_full_stop(reason: Reason) -> None:
    line = reason_text(reason, {})
    assert 0 < len(line) <= MAX_LINE
    assert not line.endswith(".")


@pytest.mark.parametrize("reason", sorted(set(Reason) - UNEXPLAINED))
def test_each_reason_that_needs_one_has_a_card(reason: Reason) -> None:
    card = explanation(Row(reason_code=reason))
    assert card is not None
    assert card.title
    assert card.sentence.endswith(".")


@pytest.mark.parametrize("state", [State.RUNNING, State.SUCCEEDED, State.CANCELLED, State.STOPPING])
def test_what_runs_or_ended_well_needs_no_card(state: State) -> None:
    assert explanation(Row(state=state, reason_code=Reason.EXIT_CODE)) is None


def test_the_card_of_a_reached_limit_shows_the_numbers_and_the_place() -> None:
    row = Row(State.QUEUED, Reason.OVER_QUOTA, quota("memory_mib", 8192, 12_288, 16_384))
    card = explanation(row, place=3)
    assert card is not None
    assert card.sentence == "Asks 8 GiB; 4 GiB of the tenant's 16 GiB are free."
    assert card.facts == (
        ("Resource", "Memory"),
        ("Asked", "8 GiB"),
        ("Held by the tenant's work", "12 GiB"),
        ("The tenant's limit", "16 GiB"),
        ("Place in the tenant's queue", "3"),
    )
    assert len(card.options) == 3


def test_the_card_of_a_reached_limit_in_a_cohort_says_what_it_could_lend() -> None:
    params = {**quota("gpus", 4, 6, 8), "cohort": "research", "ceiling": 12, "lendable": 1}
    card = explanation(Row(State.QUEUED, Reason.OVER_QUOTA, params))
    assert card is not None
    assert card.sentence == "Asks 4 GPUs; 2 GPUs of the tenant's 8 GPUs are free, and research could lend 1 GPU."
    assert card.facts[-1] == ("Cohort research could lend", "1 GPU")


@pytest.mark.parametrize(
    ("whose", "asked", "sentence"),
    [
        ("user", 2, "Asks 2 GPUs; its owner holds 3 GPUs of at most 4 GPUs in this tenant."),
        ("priority", 2, "Asks 2 GPUs; work of its priority holds 3 GPUs of at most 4 GPUs in this tenant."),
        ("user", 5, "Asks 5 GPUs, more than the share of 4 GPUs: it cannot start as the shares are."),
    ],
)
def test_the_card_of_a_used_up_share_says_whose_it_is(whose: str, asked: int, sentence: str) -> None:
    card = explanation(Row(State.QUEUED, Reason.OVER_SHARE, {"whose": whose, **quota("gpus", asked, 3, 4)}))
    assert card is not None
    assert card.sentence == sentence
    assert ("The share", "4 GPUs") in card.facts


def test_the_card_of_an_out_of_memory_end_names_the_limit() -> None:
    card = explanation(Row(reason_code=Reason.OOM_KILLED, reason_params={"exit_code": 137}, memory_mib=512))
    assert card is not None
    assert card.sentence == "Its limit was 512 MiB. The kernel ended it when it went beyond."
    assert card.facts == (("Memory limit", "512 MiB"), ("Exit code", "137"))


def test_the_card_of_a_refusal_quotes_the_cluster_and_its_numbers() -> None:
    params = {"message": "exceeded quota", **quota("gpus", 2, 4, 4)}
    card = explanation(Row(reason_code=Reason.REFUSED, reason_params=params))
    assert card is not None
    assert card.evidence == "exceeded quota"
    assert card.facts[1:] == (("Asked", "2 GPUs"), ("Held", "4 GPUs"), ("Limit", "4 GPUs"))


def test_the_schedulers_causes_are_shown_with_their_counts() -> None:
    params = {"causes": [{"count": 2, "text": "Insufficient cpu"}, "odd"], "message": "0/2 nodes are available"}
    card = explanation(Row(State.STARTING, Reason.UNSCHEDULABLE, params))
    assert card is not None
    assert card.facts[0] == ("Nodes with too little free: CPU", "2")


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud800\0%(asked)s"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = ["resource", "asked", "held", "limit", "free", "largest", "exit_code", "message", "user", "causes", "since"]
NAMES += ["attempt", "retries", "reason", "image", "limit_s", "max_runtime_s", "memory_mib", "node", "name"]
hostile = st.dictionaries(st.sampled_from(NAMES), junk, max_size=8) | junk


@given(st.sampled_from(list(Reason)) | st.text(max_size=10), hostile, st.sampled_from(list(State)))
def test_hostile_parameters_break_nothing_and_stay_printable(code: str, params: Any, state: State) -> None:
    line = reason_text(code, params)
    card = explanation(Row(state, code, params))
    line.encode()
    if card is not None:
        for text in (card.title, card.sentence, card.evidence, *(item for fact in card.facts for item in fact)):
            text.encode()
            assert "\0" not in text


FPGA = {"resource": "fpga", "label": "FPGA U250", "label_zh": "U250 加速卡", "unit": "count"}


@pytest.mark.parametrize(("language", "said"), [("en", "3 × FPGA U250"), ("zh-hans", "3 × U250 加速卡")])
def test_another_resource_type_is_named_by_its_label_in_the_reader_s_language(language: str, said: str) -> None:
    with translation.override(language):
        card = explanation(Row(State.QUEUED, Reason.NO_CAPACITY, {**FPGA, "asked": 3, "free": 2}))
    assert card is not None
    assert card.facts[1][1] == said


def test_what_the_scheduler_lacks_is_named_by_its_label() -> None:
    causes = [
        {"count": 2, "text": "Insufficient xilinx.com/fpga-u250"},
        {"count": 1, "text": "Insufficient cpu"},
        {"count": 1, "text": "node(s) had untolerated taint {a: b}"},
    ]
    extra = {"fpga": {"amount": 1, "kube_name": "xilinx.com/fpga-u250", **FPGA}}
    card = explanation(Row(State.STARTING, Reason.UNSCHEDULABLE, {"message": "0/4", "causes": causes}, extra=extra))
    assert card is not None
    assert card.facts == (
        ("Nodes with too little free: FPGA U250", "2"),
        ("Nodes with too little free: CPU", "1"),
        ("node(s) had untolerated taint {a: b}", "1"),
    )
