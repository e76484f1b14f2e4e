"""Replies: what happened decides the words; they fit, name the right agency, and nothing in the data is obeyed."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.agencies import Agencies
from domain.answers import DossierAnswer, Outcome
from domain.catalogue import Catalogue
from domain.codes import CodeFamily, DossierCode, WhyNone
from domain.dossier import Dossier, DossierStatus
from domain.gsm import Alphabet, segments_needed
from domain.replies import ReplyWriter, late
from domain.reply_keys import UNREADABLE_KEYS
from domain.text import unaccent
from tests.unit.speaking import NOW, STALE_AFTER, shipped_agencies, shipped_texts, shipped_writer, voice

CODE = DossierCode(text="H51.18-260917-0005", agency="H51.18")
OTHER = DossierCode(text="000.00.04.H51-260918-0001", family=CodeFamily.OLD, agency="000.00.04.H51")
TODAY = date(2026, 10, 8)
TOMORROW = date(2026, 10, 9)


@pytest.fixture(scope="module")
def writer() -> ReplyWriter:
    return shipped_writer()


def found(
    status: DossierStatus | None = DossierStatus.IN_PROCESS,
    *,
    code: DossierCode = CODE,
    agency: str = "H51.18",
    due_on: date | None = TOMORROW,
    due_unknown: bool = False,
    as_of: datetime = NOW,
) -> DossierAnswer:
    dossier = Dossier(code=code, source="demo", status=status, agency=agency, due_on=due_on, due_unknown=due_unknown)
    return DossierAnswer(code=code, outcome=Outcome.FOUND, dossier=dossier, as_of=as_of)


def without_dossier(outcome: Outcome, code: DossierCode = CODE) -> DossierAnswer:
    return DossierAnswer(code=code, outcome=outcome)


def last_known(answer: DossierAnswer) -> DossierAnswer:
    return DossierAnswer(code=answer.code, outcome=Outcome.SOURCE_DOWN, dossier=answer.dossier, as_of=answer.as_of)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            found(),
            (
                "Ho so H51.18-260917-0005 dang xu ly tai So NN-MT Can Tho, hen tra 09/10/2026. Chua can nop them. "
                "DT 02993 013010"
            ),
        ),
        (
            found(due_on=None),
            (
                "Ho so H51.18-260917-0005 dang xu ly tai So NN-MT Can Tho, chua hen ngay tra. Chua can nop them. "
                "DT 02993 013010"
            ),
        ),
        (
            found(due_on=None, due_unknown=True),
            (
                "Ho so H51.18-260917-0005 dang xu ly tai So NN-MT Can Tho. Ngay hen tra: xem bien nhan hoac goi "
                "02993 013010"
            ),
        ),
        (
            found(due_on=date(2026, 10, 7)),
            (
                "Xin loi: ho so H51.18-260917-0005 qua hen tra 07/10/2026, con xu ly tai So NN-MT Can Tho. "
                "Xin goi 02993 013010"
            ),
        ),
        (
            found(DossierStatus.ACCEPTED, due_on=None),
            "Ho so H51.18-260917-0005 da tiep nhan tai So NN-MT Can Tho, chua hen ngay tra. DT 02993 013010",
        ),
        (
            found(None),
            "Ho so H51.18-260917-0005 dang xu ly. De biet ro hon, xin hoi So NN-MT Can Tho, DT 02993 013010",
        ),
        (
            without_dossier(Outcome.NOT_FOUND),
            ("Chua co thong tin ve ma H51.18-260917-0005. Co quan nay nay la So NN-MT Can Tho, xin goi 02993 013010"),
        ),
        (
            without_dossier(Outcome.SOURCE_DOWN),
            (
                "Chua xem duoc ho so H51.18-260917-0005, he thong dang gian doan. Xin gui lai sau it phut hoac goi "
                "02993 013010"
            ),
        ),
        (
            last_known(found()),
            (
                "Ho so H51.18-260917-0005: luc 14:30 08/10/2026 dang xu ly, hen tra 09/10/2026. He thong dang gian doan. "
                "DT 02993 013010"
            ),
        ),
        (
            last_known(found(DossierStatus.DONE)),
            "Ho so H51.18-260917-0005: luc 14:30 08/10/2026 da co ket qua. He thong dang gian doan. DT 02993 013010",
        ),
    ],
)
def test_each_outcome_has_its_words(writer: ReplyWriter, answer: DossierAnswer, text: str) -> None:
    assert writer.dossier_answers([answer], voice()) == text


def test_the_five_outcomes_never_share_a_text(writer: ReplyWriter) -> None:
    answers = [found(), last_known(found())] + [
        without_dossier(outcome) for outcome in Outcome if outcome is not Outcome.FOUND
    ]
    assert len({writer.dossier_answers([answer], voice()) for answer in answers}) == len(answers)


@pytest.mark.parametrize("status", DossierStatus)
def test_every_state_is_told_with_code_and_telephone(writer: ReplyWriter, status: DossierStatus) -> None:
    for language in ("vi", "en"):
        text = writer.dossier_answers([found(status)], voice(language))
        assert CODE.text in text
        assert "02993 013010" in text


@pytest.mark.parametrize("status", [*DossierStatus, None])
def test_lateness_is_excused_only_where_the_agency_has_the_next_step(status: DossierStatus | None) -> None:
    answer = found(status, due_on=date(2026, 10, 1))
    assert answer.dossier is not None
    assert late(answer.dossier, TODAY) == (status in {DossierStatus.ACCEPTED, DossierStatus.IN_PROCESS})


def test_the_due_day_itself_is_not_late_yet_in_soc_trang(writer: ReplyWriter) -> None:
    one_minute_to_midnight = datetime.fromisoformat("2026-10-09T23:59:00+07:00")
    minute = timedelta(minutes=1)
    assert "qua hen" not in writer.dossier_answers([found()], voice(now=one_minute_to_midnight))
    assert "qua hen" in writer.dossier_answers([found()], voice(now=one_minute_to_midnight + minute))


def test_english_dates_cannot_be_misread(writer: ReplyWriter) -> None:
    assert writer.dossier_answers([found()], voice("en")) == (
        "Dossier H51.18-260917-0005 is in process at So NN-MT Can Tho, due 09 Oct 2026. No action needed. "
        "Tel 02993 013010"
    )


def test_accents_are_kept_where_they_are_wanted_and_fit(writer: ReplyWriter) -> None:
    text = writer.dossier_answers([found()], voice(accents=True))
    assert text.startswith("Hồ sơ H51.18-260917-0005 đang xử lý tại Sở NN-MT Cần Thơ, hẹn trả 09/10/2026.")
    assert writer.dossier_answers([found()], voice(accents=True, segments=1)) == unaccent(text)


def test_a_text_that_is_too_long_loses_its_tails_and_never_its_core(writer: ReplyWriter) -> None:
    nothing_fits = voice(accents=True, segments=-1)
    assert writer.dossier_answers([found()], nothing_fits) == (
        "Ho so H51.18-260917-0005 dang xu ly tai So NN-MT Can Tho, hen tra 09/10/2026. DT 02993 013010"
    )


def test_old_data_are_told_with_their_time_and_fresh_ones_without(writer: ReplyWriter) -> None:
    old = found(as_of=NOW - STALE_AFTER - timedelta(seconds=1))
    assert writer.dossier_answers([old], voice()).endswith("DT 02993 013010. So lieu 14:14 08/10/2026")
    assert writer.dossier_answers([old], voice("en")).endswith("Tel 02993 013010. Data 14:14 08 Oct 2026")
    assert "So lieu" not in writer.dossier_answers([found(as_of=NOW - STALE_AFTER)], voice())


def test_two_codes_are_answered_in_one_reply(writer: ReplyWriter) -> None:
    text = writer.dossier_answers([found(), without_dossier(Outcome.NOT_FOUND, OTHER)], voice())
    first, second = text.split("\n")
    assert CODE.text in first
    assert OTHER.text in second
    assert "So Cong Thuong" in second


def test_a_third_code_is_asked_for_separately(writer: ReplyWriter) -> None:
    answers = [found(), found(code=OTHER), found()]
    assert writer.dossier_answers(answers, voice(segments=0)).endswith("\nCon ma khac, xin gui rieng")
    assert writer.dossier_answers([found()], voice(), more=True).endswith("\nCon ma khac, xin gui rieng")


def test_two_answers_too_long_together_become_the_first_and_an_invitation(writer: ReplyWriter) -> None:
    text = writer.dossier_answers([found(DossierStatus.DONE), found(code=OTHER)], voice(segments=1))
    assert text == writer.dossier_answers([found(DossierStatus.DONE)], voice()) + "\nCon ma khac, xin gui rieng"
    assert segments_needed(text) == (Alphabet.GSM7, 1)


def test_no_answer_at_all_is_the_callers_mistake(writer: ReplyWriter) -> None:
    with pytest.raises(ValueError, match="nothing to answer"):
        writer.dossier_answers([], voice())


def test_not_found_names_the_agency_of_the_typed_code_never_of_a_dossier(writer: ReplyWriter) -> None:
    somebodys = found(agency="H51.04").dossier
    withheld = DossierAnswer(code=CODE, outcome=Outcome.NOT_FOUND, dossier=somebodys)
    assert writer.dossier_answers([withheld], voice()) == writer.dossier_answers(
        [without_dossier(Outcome.NOT_FOUND)], voice()
    )


def test_a_strangers_code_is_sent_to_the_help_desk(writer: ReplyWriter) -> None:
    stranger = DossierCode(text="H15.50-261008-0975", agency="H15.50")
    text = writer.dossier_answers([without_dossier(Outcome.NOT_FOUND, stranger)], voice())
    assert "TT Phuc vu HCC TP Can Tho, 02993 000000" in text


def test_the_successor_is_named_for_an_agency_that_is_gone(writer: ReplyWriter) -> None:
    gone = DossierCode(text="H51.15-240823-0001", agency="H51.15")
    assert writer.dossier_answers([without_dossier(Outcome.NOT_FOUND, gone)], voice()) == (
        "Chua co thong tin ve ma H51.15-240823-0001. Co quan nay nay la So KH-CN Can Tho, xin goi 02993 013008"
    )
    assert "So KH-CN" in writer.dossier_answers([found(code=gone, agency="H51.15")], voice())


def test_a_telephone_nobody_listed_is_the_help_desks() -> None:
    mapping = shipped_agencies()
    for row in mapping["agency"]:
        if row["identifier"] == "H13.10":
            del row["phone"]
    writer = ReplyWriter(
        Catalogue.from_mapping(shipped_texts()), Agencies.from_mapping(mapping), stale_after=STALE_AFTER
    )
    assert "So NN-MT Can Tho" in writer.dossier_answers([found()], voice())
    assert "02993 000000" in writer.dossier_answers([found()], voice())


HOSTILE = "{code}\x00\x1b[31m\u202e{phone}\r\n'; DROP TABLE inbox; -- {{7*7}} %s $x"


def test_hostile_data_are_told_harmlessly_or_not_at_all(writer: ReplyWriter) -> None:
    text = writer.dossier_answers([found(agency=HOSTILE)], voice(accents=True))
    assert text == writer.dossier_answers([found()], voice(accents=True))  # an unknown holder: the code's own agency
    for accents in (True, False):
        values = {"procedure": HOSTILE, "fee": "A", "where": "A", "days": 1}
        said = writer.say("procedure_found", voice(accents=accents, segments=0), **values)
        assert "{code}" in said
        assert "{phone}" in said
        assert all(character.isprintable() for character in said)


def test_an_unknown_language_is_answered_in_the_first_one(writer: ReplyWriter) -> None:
    assert writer.languages[0] == "vi"
    assert writer.say("help", voice("km")) == writer.say("help", voice("vi"))


def test_help_gives_the_help_desks_telephone(writer: ReplyWriter) -> None:
    assert writer.say("help", voice()).endswith("DT 02993 000000")


@pytest.mark.parametrize("why", WhyNone)
def test_every_reason_for_no_code_has_its_words(writer: ReplyWriter, why: WhyNone) -> None:
    text = writer.unreadable(why, voice())
    assert {"ma", "STNMT"} & set(text.split())
    assert "02993 000000" in text
    assert UNREADABLE_KEYS.keys() == set(WhyNone)


def test_a_reason_nobody_knows_is_simply_unreadable(writer: ReplyWriter) -> None:
    assert writer.unreadable("", voice()) == writer.say("unreadable", voice())


@pytest.mark.parametrize("count", [2, 3, 4])
def test_the_question_back_numbers_every_reading(writer: ReplyWriter, count: int) -> None:
    readings = [f"H51.18-260917-000{number}" for number in range(1, count + 1)]
    text = writer.ask_back(readings, voice())
    assert all(f"{number}: {code}" in text for number, code in enumerate(readings, start=1))


@pytest.mark.parametrize(
    "agencies", [("H51.18", "H51.16"), ("H51.18", "H51.16", "H51.14"), ("H51.06", "H51.09", "H51.10", "H51.19")]
)
def test_one_receipt_number_of_several_agencies_is_told_apart_by_their_names(
    writer: ReplyWriter, agencies: tuple[str, ...]
) -> None:
    numbers = [DossierCode(text="12345/2016/00123", family=CodeFamily.LEGACY, agency=agency) for agency in agencies]
    shipped = Agencies.from_mapping(shipped_agencies())
    text = writer.ask_back(numbers, voice(segments=1))
    for number, agency in enumerate(agencies, start=1):
        named = shipped.find(agency)
        assert named is not None
        assert f"{number}: {unaccent(named.short_name)}" in text
    assert segments_needed(text) == (Alphabet.GSM7, 1)


def test_two_receipt_numbers_of_one_agency_are_told_apart_by_themselves(writer: ReplyWriter) -> None:
    numbers = [DossierCode(text=f"BN-2016-{each}", family=CodeFamily.LEGACY, agency="H51.19") for each in (12, 123)]
    assert "1: BN-2016-12 2: BN-2016-123" in writer.ask_back(numbers, voice())


def test_more_readings_than_can_be_chosen_among_are_asked_for_again(writer: ReplyWriter) -> None:
    assert writer.ask_back(["H51.18-260917-0001"] * 5, voice()) == writer.say("too_many_readings", voice())


def test_a_missing_value_is_refused_and_never_told_as_braces(writer: ReplyWriter) -> None:
    with pytest.raises(KeyError):
        writer.say("feedback_received", voice())
    with pytest.raises(KeyError):
        writer.say("no such text", voice())


codes = st.builds(
    lambda agency, serial: DossierCode(text=f"{agency}-260917-{serial}", agency=agency),
    st.sampled_from(["H51.18", "000.18.29.H51", "H51.15", "G09.20", "H26.103.250.700.800.900.111"]),
    st.integers(0, 10_000_000).map(lambda number: f"{number:04}"),
)
moments = st.integers(0, 100_000).map(lambda minutes: NOW - timedelta(minutes=minutes))
statuses = st.sampled_from([*DossierStatus, None])
days = st.none() | st.dates(date(2020, 1, 1), date(2030, 12, 31))
answers = st.one_of(
    st.builds(
        found,
        statuses,
        code=codes,
        agency=st.sampled_from(["H51.29.18", "H51.20.03", "H51", HOSTILE, ""]),
        due_on=days,
        as_of=moments,
    ),
    st.builds(
        lambda status, code, day, at: last_known(found(status, code=code, due_on=day, as_of=at)),
        statuses,
        codes,
        days,
        moments,
    ),
    st.builds(without_dossier, st.sampled_from([each for each in Outcome if each is not Outcome.FOUND]), codes),
)
WRITER = shipped_writer()


@given(
    told=st.lists(answers, min_size=1, max_size=4),
    language=st.sampled_from(["vi", "en"]),
    accents=st.booleans(),
    more=st.booleans(),
)
def test_a_reply_always_fits_two_segments(
    told: list[DossierAnswer], language: str, *, accents: bool, more: bool
) -> None:
    text = WRITER.dossier_answers(told, voice(language, accents=accents), more=more)
    alphabet, count = segments_needed(text)
    assert count <= 2
    assert accents or alphabet is Alphabet.GSM7


@given(answer=answers, language=st.sampled_from(["vi", "en"]), accents=st.booleans())
def test_a_dossier_code_is_told_whole_or_not_at_all(answer: DossierAnswer, language: str, *, accents: bool) -> None:
    speaking_of_it = answer.outcome is not Outcome.UNREADABLE
    for segments in (-1, 1, 2, 0):
        text = WRITER.dossier_answers([answer], voice(language, accents=accents, segments=segments))
        assert (answer.code.text in text) == speaking_of_it


def proved(**more: Any) -> DossierAnswer:
    dossier = Dossier(code=CODE, source="demo", status=DossierStatus.MORE_DOCUMENTS, agency="H51.18", **more)
    return DossierAnswer(code=CODE, outcome=Outcome.FOUND, dossier=dossier, as_of=NOW)


def test_who_proved_is_told_first_what_to_bring_and_only_what_there_is(writer: ReplyWriter) -> None:
    more = {"missing": "bản sao căn cước", "fee": "50.000 đồng", "procedure_name": "Cấp đổi", "unit": "Phòng Đất đai"}
    text = writer.dossier_answers([proved(**more)], voice())
    assert text.endswith(
        ". Con thieu: ban sao can cuoc. Phi, le phi: 50.000 dong. Thu tuc: Cap doi. Bo phan: Phong Dat dai"
    )
    assert writer.dossier_answers([proved(fee="50.000 đồng")], voice()).endswith(". Phi, le phi: 50.000 dong")
    assert writer.dossier_answers([proved(procedure="1.004946")], voice()).endswith(". Thu tuc: 1.004946")


def test_what_does_not_fit_is_left_out_from_the_least_urgent(writer: ReplyWriter) -> None:
    more = {name: f"{name} " * 9 for name in ("missing", "fee", "procedure_name", "unit")}
    full = writer.dossier_answers([proved(**more)], voice(segments=0))
    two = writer.dossier_answers([proved(**more)], voice(segments=2))
    one = writer.dossier_answers([proved(**more)], voice(segments=1))
    assert "Bo phan" in full
    assert "Con thieu" in two
    assert "Bo phan" not in two
    assert full.startswith(two)
    assert two.startswith(one)


def test_long_papers_are_cut_at_a_word_and_stay_in_two_segments(writer: ReplyWriter) -> None:
    text = writer.dossier_answers([proved(missing="giấy chứng nhận quyền sử dụng đất, " * 20)], voice())
    assert segments_needed(text) == (Alphabet.GSM7, 2)
    assert text.endswith("...")


def test_refused_code_is_told_the_same_whatever_there_is(writer: ReplyWriter) -> None:
    text = writer.dossier_answers([without_dossier(Outcome.REFUSED)], voice())
    assert text == (
        "Ma H51.18-260917-0005: xin gui tu so dien thoai ghi trong ho so, hoac goi So NN-MT Can Tho, 02993 013010"
    )
