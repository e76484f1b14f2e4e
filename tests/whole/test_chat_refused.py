"""One bot that is refused, or shut out by somebody on the way, costs nobody else anything, and no follower a notice."""

from __future__ import annotations

from pathlib import Path

import aiohttp

from tests.peers.bot_api import Fault
from tests.whole.chat import MOVING, OF_OPEN, OPEN, town, until
from tests.whole.gateways import log_lines

AN, BINH = 7_100_450_011, 7_100_450_012
ZALO_AN = "8234567890123450011"
PAGE = "<html>403 Forbidden: this address was blocked by your provider"


async def test_a_bot_whose_token_is_revoked_leaves_sms_and_zalo_to_go_on(tmp_path: Path) -> None:
    async with town(tmp_path, updates="polling", quiet=False) as there:
        an = there.on_telegram(AN)
        there.api.fail("sendMessage", Fault(401, "Unauthorized"))
        await an.send(OPEN)
        await until(lambda: "part.refused" in [line["action"] for line in log_lines(tmp_path)])
        assert OPEN in await there.by_sms("84912340011", OPEN)
        assert (await there.on_zalo(ZALO_AN).asks(OPEN)).text.startswith(OF_OPEN)
        async with aiohttp.ClientSession() as http, http.get(f"{there.gateway.operations}/readyz") as answer:
            checks = (await answer.json())["checks"]
        assert [name for name, check in checks.items() if not check["ok"]] == ["process", "telegram bot"]
        assert "credentials refused" in checks["process"]["detail"]
        await until(lambda: there.states(an) == ["ready"])  # for whoever corrects the token
        there.assert_discreet(loud=["telegram.token_refused", "part.refused"])


async def test_a_page_of_somebody_on_the_way_ends_no_following(tmp_path: Path) -> None:
    async with town(tmp_path, updates="polling") as there:
        an = there.on_telegram(AN)
        await an.asks(f"DK {MOVING}")
        there.api.fail("sendMessage", Fault(403, raw=PAGE), Fault(404, raw=PAGE))
        there.move(MOVING)
        await until(lambda: len(there.api.of("sendMessage")) == 2)
        await until(lambda: there.states(an) == ["accepted", "ready"])
        there.hasten()
        await until(lambda: len(there.api.of("sendMessage")) == 3)
        await until(lambda: there.states(an) == ["accepted", "ready"])
        there.hasten()
        assert MOVING in (await an.next()).text
        assert there.rows("SELECT 1 FROM person WHERE stopped_at IS NOT NULL") == []
        assert (await there.on_telegram(BINH).asks(OPEN)).text.startswith(OF_OPEN)
