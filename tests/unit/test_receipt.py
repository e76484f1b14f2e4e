"""The receipt and the letters: every field of the forms, what is late, what was agreed to, and the secret in one place."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from console.intake.printed import BOOK_COLUMNS, book_rows, letter_shown, receipt_shown, slip_shown
from console.intake.wording import Wording, long_day, qr_drawing
from domain.calendar import local_day
from domain.catalogue import Catalogue
from domain.codes import parse_canonical, read_codes
from domain.dossier import DossierStatus
from domain.grammar import Grammar
from domain.inquiry import Follow, LookUp, read_inquiry
from domain.intake import Actor, IntakeDossier, IntakeStep, Paper
from domain.intake_moves import REGISTERED, IntakeAction
from domain.proof import ProofKind
from domain.working_time import LimitUnit, TimeLimit
from gateway.bootstrap.console_prints import KEYWORD
from intake.forms import Form, Punctuality, hand_overs, letters_of, make_letter, punctuality
from intake.receipt import IntakeReceipt, IssuingAgency, LookUpPlaces, make_receipt
from tests.unit.printed_papers import BARE, EVERYTHING, OFFICER, RECEIVED_AT, dossier, missing, papers

CONFIG = Path(__file__).parent.parent.parent / "config"
S, A = DossierStatus, IntakeAction
HOUR = timedelta(hours=1)
AGENCY = IssuingAgency(
    names={"vi": "Sở Tư pháp", "en": "Department of Justice"}, address="Số 1 Ngô Hữu Hạnh", phone="02993 013016"
)
PLACES = LookUpPlaces(
    numbers=("8100",),
    keyword=KEYWORD,
    page="https://tracuu.example.vn/tra-cuu",
    short="https://tracuu.example.vn/D/",
    chats=(("Zalo", "https://zalo.me/123"),),
)


@cache
def catalogue() -> Catalogue:
    return Catalogue.from_mapping({name: toml(CONFIG / "texts" / f"{name}.toml") for name in ("vi", "en", "km")})


@cache
def office() -> Mapping[str, Any]:
    return toml(CONFIG / "console" / "vi.toml")


def toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def step(of: IntakeDossier, action: str = REGISTERED, **changes: Any) -> IntakeStep:
    values: dict[str, Any] = {
        "id": 1,
        "dossier": of.id,
        "at": RECEIVED_AT,
        "entered_at": RECEIVED_AT,
        "action": action,
        "actor": OFFICER,
        "after": of.status,
        "due_at": of.due_at,
    }
    return IntakeStep(**{**values, **changes})


def receipt(places: LookUpPlaces = PLACES, **changes: Any) -> IntakeReceipt:
    of = dossier(1, **changes)
    made = make_receipt(of, [step(of)], agency=AGENCY, places=places, consent="Đồng ý nhận tin", printed_at=RECEIVED_AT)
    assert made is not None
    return made


def shown(made: IntakeReceipt) -> Mapping[str, Any]:
    return receipt_shown(made, Wording(catalogue=catalogue(), second=made.second), roll=False)


def words(said: Any) -> str:
    return " / ".join(text for _, text in said).replace("\N{NO-BREAK SPACE}", " ")


# ---- what is not certified


@pytest.mark.parametrize("status", [S.NEWLY_REGISTERED, S.MORE_DOCUMENTS, S.NOT_ACCEPTED])
def test_what_was_never_accepted_has_no_receipt_and_no_slip(status: DossierStatus) -> None:
    of = dossier(1, status=status, due_at=None)
    made = make_receipt(of, [step(of)], agency=AGENCY, places=PLACES, consent="", printed_at=RECEIVED_AT)
    assert made is None
    assert hand_overs(of, [step(of)]) is None


def test_what_was_accepted_once_keeps_its_receipt() -> None:
    of = dossier(1, status=S.RETURNED)
    steps = [step(of, after=S.ACCEPTED), step(of, A.RETURN)]
    made = make_receipt(of, steps, agency=AGENCY, places=PLACES, consent="", printed_at=RECEIVED_AT)
    assert made is not None
    assert made.received_by == "Trần Thị Ngọc Lan"


def test_a_paper_that_was_not_handed_in_is_not_certified() -> None:
    made = receipt(papers=(Paper(name="Đơn", originals=1), Paper(name="Bản án", missing=True)))
    assert [paper.name for paper in made.papers] == ["Đơn"]


def test_what_a_citizen_filed_has_no_officer_until_one_accepts_it() -> None:
    of = dossier(1)
    filed = step(of, actor=Actor(officer=None), after=S.NEWLY_REGISTERED)
    steps = [filed, step(of, A.ACCEPT, actor=replace(OFFICER, name="Lý Minh"))]
    made = make_receipt(of, steps, agency=AGENCY, places=PLACES, consent="", printed_at=RECEIVED_AT)
    assert made is not None
    assert made.received_by == "Lý Minh"


# ---- what stands on it


def test_every_field_of_the_form_stands_on_the_receipt() -> None:
    made = receipt(**EVERYTHING)
    found = shown(made)
    facts = {name: value for name, value, _ in found["facts"]}
    assert facts == {
        "from": "Nguyễn Thị Bé",
        "owner": "Trần Văn Tám",
        "address": "12/3 ấp Phú Hữu, xã Phú Tâm, thành phố Cần Thơ",
        "phone": "0912 345 678",
        "email": "be.nguyen@example.vn",
        "id_number": "094123456789",
        "procedure": "Cấp bản sao trích lục hộ tịch, bản sao Giấy khai sinh (1.004946)",
        "subject": "Xin cấp 03 bản sao trích lục khai sinh để làm hồ sơ du học cho con",
    }
    terms = {words(name): words(value) for name, value in found["terms"]}
    assert terms == {
        "Số lượng hồ sơ": "2 bộ",
        "Thời gian giải quyết theo quy định": "5 ngày làm việc",
        "Thời gian nhận hồ sơ": "14:05 23/11/2026",
        "Thời gian trả kết quả": "14:05 30/11/2026",
        "Nhận kết quả tại": "Sở Tư pháp, Số 1 Ngô Hữu Hạnh (02993 013016)",
        "Phí, lệ phí": "24.000 đồng, chưa nộp",
    }
    assert made.code == "H13.16-261123-0001"
    assert found["day"] == "Ngày 23 tháng 11 năm 2026"
    assert len(made.papers) == 8
    assert found["signs"] == (("applicant", "Nguyễn Thị Bé"), ("officer", "Trần Thị Ngọc Lan"))


def test_what_is_not_known_leaves_no_empty_line() -> None:
    found = shown(receipt(**BARE))
    assert [name for name, *_ in found["facts"]] == ["from", "procedure"]
    terms = {words(name): words(value) for name, value in found["terms"]}
    assert terms["Thời gian giải quyết theo quy định"] == "không quy định"
    assert terms["Thời gian trả kết quả"] == "chưa hẹn ngày, cơ quan sẽ báo"
    assert "Phí, lệ phí" not in terms


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        (TimeLimit(0), "trong ngày"),
        (TimeLimit(5), "5 ngày làm việc"),
        (TimeLimit(8, LimitUnit.WORKING_HOURS), "8 giờ làm việc"),
        (TimeLimit(15, LimitUnit.DAYS), "15 ngày"),
    ],
)
def test_the_time_the_law_allows_is_told_in_its_unit(limit: TimeLimit, told: str) -> None:
    assert words(Wording(catalogue=catalogue()).limit(limit)) == told


def test_what_was_on_paper_first_says_when_it_was_entered() -> None:
    assert receipt().late_entered_at is None
    entered = RECEIVED_AT + 26 * HOUR
    made = receipt(late=True, entered_at=entered)
    assert made.late_entered_at == entered
    assert made.received_at == RECEIVED_AT


def test_consent_is_printed_in_the_words_that_were_agreed_to() -> None:
    agreed = shown(receipt(notify=True, notify_words="Đồng ý nhận tin qua 0912 345 678"))
    assert agreed["consent"] == [("vi", "Đồng ý nhận tin qua 0912 345 678")]
    assert words(agreed["decided"]) == "Có"
    asked = shown(receipt(notify=False))
    assert asked["consent"] == [("vi", "Đồng ý nhận tin")]
    assert words(asked["decided"]) == "Không"


def test_a_paid_fee_is_told_as_paid() -> None:
    found = shown(receipt(fee_dong=8_000, paid_at=RECEIVED_AT))
    assert "8.000 đồng, đã nộp" in [words(value) for _, value in found["terms"]]


# ---- where to ask


def read(text: str) -> Any:
    return read_inquiry(text, Grammar.from_mapping(toml(CONFIG / "grammar.toml")), today=RECEIVED_AT.date())


def test_what_it_tells_to_type_is_understood_as_it_says() -> None:
    made = receipt()
    code = parse_canonical(made.code)
    assert code is not None
    ask, more, follow = (read(made.texts[name]) for name in ("ask", "more", "follow"))
    assert ask == LookUp(codes=(code,))
    assert isinstance(more, LookUp)
    assert more.codes == (code,)
    assert more.proof is not None
    assert (more.proof.kind, more.proof.value) == (ProofKind.SECRET, "K7M4PX")
    assert follow == Follow(codes=(code,))
    assert made.texts["ask"] == "TC H13.16-261123-0001"


def test_its_qr_code_says_its_page_and_every_reader_finds_the_code_in_it() -> None:
    made = receipt()
    assert made.qr == "HTTPS://TRACUU.EXAMPLE.VN/D/H13.16-261123-0001"
    alone = receipt(replace(PLACES, short=""))
    assert alone.qr == alone.code
    for text in (made.qr, alone.qr):
        assert [code.text for code in read_codes(text, today=RECEIVED_AT.date()).codes] == [made.code]
        assert read(text) == read(made.code)
        assert isinstance(read(text), LookUp)


def test_without_numbers_and_addresses_nothing_is_told_to_type() -> None:
    found = shown(receipt(LookUpPlaces()))
    assert found["ways"] == []
    assert receipt(LookUpPlaces()).texts == {}


def test_the_secret_stands_where_it_must_and_nowhere_else() -> None:
    made = receipt(**EVERYTHING)
    holding = {field.name for field in dataclasses.fields(made) if made.secret in repr(getattr(made, field.name))}
    assert holding == {"secret", "texts"}
    assert [name for name, text in made.texts.items() if made.secret in text] == ["more"]
    assert made.secret not in made.qr
    of = dossier(1, status=S.STOPPED, reason="dừng")
    for form, action in ((Form.STOP, A.STOP), (Form.APOLOGY, A.APOLOGISE)):
        letter = make_letter(form, of, [step(of, action)])
        assert letter is not None
        written = letter_shown(letter, of, AGENCY, Wording(catalogue=catalogue()), None)
        assert of.secret not in repr(written)


def test_a_receipt_without_a_secret_tells_nobody_to_send_one() -> None:
    assert set(receipt(secret="").texts) == {"ask", "follow"}


@pytest.mark.parametrize("text", ["H13.16-261123-0001", "HTTPS://TRACUU.CANTHO.GOV.VN/D/H13.16-261123-0001", "A" * 90])
def test_a_module_is_a_whole_number_of_dots_and_the_code_is_large_enough(text: str) -> None:
    drawn = str(qr_drawing(text))
    whole = float(drawn.partition('width="')[2].partition("mm")[0])
    dots = float(drawn.partition("scale(")[2].partition(")")[0]) * 8
    assert dots == int(dots)
    modules = whole * 8 / dots - 8
    assert modules == int(modules)
    assert modules * dots / 8 >= 25


# ---- languages


def test_vietnamese_is_the_legal_text_and_the_other_language_stands_under_it() -> None:
    say = Wording(catalogue=catalogue(), second="km")
    assert [language for language, _ in say("receipt")] == ["vi", "km"]
    assert say.legal("receipt") == "Giấy tiếp nhận hồ sơ và hẹn trả kết quả"
    assert words(say("refused", agency=AGENCY.names)).count("Sở Tư pháp") == 2  # it has no Khmer name
    english = Wording(catalogue=catalogue(), second="en")
    assert "14:05 23 Nov 2026" in words(english("late", moment=RECEIVED_AT))


@pytest.mark.parametrize("second", ["", "vi", "fr"])
def test_without_texts_in_a_language_the_paper_is_vietnamese(second: str) -> None:
    assert Wording(catalogue=catalogue(), second=second).languages == ("vi",)


def test_a_letter_writes_its_day_as_vietnamese_letters_do() -> None:
    assert long_day(datetime(2026, 2, 4, 20, tzinfo=UTC)) == "Ngày 05 tháng 02 năm 2026"
    assert long_day(datetime(2026, 3, 14, tzinfo=UTC)) == "Ngày 14 tháng 3 năm 2026"


# ---- the letters


def test_a_letter_without_an_occasion_is_not_written() -> None:
    of = dossier(1)
    assert all(make_letter(form, of, [step(of)]) is None for form in Form)
    assert letters_of([step(of)]) == ()


def test_a_request_names_what_is_missing_while_it_is_awaited() -> None:
    wanted = missing(papers(3))
    of = dossier(1, status=S.MORE_DOCUMENTS, papers=wanted, missing="thiếu", supplement_by=date(2026, 12, 14))
    steps = [step(of, after=S.ACCEPTED), step(of, A.ASK_SUPPLEMENT, reason="bản chụp mờ")]
    letter = make_letter(Form.SUPPLEMENT, of, steps)
    assert letter is not None
    assert (letter.papers, letter.until, letter.reason) == (wanted[-1:], date(2026, 12, 14), "bản chụp mờ")
    done = replace(of, status=S.ACCEPTED, supplement_by=None)
    later = make_letter(Form.SUPPLEMENT, done, [*steps, step(done, A.TAKE_SUPPLEMENT)])
    assert later is not None
    assert (later.papers, later.until, later.reason) == ((), None, "bản chụp mờ")


def test_the_clock_running_on_an_incomplete_dossier_writes_no_second_request() -> None:
    """A note on a dossier that waits keeps its state: the request is still the one that asked."""
    of = dossier(1, status=S.MORE_DOCUMENTS)
    steps = [step(of, A.ASK_SUPPLEMENT, reason="thiếu đơn"), step(of, A.NOTE, reason="đã gọi điện")]
    letter = make_letter(Form.SUPPLEMENT, of, steps)
    assert letter is not None
    assert letter.reason == "thiếu đơn"


@pytest.mark.parametrize("action", [REGISTERED, A.REFUSE])
def test_a_refusal_says_why_whether_at_once_or_later(action: str) -> None:
    of = dossier(1, status=S.NOT_ACCEPTED, due_at=None, reason="không thuộc thẩm quyền")
    letter = make_letter(Form.REFUSAL, of, [step(of, action, reason="không thuộc thẩm quyền")])
    assert letter is not None
    assert letter.reason == "không thuộc thẩm quyền"


def test_an_apology_names_the_day_before_and_the_new_one() -> None:
    later = RECEIVED_AT + timedelta(days=12)
    of = dossier(1, due_at=later, apologised_at=RECEIVED_AT + HOUR)
    steps = [step(of, due_at=RECEIVED_AT + timedelta(days=7)), step(of, A.APOLOGISE, reason="chờ xác minh")]
    letter = make_letter(Form.APOLOGY, of, steps)
    assert letter is not None
    assert (letter.promised_at, letter.due_at) == (RECEIVED_AT + timedelta(days=7), later)


def test_a_stop_says_whether_it_was_wished() -> None:
    of = dossier(1, status=S.STOPPED)
    stopped = make_letter(Form.STOP, of, [step(of, A.STOP, reason="chết")])
    wished = make_letter(Form.STOP, of, [step(of, A.AGREE_WITHDRAWAL)])
    assert stopped is not None
    assert wished is not None
    assert (stopped.wished, wished.wished) == (False, True)


# ---- papers of the office


def test_the_slip_shows_every_hand_the_dossier_went_through() -> None:
    of = dossier(1, status=S.DONE, finished_at=RECEIVED_AT + HOUR, holder="H13.08", unit="")
    forwarded = step(
        of,
        A.FORWARD,
        from_agency="H13.16",
        from_unit="Phòng Hộ tịch",
        to_agency="H13.08",
        entered_at=RECEIVED_AT + HOUR,
        reason="chuyển xử lý",
    )
    rows = hand_overs(of, [step(of, after=S.ACCEPTED), forwarded])
    assert rows is not None
    found = slip_shown(of, rows, office()["intake_slip"], lambda name: f"CQ {name}")
    (row,) = found["rows"]
    assert row["between"] == "Phòng Hộ tịch, CQ H13.16 → CQ H13.08"
    assert row["entered"] == "nhập lúc 23/11/2026 15:05"
    assert ("Kết quả giải quyết", "Trước hạn") in found["facts"]


@pytest.mark.parametrize(
    ("finished", "how"),
    [
        (timedelta(days=6), Punctuality.EARLY),
        (timedelta(days=7), Punctuality.ON_TIME),
        (timedelta(days=7, seconds=1), Punctuality.LATE),
    ],
)
def test_a_result_is_early_on_time_or_late(finished: timedelta, how: Punctuality) -> None:
    of = dossier(1, status=S.DONE, finished_at=RECEIVED_AT + finished)
    assert punctuality(of, local_day) is how


def test_what_is_not_finished_or_not_promised_is_not_judged() -> None:
    assert punctuality(dossier(1), local_day) is None
    assert punctuality(dossier(1, status=S.DONE, finished_at=RECEIVED_AT, due_at=None), local_day) is None
    assert punctuality(dossier(1, status=S.STOPPED, finished_at=RECEIVED_AT), local_day) is None


def test_the_book_lists_in_the_order_of_receiving_and_marks_what_was_late() -> None:
    first, second = dossier(1, late=True), dossier(2, received_at=RECEIVED_AT + HOUR)
    rows = book_rows([second, first], office()["intake_book"], office()["intake_source"], str)
    assert [row["received"] for row in rows] == ["23/11/2026 14:05", "23/11/2026 15:05"]
    assert [row["note"] for row in rows] == ["nhập bù", ""]
    assert all(set(row) == set(BOOK_COLUMNS) - {"number"} for row in rows)
