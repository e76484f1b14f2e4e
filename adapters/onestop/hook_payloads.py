"""Which dossiers a webhook's body names (pure). Only codes are taken: names, numbers and states are skipped by the parser
and never become values of ours.

The shapes: `{"codes": [...]}`; the national DongBoHoSoMC and CapNhatTienDoHoSoMC, as an object with `data` or as a bare
list of dossiers (reference: domain §3.3); CloudEvents 1.0, structured, batched and binary, around any of these.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import msgspec

from domain.codes import DossierCode, LegacyPattern, parse_canonical, read_codes

MOST_CODES = 1_000  # in one call
LONGEST_TEXT = 120  # characters in which a code is looked for: an address with a code at its end
DEEPEST = 3  # a batch of events, an event, the national body in it
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # .NET writes it

Scalar = str | int | float | bool | None


class Misfit(enum.StrEnum):
    """Why nothing can be taken from a body; the reasons of a refusal and of its log line."""

    NOT_JSON = "not_json"
    WRONG_SHAPE = "wrong_shape"
    NO_CODE = "no_code"
    TOO_MANY_CODES = "too_many_codes"


class PayloadFault(ValueError):
    """A body from which nothing can be taken."""

    def __init__(self, misfit: Misfit) -> None:
        super().__init__(misfit.value)
        self.misfit = misfit


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The dossiers a call names, each once, and how many things it names that are no code."""

    codes: Sequence[DossierCode]
    unknown: int


class _Body(msgspec.Struct):
    """Whatever we look at of an object: a call, an event or a dossier's record; everything else is skipped."""

    codes: msgspec.Raw = msgspec.Raw()
    data: msgspec.Raw = msgspec.Raw()
    specversion: Scalar = None
    subject: Scalar = None
    code: Scalar = None
    code_national: Scalar = msgspec.field(name="MaHoSo", default=None)
    code_camel: Scalar = msgspec.field(name="maHoSo", default=None)
    code_lower: Scalar = msgspec.field(name="mahoso", default=None)
    code_upper: Scalar = msgspec.field(name="MAHOSO", default=None)
    identifier_upper: Scalar = msgspec.field(name="IDHoSo", default=None)  # VNPT, 2026: both spellings
    identifier: Scalar = msgspec.field(name="IdHoSo", default=None)


_Item = _Body | Scalar
_Told = _Body | list[_Item] | Scalar
_CODE_FIELDS = ("code_national", "code_camel", "code_lower", "code_upper", "code", "identifier_upper", "identifier")
_DECODER: msgspec.json.Decoder[_Told] = msgspec.json.Decoder(_Told)


def read_payload(
    body: bytes, *, today: date, legacy: Sequence[LegacyPattern] = (), subject: str | None = None
) -> Named:
    """The dossiers named in a body, or in `subject` (of a CloudEvent in binary mode) where the body names none.

    Raises:
        PayloadFault: it is no JSON, has none of the shapes, names no code, or more than MOST_CODES.
    """
    texts = _texts_of(body.removeprefix(_BYTE_ORDER_MARK)) if body else []
    if not any(texts) and subject is not None:
        texts = [subject]
    if len(texts) > MOST_CODES:
        raise PayloadFault(Misfit.TOO_MANY_CODES)
    named = _named(texts, today, legacy)
    if not named.codes:
        raise PayloadFault(Misfit.NO_CODE)
    if len(named.codes) > MOST_CODES:
        raise PayloadFault(Misfit.TOO_MANY_CODES)
    return named


def _texts_of(body: bytes) -> list[str]:
    try:
        return list(_told(_DECODER.decode(body), DEEPEST))
    except msgspec.ValidationError as error:
        raise PayloadFault(Misfit.WRONG_SHAPE) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise PayloadFault(Misfit.NOT_JSON) from error


def _told(told: _Told, deeper: int) -> Iterator[str]:
    """What should be codes, as texts; "" for a member of a list that names none."""
    if isinstance(told, str):
        yield told
    elif isinstance(told, list):
        for item in told:
            yield from list(_told(item, deeper)) or [""]
    elif isinstance(told, _Body):
        yield from _of_object(told, deeper)


def _of_object(told: _Body, deeper: int) -> Iterator[str]:
    """Its own code; else those of what it holds; of an event that holds none, its subject."""
    own = next((text for name in _CODE_FIELDS if isinstance(text := getattr(told, name), str) and text), None)
    if own is not None:
        yield own
        return
    inner = list(_of_parts(told, deeper - 1)) if deeper else []
    if any(inner) or told.specversion is None or not isinstance(told.subject, str):
        yield from inner
    else:
        yield told.subject


def _of_parts(told: _Body, deeper: int) -> Iterator[str]:
    if told.codes:
        yield from _told(_DECODER.decode(told.codes), deeper)
    data = _DECODER.decode(told.data) if told.data else None
    if not isinstance(data, str):  # an event's data may be any text
        yield from _told(data, deeper)


def _named(texts: Sequence[str], today: date, legacy: Sequence[LegacyPattern]) -> Named:
    found: dict[DossierCode, None] = {}
    unknown = 0
    for text in texts:
        codes = _codes_in(text, today, legacy)
        found.update(dict.fromkeys(codes))
        unknown += not codes
    return Named(codes=list(found), unknown=unknown)


def _codes_in(text: str, today: date, legacy: Sequence[LegacyPattern]) -> Sequence[DossierCode]:
    """The codes in a text. Of one with several readings, all: looking at a dossier that is not there tells nobody
    anything.
    """
    exact = parse_canonical(text.strip())
    if exact is not None:
        return () if exact.is_example else (exact,)
    if not text or len(text) > LONGEST_TEXT:
        return ()
    reading = read_codes(text, today=today, legacy=legacy)
    return (*reading.codes, *reading.candidates)
