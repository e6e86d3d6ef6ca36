"""What people are told when the container node cannot run."""

from pathlib import Path

import pytest

from portal.embedded import preflight


def test_missing_programs_are_told_as_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "_CNI_DIRS", (tmp_path,))
    assert preflight.missing_packages(search_path=str(tmp_path)) == [
        "runc",
        "iptables",
        "nftables",
        "iproute2",
        "util-linux",
        "busybox-static",
        "docker-registry",
        "containernetworking-plugins",
    ]


def test_an_ordinary_user_is_told_how_to_get_the_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    obstacles = preflight.node_obstacles(search_path=str(tmp_path))
    assert obstacles[0] == "The container node needs root: start with `sudo bin/up`."
    assert obstacles[1].startswith("The container node needs packages: apt-get install runc")


@pytest.mark.parametrize(("held", "may"), [("000001ffffffffff", True), ("00000000a80425fb", False)])
def test_root_without_the_rights_of_an_administrator_is_noticed(tmp_path: Path, held: str, may: bool) -> None:
    status = tmp_path / "status"
    status.write_text(f"Name:\tup\nCapInh:\t0000000000000000\nCapEff:\t{held}\n")
    assert preflight.may_administer(status=status) is may
