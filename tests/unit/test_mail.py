"""An e-mail that an officer opens: what fills the form, and that no mail whatever is too much."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.mail import LARGEST_MAIL, Mail, MailFile, MailNote, MailTrouble, read_mail
from intake.mail_guesses import guessed
from intake.mail_parts import LONGEST_HEADER, MOST_DEPTH, MOST_HEADERS, MOST_LINES, MOST_PARTS
from intake.mail_text import LONGEST_TEXT, text_of_html
from intake.winmail import files_of_winmail
from tests.unit.handing_in import pdf

MIB = 1024 * 1024
TEXT = """Kính gửi Bộ phận Một cửa,

Tôi tên là Nguyễn Thị Lan, số CCCD 094199012345.
Xin nộp hồ sơ thủ tục 1.004946 về hộ kinh doanh.
Điện thoại: 0912 345 678.
"""


def letter(text: str = TEXT, subject: str = "Nộp hồ sơ đăng ký hộ kinh doanh") -> EmailMessage:
    made = EmailMessage(policy=SMTP)
    made["From"] = "Nguyễn Thị Lan <lan@example.vn>"
    made["To"] = "motcua@soctrang.example.vn"
    made["Subject"] = subject
    made["Date"] = "Mon, 03 Aug 2026 14:05:00 +0700"
    made.set_content(text)
    return made


def opened(data: bytes | EmailMessage) -> Mail:
    found = read_mail(data if isinstance(data, bytes) else data.as_bytes())
    assert isinstance(found, Mail), found
    return found


def raw(headers: str, body: bytes = b"text") -> bytes:
    return headers.strip().replace("\n", "\r\n").encode("utf-8") + b"\r\n\r\n" + body


# What cannot be opened.


@pytest.mark.parametrize(
    ("data", "trouble"),
    [
        (b"", MailTrouble.EMPTY),
        (b" \r\n\r\n", MailTrouble.EMPTY),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1_000), MailTrouble.OUTLOOK),
        (b"just some text", MailTrouble.NOT_A_MAIL),
        (pdf(), MailTrouble.NOT_A_MAIL),
        (b"Colour: red\r\n\r\ntext", MailTrouble.NOT_A_MAIL),
        (bytes(1_000), MailTrouble.NOT_A_MAIL),
        (b"a" * (LARGEST_MAIL + 1), MailTrouble.TOO_LARGE),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_mail_is_told_as_that(data: bytes, trouble: MailTrouble) -> None:
    assert read_mail(data) is trouble


def nested(depth: int, kind: str = "multipart/mixed") -> bytes:
    made = b"From: a@b.vn\r\n"
    for level in range(depth):
        made += b'Content-Type: %b; boundary="b%d"\r\n\r\n--b%d\r\n' % (kind.encode(), level, level)
    return made + b"\r\ntext"


def wrapped(depth: int) -> bytes:
    return b"From: a@b.vn\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * depth + b"Subject: x\r\n\r\ntext"


@pytest.mark.parametrize(
    "data",
    [
        nested(MOST_DEPTH + 2),
        nested(2_000),
        nested(2_000, "multipart/digest"),
        wrapped(MOST_DEPTH + 2),
        wrapped(5_000),
        raw("From: a@b.vn\nContent-Type: multipart/mixed; boundary=b", b"--b\r\n\r\nx\r\n" * (MOST_PARTS + 1)),
        raw("From: a@b.vn", b"\n" * MOST_LINES),
        b"From: a@b.vn\r\n" + b"X: y\r\n" * (MOST_HEADERS + 1) + b"\r\ntext",
    ],
    ids=["deep", "deeper", "digests", "mails in mails", "more of them", "parts", "lines", "headers"],
)
def test_a_mail_that_is_more_than_a_letter_is_told_as_that(data: bytes) -> None:
    assert read_mail(data) is MailTrouble.TOO_MUCH


HUGE = {
    "a header of megabytes": raw("From: a@b.vn\nSubject: " + "x" * (8 * MIB)),
    "a folded one": raw("From: a@b.vn\nSubject: x" + "\n y" * (MOST_LINES - 10)),
    "encoded words": raw("From: a@b.vn\nSubject: " + "=?utf-8?b?eA==?= " * 100_000),
    "half encoded words": raw("From: a@b.vn\nSubject: " + "=?utf-8?b?" * 100_000),
    "senders": raw("From: " + "a@b.vn, " * 100_000 + '"' * 1_000 + "(" * 10_000),
    "parameters": raw("From: a@b.vn\nContent-Type: text/plain" + "; a=b" * 200_000),
    "pieces of a name": raw(
        "From: a@b.vn\nContent-Disposition: attachment" + "".join(f"; filename*{n}=a" for n in range(50_000))
    ),
    "a wide number of a piece": raw("From: a@b.vn\nContent-Disposition: attachment; filename*" + "9" * 5_000 + "=a"),
    "a charset that is slow": raw("From: a@b.vn\nContent-Type: text/plain; charset=punycode", b"a-" * MIB),
    "open brackets": raw("From: a@b.vn\nContent-Type: text/html", b"<" * (4 * MIB)),
    "open comments": raw("From: a@b.vn\nContent-Type: text/html", b"<!--" * MIB),
    "open scripts": raw("From: a@b.vn\nContent-Type: text/html", b"<script " * MIB),
    "numbers": raw("From: a@b.vn", b"09 12-34." * MIB),
    "one line": raw("From: a@b.vn", b"x" * (20 * MIB)),
    "boundaries": raw("From: a@b.vn\nContent-Type: multipart/mixed; boundary=b", b"--c\r\n" * (MOST_LINES - 10)),
    "broken base64": raw("From: a@b.vn\nContent-Transfer-Encoding: base64", b"=a=b" * MIB),
    "broken uuencode": raw("From: a@b.vn\nContent-Transfer-Encoding: x-uuencode", b"begin 600 a\r\n" + b"M" * MIB),
}


@pytest.mark.parametrize("what", HUGE)
def test_what_is_huge_is_read_as_far_as_it_may_be(what: str) -> None:
    found = read_mail(HUGE[what])
    assert isinstance(found, Mail)
    assert len(found.subject) <= LONGEST_HEADER
    assert len(found.text) <= LONGEST_TEXT
    guessed(sender_name=found.name, subject=found.subject, text=found.text)


@given(data=st.binary(max_size=3_000))
def test_no_octets_whatever_raise(data: bytes) -> None:
    assert isinstance(read_mail(b"From: a@b.vn\r\n" + data), Mail | MailTrouble)
    assert isinstance(read_mail(data), Mail | MailTrouble)


@given(data=st.data())
def test_a_damaged_mail_is_read_as_far_as_it_goes(data: st.DataObject) -> None:
    message = letter()
    message.add_alternative("<p>Đơn</p>", subtype="html")
    message.add_attachment(pdf(), maintype="application", subtype="pdf", filename="Đơn xin.pdf")
    made = bytearray(message.as_bytes())
    for _ in range(data.draw(st.integers(1, 10))):
        made[data.draw(st.integers(0, len(made) - 1))] = data.draw(st.integers(0, 255))
    found = read_mail(bytes(made[: data.draw(st.integers(1, len(made)))]))
    assert isinstance(found, Mail | MailTrouble)


# Damaged ones that can still be read.


def test_a_mail_without_its_boundary_is_read_as_text() -> None:
    found = opened(raw("From: a@b.vn\nContent-Type: multipart/mixed", "Đơn xin".encode()))
    assert found.text == "Đơn xin"
    assert MailNote.BROKEN in found.notes


def test_a_mail_that_was_cut_off_says_so_and_keeps_what_came() -> None:
    message = letter()
    message.add_attachment(pdf(), maintype="application", subtype="pdf", filename="don.pdf")
    found = opened(message.as_bytes()[:-150])
    assert "Nguyễn Thị Lan" in found.text
    assert [file.name for file in found.files] == ["don.pdf"]
    assert MailNote.BROKEN in found.notes


@pytest.mark.parametrize(
    "date", ["", "yesterday", "Mon, 99 Aug 2026 14:05:00 +0700", "Mon, 03 Aug 3026 14:05:00 +0700", "x" * 500]
)
def test_a_date_that_is_none_is_none(date: str) -> None:
    found = opened(raw(f"From: a@b.vn\nDate: {date}"))
    assert found.sent_at is None
    assert MailNote.NO_DATE in found.notes


def test_a_date_without_a_zone_is_taken_for_utc() -> None:
    assert opened(raw("From: a@b.vn\nDate: Mon, 03 Aug 2026 14:05:00 -0000")).sent_at == datetime(
        2026, 8, 3, 14, 5, tzinfo=UTC
    )


@pytest.mark.parametrize("sender", ["", "nobody", "<>", "Lan", ";:", "=?utf-8?q??="])
def test_a_sender_that_is_none_is_none(sender: str) -> None:
    found = opened(raw(f"From: {sender}\nTo: b@c.vn"))
    assert found.address == ""
    assert MailNote.NO_SENDER in found.notes


# Letters.


def test_a_letter_is_opened_with_who_what_and_when() -> None:
    found = opened(letter())
    assert found == Mail(
        address="lan@example.vn",
        name="Nguyễn Thị Lan",
        subject="Nộp hồ sơ đăng ký hộ kinh doanh",
        sent_at=datetime(2026, 8, 3, 7, 5, tzinfo=UTC),
        text=TEXT.strip(),
    )


WORDS = {
    "=?utf-8?B?xJDGoW4geGlu?=": "Đơn xin",
    "=?UTF-8?Q?=C4=90=C6=A1n_xin?=": "Đơn xin",
    "=?windows-1258?Q?=D0=F5n_xin?=": "Đơn xin",
    "=?windows-1258?Q?c=E2=EC?=": "cấ",
    "=?utf-8?B?xJDGoW4=?= =?utf-8?B?IHhpbg==?=": "Đơn xin",
    "=?utf-16-be?B?ARABoQBu?=": "Đơn",
    "=?utf-7?Q?+ARABoQ-n?=": "Đơn",
    "=?iso-8859-1?Q?caf=E9?=": "café",
    "=?koi8-r?B?8NLJ18XU?=": "Привет",
    "=?gb18030?B?xOO6ww==?=": "你好",
    "=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=": "日本",
    "=?utf-8?B?4Z6R4Z6Y4Z+S4Z6a4Z6E4Z+L?=": "ទម្រង់",
    "=?x-unknown?Q?=C4=90=C6=A1n?=": "Đơn",
    "=?punycode?Q?abc?=": "abc",
    "=?hex?Q?6162?=": "6162",
    "=?utf-8?B?not base64?=": "=?utf-8?B?not base64?=",
    "=?utf-8?X?abc?=": "=?utf-8?X?abc?=",
    "=?utf-8?Q?=FF=FE?=": None,
    "Đơn xin không mã hóa": "Đơn xin không mã hóa",
    "a\u202eb\u200bc": "abc",
}


@pytest.mark.parametrize("typed", WORDS)
def test_a_subject_is_read_in_every_charset(typed: str) -> None:
    found = opened(raw(f"From: a@b.vn\nSubject: {typed}")).subject
    assert found.isprintable()
    if WORDS[typed] is not None:
        assert found == WORDS[typed]


def test_a_subject_in_octets_of_an_old_program_is_read() -> None:
    assert opened(b"From: a@b.vn\r\nSubject: \xd0\xf5n xin\r\n\r\nx").subject == "Đơn xin"


@pytest.mark.parametrize(
    ("charset", "body", "text", "true"),
    [
        ("utf-8", "Đơn".encode(), "Đơn", True),
        ("windows-1258", b"\xd0\xf5n", "Đơn", True),
        ("us-ascii", "Đơn".encode(), "Đơn", False),
        ("utf-8", b"\xd0\xf5n", "Đơn", False),
        ("x-unknown", "Đơn".encode(), "Đơn", False),
        ("base64", b"abc", "abc", False),
        ("", "Đơn".encode(), "Đơn", True),
        ("utf-16-le", "Đơn".encode("utf-16-le"), "Đơn", True),
    ],
)
def test_a_text_is_read_as_what_it_is_and_a_guess_is_told(charset: str, body: bytes, text: str, *, true: bool) -> None:
    head = f"From: a@b.vn\nContent-Transfer-Encoding: 8bit\nContent-Type: text/plain{'; charset=' if charset else ''}{charset}"
    found = opened(raw(head, body))
    assert found.text == text
    assert (MailNote.CHARSET not in found.notes) is true


def test_html_is_reduced_to_its_text() -> None:
    markup = (
        "<!DOCTYPE html><html><head><title>no</title><style>p{}</style></head><body onload=alert(1)>"
        "<!-- not <b>this</b> --><p>Kính&nbsp;gửi <b>Một cửa</b>,</p><script>alert('no')</script>"
        "<div>Điện thoại&#58; 0912&nbsp;345&nbsp;678</div>1 &lt; 2 &amp; a-b<br>x<img src=https://evil.example/a.png>"
        "<table><tr><td>a</td><td>b</td></tr></table></body></html>"
    )
    told = "Kính gửi Một cửa,\n\nĐiện thoại: 0912 345 678\n1 < 2 & a-b\nx\n\na b"
    assert text_of_html(markup) == told
    message = letter()
    del message["Content-Type"], message["Content-Transfer-Encoding"]
    message.set_content(markup, subtype="html")
    assert opened(message).text == told


def test_of_two_wordings_the_plain_one_is_taken() -> None:
    message = letter("Đơn xin\n")
    message.add_alternative("<p>Khác</p>", subtype="html")
    assert opened(message).text == "Đơn xin"


# Files.

NAMES = {
    'attachment; filename="don.pdf"': "don.pdf",
    "attachment; filename*=UTF-8''%C4%90%C6%A1n%20xin.pdf": "Đơn xin.pdf",
    "attachment; filename*0*=UTF-8''%C4%90%C6%A1n; filename*1=\" xin\"; filename*2=.pdf": "Đơn xin.pdf",
    'attachment; filename="=?utf-8?B?xJDGoW4geGluLnBkZg==?="': "Đơn xin.pdf",
    'attachment; filename="Đơn xin.pdf"': "Đơn xin.pdf",
    "attachment; filename*=x-unknown''%C4%90.pdf": None,
    "attachment; filename*=''don.pdf": "don.pdf",
    'attachment; filename="../../etc/passwd"': "../../etc/passwd",  # made safe with the file's true kind
    "attachment": "",
    "attachment; filename*0": None,
    "attachment; filename=": "",
}


@pytest.mark.parametrize("disposition", NAMES)
def test_a_file_has_its_name_however_it_is_written(disposition: str) -> None:
    head = f"From: a@b.vn\nContent-Type: application/pdf\nContent-Disposition: {disposition}"
    (file,) = opened(raw(head, b"%PDF-")).files
    assert file.content == b"%PDF-"
    if NAMES[disposition] is not None:
        assert file.name == NAMES[disposition]


def test_files_come_octet_for_octet_and_logos_are_told_apart() -> None:
    message = letter()
    message.add_attachment(pdf(), maintype="application", subtype="pdf", filename="Đơn xin.pdf")
    message.add_attachment(
        b"\x89PNG", maintype="image", subtype="png", filename="logo.png", disposition="inline", cid="<a>"
    )
    message.add_attachment("Tôi cam đoan.\n", filename="cam kết.txt")
    found = opened(message).files
    assert found[0] == MailFile(name="Đơn xin.pdf", content=pdf())
    assert found[0].size == len(pdf())
    assert [(file.name, file.shown) for file in found] == [
        ("Đơn xin.pdf", False),
        ("logo.png", True),
        ("cam kết.txt", False),
    ]


def test_a_forwarded_mail_gives_its_text_and_files() -> None:
    inner = letter()
    inner.add_attachment(pdf(), maintype="application", subtype="pdf", filename="don.pdf")
    outer = letter("Xin chuyển.\n", "Fwd: Nộp hồ sơ")
    outer.add_attachment(inner)
    found = opened(outer)
    assert found.subject == "Fwd: Nộp hồ sơ"
    assert found.text.startswith("Xin chuyển.")
    assert "Nguyễn Thị Lan" in found.text
    assert [file.name for file in found.files] == ["don.pdf"]
    assert found.notes == {MailNote.FORWARDED}


@pytest.mark.parametrize(
    ("kind", "note"),
    [
        ("application/pkcs7-mime; smime-type=enveloped-data", MailNote.SEALED),
        ("application/pgp-encrypted", MailNote.SEALED),
        ("application/pkcs7-signature", MailNote.SIGNED),
    ],
)
def test_what_only_the_addressee_can_open_is_told(kind: str, note: MailNote) -> None:
    found = opened(raw(f"From: a@b.vn\nContent-Type: {kind}\nContent-Transfer-Encoding: base64", b"AAAA"))
    assert note in found.notes
    assert found.files == ()


# winmail.dat


def attribute(kind: int, body: bytes) -> bytes:
    return struct.pack("<BLL", 2, kind, len(body)) + body + struct.pack("<H", sum(body) & 0xFFFF)


def long_name(name: str) -> bytes:
    text = (name + "\x00").encode("utf-16-le")
    named = struct.pack("<HH16xLL", 0x0003, 0x8001, 0, 5) + struct.pack("<L", 7)
    short = struct.pack("<HHLL", 0x001E, 0x3704, 1, 3) + b"ab\x00\x00"
    return (
        struct.pack("<L", 3)
        + named
        + short
        + struct.pack("<HHLL", 0x001F, 0x3707, 1, len(text))
        + text
        + b"\x00" * (-len(text) % 4)
    )


def winmail(*files: tuple[str, bytes]) -> bytes:
    made = struct.pack("<LH", 0x223E9F78, 1) + attribute(0x00089006, b"\x00\x00\x01\x00")
    for name, content in files:
        made += attribute(0x00069002, bytes(14)) + attribute(0x00018010, b"DON~1.PDF\x00")
        made += attribute(0x0006800F, content) + attribute(0x00069005, long_name(name))
    return made


def test_what_outlook_wraps_is_unwrapped() -> None:
    message = letter()
    wrapping = winmail(("Đơn xin.pdf", pdf()), ("Bản vẽ.png", b"\x89PNG"))
    message.add_attachment(wrapping, maintype="application", subtype="ms-tnef", filename="winmail.dat")
    found = opened(message)
    assert [(file.name, file.content) for file in found.files] == [("Đơn xin.pdf", pdf()), ("Bản vẽ.png", b"\x89PNG")]
    assert found.notes == {MailNote.WINMAIL}


def test_a_damaged_wrapping_says_so_and_gives_what_is_whole() -> None:
    message = letter()
    wrapping = winmail(("a.pdf", pdf()), ("b.pdf", pdf()))[:-20]
    message.add_attachment(wrapping, maintype="application", subtype="ms-tnef", filename="winmail.dat")
    found = opened(message)
    assert found.files[0] == MailFile(name="a.pdf", content=pdf())
    assert found.notes == {MailNote.WINMAIL, MailNote.BROKEN}


@given(data=st.binary(max_size=500))
def test_no_wrapping_whatever_raises(data: bytes) -> None:
    files_of_winmail(struct.pack("<LH", 0x223E9F78, 1) + data)
    files_of_winmail(struct.pack("<LH", 0x223E9F78, 1) + attribute(0x00069002, b"") + attribute(0x00069005, data))


# Guesses.


def test_the_form_is_filled_from_what_the_letter_says() -> None:
    guess = guessed(sender_name="Lan Xinh", subject="Re: Fwd: Nộp hồ sơ", text=TEXT)
    assert (guess.name, guess.phone, guess.procedure, guess.words) == (
        "Nguyễn Thị Lan",
        "0912 345 678",
        "1.004946",
        "Nộp hồ sơ",
    )


@pytest.mark.parametrize(
    ("text", "phone"),
    [
        ("SĐT: +84 912.345.678", "+84 912.345.678"),
        ("gọi 0912345678 hoặc đt 0987654321", "0987654321"),
        ("CCCD 094199012345", ""),
        ("số 1234567890123", ""),
        ("hồ sơ 000.00.18.H51-161220-0001", ""),
        ("0912-345-678", "0912-345-678"),
        ("", ""),
    ],
)
def test_a_telephone_number_is_told_from_other_numbers(text: str, phone: str) -> None:
    assert guessed(sender_name="", subject="", text=text).phone == phone


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Họ và tên: Trần Văn Bé, sinh năm 1980", "Trần Văn Bé"),
        ("Họ tên: NGUYỄN THỊ HOA", "NGUYỄN THỊ HOA"),
        ("tôi là Lê Minh ở ấp 3", "Lê Minh"),
        ("Tôi là ông Thạch Sươl", "Thạch Sươl"),
        ("tôi là người dân ở xã", "Lan Xinh"),
        ("xin chào", "Lan Xinh"),
    ],
)
def test_a_name_is_as_one_introduces_oneself_else_the_senders(text: str, name: str) -> None:
    assert guessed(sender_name="Lan Xinh", subject="", text=text).name == name


def test_an_address_is_no_name_and_the_first_line_stands_for_a_subject() -> None:
    guess = guessed(sender_name="lan@example.vn", subject="", text="\nXin đăng ký khai sinh\ncho con")
    assert (guess.name, guess.words) == ("", "Xin đăng ký khai sinh")
