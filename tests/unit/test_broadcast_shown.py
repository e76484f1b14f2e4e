"""What the pages of broadcasts say: a figure never pretends to be more exact than it is."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.store.claim_rule import CLOSED_AS
from console.broadcasts.estimates import Estimate
from console.broadcasts.ports import AudienceCount, ResultCount, Standing, Tally
from console.broadcasts.shown import MOST_SIGNS, progress_of, results_of, sections_of
from console.broadcasts.sizing import cost_of, size_of
from domain.broadcasts import NEEDS, Audience, AudienceKind, Broadcast, BroadcastAction, BroadcastState

VIETNAMESE: Mapping[str, Any] = tomllib.loads(
    (Path(__file__).parent.parent.parent / "config" / "console" / "vi.toml").read_text(encoding="utf-8")
)


def segments(text: str) -> int:
    return 1 + len(text) // 70


def said(estimate: Estimate, title: str) -> Mapping[str, str]:
    (section,) = (each for each in sections_of(estimate, VIETNAMESE) if each.title == title)
    return dict(section.rows)


def test_a_text_of_nothing_but_such_signs_names_the_first_of_them() -> None:
    khmer = "មជ្ឈមណ្ឌលឈប់សម្រាក"
    rows = said(Estimate(sizes=[size_of("km", khmer, {}, segments)]), "Tiếng Khmer")
    assert rows["Ký tự buộc dùng UCS-2"].count("U+") == MOST_SIGNS
    assert rows["Ký tự buộc dùng UCS-2"].endswith(" và các ký tự khác")


def test_an_invitation_nobody_can_follow_is_pointed_at_where_it_stands() -> None:
    sizes = [size_of(language, "Xin trả lời", {}, segments) for language in ("vi", "en")]
    estimate = Estimate(sizes=sizes, unanswered=frozenset({"vi"}), names=("SONOIVU", "TRACUU"))
    assert "SONOIVU, TRACUU" in said(estimate, "Tiếng Việt")["Lưu ý"]
    assert "Lưu ý" not in said(estimate, "Tiếng Anh")


def test_what_is_counted_in_part_takes_at_least_so_long() -> None:
    count = AudienceCount(dossiers=50_000, people={"sms": 50_000}, more=True)
    cost = cost_of([1], 50_000, dong_per_segment=350, tps=1_000)
    rows = said(Estimate(sizes=[], count=count, cost=cost), "Người nhận và chi phí")
    assert rows["Chi phí SMS, nhiều nhất"] == "ít nhất 17.500.000 đồng"
    assert rows["Thời gian gửi (giờ:phút:giây)"] == "ít nhất 0:00:50"


def test_what_the_clock_does_has_words_too() -> None:
    by_the_clock = [action for action in BroadcastAction if action not in NEEDS]
    assert by_the_clock
    assert [action for action in by_the_clock if f"broadcast.{action}" not in VIETNAMESE["action"]] == []


def test_every_reason_to_close_a_message_has_words() -> None:
    for section in ("broadcast_reason", "messages_reason"):
        assert [reason for reason in CLOSED_AS if reason not in VIETNAMESE[section]] == [], section


def test_why_somebody_got_nothing_is_said_in_words() -> None:
    results = [
        ResultCount(state="rejected", delivery="", reason="RSUBMITFAIL", messages=3),
        ResultCount(state="dropped", delivery="", reason="stopped_all", messages=2),
        ResultCount(state="accepted", delivery="delivered", reason="", messages=1),
    ]
    told = [why for _, _, why, _ in results_of(Tally(results=results), VIETNAMESE)]
    assert told == ["nhà mạng báo lỗi RSUBMITFAIL", "đã yêu cầu dừng mọi tin", ""]


def test_of_a_stopped_one_nobody_waits() -> None:
    broadcast = Broadcast(
        id=1,
        agency="H13",
        title="t",
        author=1,
        texts={"vi": "t"},
        audience=Audience(kind=AudienceKind.FOLLOWERS, agencies=("H13",)),
        state=BroadcastState.STOPPED,
        created_at=datetime(2026, 4, 1, tzinfo=UTC),
        people=100,
    )
    results = [
        ResultCount(state="accepted", delivery="undeliverable", reason="", messages=5),
        ResultCount(state="accepted", delivery="", reason="", messages=20),
        ResultCount(state="rejected", delivery="", reason="RSUBMITFAIL", messages=3),
        ResultCount(state="dropped", delivery="", reason="broadcast_stopped", messages=12),
    ]
    told = progress_of(
        Standing(broadcast=broadcast, author_name="", tally=Tally(written=40, results=results)), VIETNAMESE
    )
    assert told["text"] == "28 / 100"
    assert dict(told["rows"])["Không gửi nữa"] == "72"
    assert "Còn chờ" not in dict(told["rows"])
