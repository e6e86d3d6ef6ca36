"""The queue and resource types beyond the built-in ones: their words in reasons, and classes of GPUs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from tenants.specs import Amounts
from tests.unit.workloads.test_queue import NODE, SPEECH, VISION, job, lines, reasons, snapshot
from workloads.queue import NodeView, Plan, Snapshot, Wait, Waiting, plan
from workloads.specs import Reason


def test_a_reason_carries_the_words_of_a_resource_type_that_is_not_built_in() -> None:
    words = {"fpga": {"label": "FPGA", "label_zh": "加速卡", "unit": "count"}}
    item = Waiting(UUID(int=1), VISION, {"cpu_millicores": 100, "fpga": 2, "pods": 1})
    node = NodeView({**NODE.offers, "fpga": 1}, True)
    large = plan(snapshot(item, book=lines(VISION, {**NODE.offers, "fpga": 4}), nodes=[node], words=words))
    assert large.wait[item.id] == Wait(
        Reason.TOO_LARGE, {"resource": "fpga", **words["fpga"], "asked": 2, "largest": 1}
    )
    over = plan(snapshot(item, book=lines(VISION, {**NODE.offers, "fpga": 1}), nodes=[node], words=words))
    assert over.wait[item.id].params["label_zh"] == "加速卡"


def of_models(number: int, *classes: str, gpus: int = 1) -> Waiting:
    return job(number, gpus=gpus)._replace(classes=classes)


def models_snapshot(*waiting: Waiting, quota: Mapping[str, int], nodes: Sequence[Amounts]) -> Snapshot:
    views = [NodeView({**NODE.offers, "h200": 0, "l4": 0, **offers}, True) for offers in nodes]
    return snapshot(*waiting, book=lines(VISION, {**NODE.offers, "gpus": 100, **quota}), nodes=views)


def charged(made: Plan) -> list[str]:
    return [key for item in made.admitted.values() for key in item.asks if key in ("h200", "l4")]


def test_the_first_class_of_gpus_with_room_is_charged_beside_the_gpus() -> None:
    asks = [of_models(number, "h200", "l4") for number in range(1, 5)]
    made = plan(models_snapshot(*asks, quota={"h200": 2, "l4": 1}, nodes=[{"h200": 4}, {"l4": 4}]))
    assert charged(made) == ["h200", "h200", "l4"]
    wait = made.wait[asks[3].id]
    assert (wait.reason, wait.params["resource"]) == (Reason.OVER_QUOTA, "h200")
    assert all(item.asks["gpus"] == 1 for item in made.admitted.values())


def test_a_class_that_no_node_has_is_passed_over_for_one_that_could_have_room() -> None:
    first, second = of_models(1, "l4", "h200", gpus=2), of_models(2, "l4", "h200", gpus=2)
    made = plan(models_snapshot(first, second, quota={"h200": 2, "l4": 2}, nodes=[{"h200": 4}]))
    assert charged(made) == ["h200"]
    assert made.wait[second.id].params["resource"] == "h200"  # l4 could never start; it waits for what can
    never = plan(models_snapshot(of_models(1, "l4"), quota={"h200": 2, "l4": 2}, nodes=[{"h200": 4}]))
    assert reasons(never) == [Reason.TOO_LARGE]


def test_who_names_no_class_is_charged_for_gpus_alone() -> None:
    assert charged(plan(models_snapshot(job(1, gpus=1), quota={"h200": 1}, nodes=[{"h200": 4}]))) == []


def test_a_class_whose_nodes_are_full_or_kept_for_who_waits_is_passed_over() -> None:
    nodes, quota = [{"h200": 4}, {"l4": 4}], {"h200": 9, "l4": 9}
    full = replace(models_snapshot(of_models(1, "h200", "l4"), quota=quota, nodes=nodes), held={"h200": 4, "gpus": 4})
    assert charged(plan(full)) == ["l4"]
    first, second = of_models(1, "h200", gpus=3), of_models(2, "h200", "l4")._replace(tenant_id=SPEECH)
    rows = {**lines(VISION, {**NODE.offers, "gpus": 9, **quota}), **lines(SPEECH, {**NODE.offers, "gpus": 9, **quota})}
    views = [NodeView({**NODE.offers, "h200": 0, "l4": 0, **offers}, True) for offers in nodes]
    kept = plan(snapshot(first, second, book=rows, nodes=views, held={"h200": 2, "gpus": 2}))
    assert reasons(kept) == [Reason.NO_CAPACITY]
    assert charged(kept) == ["l4"]
