"""The embedded Kubernetes is one binary with many roles."""

import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.cluster]


def test_the_binary_says_which_kubernetes_it_is(cluster_binary: Path) -> None:
    done = subprocess.run([cluster_binary, "kubectl", "version", "--client"], capture_output=True, text=True)
    assert "Client Version: v1.36.3" in done.stdout


def test_an_unknown_role_is_refused_with_the_list(cluster_binary: Path) -> None:
    done = subprocess.run([cluster_binary, "dance"], capture_output=True, text=True)
    assert done.returncode == 2
    assert 'unknown role "dance"' in done.stderr
    assert "kube-apiserver" in done.stderr
