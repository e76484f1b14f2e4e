"""Texts no citizen means, seeded; and what a reply to them may look like. No I/O."""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from domain import gsm
from domain.text import unaccent
from tests.whole.gateways import ROOT

CODE: Final = "H51.18-250701-0005"


@dataclass(frozen=True, slots=True)
class Nonsense:
    """A text, or octets in a data_coding."""

    kind: str
    text: str = ""
    octets: bytes | None = None
    data_coding: int | None = None


_EMPTY: Final = ("", " ", "\n\r\n", "\t", "\u00a0\u2003", "\u200b\u200d\ufeff", "@" * 140)
_HOSTILE: Final = (
    "' OR 1=1; DROP TABLE inbox;--",
    f"{CODE}'; DELETE FROM HoSos WHERE '1'='1",
    '"; SELECT * FROM person; --',
    "1) UNION SELECT dossierNo, password FROM Dossier--",
    "{{7*7}}",
    "{code} {phone} {agency} {0} {} {{}}",
    f"{{code.__class__}} {CODE}",
    "${jndi:ldap://127.0.0.1/a} #{7*7} <%= 7*7 %>",
    "%s %n %d %(code)s %x %99999s %%",
    "[ a tail ] [ {code} ] ]] [[",
    "<script>alert(1)</script> &lt;b&gt; <!ENTITY x SYSTEM 'file:///etc/passwd'>",
    "$(reboot) `id` ; rm -rf / | cat ../../etc/passwd",
    "\\x00 \\u202e \\n \\",
    "%00%0d%0aX-Injected: 1 %E2%80%AE",
)
_BIDI: Final = "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u202c\u2069\u200e\u200f\u061c"
_EMOJI: Final = ("😀", "👍", "🙏", "❤️", "👩‍👩‍👧‍👦", "🇻🇳", "👍🏽", "😡", "‼️", "⁉️", "☎️", "1️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿")
_RAMBLING: Final = (
    "hồ sơ của tôi đến đâu rồi khi nào xong ạ giấy phép lái xe sổ đỏ đất đai xã phường tra cứu thủ tục khai sinh"
    " đăng ký kết hôn hủy ngừng dừng bật đúng có dấu không dấu tiếng anh cảm ơn chào alo góp ý phản ánh mã số"
    " ddaats hof sow tra cuwus bieen nhaanj hoof so7 gia61y phe1p kiem tra xem giup em voi ĐƠN XIN CẤP LẠI"
    " 0005 18 H51 G09 1 2 12 2025 250701 0912345678 1.004946 ? ! ... , - / … “ ” ស្វែងរក ลาก่อน"
)
_WORDS: Final = tuple(_RAMBLING.split())
_CODE_SIGNS: Final = "H0123456789OIlG.,-–_/ \n០៥"


def _empty(chance: random.Random) -> Nonsense:
    return Nonsense("empty", chance.choice(_EMPTY))


def _long(chance: random.Random) -> Nonsense:
    """10 kB in one message_payload, or nearly as much as one can hold."""
    piece = chance.choice((*_HOSTILE, "a", "0", "H51.18-", "đ", "{", "😡", chance.choice(_WORDS) + " "))
    octets, kind = chance.choice(((10_000, "10 kB"), (10_000, "10 kB"), (10_000, "10 kB"), (60_000, "60 kB")))
    encoded = gsm.encode_gsm7(piece) if gsm.is_gsm7(piece) else piece.encode("utf-16-be")
    return Nonsense(kind, piece * (octets // len(encoded)))


def _binary(chance: random.Random) -> Nonsense:
    octets = chance.randbytes(chance.randrange(1, 141))
    return Nonsense("binary", octets=octets, data_coding=chance.choice((0, 1, 2, 3, 4, 5, 8, 0x0D, 0x18, 0xF4, 0xFF)))


def _emoji(chance: random.Random) -> Nonsense:
    return Nonsense("emoji", "".join(chance.choices(_EMOJI, k=chance.randrange(1, 6))))


def _backwards(chance: random.Random) -> Nonsense:
    text = _scattered(chance, _noise(chance).text[:40], _BIDI)
    return Nonsense("right to left", text)


def _hostile(chance: random.Random) -> Nonsense:
    return Nonsense("SQL and templates", " ".join(chance.sample(_HOSTILE, k=chance.choice((1, 1, 2)))))


def _noise(chance: random.Random) -> Nonsense:
    return Nonsense("Vietnamese noise", " ".join(chance.choices(_WORDS, k=chance.randrange(1, 12))))


def _control(chance: random.Random) -> Nonsense:
    signs = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, 0xE000, 0xFFFE, 0xFFFF)))
    return Nonsense("control characters", _scattered(chance, chance.choice((CODE, "help", "GY", "tin nhan")), signs))


