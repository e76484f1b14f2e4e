"""HTTP to one host and to no other: no redirects, no proxies, bounded in number, in size and in whom it may ask.

Answers are handed on whole with their status; what they mean is decided elsewhere. Nothing of a request or a body is
ever put into a message: they hold dossier codes and persons.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import aiohttp
from aiohttp import hdrs
from yarl import URL

from adapters.onestop.rest_addresses import (
    AddressRefused,
    Allowed,
    PinnedResolver,
    Resolve,
    read_address,
    system_resolve,
)
from domain.errors import SettingsError, SourceError, SourceMisread, SourceUnavailable
from domain.text import safe_text

LONGEST_PAUSE = 120.0  # seconds a source may ask us to stay away; it is tried again after that whatever it said
CHUNK = 16_384  # bytes read at a time
PLEASE_WAIT = frozenset({429, 503})
SERVER_LENGTH = 40
USER_AGENT = "tracuu-gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """What is asked. `path` is quoted already and begins with a slash; `body` is sent as it is."""

    method: str
    path: str
    query: Sequence[tuple[str, str]] = field(default=(), repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """What came back. `content_type` is in lower case and without parameters; `server` is what it calls itself."""

    status: int
    content_type: str
    body: bytes = field(repr=False)
    server: str = ""


class RestClient:
    """One host. Opens its session with the first request, in the loop that makes it."""

    def __init__(
        self,
        url: str,
        *,
        source: str,
        connections: int,
        size_limit: int,
        allowed: Allowed,
        cookies: bool = False,
        resolve: Resolve = system_resolve,
    ) -> None:
        """`source` is named in messages. At most `connections` requests at a time, in the order they came; an answer
        has at most `size_limit` bytes, packed and unpacked. `cookies` are kept only where a log-in needs them.

        Raises:
            SettingsError: the address cannot be used.
        """
        try:
            self._base = read_address(url, allowed)
        except ValueError as fault:
            raise SettingsError(f"source {source}: {fault}") from fault
        self._source = source
        self._connections = connections
        self._size_limit = size_limit
        self._cookies = cookies
        self._resolver = PinnedResolver(allowed, resolve)
        self._queue = asyncio.Semaphore(connections)
        self._session: aiohttp.ClientSession | None = None
        self._quiet_until = 0.0  # event loop time; it asked us to stay away until then

    @property
    def encrypted(self) -> bool:
        """What is asked travels by TLS."""
        return self._base.scheme == "https"

    async def exchange(self, request: HttpRequest) -> HttpAnswer:
        """Ask once. Takes as long as it takes: the caller limits the time.

        Raises:
            SourceUnavailable: it cannot be reached, broke off, or asked for a pause that is not over.
            SourceMisread: what came is no HTTP, is too large, or its host may not be asked.
        """
        async with self._queue:
            self._respect_pause()
            try:
                return await self._send(request)
            except aiohttp.ClientConnectorError as fault:
                self._resolver.forget()
                raise self._unreachable(fault) from fault
            except (aiohttp.ClientResponseError, aiohttp.InvalidURL) as fault:
                raise SourceMisread(f"{self._source}: its answer is no HTTP ({type(fault).__name__})") from fault
            except (aiohttp.ClientError, OSError) as fault:
                raise SourceUnavailable(f"{self._source}: the connection broke ({type(fault).__name__})") from fault

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def forget_cookies(self) -> None:
        """Log in afresh."""
        if self._session is not None:
            self._session.cookie_jar.clear()

    async def _send(self, request: HttpRequest) -> HttpAnswer:
        if self._session is None:
            self._session = self._open()
        async with self._session.request(
            request.method,
            self._url(request),
            headers={hdrs.ACCEPT: "application/json", hdrs.ACCEPT_ENCODING: "gzip", **request.headers},
            data=request.body,
            allow_redirects=False,
        ) as response:
            self._note_pause(response)
            try:
                body = await self._body(response)
            except SourceError:
                response.close()  # the rest is not wanted, and the connection with it
                raise
        return HttpAnswer(
            status=response.status,
            content_type=response.content_type.casefold() if hdrs.CONTENT_TYPE in response.headers else "",
            body=body,
            server=safe_text(response.headers.get(hdrs.SERVER, ""), SERVER_LENGTH),
        )

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=self._resolver, use_dns_cache=False, limit=self._connections, keepalive_timeout=15
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.CookieJar(unsafe=True) if self._cookies else aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            trust_env=False,  # no proxy from the environment
            auto_decompress=False,  # unpacked here, within the size limit
            headers={hdrs.USER_AGENT: USER_AGENT},
        )

    def _url(self, request: HttpRequest) -> URL:
        path = self._base.raw_path.rstrip("/") + request.path
        return self._base.with_path(path, encoded=True).with_query(list(request.query))

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        if (response.content_length or 0) > self._size_limit:
            raise self._too_large()
        unpacked = _Unpacked(response.headers.get(hdrs.CONTENT_ENCODING, ""), self._source, self._size_limit)
        taken = 0
        async for chunk in response.content.iter_chunked(CHUNK):
            taken += len(chunk)
            if taken > self._size_limit or not unpacked.take(chunk):
                raise self._too_large()
        return unpacked.whole()

    def _too_large(self) -> SourceMisread:
        return SourceMisread(f"{self._source}: its answer is larger than {self._size_limit} bytes")

    def _unreachable(self, fault: aiohttp.ClientConnectorError) -> SourceError:
        if isinstance(fault, aiohttp.ClientConnectorCertificateError):
            return SourceUnavailable(f"{self._source}: its certificate is not accepted")
        if isinstance(fault.os_error, AddressRefused):
            return SourceMisread(f"{self._source}: {fault.os_error}; if it is meant, list its network")
        words = next((text for kind, text in _UNREACHABLE.items() if isinstance(fault, kind)), "cannot be connected to")
        return SourceUnavailable(f"{self._source}: {words} ({type(fault.os_error).__name__})")

    def _respect_pause(self) -> None:
        left = self._quiet_until - asyncio.get_running_loop().time()
        if left > 0:
            raise SourceUnavailable(f"{self._source}: it asked not to be asked for {left:.0f} s more")

    def _note_pause(self, response: aiohttp.ClientResponse) -> None:
        if response.status in PLEASE_WAIT:
            pause = retry_after(response.headers)
            self._quiet_until = asyncio.get_running_loop().time() + min(pause, LONGEST_PAUSE)


_UNREACHABLE: dict[type[aiohttp.ClientConnectorError], str] = {
    aiohttp.ClientConnectorDNSError: "its name cannot be resolved",
    aiohttp.ClientConnectorSSLError: "TLS cannot be agreed on",
}


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds to stay away (RFC 9110 §10.2.3), 0 where that is not said. A time of day is counted from the answer's own
    Date, since the two clocks may differ.
    """
    said = headers.get(hdrs.RETRY_AFTER, "").strip()
    if said.isascii() and said.isdigit():
        return float(said[:6])
    with suppress(ValueError, TypeError):  # silent on purpose: an unreadable wish is none
        until, now = parsedate_to_datetime(said), parsedate_to_datetime(headers.get(hdrs.DATE, ""))
        return max(0.0, (until - now).total_seconds())
    return 0.0


