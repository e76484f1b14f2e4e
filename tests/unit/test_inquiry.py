"""What people type is understood as they mean it, and in doubt as what changes least."""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Callable
from datetime import date
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.codes import DossierCode, LegacyPattern, WhyNone, parse_canonical
from domain.grammar import Grammar, Kind
from domain.inquiry import (
    AskBack,
    Choice,
    ChooseLanguage,
    Example,
    Feedback,
    FindProcedure,
    Follow,
    Help,
    Inquiry,
    JoinNumber,
    ListFollowed,
    LookUp,
    PartNumber,
    ProcedureHelp,
    Resume,
    StopAll,
    Thanks,
    Unfollow,
    Unreadable,
    read_inquiry,
)
from domain.proof import Proof, ProofKind

TODAY = date(2026, 11, 22)
WORDS = tomllib.loads((Path(__file__).parents[2] / "config" / "grammar.toml").read_text(encoding="utf-8"))
GRAMMAR = Grammar.from_mapping(WORDS)
OLD = "000.00.18.H51-161220-0001"
NEW = "H51.18-210817-0005"


def code(text: str) -> DossierCode:
    found = parse_canonical(text)
    assert found is not None
    return found


THIS = (code(NEW),)
BOTH = (code(NEW), code(OLD))
TWO = (code("H51.29.18-210817-0005"), code("H51.291.8-210817-0005"))
SPACED = tuple(map(code, ("H51.29.1.8-210817-0005", "H51.29.18-210817-0005", "H51.291.8-210817-0005")))
NO_CODE = Unreadable(reason=WhyNone.NO_CODE)


def read(text: str) -> Inquiry:
    return read_inquiry(text, GRAMMAR, today=TODAY)


