"""An SMSC that answers every submit with the same message id: Net::SMPP, which nobody here wrote, as its example does."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from tests.peers.smscs import PEERS
from tests.peers.steering import RECEIPT
from tests.whole.gateways import SHORT_CODE, STORE, Account, assert_quiet, make_gateway, running

PATIENCE: Final = 60.0
ID: Final = "123456789"
RECEIPT_CLASS: Final = 0x04
QUESTIONS: Final = ("H51.18-260102-0098", "H51.18-260102-0099")  # nobody's: each is answered in one segment
(NET_SMPP,) = (peer for peer in PEERS if peer.name == "Net::SMPP")


async def test_report_under_an_id_that_all_messages_have_is_taken_for_the_newest(tmp_path: Path) -> None:
    async with NET_SMPP.running(message_id=ID) as smsc:
        account = Account(port=smsc.port, system_id="gateway", password="secret")
        async with running(make_gateway(tmp_path, account)):
            for number, question in enumerate(QUESTIONS, start=1):
                smsc.deliver(question.encode(), ref=question, destination=SHORT_CODE)
                assert len(await smsc.event("submit", number)) == number
                await until_recorded(tmp_path, number)
            smsc.deliver(RECEIPT.format(ID).encode(), ref="report", destination=SHORT_CODE, esm_class=RECEIPT_CLASS)
            (answer,) = await smsc.event("resp", matching=lambda event: event["ref"] == "report")
    assert answer["status"] == 0
    assert reported(tmp_path) == [(ID, None), (ID, "delivered")]
    assert_quiet(tmp_path)


def reported(directory: Path) -> list[tuple[str, str | None]]:
    """Every segment handed over, oldest first: the id it was given and what was reported of it."""
    with closing(sqlite3.connect(f"file:{directory / STORE}?mode=ro", uri=True)) as store:
        return store.execute("SELECT external_id, report_status FROM submission ORDER BY submitted_at").fetchall()


async def until_recorded(directory: Path, count: int) -> None:
    """Wait until so many segments stand in the store."""
    async with asyncio.timeout(PATIENCE):
        while len(reported(directory)) < count:  # noqa: ASYNC110 - the store is another process's
            await asyncio.sleep(0.01)
