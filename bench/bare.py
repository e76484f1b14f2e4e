"""`python -m bench.bare PORT`: an aiohttp handler that does nothing, on uvloop: what any other is compared with."""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web

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


async def serve(port: int) -> None:
    app = web.Application()
    app.router.add_get("/small/{code}", small)
    app.router.add_get("/same/{code}", same)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    run(serve(int(sys.argv[1])))