TYPED: list[tuple[str, Inquiry]] = [
    # looking up
    (NEW, LookUp(codes=THIS)),
    (f"TRA CUU {NEW}", LookUp(codes=THIS)),
    (f"tra cứu hồ sơ {NEW}", LookUp(codes=THIS)),
    (f"TC{NEW}", LookUp(codes=THIS)),
    (f"HS: {NEW}", LookUp(codes=THIS)),
    (f"hs{NEW.lower()}", LookUp(codes=THIS)),
    ("H51,18-210817-5", LookUp(codes=THIS)),
    (f"ho65 so7 {NEW}", LookUp(codes=THIS)),
    (f"tra cu71u {NEW}", LookUp(codes=THIS)),
    (f"Cho em hỏi hồ sơ {NEW} bao giờ có kết quả ạ?", LookUp(codes=THIS)),
    (f"da em cam on {NEW} nhe", LookUp(codes=THIS)),
    (f"xin chao {NEW}", LookUp(codes=THIS)),
    (f"{NEW} va {OLD}", LookUp(codes=BOTH)),
    (f"{NEW}\n{OLD}", LookUp(codes=BOTH)),
    (f"EN {NEW}", LookUp(codes=THIS)),
    (f"TT {NEW}", LookUp(codes=THIS)),
    (f"help {NEW}", LookUp(codes=THIS)),
    (f"đúng {NEW}", LookUp(codes=THIS)),
    (f"{NEW} dung khong", LookUp(codes=THIS)),
    (f"dang ky ket hon {NEW}", LookUp(codes=THIS)),
    (f"dung huy {NEW}", LookUp(codes=THIS)),
    (f"đừng hủy {NEW}", LookUp(codes=THIS)),
    (f"HUY {NEW} DK {OLD}", LookUp(codes=BOTH)),
    ("H51.2918-210817-0005", AskBack(candidates=TWO)),
    ("H51.29 1 8-210817-0005", AskBack(candidates=SPACED)),
    (f"DK {NEW} 2", AskBack(candidates=(code(NEW), code(f"{NEW}2")), wish="follow")),
    ("huy H51 29 18 210817 0005", Unfollow(codes=TWO[:1])),
    ("H51.18-250701-0000", Example()),
    ("DK H51.18-250701-0000", Example()),
    # following and not
    (f"DK {NEW}", Follow(codes=THIS)),
    (f"DK{NEW}", Follow(codes=THIS)),
    (f"dk: {NEW}", Follow(codes=THIS)),
    (f"ĐK {NEW} {OLD}", Follow(codes=BOTH)),
    (f"Đăng ký {NEW}", Follow(codes=THIS)),
    (f"toi muon dang ky nhan tin ho so {NEW}", Follow(codes=THIS)),
    (f"{NEW} dk", Follow(codes=THIS)),
    (f"bat {NEW}", Follow(codes=THIS)),
    ("DK H51.2918-210817-0005", AskBack(candidates=TWO, wish="follow")),
    ("dk", Follow()),
    ("theo dõi ạ", Follow()),
    ("dang ky ket hon", NO_CODE),
    ("dk 0005", Unreadable(reason=WhyNone.PARTIAL)),
    (f"HUY {NEW}", Unfollow(codes=THIS)),
    (f"HUY{NEW}", Unfollow(codes=THIS)),
    (f"Hủy, {NEW}", Unfollow(codes=THIS)),
    (f"HUỶ {NEW}", Unfollow(codes=THIS)),
    (f"huyr {NEW}", Unfollow(codes=THIS)),
    (f"hu3y {NEW}", Unfollow(codes=THIS)),
    (f"xin huy theo doi ma {NEW} vi da nhan ket qua", Unfollow(codes=THIS)),
    (f"{NEW} huy", Unfollow(codes=THIS)),
    ("huy H51.2918-210817-0005", AskBack(candidates=TWO, wish="unfollow")),
    ("huy", Unfollow()),
    ("huy ho so", Unfollow()),
    ("hủy theo dõi nhé", Unfollow()),
    # stopping: honoured, never by mistake, never more than was named
    ("DUNG", StopAll()),
    (" dung. ", StopAll()),
    ("Dừng", StopAll()),
    ("NGUNG", StopAll()),
    ("ngừng nhận tin", StopAll()),
    ("dung nhan tin nua", StopAll()),
    ("stop", StopAll()),
    ("STOP please", StopAll()),
    ("huy het", StopAll()),
    ("ngu72ng", StopAll()),
    ("ឈប់", StopAll()),
    ("khong nhan tin", StopAll()),
    ("toi khong nhan tin", NO_CODE),
    ("sao khong nhan tin", NO_CODE),
    ("em khong nhan tin nua", StopAll()),
    (f"dung {NEW}", Unfollow(codes=THIS)),
    (f"STOP {NEW}", Unfollow(codes=THIS)),
    (f"ngung {NEW}", Unfollow(codes=THIS)),
    ("đúng", Thanks()),
    ("Đúng rồi", Thanks()),
    ("dung roi cam on", Thanks()),
    ("dung roi", Thanks()),
    ("ok dung", Thanks()),
    ("vang dung", Thanks()),
    ("vâng đúng ạ", Thanks()),
    ("ok đừng", NO_CODE),
    ("dung?", NO_CODE),
    ("đừng", NO_CODE),
    ("dung lo", NO_CODE),
    ("dung xe o dau", NO_CODE),
    ("BAT", Resume()),
    ("bật lại ạ", Resume()),
    ("bắt", NO_CODE),
    # a choice
    ("1", Choice(number=1)),
    (" 2. ", Choice(number=2)),
    ("(1)", Choice(number=1)),
    ("chọn số 2 ạ", Choice(number=2)),
    ("mã 1", Choice(number=1)),
    ("១", Choice(number=1)),
    ("0", NO_CODE),
    ("1 hay 2", NO_CODE),
    # procedures
    ("TT khai sinh", FindProcedure(words="khai sinh")),
    ("thủ tục: cấp lại thẻ căn cước", FindProcedure(words="cấp lại thẻ căn cước")),
    ("tra cuu thu tuc khai sinh", FindProcedure(words="khai sinh")),
    ("1.004946.000.00.00.H51", FindProcedure(words="1.004946.000.00.00.H51")),
    ("tt 1.004946", FindProcedure(words="1.004946")),
    ("dk 1.004946", Unreadable(reason=WhyNone.PROCEDURE_CODE)),
    ("TT", ProcedureHelp()),
    ("Thủ tục?", ProcedureHelp()),
    # languages
    ("VI", ChooseLanguage(language="vi")),
    ("en", ChooseLanguage(language="en")),
    ("English please", ChooseLanguage(language="en")),
    ("KM", ChooseLanguage(language="km")),
    ("ភាសាខ្មែរ", ChooseLanguage(language="km")),
    ("CO DAU", ChooseLanguage(language="vi", accents=True)),
    ("không dấu", ChooseLanguage(language="vi", accents=False)),
    ("tieng viet khong dau", ChooseLanguage(language="vi", accents=False)),
    ("khong dau", ChooseLanguage(language="vi", accents=False)),
    ("khong dau em a", NO_CODE),
    ("em khong dau", NO_CODE),
    ("không đâu", NO_CODE),
    ("có đâu", NO_CODE),
    ("vi sao cham", NO_CODE),
    # feedback, help, courtesy
    (f"GY {NEW} giải quyết chậm", Feedback(text=f"{NEW} giải quyết chậm")),
    ("Góp ý: cán bộ\nrất tốt", Feedback(text="cán bộ rất tốt")),
    ("GY", Feedback(text="")),
    ("HELP", Help()),
    ("trợ giúp", Help()),
    ("HD", Help()),
    ("?", Help()),
    ("ជំនួយ", Help()),
    ("alo", Help()),
    ("Xin chào ạ", Help()),
    ("hello", Help()),
    ("cam on", Thanks()),
    ("ok cảm ơn anh nhé", Thanks()),
    ("dạ", Thanks()),
    ("vang", Thanks()),
    ("thanks", Thanks()),
    ("👍", Thanks()),
    ("ok 🙏", Thanks()),
    # nothing to be read
    ("", Unreadable(reason=WhyNone.EMPTY)),
    ("\u202e\u200b\n", Unreadable(reason=WhyNone.EMPTY)),
    ("0912345678", Unreadable(reason=WhyNone.PHONE_NUMBER)),
    ("0005", Unreadable(reason=WhyNone.PARTIAL)),
    ("tra cuu", NO_CODE),
    ("tra cuu 0005", Unreadable(reason=WhyNone.PARTIAL)),
    ("H51.18-210230-0005", Unreadable(reason=WhyNone.BAD_DATE)),
    ("bao gio co ket qua", NO_CODE),
    ("😡", NO_CODE),
    ("' OR 1=1; DROP TABLE inbox;--", NO_CODE),
    ("{{7*7}} ${jndi:ldap}", NO_CODE),
]


