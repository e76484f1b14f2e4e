"""An e-mail an officer opens to receive it as a dossier (decision 40/2016/QĐ-UBND art. 7.1): who wrote, what, with which files.

Pure and bounded, for a thread: half a second for an honest mail of 25 MB, three for a hostile one. The files are not looked into here: intake.uploads does that.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.errors import MessageError
from email.message import Message
from email.utils import parseaddr, parsedate_to_datetime
from typing import Final

from domain.message import require_aware
from domain.text import safe_text
from intake.mail_parts import Part, TooMuch, charset_of, content_of, decoded, header, name_of, parse, raw_header, words
from intake.mail_text import LONGEST_HTML, LONGEST_TEXT, plain_text, text_of_html
from intake.winmail import files_of_winmail, is_winmail

LARGEST_MAIL: Final = 25 * 1024 * 1024  # octets
LONGEST_SUBJECT: Final = 300
LONGEST_NAME: Final = 200
_OUTLOOK: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OF_A_MAIL: Final = ("from", "to", "subject", "date", "received", "message-id", "mime-version", "return-path")
_SIGNATURES: Final = frozenset(
    {"application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature"}
)
_TEXTS: Final = frozenset({"text/plain", "text/html"})
_SEALED: Final = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime", "application/pgp-encrypted"})
_YEARS: Final = range(1990, 2100)


class MailTrouble(enum.StrEnum):
    """Why a file cannot be opened as an e-mail."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    OUTLOOK = "outlook"  # saved as .msg: to be saved as .eml
    NOT_A_MAIL = "not_a_mail"
    TOO_MUCH = "too_much"  # more lines, parts, levels or headers than a letter has
    UNREADABLE = "unreadable"


class MailNote(enum.StrEnum):
    """What an officer should know of a mail that was opened."""

    BROKEN = "broken"  # a part of it is damaged or cut off
    CHARSET = "charset"  # letters may be wrong
    CUT = "cut"  # the text is longer
    SEALED = "sealed"  # encrypted: only the addressee's program opens it
    SIGNED = "signed"  # its signature was not checked
    FORWARDED = "forwarded"  # a mail in the mail
    WINMAIL = "winmail"  # files were taken out of winmail.dat
    NO_DATE = "no_date"
    NO_SENDER = "no_sender"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailFile:
    """A file that came with it. `name` as typed, maybe ""; `shown`: part of how the mail looks (a logo), rarely a paper."""

    name: str
    content: bytes
    shown: bool = False

    @property
    def size(self) -> int:
        return len(self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """An e-mail. `address` and `name`: who says to have sent it, which proves nothing; `sent_at`: when it says it was."""

    address: str = ""
    name: str = ""
    subject: str = ""
    sent_at: datetime | None = None
    text: str = ""
    files: tuple[MailFile, ...] = ()
    notes: frozenset[MailNote] = frozenset()

    def __post_init__(self) -> None:
        require_aware(self.sent_at, "sent_at")


def read_mail(data: bytes) -> Mail | MailTrouble:
    """Open an `.eml`; raises nothing, whatever it is."""
    trouble = _trouble_at_once(data)
    if trouble is not None:
        return trouble
    try:
        message = parse(data)
        is_one = any(raw_header(message, name) for name in _OF_A_MAIL)
        return _opened(message) if is_one else MailTrouble.NOT_A_MAIL
    except TooMuch:
        return MailTrouble.TOO_MUCH
    except (MessageError, ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError):
        return MailTrouble.UNREADABLE


def _trouble_at_once(data: bytes) -> MailTrouble | None:
    if len(data) > LARGEST_MAIL:
        return MailTrouble.TOO_LARGE
    if not data.strip():
        return MailTrouble.EMPTY
    return MailTrouble.OUTLOOK if data.startswith(_OUTLOOK) else None


@dataclass(slots=True)
class _Found:
    """What was found so far."""

    plain: list[str] = field(default_factory=list)
    markup: list[str] = field(default_factory=list)
    files: list[MailFile] = field(default_factory=list)
    notes: set[MailNote] = field(default_factory=set)


def _opened(message: Part) -> Mail:
    found = _Found()
    _collect(message, found)
    name, address = _sender(message)
    sent_at = _sent_at(message)
    text = plain_text("\n".join(found.plain)) or text_of_html("\n".join(found.markup))
    longer = sum(map(len, found.plain)) > LONGEST_TEXT or sum(map(len, found.markup)) > LONGEST_HTML
    missing = {MailNote.CUT: longer, MailNote.NO_DATE: sent_at is None, MailNote.NO_SENDER: not address}
    return Mail(
        address=address,
        name=name,
        subject=header(message, "subject")[:LONGEST_SUBJECT],
        sent_at=sent_at,
        text=text,
        files=tuple(found.files),
        notes=frozenset(found.notes | {note for note, is_so in missing.items() if is_so}),
    )


def _sender(message: Message) -> tuple[str, str]:
    name, address = parseaddr(raw_header(message, "from"))
    return words(name, LONGEST_NAME), safe_text(address, LONGEST_NAME) if "@" in address else ""


def _sent_at(message: Message) -> datetime | None:
    """As the mail says; a time without a zone is taken for UTC (RFC 5322, 3.3)."""
    try:
        moment = parsedate_to_datetime(raw_header(message, "date"))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC) if moment.year in _YEARS else None
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None


def _collect(part: Message, found: _Found) -> None:
    """This part and those in it; the parser has seen to it that they are not too many, nor too deep."""
    kind = part.get_content_type()
    inside = part.get_payload()
    if isinstance(inside, list):
        if kind == "message/rfc822":
            found.notes.add(MailNote.FORWARDED)
        for each in inside:
            if isinstance(each, Message) and kind != "message/delivery-status":
                _collect(each, found)
    elif kind in _SIGNATURES:
        found.notes.add(MailNote.SIGNED)
    elif kind in _SEALED and part.get_param("smime-type") != "signed-data":
        found.notes.add(MailNote.SEALED)
    else:
        _collect_leaf(part, kind, found)
    if part.defects:
        found.notes.add(MailNote.BROKEN)


def _collect_leaf(part: Message, kind: str, found: _Found) -> None:
    name, content = name_of(part), content_of(part)
    disposition = part.get_content_disposition()
    if is_winmail(content):
        inside, whole = files_of_winmail(content)
        found.notes |= {MailNote.WINMAIL} if whole else {MailNote.WINMAIL, MailNote.BROKEN}
        found.files += [MailFile(name=each, content=octets) for each, octets in inside]
    elif disposition != "attachment" and not name and (kind in _TEXTS or kind.startswith("multipart/")):
        _collect_text(part, kind, content, found)
    elif content:
        shown = disposition == "inline" or (disposition is None and bool(raw_header(part, "content-id")))
        found.files.append(MailFile(name=name, content=content, shown=shown))


def _collect_text(part: Message, kind: str, content: bytes, found: _Found) -> None:
    text, true = decoded(content, charset_of(part))
    if not true:
        found.notes.add(MailNote.CHARSET)
    (found.markup if kind == "text/html" else found.plain).append(text)
