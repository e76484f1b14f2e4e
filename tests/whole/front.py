"""What stands before a gateway in a data centre: one address for citizens, and a header that says who calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

LOOPBACK = "127.0.0.1"
OF_ONE_LINK = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"})


class Front:
    """A reverse proxy on a free port. `behind` is the gateway, `caller` whose address it tells. A test in a browser can
    be somebody else's than the one before, although all come from this machine.
    """

    def __init__(self) -> None:
        self.behind = ""
        self.caller = "198.18.0.7"
        self.port = 0
        self._callers = 0
        self._client: aiohttp.ClientSession

    @property
    def origin(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def somebody_else(self) -> None:
        """From now on the calls come from another address of another block (RFC 2544)."""
        self._callers += 1
        self.caller = f"198.18.{self._callers}.7"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Front]:
        """Until the end of the block."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, LOOPBACK, 0).start()
        self.port = runner.addresses[0][1]
        try:
            async with aiohttp.ClientSession(auto_decompress=False) as self._client:
                yield self
        finally:
            await runner.cleanup()

    async def _pass_on(self, request: web.Request) -> web.Response:
        url = URL(self.behind + request.raw_path, encoded=True)
        headers = _passed(request.headers)
        headers["X-Forwarded-For"] = self.caller
        body = await request.read()
        async with self._client.request(
            request.method, url, headers=headers, data=body or None, allow_redirects=False
        ) as answer:
            return web.Response(status=answer.status, body=await answer.read(), headers=_passed(answer.headers))


def _passed(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in OF_ONE_LINK)
