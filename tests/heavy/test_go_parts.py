"""The Go parts of the embedded Kubernetes have tests of their own; they run here, so that one command runs all."""

import os
import subprocess

import pytest

from portal import env
from portal.embedded.cluster.build import SOURCE_DIR
from portal.embedded.cluster.toolchain import find_go

pytestmark = [pytest.mark.heavy]
LINK_KUBERNETES = {"main.go", "etcd.go", "gpuplugin.go"}


@pytest.mark.timeout(600)
def test_the_go_parts_pass_their_tests() -> None:
    # Without the files that link Kubernetes itself in: where nothing is compiled yet they alone take ten minutes.
    sources = sorted(path.name for path in SOURCE_DIR.glob("*.go") if path.name not in LINK_KUBERNETES)
    go = find_go(lock=SOURCE_DIR / "go-toolchain.lock", cache_dir=env.cache_dir())
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
    command = [str(go), "test", "-p", "2", "-trimpath", "-vet=off", *sources]
    done = subprocess.run(command, cwd=SOURCE_DIR, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
