"""Which node `up` takes on which machine, and what it says about it."""

import pytest

from portal.embedded.errors import StartError
from portal.embedded.nodechoice import Machine, Node, choose

ROOT = Machine(is_root=True)
PERSON = Machine(is_root=False, against_containers=("The container node needs root: start with `sudo bin/up`.",))
BARE_ROOT = Machine(is_root=True, against_containers=("The container node needs packages: apt-get install runc",))


def test_root_with_everything_gets_containers() -> None:
    choice = choose("auto", ROOT)
    assert choice.node is Node.CONTAINER
    assert choice.told == ("Work runs in real containers: root started it and everything is there.",)


@pytest.mark.parametrize(
    ("machine", "why"), [(PERSON, "needs root: start with `sudo bin/up`"), (BARE_ROOT, "apt-get install runc")]
)
def test_a_machine_without_containers_gets_processes_and_is_told_why_and_what_would_help(
    machine: Machine, why: str
) -> None:
    choice = choose("auto", machine)
    assert choice.node is Node.PROCESS
    assert choice.told[0].startswith("Work runs as plain processes, not in containers. ")
    assert why in choice.told[0]


def test_each_obstacle_has_a_line_of_its_own() -> None:
    packages = "The container node needs packages: apt-get install runc"
    told = choose("auto", Machine(False, (*PERSON.against_containers, packages))).told
    assert told[0].endswith("start with `sudo bin/up`.")
    assert told[1] == packages


def test_processes_are_never_taken_without_saying_what_they_do_not_do() -> None:
    told = " ".join(choose("process", PERSON).told)
    for missing in ("only two images", "network of this machine", "network policies", "CPU limits"):
        assert missing in told


def test_root_may_ask_for_processes() -> None:
    choice = choose("process", ROOT)
    assert choice.node is Node.PROCESS
    assert choice.told[0] == "Work runs as plain processes, not in containers. As --node asks for."


def test_containers_that_cannot_be_had_are_refused_when_asked_for() -> None:
    with pytest.raises(StartError, match="needs root"):
        choose("container", PERSON)
    assert choose("container", ROOT).node is Node.CONTAINER


def test_where_namespaces_are_forbidden_a_person_is_told_that_work_sees_files() -> None:
    choice = choose("auto", Machine(False, PERSON.against_containers, "new namespaces: Operation not permitted"))
    assert choice.node is Node.PROCESS_SHARING_FILES
    assert "Operation not permitted" in choice.told[-1]
    assert "sees the files of this machine" in choice.told[-1]


def test_work_never_gets_the_rights_of_root_over_the_files_of_the_machine() -> None:
    machine = Machine(True, BARE_ROOT.against_containers, "new namespaces: Operation not permitted")
    choice = choose("auto", machine)
    assert choice.node is None
    assert "Start as an ordinary user" in choice.told[-1]
    with pytest.raises(StartError, match="rights of root"):
        choose("process", machine)
