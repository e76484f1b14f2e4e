"""Who asks: the client's address, as far as it can be believed, for the budgets; and in which language.

The direct peer is the client unless it is a declared proxy; then it is the right-most address of X-Forwarded-For that
is no proxy of ours. What stands left of that was written by the client and is believed by nobody, and no other header
is: Forwarded, X-Real-IP and their like. Where a proxy of ours wrote what is no address, or nothing, or where there are
more hops than we walk, the last proxy that can be read is the asker: all who come that way share one asker's budgets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache, partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from aiohttp import web

from domain.message import Address

Network = IPv4Network | IPv6Network

MOST_HOPS = 16
MOST_LANGUAGES = 16
LONGEST_HEADER = 512
SUBSCRIBER_PREFIX = 64  # what one IPv6 subscriber holds (RFC 6177): counting single addresses would count nothing
_WITH_PORT = re.compile(r"(?:\[([^\[\]]+)\]|([^:\[\]]+))(?::[0-9]{1,5})?", re.ASCII)
REMEMBERED = 4_096  # peers, and wishes for a language, whose meaning is remembered
NOWHERE = Address("web", "local")  # a peer without an address: a Unix socket


class Clients:
    """Says of each request who asks and in which language. What the same few headers mean is worked out once."""

    __slots__ = ("_address", "_language", "_languages", "_trusted")

    def __init__(self, trusted: Sequence[Network], languages: Sequence[str]) -> None:
        self._trusted = tuple(trusted)
        self._languages = tuple(languages)
        self._address = lru_cache(REMEMBERED)(partial(_address, trusted=self._trusted))
        self._language = lru_cache(REMEMBERED)(partial(_accepted, languages=self._languages))

    def address(self, request: web.Request) -> Address:
        """See `client_address`. Without proxies of ours nothing but the peer counts."""
        forwarded = _forwarded(request) if self._trusted else ""
        if len(forwarded) > LONGEST_HEADER:  # not worth the room
            return _address(request.remote or "", forwarded, trusted=self._trusted)
        return self._address(request.remote or "", forwarded)

    def language(self, request: web.Request) -> str:
        """See `choose_language`."""
        if request.rel_url.raw_query_string:
            return choose_language(request, self._languages)
        return self._language(request.headers.get("Accept-Language", "")[:LONGEST_HEADER])


def client_address(request: web.Request, trusted: Sequence[Network]) -> Address:
    """The asker of this request: an IPv4 address, or the /64 of an IPv6 one."""
    return _address(request.remote or "", _forwarded(request), trusted=trusted)


def _forwarded(request: web.Request) -> str:
    return ",".join(request.headers.getall("X-Forwarded-For", ()))


def _address(remote: str, forwarded: str, *, trusted: Sequence[Network]) -> Address:
    peer = _read(remote)
    if peer is None:
        return NOWHERE
    if _is_trusted(peer, trusted):
        peer = _believed(peer, forwarded, trusted)
    if isinstance(peer, IPv6Address):
        return Address("web", str(ip_network((peer, SUBSCRIBER_PREFIX), strict=False)))
    return Address("web", str(peer))


def _believed(peer: IPv4Address | IPv6Address, forwarded: str, trusted: Sequence[Network]) -> IPv4Address | IPv6Address:
    """Walk from the right while proxies of ours wrote it; what cannot be read ends the walk."""
    for hop in reversed(forwarded.rsplit(",", MOST_HOPS)[-MOST_HOPS:]):
        address = _read(hop.strip())
        if address is None:
            return peer
        peer = address
        if not _is_trusted(address, trusted):
            return peer
    return peer


def _read(text: str) -> IPv4Address | IPv6Address | None:
    """An address, also as some proxies write it: with a port, in brackets, as a mapped IPv4 address; nothing else."""
    with_port = _WITH_PORT.fullmatch(text)
    if with_port is not None:
        text = with_port[1] or with_port[2]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:  # not an address: the caller decides what that means
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_trusted(address: IPv4Address | IPv6Address, trusted: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in trusted)


def choose_language(request: web.Request, languages: Sequence[str]) -> str:
    """`?lang=` where we speak it, else the best of Accept-Language (RFC 9110 §12.5.4), else the first of ours."""
    wanted = request.query.get("lang", "")
    if wanted in languages:
        return wanted
    return _accepted(request.headers.get("Accept-Language", "")[:LONGEST_HEADER], languages=languages)


def _accepted(header: str, *, languages: Sequence[str]) -> str:
    best, weight = languages[0], 0.0
    for part in header.split(",")[:MOST_LANGUAGES]:
        tag, _, parameters = part.partition(";")
        language = tag.strip().lower().partition("-")[0]
        if language in languages and _weight(parameters) > weight:
            best, weight = language, _weight(parameters)
    return best


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if not name:
        return 1.0
    try:
        weight = float(value)
    except ValueError:  # a malformed weight is no wish
        return 0.0
    return weight if name == "q" and 0.0 <= weight <= 1.0 else 0.0
