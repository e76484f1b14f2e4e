"""The simulated Zalo platform's calls of a webhook: signed over the body as it is written, repeated until taken."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

PATIENCE = 2.0  # seconds the platform waits for an answer
TAKEN = 200
NO_ANSWER = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Calls one webhook. `repeats`: seconds before each new try."""

    app_id: str
    secret: str = field(repr=False)
    url: str
    repeats: Sequence[float] = ()

    async def tell(self, event: Mapping[str, Any]) -> list[int]:
        """The statuses it was answered with (0: with none in time); the same bytes every time."""
        body = written(event)
        headers = {"Content-Type": "application/json", "X-ZEvent-Signature": self.signature(body, event["timestamp"])}
        statuses = [await post(self.url, body, headers)]
        for number, wait in enumerate(self.repeats, 1):
            if statuses[-1] == TAKEN:
                break
            await asyncio.sleep(wait)
            statuses.append(await post(self.url, body, {**headers, "num_retry": f"{number}"}))
        return statuses

    def signature(self, body: bytes, timestamp: str) -> str:
        signed = self.app_id.encode() + body + timestamp.encode() + self.secret.encode()
        return f"mac={hashlib.sha256(signed).hexdigest()}"


def written(event: Mapping[str, Any]) -> bytes:
    """With accents as they are and blanks where Python's own way would put none: whoever writes it anew is found out."""
    return json.dumps(event, ensure_ascii=False, separators=(" ,", ": ")).encode()


async def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """One call; 0 where no answer came in time."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as session,
            session.post(url, data=body, headers=headers) as response,
        ):
            return response.status
    except (TimeoutError, aiohttp.ClientError):
        return NO_ANSWER
