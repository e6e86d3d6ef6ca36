"""Address ranges: free ones are found, an earlier run's are kept, and a clash is explained."""

from ipaddress import IPv4Network
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.embedded.errors import StartError
from portal.embedded.node.subnets import COUNT, Subnets, choose, parse_routes


def test_the_ranges_of_a_number_are_fixed() -> None:
    subnets = Subnets(17)
    assert [str(each) for each in subnets.all] == ["10.201.17.0/30", "10.202.17.0/24", "10.209.16.0/20"]
    assert (str(subnets.host), str(subnets.node)) == ("10.201.17.1", "10.201.17.2")
    assert str(subnets.api_service) == "10.209.16.1"


def test_no_two_numbers_share_an_address() -> None:
    networks = sorted(network for number in range(COUNT) for network in Subnets(number).all)
    assert not any(first.overlaps(second) for first, second in pairwise(networks))


def test_the_choice_depends_on_the_seed_so_that_stopped_nodes_keep_theirs() -> None:
    assert choose(taken=[], seed="05", kept=None) == Subnets(5)
    assert choose(taken=[], seed="45", kept=None) == Subnets(5)  # 0x45 = 69 = 64 + 5


@given(st.sets(st.integers(0, COUNT - 1), max_size=COUNT - 1), st.integers(0, 255))
def test_the_chosen_ranges_meet_nothing_that_is_routed(numbers: set[int], seed: int) -> None:
    taken = [Subnets(number).pods for number in numbers]
    chosen = choose(taken=taken, seed=f"{seed:02x}", kept=None)
    assert not any(ours.overlaps(theirs) for ours in chosen.all for theirs in taken)


def test_a_machine_that_routes_everything_is_told_so() -> None:
    with pytest.raises(StartError, match="No address range is free"):
        choose(taken=[IPv4Network("10.0.0.0/8")], seed="00", kept=None)


def test_kept_ranges_are_used_again_and_a_clash_says_what_to_do() -> None:
    assert choose(taken=[Subnets(1).link], seed="05", kept=9) == Subnets(9)
    with pytest.raises(StartError, match=r"10\.202\.9\.0/24.*another data directory"):
        choose(taken=[Subnets(9).pods], seed="05", kept=9)


def test_routes_are_read_without_the_default_one_and_without_ipv6() -> None:
    text = '[{"dst":"default","gateway":"10.0.0.1"},{"dst":"10.5.0.0/24"},{"dst":"10.5.0.7"},{"dst":"fe80::/64"}]'
    assert parse_routes(text) == [IPv4Network("10.5.0.0/24"), IPv4Network("10.5.0.7/32")]
    assert parse_routes("") == []