class _Unpacked:
    """A body as it comes, unpacked piece by piece and never beyond the limit: a few bytes may stand for gigabytes."""

    def __init__(self, encoding: str, source: str, limit: int) -> None:
        kind = encoding.strip().casefold()
        if kind not in _ENCODINGS:
            raise SourceMisread(f"{source}: its answer is packed in a way that was not asked for")
        self._unpack = _ENCODINGS[kind]()
        self._source = source
        self._limit = limit
        self._pieces: list[bytes] = []
        self._size = 0

    def take(self, chunk: bytes) -> bool:
        """Whether there was room for it."""
        try:
            piece = self._unpack.decompress(chunk, self._limit - self._size + 1)
        except zlib.error as fault:
            raise SourceMisread(f"{self._source}: its answer cannot be unpacked") from fault
        self._pieces.append(piece)
        self._size += len(piece)
        return self._size <= self._limit

    def whole(self) -> bytes:
        if self._pieces and not self._unpack.eof:
            raise SourceMisread(f"{self._source}: its packed answer is not complete")
        return b"".join(self._pieces)


class _Plain:
    """Not packed at all, in the shape of zlib's decompressor."""

    eof = True

    def decompress(self, chunk: bytes, room: int) -> bytes:
        return chunk[:room]


def _gzip() -> zlib._Decompress:
    return zlib.decompressobj(16 + zlib.MAX_WBITS)


_ENCODINGS: dict[str, Callable[[], _Plain | zlib._Decompress]] = {
    "": _Plain,
    "identity": _Plain,
    "gzip": _gzip,
    "x-gzip": _gzip,
}
