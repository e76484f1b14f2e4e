"""Fetches pictures persons sent, from the platform's hosts and from no other: the address came in a message."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import aiohttp
from aiohttp import hdrs
from yarl import URL

from channels.zalo.account import ZaloAccount
from domain.errors import ChannelError

MOST_REDIRECTS: Final = 3
CHUNK: Final = 65_536
MOST_AT_ONCE: Final = 4
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
OK: Final = 200


class PictureRefused(ChannelError):
    """The picture cannot be had; the message says why and never where it was."""


class Pictures:
    """Opens its session with the first picture, in the loop that asks for it."""

    def __init__(self, account: ZaloAccount) -> None:
        self._hosts = account.media_hosts
        self._largest = account.media_max_bytes
        self._patience = account.media_timeout
        self._places = asyncio.Semaphore(MOST_AT_ONCE)
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, reference: str) -> bytes:
        """The picture at this address.

        Raises:
            PictureRefused: it is not on a host of the platform's, is too large or too slow, or is not there.
        """
        try:
            async with asyncio.timeout(self._patience), self._places:
                return await self._fetch(_allowed(reference, self._hosts))
        except TimeoutError as error:
            raise PictureRefused("the picture did not come in time") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise PictureRefused(f"the picture could not be fetched ({type(error).__name__})") from error

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _fetch(self, url: URL) -> bytes:
        """Redirects are followed by hand, so that each is judged before it is asked."""
        for _ in range(MOST_REDIRECTS + 1):
            if self._session is None:
                self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
            async with self._session.get(url, allow_redirects=False) as response:
                if response.status not in REDIRECTS:
                    return await self._body(response)
                url = _allowed(str(url.join(URL(response.headers.get(hdrs.LOCATION, "")))), self._hosts)
        raise PictureRefused("the picture's address leads from one to the next")

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        if response.status != OK:
            raise PictureRefused(f"the picture's host answers HTTP {response.status}")
        body = bytearray()
        async for chunk in response.content.iter_chunked(CHUNK):  # unpacked already, so that bombs are counted whole
            body += chunk
            if len(body) > self._largest:
                response.close()
                raise PictureRefused(f"the picture is larger than {self._largest} bytes")
        return bytes(body)


def _allowed(reference: str, hosts: Sequence[str]) -> URL:
    """Raises PictureRefused where it may not be asked. A host stands for itself and what is below it, by https on its
    usual port; an origin ("http://127.0.0.1:8084") for exactly that.
    """
    url = URL(reference)
    host = (url.host or "").lower()
    if not host or url.user is not None or url.password is not None:
        raise PictureRefused("the picture's address is none")
    usual = url.scheme == "https" and url.is_default_port()
    below = any(host == each or host.endswith(f".{each}") for each in hosts)
    if (usual and below) or str(url.origin()) in hosts:
        return url
    raise PictureRefused("the picture is not on a host of the platform's")
