"""python-telegram-bot's way to the network, over aiohttp: a sixth of the CPU of its own, and errors that say whether
anything left (reference: chat §1).

Nothing raised here names an address: it holds the token.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import aiohttp
import msgspec
from aiohttp import hdrs
from telegram.error import NetworkError, TelegramError, TimedOut
from telegram.request import BaseRequest, RequestData

JSON = {"Content-Type": "application/json"}
DEFAULT_PAUSE = 1.0  # seconds after a 429 that does not say how many
NOT_TAKEN = frozenset({HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE})
UNSENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
    aiohttp.ClientHttpProxyError,  # the proxy would not connect us
)
LARGEST_ANSWER = 16 * 1024 * 1024  # bytes: a hundred updates
CHUNK = 65_536


class NotSent(NetworkError):
    """Nothing was done: there was no connection, or the server said it did not take the request."""


class Throttled(TelegramError):
    """429: nothing was done, and Telegram wants silence of so many seconds. Instead of the library's RetryAfter, whose
    time changes its type by a setting of the environment.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"HTTP {HTTPStatus.TOO_MANY_REQUESTS:d}")
        self.seconds = seconds


class TooLarge(TelegramError):
    """An answer with more bytes than are wanted."""


class AiohttpRequest(BaseRequest):
    """One pool of connections. It opens when first used, so that it may be made before there is an event loop.

    Args:
        connect_timeout: seconds to a connection, waiting for a free one included.
        response_timeout: seconds from there to the end of an answer, unless the call says otherwise.
        proxy: an HTTP proxy's address, or empty.
        largest_file: bytes of a file (anything asked for by GET) that are read.
    """

    __slots__ = ("_connect_timeout", "_largest_file", "_proxy", "_response_timeout", "_session", "_timeout")

    def __init__(
        self, *, connect_timeout: float, response_timeout: float, proxy: str = "", largest_file: int = LARGEST_ANSWER
    ) -> None:
        self._connect_timeout = connect_timeout
        self._response_timeout = response_timeout
        self._timeout = aiohttp.ClientTimeout(connect=connect_timeout, total=connect_timeout + response_timeout)
        self._proxy = proxy or None
        self._largest_file = largest_file
        self._session: aiohttp.ClientSession | None = None

    @property
    def read_timeout(self) -> float:
        return self._response_timeout

    async def initialize(self) -> None:
        self._opened()

    async def shutdown(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: object = BaseRequest.DEFAULT_NONE,
        write_timeout: object = BaseRequest.DEFAULT_NONE,  # noqa: ARG002  # one time-out for all of it
        connect_timeout: object = BaseRequest.DEFAULT_NONE,  # noqa: ARG002  # the same for every call
        pool_timeout: object = BaseRequest.DEFAULT_NONE,  # noqa: ARG002  # the same
    ) -> tuple[int, bytes]:
        """The status and the body.

        Raises:
            NotSent, Throttled: it certainly was not done.
            TimedOut, NetworkError: nobody knows whether it was.
            TooLarge: the body is larger than it may be.
        """
        data = None if request_data is None else msgspec.json.encode(request_data.parameters)
        largest = self._largest_file if method == "GET" else LARGEST_ANSWER
        timeout = self._timeout_of(read_timeout)
        try:
            async with self._opened().request(
                method, url, data=data, headers=JSON, proxy=self._proxy, timeout=timeout, allow_redirects=False
            ) as response:
                body = await _read(response, largest)
        except UNSENT as error:
            raise NotSent(type(error).__name__) from None
        except TimeoutError:
            raise TimedOut from None
        except aiohttp.ClientError as error:
            raise NetworkError(type(error).__name__) from None
        _judge(response.status, body)
        return response.status, body

    @staticmethod
    def parse_json_payload(payload: bytes) -> Any:  # noqa: ANN401  # as the library declares it
        """As the library's own, but that a body which is no JSON is not written to a log, and one that is no answer is
        an error of theirs and no bug of ours.
        """
        told = read_json(payload)
        if not isinstance(told, dict) or not told.keys() & {"result", "error_code"}:
            raise TelegramError("Invalid server response")
        return told

    def _timeout_of(self, read_timeout: object) -> aiohttp.ClientTimeout:
        """What a call says of its own, or ours: the library passes a mark of its own for "as ever"."""
        if not isinstance(read_timeout, int | float):
            return self._timeout
        return aiohttp.ClientTimeout(connect=self._connect_timeout, total=self._connect_timeout + read_timeout)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=100, ttl_dns_cache=300),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session


def read_json(payload: bytes) -> Any:  # noqa: ANN401  # whatever stands there
    """None where it is no JSON. What the quick reader refuses is read as the library does: half an emoji in one text
    must not hold back all that other people say.
    """
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return json.loads(payload.decode(errors="replace"))
    except (ValueError, RecursionError):
        return None


async def _read(response: aiohttp.ClientResponse, largest: int) -> bytes:
    if (response.content_length or 0) > largest:
        raise TooLarge("too large")
    if response.content_length is not None and hdrs.CONTENT_ENCODING not in response.headers:
        return await response.read()
    body = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK):
        body += chunk
        if len(body) > largest:
            raise TooLarge("too large")
    return bytes(body)


def _judge(status: int, body: bytes) -> None:
    """What the library does not tell apart, or not well: a 429, failures of the server, and who it is that refuses. A
    proxy's or a provider's own page says nothing about a person or our token, whatever its status.
    """
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise Throttled(_pause_in(body))
    if status in NOT_TAKEN:
        raise NotSent(f"HTTP {status}")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise NetworkError(f"HTTP {status}")  # a proxy in front lost the answer: what was behind it may have sent
    if status >= HTTPStatus.MULTIPLE_CHOICES and not _is_telegrams(body):
        raise NotSent(f"HTTP {status}")


def _is_telegrams(body: bytes) -> bool:
    """A refusal in the shape of the Bot API (core.telegram.org/bots/api#making-requests)."""
    told = read_json(body)
    return isinstance(told, dict) and told.get("ok") is False and "error_code" in told


def _pause_in(body: bytes) -> float:
    try:
        return msgspec.json.decode(body, type=_Refusal).parameters.retry_after
    except msgspec.DecodeError:  # a proxy's own 429
        return DEFAULT_PAUSE


class _Parameters(msgspec.Struct):
    retry_after: float = DEFAULT_PAUSE


class _Refusal(msgspec.Struct):
    """What is read of a refusal (core.telegram.org/bots/api#responseparameters)."""

    parameters: _Parameters = msgspec.field(default_factory=_Parameters)
