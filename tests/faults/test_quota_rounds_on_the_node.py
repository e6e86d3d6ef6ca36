"""Five rounds of fifty submissions on real containers, ten at a time: the cluster never counts more than it allows."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

import pytest

from portal.kube.quantity import parse_quantity
from tenants.ledger import Bounds
from tests.bench.apiserver import ApiServer
from tests.faults.conftest import NAMESPACE, TENANT
from tests.faults.quotafield import Field, Sampler, doubled
from tests.faults.quotarounds import KEY, Load, Rounds
from tests.plugins.figures import Figure
from tests.plugins.polling import until
from tests.plugins.product import Product

ROUNDS = 5
PATIENCE_S = 180.0
QUOTA = f"/api/v1/namespaces/{NAMESPACE}/resourcequotas/berth"
# It ends when it is asked to: the first process of a container otherwise hears nothing of that.
STAYS = ["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"]
ENDS = [["true"], ["sh", "-c", "exit 3"]]


@dataclass
class ClusterSampler:
    """Reads the cluster's quota while a block runs: `wrong` is what was used beyond it, `most` the most pods."""

    product: Product
    samples: int = 0
    most: int = 0
    wrong: list[tuple[str, str, str]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._read, name="cluster-sampler", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join(PATIENCE_S)

    def _read(self) -> None:
        with ApiServer(self.product.admin_kubeconfig) as api:
            while not self._stop.wait(0.1):
                status = api.request("GET", QUOTA)["status"]
                used = status.get("used", {})
                self.wrong += [
                    (name, used[name], hard)
                    for name, hard in status.get("hard", {}).items()
                    if name in used and parse_quantity(used[name]) > parse_quantity(hard)
                ]
                self.most = max(self.most, int(used.get(KEY, 0)))
                self.samples += 1


@pytest.fixture(scope="module")
def doubly(hurt: Product) -> Iterator[Field]:
    with doubled(hurt) as ready:
        yield ready


def in_the_cluster(product: Product, part: str) -> str:
    with ApiServer(product.admin_kubeconfig) as api:
        return str(api.request("GET", QUOTA)["status"].get(part, {}).get(KEY))


@pytest.mark.timeout(1500)
def test_ten_of_fifty_run_in_the_cluster_and_it_counts_no_more_than_it_allows(doubly: Field, figure: Figure) -> None:
    product = doubly.product
    load = Load(product.image("busybox"), [STAYS, STAYS, *ENDS], PATIENCE_S)
    rounds = Rounds(product, doubly.rest, load, {TENANT: Bounds(nominal=10)})
    began = time.monotonic()
    with Sampler(product) as ledger, ClusterSampler(product) as cluster:
        for n in range(ROUNDS):
            assert rounds.play([TENANT], ledger, seed=n) == {TENANT: 10}, f"round {n}"
            until("the cluster counts none", lambda: in_the_cluster(product, "used") == "0", timeout_s=60)
    took_s = time.monotonic() - began
    assert (cluster.wrong, cluster.samples > 0) == ([], True)
    figure(
        f"{ROUNDS} rounds, {took_s / ROUNDS:.0f} s each; {ledger.samples} samples of the ledger, {cluster.samples} of "
        f"the cluster's quota, at most {cluster.most} pods; answers {dict(doubly.rest.answers)}"
    )
    doubly.check()
