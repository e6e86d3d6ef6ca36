"""Backup, destroy, restore: every workload, line and account is back; passwords and tokens work as before."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from psycopg import sql

from portal.embedded import database
from portal.embedded.layout import layout_of
from tests.plugins.person import TIMEOUT_S, Person
from tests.plugins.polling import until
from tests.plugins.product import STOP_TIMEOUT_S, Product

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]
WORK_S = 240.0
ANSWER_S = 300.0
ENDED = {
    "prints": "sh -c 'for i in $(seq 300); do echo line $i of the log; done'",
    "fails": "sh -c 'echo last words; exit 3'",
}
STATES = "SELECT name, state, reason_code FROM workloads_workload"


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    """A demo of this module's own, that it may destroy; its work runs as plain processes, which start sooner."""
    with tempfile.TemporaryDirectory(prefix="berth-backup-") as directory:
        product = Product(Path(directory) / "data", "--demo", "--no-samples", "--node", "process")
        product.start()
        try:
            product.wait_answering(ANSWER_S)
            product.wait_cluster()
            yield product
        finally:
            if product.process.poll() is None:
                product.stop()


@pytest.fixture
def running(product: Product) -> Product:
    """The same, started again where the other test was first and stopped it."""
    if product.process.poll() is not None:
        product.start()
        product.wait_answering(ANSWER_S)
        product.wait_cluster()
    return product


def token_of(person: Person) -> str:
    """Make an API token as on the page, and return its text."""
    page = person.post("/profile/tokens/", {"name": "kept", "scopes": "read", "tenant": "", "days": "30"})
    found = re.search(r"berth_[A-Za-z0-9_-]+", page.text)
    assert found, page.text[-3000:]
    return found[0]


def seen_by_rest(product: Product, key: str) -> dict[str, Any]:
    """Return all that REST tells of the workloads that have ended: row, events, pods and the whole log."""
    session = requests.Session()
    session.trust_env = False
    session.headers["Authorization"] = f"Token {key}"

    def got(path: str) -> requests.Response:
        answer = session.get(f"{product.url}/api/v1/{path}", timeout=TIMEOUT_S)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:500]}"
        return answer

    listed = got("workloads/?limit=100").json()["results"]
    ended = [row for row in listed if row["name"] in ENDED]
    told = {
        row["name"]: {
            "row": got(f"workloads/{row['id']}/").json(),
            "events": got(f"workloads/{row['id']}/events/").json(),
            "pods": got(f"workloads/{row['id']}/pods/").json(),
            "lines": got(f"workloads/{row['id']}/logs/?limit=1000").json(),
            "text": got(f"workloads/{row['id']}/logs/download/").text,
        }
        for row in ended
    }
    return without_gone(told)  # type: ignore[no-any-return]


def without_gone(told: Any) -> Any:
    """Leave out whether a pod is gone: the one thing told that is of the cluster and not of the run."""
    if isinstance(told, dict):
        return {key: without_gone(value) for key, value in told.items() if key != "gone"}
    return [without_gone(each) for each in told] if isinstance(told, list) else told


def rows_at_rest(product: Product) -> dict[str, list[str]]:
    """Return every row of every table of a product that is stopped, as text."""
    layout = layout_of(product.data_dir)
    with database.held(layout), database.started(layout) as url, database.connected(url) as connection:
        return {name: _rows(connection, name) for name in database.tables(connection)}


def _rows(connection: database.Connection, table: str) -> list[str]:
    query = sql.SQL("SELECT t::text FROM {} t ORDER BY 1").format(sql.Identifier("public", table))
    return [str(row[0]) for row in connection.execute(query)]


def work(product: Product, dev: Person, image: str) -> dict[str, str]:
    """Submit work and wait until some of it has ended, one runs and one waits; return the ids of the first three."""
    ids = {name: dev.submit("vision", name=name, image=image, command=command) for name, command in ENDED.items()}
    ids["runs"] = dev.submit("vision", name="runs", image=image, gpus="1", command="sh -c 'echo begun; sleep 600'")
    dev.submit("vision", name="waits", image=image, command="true", gpus="2")

    def settled() -> bool:
        sealed = product.sql("SELECT count(*) FROM workloads_workload WHERE log_sealed AND name = ANY(%s)", list(ENDED))
        return sealed == [(2,)] and ("runs", "running", "") in product.sql(STATES) and bool(dev.lines(ids["runs"]))

    until(lambda: f"the work is done: {product.sql(STATES)}", settled, timeout_s=WORK_S, every_s=0.5)
    return ids


def test_what_was_backed_up_is_back_after_all_of_it_was_destroyed(running: Product, tmp_path: Path) -> None:
    product = running
    dev, image = product.person("dev"), product.image("busybox")
    accounts, key = product.accounts(), token_of(dev)
    ids = work(product, dev, image)
    before = seen_by_rest(product, key)
    assert before["prints"]["text"].splitlines() == [f"line {number} of the log" for number in range(1, 301)]
    assert (before["fails"]["row"]["state"], before["fails"]["row"]["exit_code"]) == ("failed", 3)

    file = tmp_path / "berth.backup"
    done = product.berth("backup", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 accounts, 2 tenants, 4 workloads, 302 lines of logs" in done.stdout, done.stdout
    assert file.stat().st_mode & 0o777 == 0o600

    assert product.berth("down", "--purge", "--yes").returncode == 0
    product.process.wait(STOP_TIMEOUT_S)
    assert not product.data_dir.exists()
    done = product.berth("restore", str(file))
    assert done.returncode == 0, done.stdout + done.stderr

    product.start()
    product.wait_answering(ANSWER_S)
    assert product.accounts() == accounts
    after = seen_by_rest(product, key)
    assert {
        (name, part) for name in before for part in before[name] if after[name][part] != before[name][part]
    } == set()
    assert after == before
    again = product.person("dev")
    assert again.lines(ids["prints"]) != []
    assert {name for name, *_ in product.sql(STATES)} == {*ENDED, "runs", "waits"}

    # The cluster is another one: what ran is not shown as running for ever, and new work runs.
    product.wait_cluster()
    until(
        lambda: f"the run that is gone has failed: {product.sql(STATES)}",
        lambda: ("runs", "failed", "object_deleted") in product.sql(STATES),
        timeout_s=WORK_S,
    )
    assert [line[5] for line in again.lines(ids["runs"]) if line[6] == 0] == ["begun"]
    again.submit("vision", name="after", image=product.image("busybox"), command="true")
    until(
        lambda: f"new work runs: {product.sql(STATES)}",
        lambda: ("after", "succeeded", "") in product.sql(STATES),
        timeout_s=WORK_S,
        every_s=0.5,
    )
    assert seen_by_rest(product, key) == before


def test_a_stopped_product_is_put_back_row_by_row_and_only_when_that_is_said(product: Product, tmp_path: Path) -> None:
    if product.process.poll() is None:
        assert product.stop() == 0
    file = tmp_path / "stopped.backup"
    done = product.berth("backup", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    before = rows_at_rest(product)
    refused = product.berth("restore", str(file))
    assert refused.returncode == 1
    assert re.search(r"already holds 6 accounts and \d workloads. Say --yes to lose them", refused.stdout), (
        refused.stdout
    )
    (product.data_dir / "secret.key").write_text("another key")
    done = product.berth("restore", str(file), "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows_at_rest(product) == before
    assert (product.data_dir / "secret.key").read_text() != "another key"
    assert "exists already" in product.berth("backup", str(file)).stdout
