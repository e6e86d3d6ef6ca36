"""What visitors of an https address get. Settings are made at start: so they are looked at in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
ASK = """
import django, json, sys
django.setup()
from django.test import Client
for path, headers in json.load(sys.stdin):
    answer = Client().get(path, SERVER_NAME="berth.example", **headers)
    print(json.dumps([answer.status_code, dict(answer.headers)]))
"""


def test_visitors_are_sent_to_https_and_told_to_stay_with_it_but_probes_on_the_machine_are_not() -> None:
    asked = [("/workloads/?view=all", {}), ("/", {"HTTP_X_FORWARDED_PROTO": "https"}), ("/healthz", {})]
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        input=json.dumps(asked),
        env={**os.environ, "BERTH_PUBLIC_URL": "https://berth.example"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    by_http, through_proxy, probe = (json.loads(line) for line in done.stdout.splitlines())
    assert (by_http[0], by_http[1]["Location"]) == (301, "https://berth.example/workloads/?view=all")
    assert (through_proxy[0], through_proxy[1]["Location"]) == (302, "/accounts/login/?next=/")
    assert through_proxy[1]["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert probe[0] == 200
