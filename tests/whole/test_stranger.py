"""The whole gateway at an SMSC nobody here wrote: every question gets its own answer, as node-smpp reads it."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, Literal

import pytest

from demo import onestop
from domain.calendar import local_day
from tests.peers.node_smpp import node_smsc
from tests.peers.steered import Event, SteeredSmsc
from tests.whole.gateways import SHORT_CODE, Account, assert_quiet, make_gateway, running, tell

MESSAGES: Final = 200
OLD: Final = "000.00.18.H51-161220-0001"
SLOPPY: Final = "H51.18-250701-0005"
OTHER: Final = "H51.29.18-250701-0004"
UNKNOWN: Final = "H51.18-260102-0099"
ACCENTS_CHOSEN: Final = "Từ nay số này trả lời bằng tiếng Việt có dấu. Tra cứu: gửi mã hồ sơ"
ACCENTED: Final = f"Hồ sơ {OLD} đang xử lý tại Sở NN-MT Cần Thơ, hẹn trả {{due}}. Chưa cần nộp thêm. ĐT 02993 013010"


@dataclass(frozen=True, slots=True)
class Kind:
    """What is asked, and the answer word for word; `{due}` is the day the first dossier is due, dd/mm/yyyy."""

    name: str
    text: str
    answer: str
    decorated: bool = True


@dataclass(frozen=True, slots=True)
class Writing:
    """How a handset writes: a data_coding, what stands around the question, and octets where node-smpp has no codec."""

    name: str
    data_coding: int
    around: str = "%s"
    dash: str = "-"
    form: Literal["NFC", "NFD"] = "NFC"
    codec: str | None = None


KINDS: Final = (
    Kind(
        "clean",
        OLD,
        f"Ho so {OLD} dang xu ly tai So NN-MT Can Tho, hen tra {{due}}. Chua can nop them. DT 02993 013010",
    ),
    Kind(
        "sloppy",
        "tra cuu h51,18-25o701-5",
        f"Ho so {SLOPPY} con thieu giay to, ong/ba can nop bo sung. Hoi So NN-MT Can Tho, DT 02993 013010",
    ),
    Kind(
        "unknown",
        UNKNOWN,
        f"Chua co thong tin ve ma {UNKNOWN}. Co quan nay nay la So NN-MT Can Tho, xin goi 02993 013010",
    ),
    Kind(
        "unreadable",
        "bao gio co ket qua vay",
        "Chua doc duoc ma ho so. Ong/ba gui lai ma in tren bien nhan, vi du H51.18-250701-0000."
        " Can giup, goi 02993 000000",
    ),
    Kind(
        "help",
        "HELP",
        "Tra cuu: gui ma. Bao tin: DK + ma. Ngung: HUY + ma, het: DUNG. Thu tuc: TT + ten. Gop y: GY + y kien."
        " English: EN. DT 02993 000000",
    ),
    Kind(
        "two codes",
        f"{OLD} va {OTHER}",
        f"Ho so {OLD} dang xu ly tai So NN-MT Can Tho, hen tra {{due}}. Chua can nop them. DT 02993 013010\n"
        f"Ho so {OTHER} da co ket qua. Ong/ba mang bien nhan den UBND xa Ngoc To de nhan. DT 02993 013167",
    ),
    Kind("accents", "co dau", ACCENTS_CHOSEN, decorated=False),
)
WRITINGS: Final = (
    Writing("GSM", 0),
    Writing("GSM with extension characters", 0, "%s [a|b] {c} ~ € ^ \\ à è"),
    Writing("ASCII", 1, "%s gui luc 8h"),
    Writing("Latin-1", 3, "%s à é"),
    Writing("UCS-2, accented", 8, "%s đến đâu rồi ạ", dash="–"),
    Writing("UCS-2, accents apart", 8, "%s của tôi, giấy phép lái xe", form="NFD"),
    Writing("class 0", 0xF0, "%s lop 0", codec="ascii"),
)


@pytest.fixture
async def smsc() -> AsyncIterator[SteeredSmsc]:
    async with node_smsc(system_id="demo", password="demo") as running:
        yield running


def question(number: int) -> tuple[Kind, dict[str, Any]]:
    """Every kind in every writing, in turn, each from a sender of its own."""
    kind, writing = KINDS[number % len(KINDS)], WRITINGS[number // len(KINDS) % len(WRITINGS)]
    around = writing.around if kind.decorated else "%s"
    text = unicodedata.normalize(writing.form, around % kind.text.replace("-", writing.dash))
    content = {"text": text} if writing.codec is None else {"hex": text.encode(writing.codec).hex()}
    sender = f"849{number:08}"
    order = {"ref": sender, "source": sender, "destination": SHORT_CODE, "data_coding": writing.data_coding}
    return kind, {**order, **content}


def due_on(code: str, today: date) -> str:
    dossier = next(each for each in onestop.hoso_dossiers(today) if each.code == code)
    assert dossier.due_at is not None
    return f"{dossier.due_at:%d/%m/%Y}"


def joined(parts: list[Event]) -> str:
    """One reply from its segments, which must be all of it, in order, under one reference."""
    if parts[0]["part"] is None:
        assert len(parts) == 1
        return str(parts[0]["text"])
    reference = parts[0]["part"][0]
    assert [part["part"] for part in parts] == [[reference, len(parts), n] for n in range(1, len(parts) + 1)]
    return "".join(part["text"] for part in parts)


def is_last(submit: Event) -> bool:
    return submit["part"] is None or submit["part"][1] == submit["part"][2]


async def settled(smsc: SteeredSmsc, questions: int) -> list[Event]:
    """The segments of so many answers, once they, the questions and the receipts are all acknowledged."""
    await smsc.event("submit", questions, matching=is_last)
    segments = smsc.of("submit")
    await smsc.event("resp", questions + len(segments))
    return segments


def replies(segments: list[Event]) -> dict[str, str]:
    """Who got what text."""
    parts: defaultdict[str, list[Event]] = defaultdict(list)
    for segment in segments:
        parts[segment["destination"]].append(segment)
    return {citizen: joined(each) for citizen, each in parts.items()}


async def test_two_hundred_citizens_at_a_foreign_smsc_get_two_hundred_right_answers(
    tmp_path: Path, smsc: SteeredSmsc, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway = make_gateway(tmp_path, Account(port=smsc.port))
    due = due_on(OLD, local_day(datetime.now(UTC)))
    smsc.order("behave", receipts="after")
    expected: dict[str, str] = {}
    async with running(gateway):
        for number in range(MESSAGES):
            kind, order = question(number)
            expected[order["source"]] = kind.answer.replace("{due}", due)
            smsc.order("deliver", **order)
        segments = await settled(smsc, MESSAGES)

        chose_accents = next(citizen for citizen, answer in expected.items() if answer == ACCENTS_CHOSEN)
        again = {"ref": "again", "source": chose_accents, "destination": SHORT_CODE, "data_coding": 0, "text": OLD}
        smsc.order("deliver", **again)
        accented = (await settled(smsc, MESSAGES + 1))[len(segments) :]
        code = await gateway.stop()

    assert replies(segments) == expected
    assert replies(accented) == {chose_accents: ACCENTED.replace("{due}", due)}
    assert [each["part"][1:] for each in accented] == [[2, 1], [2, 2]]
    assert {each["data_coding"] for each in accented} == {8}
    assert {each["source"] for each in smsc.of("submit")} == {SHORT_CODE}
    receipts = [f"receipt:{each['id']}" for each in smsc.of("submit")]
    assert {each["ref"]: each["status"] for each in smsc.of("resp")} == dict.fromkeys(
        [*expected, "again", *receipts], 0
    )
    assert [each["by"] for each in await smsc.event("unbound")] == ["esme"]
    assert (code, len(smsc.of("bound")), smsc.of("failed")) == (0, 1, [])
    assert_quiet(tmp_path)
    tell(capsys, f"node-smpp: {MESSAGES + 1} questions, {len(receipts)} segments and receipts, exit code {code}")
