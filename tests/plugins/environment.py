"""Gives a test run its own state directory and a throw-away key, before Django reads its settings."""

import atexit
import os
import secrets
import shutil
import tempfile
from pathlib import Path

if not os.environ.get("BERTH_TEST_DATA_DIR"):
    directory = tempfile.mkdtemp(prefix="berth-test-data-")
    Path(directory, "static").mkdir()
    os.environ["BERTH_TEST_DATA_DIR"] = os.environ["BERTH_DATA_DIR"] = directory
    os.environ["BERTH_SECRET_KEY"] = secrets.token_urlsafe(48)
    for name in ("BERTH_CLUSTER_DIR", "BERTH_KUBECONFIG", "KUBECONFIG", "BERTH_PUBLIC_URL"):
        os.environ.pop(name, None)
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