def _halves(chance: random.Random) -> Nonsense:
    """Surrogates without their other half, and an octet too many."""
    units = chance.choices((b"\xd8\x3d", b"\xdc\x4d", b"\x00H", b"\x1e\xa1", b"\x03\x01"), k=chance.randrange(1, 60))
    return Nonsense("half characters", octets=b"".join(units) + chance.choice((b"", b"\xd8")), data_coding=8)


def _almost(chance: random.Random) -> Nonsense:
    return Nonsense("almost codes", "".join(chance.choices(_CODE_SIGNS, k=chance.randrange(1, 60))))


def _scattered(chance: random.Random, text: str, signs: str) -> str:
    return "".join(sign + chance.choice(("", "", chance.choice(signs))) for sign in "\u0020" + text)


KINDS: Final[Sequence[Callable[[random.Random], Nonsense]]] = (
    _empty,
    _long,
    _binary,
    _emoji,
    _backwards,
    _hostile,
    _noise,
    _control,
    _halves,
    _almost,
)


def nonsense(seed: int, count: int) -> list[Nonsense]:
    """So many texts, every kind in turn."""
    chance = random.Random(seed)
    return [KINDS[number % len(KINDS)](chance) for number in range(count)]


# What a reply may say: a text of ours with values of ours, and nothing else.

_CANONICAL: Final = (
    r"[A-Z][0-9]{2}(?:\.[0-9]{1,3})*-[0-9]{6,8}-[0-9]{4,8}|(?:[0-9]{3}\.){3}[A-Z][0-9]{2}-[0-9]{6,8}-[0-9]{4,8}"
)
_MOMENT: Final = "[0-9A-Za-z:/ ]{4,20}"
_FACT: Final = r"[^\n]{1,64}"
_SLOTS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("code", "code2", "code3", "code4"), _CANONICAL),
    **dict.fromkeys(("due_on", "as_of"), _MOMENT),
    "phone": "[0-9 ]{4,12}",
    "number": "[0-9]{1,6}",
}
_PIECES: Final = re.compile(r"\{(\w+)\}|(\[)|(\])|([^{}\[\]]+)")


def allowed_lines() -> re.Pattern[str]:
    """Matches a whole line of any reply the gateway has words for, with accents and without."""
    agencies = _alternatives(each["short_name"] for each in _toml("config/agencies.toml")["agency"])
    texts = [_toml(f"config/texts/{language}.toml") for language in ("vi", "en")]
    states = _alternatives(state for each in texts for state in each["state"].values())
    templates = [template for each in texts for template in each["reply"].values()]
    never = dict.fromkeys((slot for template in templates for slot, *_ in _PIECES.findall(template)), "(?!)")
    named = dict.fromkeys(("agency", "agency2", "agency3", "agency4"), agencies)
    # Nonsense proves nothing; a procedure's code stands in it, and whole texts of the catalogue are told of it.
    told = [slot for slot in never if slot.startswith(("procedure", "fee", "where", "days"))]
    slots = {**never, **_SLOTS, **named, **dict.fromkeys(told, _FACT), "state": states}
    both = dict.fromkeys([*templates, *map(unaccent, templates)])
    return re.compile("|".join(_line(template, slots) for template in both))


def _line(template: str, slots: Mapping[str, str]) -> str:
    pieces = []
    for slot, opened, closed, words in _PIECES.findall(template):
        pieces.append(f"(?:{slots[slot]})" if slot else "(?:" if opened else ")?" if closed else re.escape(words))
    return "".join(pieces)


def _alternatives(words: Iterable[str]) -> str:
    either = dict.fromkeys(form for word in words for form in (word, unaccent(word)))
    return "|".join(map(re.escape, either))


def _toml(path: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / path).read_text(encoding="utf-8"))
