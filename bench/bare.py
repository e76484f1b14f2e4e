"""`python -m bench.bare PORT [REDIS]`: an aiohttp handler that does nothing, on uvloop: what any other is compared with.
With the URL of a Redis, another one that reads one key a request.
"""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web
from aiohttp.typedefs import Handler
from redis.asyncio import Redis

from gateway.loop import run


async def small(request: web.Request) -> web.Response:
    """The least that could be said."""
    return web.json_response({"code": request.match_info["code"], "status": 4, "due_on": "2026-06-17", "stale": False})


async def same(request: web.Request) -> web.Response:
    """As many words as the gateway says."""
    return web.json_response(
        {
            "code": request.match_info["code"],
            "status": 4,
            "status_name": "in_process",
            "status_text": "Đang xử lý",
            "sentence": "Hồ sơ đang được xử lý tại Sở Nông nghiệp và Môi trường tỉnh Sóc Trăng.",
            "what_to_do": "Cơ quan đang giải quyết. Ông/bà chưa cần nộp thêm giấy tờ.",
            "received_on": "2026-06-01",
            "due_on": "2026-06-17",
            "finished_on": None,
            "returned_on": None,
            "overdue": False,
            "agency": {"name": "Sở Tài nguyên và Môi trường tỉnh Sóc Trăng", "phone": "02993 000018"},
            "as_of": "2026-06-08T14:29:30+07:00",
            "stale": False,
        }
    )


def reading(url: str) -> Handler:
    """One GET of Redis a request: what an answer cached there costs where nothing is batched."""
    redis: Redis = Redis.from_url(url)

    async def read(request: web.Request) -> web.Response:
        found = await redis.get(request.match_info["code"])
        return web.json_response({"code": request.match_info["code"], "status": 4, "known": found is not None})

    return read


async def serve(port: int, redis: str = "") -> None:
    app = web.Application()
    if redis:
        app.router.add_get("/redis/{code}", reading(redis))
    app.router.add_get("/small/{code}", small)
    app.router.add_get("/same/{code}", same)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    run(serve(int(sys.argv[1]), *sys.argv[2:]))