@pytest.mark.parametrize(("typed", "meant"), TYPED)
def test_a_message_is_understood_as_meant(typed: str, meant: Inquiry) -> None:
    assert read(typed) == meant


@pytest.mark.parametrize(("typed", "meant"), TYPED)
def test_decomposed_accents_change_nothing(typed: str, meant: Inquiry) -> None:
    assert read(unicodedata.normalize("NFD", typed)) == meant


@pytest.mark.parametrize("section", ["follow", "unfollow", "stop_all"])
def test_every_word_of_a_wish_works_before_a_code(section: str) -> None:
    expected = Follow(codes=THIS) if section == "follow" else Unfollow(codes=THIS)
    for words in WORDS[section].values():
        for word in words:
            assert read(f"{word} {NEW}") == expected, word
            assert read(f"{word.upper()}: {NEW}") == expected, word


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in (Kind.FILLER, Kind.LOOK_UP)])
def test_every_word_of_the_grammar_is_understood_by_itself(kind: Kind) -> None:
    expected: dict[Kind, type] = {
        Kind.FOLLOW: Follow,
        Kind.UNFOLLOW: Unfollow,
        Kind.LIST: ListFollowed,
        Kind.STOP_ALL: StopAll,
        Kind.RESUME: Resume,
        Kind.THANKS: Thanks,
        Kind.VIETNAMESE: ChooseLanguage,
        Kind.ENGLISH: ChooseLanguage,
        Kind.KHMER: ChooseLanguage,
        Kind.ACCENTS_ON: ChooseLanguage,
        Kind.ACCENTS_OFF: ChooseLanguage,
        Kind.PROCEDURE: ProcedureHelp,
        Kind.FEEDBACK: Feedback,
        Kind.SECRET: Unreadable,  # of what?
        Kind.LAST_FOUR: Unreadable,
        Kind.LINK: JoinNumber,
        Kind.UNLINK: PartNumber,
    }
    for words in WORDS[kind.value].values():
        for word in words:
            assert type(read(word)) is expected.get(kind, Help), word


