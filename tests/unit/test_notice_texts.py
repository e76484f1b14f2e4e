"""Notices: each says who speaks, what is true and what to do, fits two segments, and asks for nothing a thief would."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from domain.agencies import Agencies
from domain.answers import DossierAnswer, Outcome
from domain.calendar import LOCAL_ZONE
from domain.catalogue import Catalogue
from domain.codes import DossierCode
from domain.dossier import Dossier, DossierStatus
from domain.gsm import Alphabet, segments_needed
from domain.notice_keys import ABOUT_A_DOSSIER, NOTICE_PLACEHOLDERS, TO_OFFICERS
from domain.notice_texts import NoticeWriter
from domain.notices import NoticeKind
from domain.replies import ReplyWriter
from domain.reply_keys import STATE_KEYS
from domain.stoppage import Announced
from domain.text import unaccent
from gateway.notice_command import notice, previewed
from gateway.notice_samples import OCCASIONS, SAMPLES
from tests.unit.speaking import CONFIG, LANGUAGES, NOW, STALE_AFTER, shipped_agencies, shipped_texts, voice
from tests.unit.test_texts import CODE_26, CODE_45, LONG_AGENCY, TRAPS, flat

K = NoticeKind
S = DossierStatus
CODE = DossierCode(text="H51.18-260917-0005", agency="H51.18")
TODAY = date(2026, 10, 8)
DUE = date(2026, 10, 28)
# The state a dossier is in when this is told of it.
STATES: Mapping[NoticeKind, DossierStatus] = {kind: samples[0].status for kind, samples in SAMPLES.items()}
KINDS = sorted(ABOUT_A_DOSSIER)
EVENING = datetime(2026, 10, 18, 22, 0, tzinfo=LOCAL_ZONE)


def dossier(kind: NoticeKind, **changes: Any) -> Dossier:
    told: dict[str, Any] = {
        "code": CODE,
        "source": "hoso",
        "status": STATES[kind],
        "agency": "H13.10",
        "due_on": DUE,
    }
    return Dossier(**told | changes)


def long_names() -> Agencies:
    """The shipped agencies, with one whose name and telephone are as long as they may be."""
    agencies = shipped_agencies()
    row = {"identifier": "Y99", "short_name": LONG_AGENCY, "level": "commune", "phone": "02993 821888"}
    return Agencies.from_mapping({**agencies, "agency": [*agencies["agency"], row]})


@pytest.fixture(scope="module")
def writer() -> NoticeWriter:
    return NoticeWriter(Catalogue.from_mapping(shipped_texts()), long_names())


def every_shape(kind: NoticeKind, code: str) -> list[Dossier]:
    """Every state a correction may tell, with a day, without one, with one nobody knows, and late."""
    base = dossier(kind, code=DossierCode(text=code), agency="Y99")
    states = [*DossierStatus, None] if kind is K.CORRECTED else [STATES[kind]]
    days: list[dict[str, Any]] = [
        {},
        {"due_on": None},
        {"due_on": None, "due_unknown": True},
        {"due_on": date(2026, 9, 28)},
    ]
    return [replace(base, status=status, **day) for status in states for day in days]


# ---- how long they are


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_worst_case_is_one_gsm_segment_without_accents(
    writer: NoticeWriter, kind: NoticeKind, language: str
) -> None:
    for each in every_shape(kind, CODE_26):
        text = writer.about(kind, each, voice(language, segments=1))
        assert segments_needed(text) == (Alphabet.GSM7, 1), (len(text), text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_worst_case_keeps_its_accents_in_two_segments(
    writer: NoticeWriter, kind: NoticeKind, language: str
) -> None:
    for each in every_shape(kind, CODE_26):
        text = writer.about(kind, each, voice(language, accents=True))
        assert segments_needed(text) == (Alphabet.UCS2, 2), (len(text), text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_longest_codes_and_papers_need_two_segments_at_most(
    writer: NoticeWriter, kind: NoticeKind, language: str
) -> None:
    for each in every_shape(kind, CODE_45):
        asked = replace(each, missing="Giấy chứng nhận quyền sử dụng đất, " * 9, fee="1.500.000 đồng, " * 9)
        for accents in (False, True):
            text = writer.about(kind, asked, voice(language, accents=accents), proved=True)
            assert segments_needed(text)[1] <= 2, (len(text), text)
            assert CODE_45 in text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_how_to_end_it_never_costs_a_segment_or_the_accents(
    writer: NoticeWriter, kind: NoticeKind, language: str
) -> None:
    for each in every_shape(kind, CODE_26):
        with_room = writer.about(kind, each, voice(language, accents=True, segments=3))
        without = writer.about(kind, each, voice(language, accents=True))
        assert "HUY" in with_room
        assert with_room.startswith(without)


# ---- what they say


@pytest.mark.parametrize("language", [*LANGUAGES, "km"])
def test_under_a_name_nobody_can_answer_it_says_which_number_to_write_to(language: str) -> None:
    texts = {each: tomllib.loads((CONFIG / "texts" / f"{each}.toml").read_text("utf-8")) for each in ("vi", "en", "km")}
    writer = NoticeWriter(Catalogue.from_mapping(texts), long_names())
    named = replace(voice(language, segments=3), answer_to="8100")
    evening = dossier(K.READY)
    for text in (
        writer.about(K.READY, evening, named),
        writer.stoppage(EVENING, EVENING + timedelta(hours=1), named),
    ):
        assert "8100" in text
        assert "HUY" in text or "DUNG" in text
    assert "8100" not in writer.about(K.READY, evening, voice(language, segments=3))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_an_unasked_message_says_who_speaks_about_what_whom_to_call_and_how_to_end_it(
    writer: NoticeWriter, kind: NoticeKind, language: str
) -> None:
    text = writer.about(kind, dossier(kind), voice(language))
    for said in ("So NN-MT Can Tho", CODE.text, "02993 013010", "HUY"):
        assert said in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_notices_say_the_same(writer: NoticeWriter, language: str) -> None:
    texts = [writer.about(kind, dossier(kind), voice(language)) for kind in KINDS]
    assert len(set(texts)) == len(KINDS)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", [K.ACCEPTED, K.IN_PROCESS, K.APPOINTMENT_CHANGED, K.APPOINTMENT_MOVED, K.REMINDER])
def test_a_day_that_is_missing_is_not_made_up(writer: NoticeWriter, kind: NoticeKind, language: str) -> None:
    none = writer.about(kind, dossier(kind, due_on=None), voice(language))
    unknown = writer.about(kind, dossier(kind, due_on=None, due_unknown=True), voice(language))
    assert "2026" not in none.replace(CODE.text, "")
    assert "None" not in none + unknown
    if kind in (K.ACCEPTED, K.IN_PROCESS):
        assert none != unknown


@pytest.mark.parametrize("kind", [K.ACCEPTED, K.IN_PROCESS])
def test_a_promised_day_that_is_past_is_not_told_as_a_promise(writer: NoticeWriter, kind: NoticeKind) -> None:
    text = writer.about(kind, dossier(kind, due_on=TODAY - timedelta(days=1)), voice())
    assert "qua hen tra 07/10/2026" in text


def test_the_apology_belongs_to_the_later_day_alone(writer: NoticeWriter) -> None:
    sorry = {
        kind for kind in KINDS for each in every_shape(kind, CODE_26) if "loi" in writer.about(kind, each, voice())
    }
    assert sorry == {K.APPOINTMENT_CHANGED}


@pytest.mark.parametrize("status", [*DossierStatus, None])
def test_a_correction_says_that_the_last_message_is_void_and_what_is_true_now(
    writer: NoticeWriter, status: DossierStatus | None
) -> None:
    now_true = Catalogue.from_mapping(shipped_texts()).section("vi", "notice.state")[STATE_KEYS[status]]
    text = writer.about(K.CORRECTED, dossier(K.CORRECTED, status=status), voice(accents=True))
    assert f"nay {now_true}" in text
    assert "hết hiệu lực" in text
    assert ("28/10/2026" in text) == (status in (S.ACCEPTED, S.IN_PROCESS))


@pytest.mark.parametrize("kind", [K.READY, K.READY_EARLY, K.RETURNED])
def test_a_result_is_told_where_it_is_fetched(writer: NoticeWriter, kind: NoticeKind) -> None:
    text = writer.about(kind, dossier(kind, returning_agency="H13"), voice(accents=True))
    assert text.startswith("TT Phục vụ HCC TP Cần Thơ")
    assert "02993 000000" in text


def test_an_agency_that_ended_is_told_as_its_successor(writer: NoticeWriter) -> None:
    assert "So NN-MT Can Tho" in writer.about(K.ACCEPTED, dossier(K.ACCEPTED, agency="H51.18"), voice())
    unknown = dossier(K.ACCEPTED, agency="Q77", code=DossierCode(text="Q77-260917-0005", agency="Q77"))
    assert "TT Phuc vu HCC TP Can Tho" in writer.about(K.ACCEPTED, unknown, voice())


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_payment_notice_does_not_read_like_a_scam(writer: NoticeWriter, language: str) -> None:
    text = writer.about(K.PAYMENT_DUE, dossier(K.PAYMENT_DUE, fee="120.000 đồng"), voice(language), proved=True)
    assert {"vi": "khong qua tin nhan", "en": "never by SMS"}[language] in text
    assert not re.search(r"https?:|www\.|\.vn|\.com|tai khoan|\bSTK\b|account|\d{8,}", text.replace(CODE.text, ""))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("kind", "status"),
    [(K.MORE_DOCUMENTS, S.MORE_DOCUMENTS), (K.PAYMENT_DUE, S.PAYMENT_DUE), (K.CORRECTED, S.MORE_DOCUMENTS)],
)
def test_papers_and_fee_are_named_to_whoever_proved_a_right_and_to_nobody_else(
    writer: NoticeWriter, kind: NoticeKind, status: DossierStatus, language: str
) -> None:
    asked = dossier(kind, status=status, missing="Ban chinh", fee="120.000", unit="Phong 3", procedure_name="Dat dai")
    public, proved = (writer.about(kind, asked, voice(language), proved=each) for each in (False, True))
    wanted = "120.000" if status is S.PAYMENT_DUE else "Ban chinh"
    assert wanted in proved
    assert wanted not in public
    for never in ("Phong 3", "Dat dai"):
        assert never not in public + proved


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_proved_is_told_by_a_notice_that_asks_for_nothing(writer: NoticeWriter, kind: NoticeKind) -> None:
    asking = {K.MORE_DOCUMENTS, K.PAYMENT_DUE}
    told = writer.about(kind, dossier(kind, missing="Ban chinh", fee="120.000"), voice(), proved=True)
    assert ("Ban chinh" in told or "120.000" in told) == (kind in asking)


def test_papers_nobody_named_leave_no_empty_sentence(writer: NoticeWriter) -> None:
    told = dossier(K.MORE_DOCUMENTS)
    assert writer.about(K.MORE_DOCUMENTS, told, voice(), proved=True) == writer.about(K.MORE_DOCUMENTS, told, voice())


def test_a_source_s_words_are_data(writer: NoticeWriter) -> None:
    hostile = dossier(K.MORE_DOCUMENTS, missing="{phone}[x] \u202eabc\n{code}")
    text = writer.about(K.MORE_DOCUMENTS, hostile, voice(), proved=True)
    assert "{phone}[x] abc {code}" in text


@pytest.mark.parametrize("kind", sorted(TO_OFFICERS | {K.STOPPAGE}))
def test_what_is_not_about_a_dossier_is_not_told_of_one(writer: NoticeWriter, kind: NoticeKind) -> None:
    with pytest.raises(ValueError, match="not about one dossier"):
        writer.about(kind, dossier(K.ACCEPTED), voice())


# ---- the wording itself


@pytest.mark.parametrize("trap", TRAPS)
def test_no_notice_turns_into_another_when_it_loses_its_accents(trap: str) -> None:
    for text in flat(shipped_texts()["vi"]["notice"]):
        assert not TRAPS[trap].search(unaccent(text)), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_notice_says_what_a_later_reading_makes_wrong(language: str) -> None:
    for text in flat(shipped_texts()[language]["notice"]):
        assert not re.search(r"hôm nay|ngày mai|ngày kia|today|tomorrow|://", text, re.IGNORECASE), text


def test_every_fault_of_the_notices_is_named_at_once() -> None:
    texts = shipped_texts()
    for language in LANGUAGES:
        texts[language]["notice"]["farewell"] = "Bye"
        texts[language]["notice"]["ready"] = "{due_on}"
        del texts[language]["notice"]["state"]["done"]
    with pytest.raises(ValueError, match="texts") as caught:
        NoticeWriter(Catalogue.from_mapping(texts), long_names())
    assert str(caught.value).splitlines() == [
        "texts: notice.state.done is missing",
        "texts: notice.farewell is said by nobody",
        "texts: notice.ready cannot mention due_on",
    ]


# ---- to officers


@given(
    total=st.integers(1, 3000),
    named=st.integers(1, 40),
    language=st.sampled_from(LANGUAGES),
    accents=st.booleans(),
    kind=st.sampled_from(sorted(TO_OFFICERS)),
)
def test_officers_are_told_how_many_and_the_first_that_fit(
    writer: NoticeWriter, total: int, named: int, language: str, kind: NoticeKind, *, accents: bool
) -> None:
    codes = [DossierCode(text=f"H13.10-261001-{serial:04}") for serial in range(1, min(named, total) + 1)]
    text = writer.officers(kind, "H13.10", codes, total, voice(language, accents=accents), days=3)
    assert segments_needed(text)[1] <= 2
    shown = [code.text for code in codes if code.text in text]
    assert shown == [code.text for code in codes][: len(shown)]
    assert shown
    rest = re.search(r", (?:và|va|and) (\d+) (?:hồ sơ khác|ho so khac|more)$", text)
    assert len(shown) + (int(rest[1]) if rest else 0) == total
    assert f": {total} " in text


def test_officers_are_told_the_rule_and_whose_dossiers(writer: NoticeWriter) -> None:
    text = writer.officers(K.OFFICERS_WAITING, "H13.10", [CODE], 1, voice(), days=3)
    assert text == "So NN-MT Can Tho: 1 ho so qua 3 ngay lam viec chua tiep nhan: H51.18-260917-0005"


def test_officers_are_told_of_dossiers_only(writer: NoticeWriter) -> None:
    for kind, codes in ((K.READY, [CODE]), (K.OFFICERS_LATE, [])):
        with pytest.raises(ValueError, match="officers"):
            writer.officers(kind, "H13.10", codes, 1, voice())


# ---- a planned stoppage


def test_the_day_both_ends_share_is_said_once(writer: NoticeWriter) -> None:
    one_day = writer.stoppage(EVENING, EVENING + timedelta(minutes=90), voice(accents=True))
    assert "từ 22:00 đến 23:30 18/10/2026" in one_day
    two_days = writer.stoppage(EVENING, EVENING + timedelta(hours=7), voice(accents=True))
    assert "từ 22:00 18/10/2026 đến 05:00 19/10/2026" in two_days


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("accents", [False, True])
@pytest.mark.parametrize("words", ["", "Cổng dịch vụ công nâng cấp.", "Nâng cấp hệ thống " * 40])
def test_a_stoppage_fits_two_segments_with_both_its_ends(
    writer: NoticeWriter, language: str, words: str, *, accents: bool
) -> None:
    text = writer.stoppage(EVENING, EVENING + timedelta(hours=7), voice(language, accents=accents), text=words)
    assert segments_needed(text)[1] <= 2, (len(text), text)
    for said in ("22:00 18", "05:00 19"):
        assert said in text
    assert ".." not in text.replace("...", "")


@cache
def read_once() -> tuple[Catalogue, Agencies]:
    return Catalogue.from_mapping(shipped_texts()), long_names()


def announcing(announced: Announced | None) -> ReplyWriter:
    return ReplyWriter(*read_once(), stale_after=STALE_AFTER, announced=lambda: announced)


def announced(**texts: str) -> Announced:
    return Announced(starts_at=EVENING, ends_at=EVENING + timedelta(minutes=90), texts=texts)


def found(status: DossierStatus = S.IN_PROCESS, **changes: Any) -> DossierAnswer:
    told = dossier(K.IN_PROCESS, status=status, **changes)
    return DossierAnswer(code=told.code, outcome=Outcome.FOUND, dossier=told, as_of=NOW)


def test_an_announced_stoppage_is_said_behind_an_answer_and_drops_nothing() -> None:
    plain = announcing(None).dossier_answers([found()], voice())
    told = announcing(announced()).dossier_answers([found()], voice())
    assert told == f"{plain}. He thong tam ngung tu 22:00 den 23:30 18/10/2026"


@given(
    status=st.sampled_from(DossierStatus),
    code=st.sampled_from([CODE.text, CODE_26, CODE_45]),
    accents=st.booleans(),
    segments=st.integers(1, 3),
    words=st.text(st.characters(codec="utf-8"), max_size=300),
)
def test_an_announced_stoppage_is_only_ever_added(
    status: DossierStatus, code: str, segments: int, words: str, *, accents: bool
) -> None:
    answer = found(status, code=DossierCode(text=code), agency="Y99")
    speaking = voice(accents=accents, segments=segments)
    plain = announcing(None).dossier_answers([answer, answer], speaking)
    told = announcing(announced(vi=words)).dossier_answers([answer, answer], speaking)
    assert told.startswith(plain)
    assert told == plain or speaking.fits(told)


def test_the_operator_s_words_are_said_where_they_fit_and_ours_where_they_do_not() -> None:
    short, long = "Cổng dịch vụ công nâng cấp", "Cổng dịch vụ công nâng cấp toàn bộ " * 8
    told = announcing(announced(vi=short)).dossier_answers([found()], voice())
    assert told.endswith(". Cong dich vu cong nang cap. Tu 22:00 den 23:30 18/10/2026")
    far = found(code=DossierCode(text=CODE_45), agency="Y99")
    told = announcing(announced(vi=long)).dossier_answers([far], voice())
    assert told.endswith(". He thong tam ngung tu 22:00 den 23:30 18/10/2026")


def test_a_language_the_operator_did_not_write_in_gets_our_words() -> None:
    told = announcing(announced(vi="Cổng dịch vụ công nâng cấp")).dossier_answers([found()], voice("en"))
    assert told.endswith(". The system stops from 22:00 to 23:30 18 Oct 2026")


def test_a_stoppage_that_is_over_is_not_said() -> None:
    over = announced()
    plain = announcing(None).dossier_answers([found()], voice(now=over.ends_at))
    assert announcing(over).dossier_answers([found()], voice(now=over.ends_at)) == plain
    before = voice(now=over.ends_at - timedelta(seconds=1))
    assert announcing(over).dossier_answers([found()], before) != plain


def test_a_question_back_is_not_blurred_by_a_stoppage() -> None:
    for say in ("help", "which_of_two", "stop_all"):
        params = {"code": CODE, "code2": CODE, "as_of": NOW}
        assert announcing(announced()).say(say, voice(), **params) == announcing(None).say(say, voice(), **params)


# ---- the preview


def test_every_notice_can_be_previewed() -> None:
    assert OCCASIONS.keys() == set(NoticeKind)
    assert SAMPLES.keys() == ABOUT_A_DOSSIER
    shown = list(
        previewed(
            Catalogue.from_mapping(shipped_texts()),
            long_names(),
            kinds=list(NoticeKind),
            languages=LANGUAGES,
            agency="H13.10",
            accents=[False, True],
            now=NOW,
        )
    )
    assert {(each.kind, each.language) for each in shown} == {(kind, lang) for kind in NoticeKind for lang in LANGUAGES}
    assert all(each.segments <= 2 for each in shown)
    assert {each.alphabet for each in shown} == {"GSM7", "UCS2"}


def test_every_text_of_a_notice_is_seen_in_the_preview() -> None:
    texts = shipped_texts()
    for key in NOTICE_PLACEHOLDERS:
        texts["vi"]["notice"][key] = f"<{key}> " + texts["vi"]["notice"][key]
    shown = previewed(
        Catalogue.from_mapping(texts),
        long_names(),
        kinds=list(NoticeKind),
        languages=["vi"],
        agency="H13.10",
        accents=[False],
        now=NOW,
    )
    seen = {key for each in shown for key in re.findall(r"<(\w+)>", each.text)}
    assert seen == {key for key in NOTICE_PLACEHOLDERS if not key.endswith("_tail")}


def test_the_command_shows_what_was_chosen_and_nothing_else() -> None:
    arguments = ["preview", "--config", str(CONFIG / "demo.toml"), "--kind", "ready", "--language", "vi"]
    shown = CliRunner().invoke(notice, [*arguments, "--agency", "H13.10", "--no-accents"])
    assert shown.exit_code == 0, shown.output
    assert "So NN-MT Can Tho: ho so H13.10-250701-0000 da co ket qua" in shown.output
    assert "UCS2" not in shown.output
    assert "returned" not in shown.output


@pytest.mark.parametrize(("option", "value"), [("--language", "fr"), ("--agency", "Q77"), ("--kind", "broadcast")])
def test_the_command_refuses_what_there_is_not(option: str, value: str) -> None:
    shown = CliRunner().invoke(notice, ["preview", "--config", str(CONFIG / "demo.toml"), option, value])
    assert shown.exit_code != 0
    assert value in shown.output
