"""Whose word counts for who asks: the connection's, and of headers only what proxies of ours wrote."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from channels.web.client import MOST_HOPS, Clients

PROXIES = tuple(map(ip_network, ("10.0.0.0/8", "fd00::/8")))
PROXY, STRANGER = "10.0.0.1", "203.0.113.9"
ADDRESSES = st.ip_addresses(v=4).filter(lambda address: address not in PROXIES[0]).map(str)
ANYTHING = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=200)


def asker(peer: str, *forwarded: str, **others: str) -> str:
    headers = CIMultiDict([*(("X-Forwarded-For", each) for each in forwarded), *others.items()])
    request = make_mocked_request("GET", "/", headers=headers).clone(remote=peer)
    return Clients(PROXIES, ("vi",)).address(request).value


@given(ANYTHING)
def test_a_stranger_is_who_connects_whatever_he_says(said: str) -> None:
    assert asker(STRANGER, said) == STRANGER


@given(ADDRESSES, ANYTHING)
def test_a_client_of_our_proxy_is_who_connected_to_it_whatever_he_says(client: str, said: str) -> None:
    assert asker(PROXY, f"{said}, {client}") == client
    assert asker(PROXY, said, client) == client  # our proxy adds a line of its own
    assert asker(PROXY, f"{said},{client},10.0.0.2") == client


@pytest.mark.parametrize("name", ["Forwarded", "X-Real-IP", "X-Client-IP", "CF-Connecting-IP", "True-Client-IP", "Via"])
def test_no_other_header_is_believed_even_of_a_proxy_of_ours(name: str) -> None:
    assert asker(PROXY, "198.51.100.7", **{name: "for=192.0.2.1"}) == "198.51.100.7"
    assert asker(PROXY, **{name: "192.0.2.1"}) == PROXY


@pytest.mark.parametrize(
    "written",
    [
        *("unknown", "_hidden", "", ",", "198.51.100.7,", "198.51.100.7 192.0.2.1", "198.51.100.256", "0x7f.1"),
        *("198.51.100.7:port", "198.51.100.7:123456", "198.51.100.7:", "[198.51.100.7", "[2001:db8::1]x", "[]:80"),
        *("198.51.100.7/24", "::ffff:198.51.100.7:80", "localhost", "１９８.51.100.7".encode().decode("latin-1")),
    ],
)
def test_where_our_proxy_wrote_no_address_all_who_come_that_way_are_one(written: str) -> None:
    assert asker(PROXY, written) == PROXY
    assert asker(PROXY, f"192.0.2.1, {written}") == PROXY
    assert asker(PROXY, f"192.0.2.1, {written}, 10.0.0.2") == "10.0.0.2"


def test_more_hops_than_we_walk_lead_to_the_last_proxy_and_not_to_what_somebody_wrote_first() -> None:
    ours = [f"10.0.1.{number}" for number in range(MOST_HOPS)]
    assert asker(PROXY, ", ".join(["198.51.100.7", *ours[1:]])) == "198.51.100.7"
    assert asker(PROXY, ", ".join(["198.51.100.7", *ours])) == ours[0]


def test_a_header_of_any_length_costs_a_bounded_walk() -> None:
    assert asker(PROXY, "x" * 8_000 + ", 198.51.100.7") == "198.51.100.7"
    assert asker(PROXY, "192.0.2.1, " * 700 + "198.51.100.7") == "198.51.100.7"
    assert asker(PROXY, "," * 8_000) == PROXY


@given(st.ip_addresses(v=6, network="2000::/3"))
def test_an_ipv6_client_is_his_64_however_he_spells_it(client: object) -> None:
    exploded = ip_address(str(client)).exploded
    spelled = {asker(PROXY, each) for each in (str(client), exploded.upper(), f"[{client}]:443", f"[{client}]")}
    assert spelled == {asker(exploded)}
    assert spelled.pop().endswith("/64")


def test_a_mapped_ipv4_address_is_that_address_as_peer_as_proxy_and_as_client() -> None:
    assert asker(f"::ffff:{STRANGER}", "198.51.100.7") == STRANGER
    assert asker(f"::ffff:{PROXY}", "198.51.100.7") == "198.51.100.7"
    assert asker(PROXY, "::ffff:198.51.100.7") == "198.51.100.7"


def test_a_peer_without_an_address_vouches_for_nobody() -> None:
    assert asker("", "198.51.100.7") == "local"