def test_feedback_is_stored_as_safe_plain_text() -> None:
    inquiry = read("GY a\u202eb\x00c\x1b[31m\n" + "d" * 5_000)
    assert isinstance(inquiry, Feedback)
    assert inquiry.text.startswith("abc[31m d")
    assert len(inquiry.text) == 1_000
    assert inquiry.text.isprintable()


def test_a_legacy_number_is_looked_up() -> None:
    legacy = [LegacyPattern("H51.29", "#####/####/#####")]
    inquiry = read_inquiry("HS 03706/2016/07906", GRAMMAR, today=TODAY, legacy=legacy)
    assert isinstance(inquiry, LookUp)
    assert str(inquiry.codes[0]) == "03706/2016/07906"


SECRET = Proof(ProofKind.SECRET, "7K3M9Q")
LAST_FOUR = Proof(ProofKind.LAST_FOUR, "1234")


@pytest.mark.parametrize(
    ("typed", "proof"),
    [
        (f"{NEW} MK 7K3M9Q", SECRET),
        (f"mã tra cứu 7K3M9Q {OLD}", SECRET),
        (f"SDT 1234 {OLD}", LAST_FOUR),
        (f"{NEW} 4 số cuối là 1234", LAST_FOUR),
        (f"{NEW} SDT 0987 651 234", None),
        (f"{NEW} 1234", None),
        (f"{NEW} 7K3M9Q", None),
        (f"{NEW} MK {OLD}", None),
        (f"{NEW} SDT 12345", None),
    ],
)
def test_a_proof_is_one_only_behind_its_keyword(typed: str, proof: Proof | None) -> None:
    inquiry = read(typed)
    assert getattr(inquiry, "proof", None) == proof
    assert isinstance(inquiry, LookUp if proof else LookUp | AskBack)


@pytest.mark.parametrize("section", ["secret", "last_four"])
@pytest.mark.parametrize("code", [NEW, OLD])
def test_every_word_of_a_proof_works_before_a_code_and_behind_it(section: str, code: str) -> None:
    for word in WORDS[section]["words"]:
        for typed in (f"{word} 1234 {code}", f"{code} {word.upper()}: 1234"):
            inquiry = read(typed)
            assert isinstance(inquiry, LookUp), typed
            assert [each.text for each in inquiry.codes] == [code], typed
            assert inquiry.proof == Proof(ProofKind(section), "1234"), typed


LAYOUTS: list[Callable[[str], str]] = [
    str,
    str.lower,
    lambda code: code.replace(".", " ").replace("-", " "),
    lambda code: code.replace(".", " "),
    lambda code: code.replace("-", " "),
    lambda code: code.replace(".", ""),
    lambda code: code.replace(".", "").replace("-", ""),
    lambda code: code.replace(".", "").replace("-", " "),
    lambda code: code.replace(".", "-"),
    lambda code: code.replace("-", "."),
    lambda code: code.replace("-", " - "),
    lambda code: code.removeprefix("000.").removeprefix("00.").replace(".", " ").replace("-", " "),
]
BESIDE = [
    "{word} {code}",
    "{word}: {code}",
    "{word} la {code}",
    "{code} {word}",
    "{code} {word} 0912345678",
    "{code} {word} 0912 345 678",
    "{word} 0912.345.678 {code}",
    "{word} {code} mk 7K3M9Q",
    "{code} sdt 1234 {word}",
    "sdt 1234 {code} {word}",
    "mk 12 34 56 {code} {word}",
    "{code} {word} 12 34 56",
]


