"""The platform's HTTP interface: messages, tokens. What its answers mean is decided elsewhere.

Tokens travel in headers and in a form, never in an address; no answer and no address is put into an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import msgspec
from aiohttp import hdrs

from channels.zalo.account import ZaloAccount
from channels.zalo.errors import NoAnswer, NotSent

SEND: Final = "/v3.0/oa/message/cs"
TOKENS: Final = "/v4/oa/access_token"
LARGEST_ANSWER: Final = 65_536
KEEP_ALIVE: Final = 10.0  # seconds; a connection the other side closes while we write leaves an unknown outcome
LONGEST_RETRY_AFTER: Final = 600.0
OK: Final = range(200, 300)
LEAST_SERVER_ERROR: Final = 500
TOO_MANY: Final = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The answer to a message. `code` None: the body is not what the platform says it answers."""

    status: int
    code: int | None = None
    message_id: str = ""
    retry_after: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A new pair of tokens. `expires_in`: seconds, of the access token."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: float


class GrantRefused(Exception):
    """The platform gives no tokens for what it was shown. `code` is its own."""

    def __init__(self, code: int) -> None:
        super().__init__(f"refused with {code}")
        self.code = code


class _SendAnswer(msgspec.Struct, frozen=True):
    error: int
    data: Any = None  # of a refusal it may be anything


class _TokenAnswer(msgspec.Struct, frozen=True):
    error: int = 0
    access_token: str = ""
    refresh_token: str = ""
    expires_in: str | int | float = 0


def read_grant(status: int, body: bytes) -> Grant:
    """Raises as `ZaloApi.renew`, except that something was answered."""
    if status >= LEAST_SERVER_ERROR:
        raise NoAnswer(f"the platform failed with HTTP {status}")
    if status == TOO_MANY:
        raise NotSent("the platform asks us to come back later")
    try:
        answer = _TOKEN_ANSWERS.decode(body)
        expires_in = float(answer.expires_in)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise NoAnswer("the platform's answer cannot be read") from error
    if not (answer.access_token and answer.refresh_token):
        raise GrantRefused(answer.error)
    return Grant(access_token=answer.access_token, refresh_token=answer.refresh_token, expires_in=expires_in)


class ZaloApi:
    """Opens its session with the first request, in the loop that makes it."""

    def __init__(self, account: ZaloAccount) -> None:
        self._account = account
        self._places = asyncio.Semaphore(account.connections)
        self._session: aiohttp.ClientSession | None = None

    async def send(self, access_token: str, message: Mapping[str, Any]) -> Sent:
        """Hand over one message.

        Raises:
            NotSent: it did not reach the platform.
            NoAnswer: it may have.
        """
        headers = {"access_token": access_token, hdrs.CONTENT_TYPE: "application/json"}
        async with self._places:
            status, retry_after, body = await self._post(
                self._account.api_url + SEND, headers=headers, data=msgspec.json.encode(message)
            )
        if status not in OK:
            return Sent(status=status, retry_after=retry_after)
        try:
            answer = _SEND_ANSWERS.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return Sent(status=status)
        data = answer.data if isinstance(answer.data, dict) else {}
        return Sent(status=status, code=answer.error, message_id=str(data.get("message_id") or ""))

    async def renew(self, refresh_token: str) -> Grant:
        """Spend a refresh token.

        Raises:
            NotSent: it is not spent.
            NoAnswer: it may be.
            GrantRefused: it is not taken, or not any more.
        """
        return await self._grant({"grant_type": "refresh_token", "refresh_token": refresh_token})

    async def authorise(self, code: str, verifier: str) -> Grant:
        """The first pair, for the code a person was given when they let us speak for the account (it lives 10 minutes);
        `verifier` as in RFC 7636. Raises as `renew`.
        """
        return await self._grant({"grant_type": "authorization_code", "code": code, "code_verifier": verifier})

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _grant(self, what: Mapping[str, str]) -> Grant:
        form = aiohttp.FormData({**what, "app_id": self._account.app_id})
        headers = {"secret_key": self._account.app_secret}
        status, _, body = await self._post(self._account.oauth_url + TOKENS, headers=headers, data=form)
        return read_grant(status, body)

    async def _post(self, url: str, *, headers: Mapping[str, str], data: Any) -> tuple[int, float, bytes]:  # noqa: ANN401 (what aiohttp takes)
        if self._session is None:
            self._session = self._open()
        try:
            async with self._session.post(url, headers=headers, data=data, allow_redirects=False) as response:
                return response.status, _retry_after(response), await _body(response)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSent(f"the platform cannot be reached ({type(error).__name__})") from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise NoAnswer(f"the platform did not answer ({type(error).__name__})") from error

    def _open(self) -> aiohttp.ClientSession:
        account = self._account
        # One place more than messages may take, so that renewing a token never waits behind them.
        connector = aiohttp.TCPConnector(limit=account.connections + 1, keepalive_timeout=KEEP_ALIVE)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=account.timeout + account.connect_timeout,
                sock_connect=account.connect_timeout,
                sock_read=account.timeout,
            ),
            trust_env=False,
        )


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """As much of it as an answer may have; a longer one cannot be read."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(LARGEST_ANSWER):
        body += chunk
        if len(body) > LARGEST_ANSWER:
            response.close()
            return b""
    return bytes(body)


def _retry_after(response: aiohttp.ClientResponse) -> float:
    said = response.headers.get(hdrs.RETRY_AFTER, "").strip()
    return min(float(said[:6]), LONGEST_RETRY_AFTER) if said.isascii() and said.isdigit() else 0.0


_SEND_ANSWERS = msgspec.json.Decoder(_SendAnswer, strict=False)
_TOKEN_ANSWERS = msgspec.json.Decoder(_TokenAnswer, strict=False)
