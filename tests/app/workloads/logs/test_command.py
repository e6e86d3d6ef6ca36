"""The collector's process: stays while the database is away, leaves when asked."""

import os
import subprocess
import sys
from pathlib import Path

from tests.plugins.polling import until

ROOT = Path(__file__).parents[4]


def test_the_collector_outlasts_an_absent_database_and_ends_on_sigterm(tmp_path: Path) -> None:
    log_path = tmp_path / "log"
    environment = {**os.environ, "DATABASE_URL": f"postgresql://berth@/berth?host={tmp_path}"}
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "run_logcollector"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        until(
            lambda: f"it waits for the database: {log_path.read_text()}",
            lambda: log_path.read_text().count("waits for the database") >= 2 or process.poll() is not None,
            timeout_s=40,
        )
        process.terminate()
        assert process.wait(20) == 0, log_path.read_text()
    finally:
        process.kill()
    assert log_path.read_text().count("waits for the database") >= 2
    assert "Traceback" not in log_path.read_text()