@pytest.mark.parametrize("code", [OLD, NEW, "000.01.18.H51-190305-0007", "H51-250701-0012", "G09.20-20260609-0092637"])
@pytest.mark.parametrize("section", ["secret", "last_four"])
def test_a_keyword_never_changes_the_code(section: str, code: str) -> None:
    for layout, word, beside in product(LAYOUTS, WORDS[section]["words"], BESIDE):
        plain = read(layout(code))
        inquiry = read(beside.format(word=word, code=layout(code)))
        if isinstance(inquiry, LookUp) and isinstance(plain, LookUp):
            assert inquiry.codes == plain.codes, beside.format(word=word, code=layout(code))


@pytest.mark.parametrize("word", ["ma tra cuu", "mk", "pin", "mat khau"])
def test_the_beginning_of_an_old_code_is_no_secret(word: str) -> None:
    assert read(f"{word} 000 00 18 H51 161220 0001") == LookUp(codes=(code(OLD),))
    assert not isinstance(read(f"{word} 000 1 18 H51 161220 0001"), LookUp)
    assert not isinstance(read(f"{word} 1234 H51 250701 0012"), LookUp)


def test_four_digits_that_may_be_the_codes_own_are_asked_about() -> None:
    own, others = code("H51-250701-0012"), code("000.00.18.H51-250701-0012")
    assert read("SDT 0018 H51-250701-0012") == AskBack(candidates=(others, own))


def test_an_agencys_keyword_disturbs_no_wish() -> None:
    legacy = [LegacyPattern("H51.18", "#####/####", keyword="STNMT")]
    assert read_inquiry(f"DK STNMT {NEW}", GRAMMAR, today=TODAY, legacy=legacy) == Follow(codes=THIS)


@given(st.one_of(st.text(max_size=400), st.binary(max_size=400).map(lambda raw: raw.decode("latin-1"))))
def test_no_input_raises_and_strangers_words_never_stop_or_follow(typed: str) -> None:
    assert isinstance(read(typed), Inquiry)


@pytest.mark.parametrize(
    "piece", ["dung ", "HUY ", "H51 ", "1", "?", "😀", "\u202e", "\ud800", "\x00", "GY ", "cho toi ", "%", "{{x}}", "។"]
)
def test_ten_thousand_signs_of_anything_are_answered(piece: str) -> None:
    assert isinstance(read((piece * 10_000)[:10_000]), Inquiry)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ({"follow": {"words": ["dk"]}, "unfollow": {"words": ["ĐK"]}}, "ĐK"),
        ({"stop_all": {"alone": ["dung"]}, "thanks": {"words": ["đúng", "dung"]}}, "dung"),
        ({"stop_all": {"exact": ["dung"]}, "thanks": {"words": ["dung"]}}, "dung"),
        ({"help": {"signs": "?"}, "thanks": {"signs": "👍?"}}, r"\?"),
        ({"help": {"words": ["hd", "HD"]}}, "HD"),
        ({"fly": {"words": ["dk"]}}, "fly"),
        ({"follow": {"verbs": ["dk"]}}, "verbs"),
        ({"follow": {"words": "dk"}}, "follow.words"),
        ({"follow": {"words": [""]}}, "follow.words"),
        ({"follow": {"words": [1]}}, "follow.words"),
        ({"follow": {"words": ["!"]}}, "!"),
        ({"follow": ["dk"]}, "follow"),
    ],
)
def test_a_faulty_grammar_is_refused_by_name(words: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Grammar.from_mapping(words)
