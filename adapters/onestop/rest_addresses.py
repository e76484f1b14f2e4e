"""Which machines an HTTP source may be: those of its configured address, resolved once, and never one of our own.

Whoever can set a source's address or its name in the DNS must not make the gateway ask its own machine or the
metadata service of a cloud (OWASP API7, server-side request forgery). Private networks (10/8, 172.16/12, 192.168/16,
fc00::/7) are allowed: one-stop systems live there.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from domain.errors import SettingsError

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host name and port -> the addresses of that host, as text. Raises OSError when there are none."""

PRIVATE = tuple(ip_network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))
# Metadata services of clouds that look like ordinary addresses, and the retired site-local ones (RFC 3879).
NEVER = tuple(ip_network(each) for each in ("fd00:ec2::254/128", "168.63.129.16/32", "fec0::/10"))
_TRANSLATED = ip_network("64:ff9b::/96")  # an IPv4 address behind NAT64 (RFC 6052)
_NUMBERS = frozenset("0123456789abcdefx.")


class AddressRefused(OSError):
    """The host resolves to machines that are never asked only."""


class Allowed:
    """Decides which addresses may be asked."""

    def __init__(self, networks: Sequence[str] = ()) -> None:
        """`networks` ("127.0.0.0/8") are allowed whatever they are.

        Raises:
            ValueError: one of them is no network.
        """
        self._extra = tuple(ip_network(each) for each in networks)

    def __call__(self, address: Address) -> bool:
        """It may be asked: listed, private, or a public address of one machine."""
        real = _real(address)
        if any(real in network or address in network for network in self._extra):
            return True
        if any(real in network for network in NEVER):
            return False
        public = real.is_global and not real.is_multicast and not real.is_reserved
        return public or any(real in network for network in PRIVATE)


class PinnedResolver(AbstractResolver):
    """Resolves a host once and keeps the answer until it is told to forget; every answer is checked."""

    def __init__(self, allowed: Allowed, resolve: Resolve) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._pinned: list[ResolveResult] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The pinned addresses of `host`; there is only one host.

        Raises:
            AddressRefused: it has none that may be asked.
            OSError: it has none.
        """
        del family  # whatever it has
        if not self._pinned:
            addresses = [ip_address(each) for each in await self._resolve(host, port)]
            fit = [each for each in addresses if self._allowed(each)]
            if not fit:
                raise AddressRefused("the host has no address that may be asked")
            self._pinned = [_result(host, each, port) for each in fit]
        return list(self._pinned)

    def forget(self) -> None:
        """The pinned addresses cannot be reached: ask again next time."""
        self._pinned = []

    async def close(self) -> None:
        """Nothing is kept open."""


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """As this machine resolves names.

    Raises:
        OSError: the name is not known.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]).partition("%")[0] for each in found))


def read_address(url: str, allowed: Allowed) -> URL:
    """The address of an HTTP source: scheme, host, port and perhaps the first part of all its paths.

    Raises:
        ValueError: it is none, holds more than that, or names a machine that is never asked.
    """
    try:
        address = URL(url)
        port = address.port
    except (ValueError, TypeError) as fault:
        raise ValueError("its address cannot be read") from fault
    if address.scheme not in ("http", "https") or not address.host or not port:
        raise ValueError("its address has the form https://host:port/path")
    if address.user is not None or address.password is not None:
        raise ValueError("no names or passwords in its address: give them as credentials")
    if address.query_string or address.fragment:
        raise ValueError("its address ends before a ? or #: what is asked stands in the mapping")
    _check_literal(address.host, allowed)
    return address


def checked_networks(networks: Sequence[str], name: str) -> Allowed:
    """The rule for the source `name`.

    Raises:
        SettingsError: one of `networks` is none.
    """
    try:
        return Allowed(networks)
    except ValueError as fault:
        raise SettingsError(f"source {name}: {fault}") from fault


def _check_literal(host: str, allowed: Allowed) -> None:
    """An address in numbers is never resolved, so it is checked here."""
    try:
        literal = ip_address(host)
    except ValueError:
        if set(host) <= _NUMBERS and host.rpartition(".")[2][:1].isdigit():
            raise ValueError("an IP address is written in full, as 192.0.2.1") from None
        return
    if not allowed(literal):
        raise ValueError(f"{host} is never asked; if it is meant, list its network")


def _real(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, else itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _result(host: str, address: Address, port: int) -> ResolveResult:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004 - the version of the protocol
    flags: Any = socket.AI_NUMERICHOST
    return ResolveResult(hostname=host, host=str(address), port=port, family=family, proto=0, flags=flags)
