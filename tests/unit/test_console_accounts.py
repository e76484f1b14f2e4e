"""Passwords, codes, cookies and files of the console, each by itself."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from multidict import MultiDict

from console.accounts import passwords, totp
from console.accounts.officer_form import read_officer_form
from console.accounts.passwords import Hasher, HasherBusy, fault, one_time_password
from console.accounts.ports import Session, SessionEnd
from console.accounts.sessions import Limits, over, seen_every, short_agent
from console.forms import one_line, row_id
from domain.csv_lines import csv_lines, safe
from domain.officers import GIVES, OfficerRole

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
CONFIG = Path(__file__).parent.parent.parent / "config" / "console"
LIMITS = Limits(
    idle=timedelta(minutes=30),
    absolute=timedelta(hours=12),
    lock_after=5,
    lock_for=timedelta(minutes=15),
    address_tries=20,
)


# ---- passwords


@pytest.mark.parametrize(
    ("password", "wrong"),
    [
        ("elevensigns", "short"),
        ("x" * 129, "long"),
        ("con trâu đi trước cái cày", None),
        ("correcthorsebattery", None),
        ("tran.van.an.1", "login"),
        ("Tran Van An 1234", "login"),
        ("MatKhau-123456", "common"),
        ("aaaaaaaaaaaaa", "common"),
        ("1212121212121", "common"),
        ("the present one", "same"),
    ],
)
def test_a_password_is_refused_for_being_guessed_not_for_its_signs(password: str, wrong: str | None) -> None:
    assert fault(password, login="tran.van.an", present="the present one") == wrong


def test_every_fault_of_a_password_has_words() -> None:
    for language in ("vi", "en"):
        texts = tomllib.loads((CONFIG / f"{language}.toml").read_text(encoding="utf-8"))
        assert {"short", "long", "login", "common", "same", "again"} <= set(texts["password_fault"])


def test_a_given_password_passes_our_own_rule_and_is_never_the_same() -> None:
    given = {one_time_password() for _ in range(100)}
    assert len(given) == 100
    assert {fault(each, login="an.h13") for each in given} == {None}


async def test_accents_typed_in_two_ways_are_one_password() -> None:
    hasher = Hasher(memory_kib=64)
    kept = await hasher.hash("c\u00e1i c\u00e0y \u0111i tr\u01b0\u1edbc")
    assert await hasher.verify(kept, "ca\u0301i ca\u0300y \u0111i tr\u01b0\u01a1\u0301c")
    assert not await hasher.verify(kept, "ca\u0301i ca\u0300y \u0111i trước con trâu")
    assert not await hasher.verify("not a hash", "x")
    await hasher.close()


async def test_nobodys_password_is_never_right_and_costs_what_somebodys_costs() -> None:
    hasher = Hasher()
    kept = await hasher.hash("con trâu đi trước")
    assert kept.split("$")[:4] == hasher._nobodys.split("$")[:4]
    assert [len(part) for part in kept.split("$")] == [len(part) for part in hasher._nobodys.split("$")]
    assert f"m={19 * 1024},t=2,p=1" in kept
    assert not await hasher.verify(None, "con trâu đi trước")
    await hasher.close()


async def test_no_more_wait_than_there_is_room_for() -> None:
    hasher = Hasher(waiting=0, memory_kib=64)
    with pytest.raises(HasherBusy):
        await hasher.verify(None, "x")
    await hasher.close()


def test_the_commonest_are_long_enough_to_be_typed_at_all() -> None:
    assert min(len(each) for each in passwords.COMMONEST) >= passwords.SHORTEST


# ---- codes


def test_a_code_is_of_one_step_and_of_none_that_is_used_up() -> None:
    secret, present = totp.new_secret(), int(NOW.timestamp()) // totp.STEP_S
    for step in (present - 1, present, present + 1):
        code = totp.code_of(secret, step)
        assert totp.matching_step(secret, code, NOW, after=None) == step
        assert totp.matching_step(secret, code, NOW, after=step - 1) == step
        assert totp.matching_step(secret, code, NOW, after=step) is None
    for step in (present - 2, present + 2):
        assert totp.matching_step(secret, totp.code_of(secret, step), NOW, after=None) is None


@pytest.mark.parametrize("typed", ["", "12345", "abcdef", "١٢٣٤٥٦", "0" * 100])
def test_what_is_no_code_opens_nothing(typed: str) -> None:
    assert totp.matching_step("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", typed, NOW, after=None) is None


def test_the_picture_holds_no_style_and_no_script() -> None:
    picture = totp.qr_svg("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "an.h13")
    assert picture.startswith("<svg ")
    assert "style" not in picture
    assert "script" not in picture


# ---- sessions


@pytest.mark.parametrize(
    ("age", "unseen", "reason"),
    [
        (timedelta(hours=11), timedelta(minutes=29), None),
        (timedelta(hours=11), timedelta(minutes=30), SessionEnd.IDLE),
        (timedelta(hours=12), timedelta(0), SessionEnd.ABSOLUTE),
    ],
)
def test_a_session_is_over_in_time(age: timedelta, unseen: timedelta, reason: SessionEnd | None) -> None:
    session = Session(
        digest="d", officer_id=1, created_at=NOW - age, seen_at=NOW - unseen, address="10.0.0.1", agent=""
    )
    assert over(session, NOW, LIMITS) is reason


def test_a_session_of_one_minute_is_not_ended_by_what_is_not_written() -> None:
    assert seen_every(LIMITS) == timedelta(minutes=1)
    short = Limits(idle=timedelta(minutes=1), absolute=NOW - NOW, lock_after=1, lock_for=NOW - NOW, address_tries=1)
    assert seen_every(short) == timedelta(seconds=15)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0 Safari/537.36 Edg/142.0",
            "Edge, Windows",
        ),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox, Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari, iPhone"),
        ("<script>", ""),
    ],
)
def test_a_browser_is_told_in_short_words(header: str, words: str) -> None:
    assert short_agent(header) == words


# ---- forms and files


def test_a_role_that_is_none_is_seen_to_be_strange() -> None:
    fields: Any = MultiDict([("login", " An.H13 "), ("role", "author"), ("role", "king")])
    form = read_officer_form(fields)
    assert (form.login, sorted(form.roles), form.strange) == ("an.h13", [OfficerRole.AUTHOR], True)


def test_nobody_below_the_operator_gives_the_operators_role() -> None:
    assert {giver for giver, given in GIVES.items() if OfficerRole.OPERATOR in given} == {OfficerRole.OPERATOR}


@pytest.mark.parametrize(("text", "number"), [("7", 7), ("", None), ("٧", None), ("-1", None), (str(2**63), None)])
def test_a_number_no_row_can_have_is_none(text: str, number: int | None) -> None:
    assert row_id(text) == number


def test_a_field_is_one_line_without_control_signs() -> None:
    assert one_line({"name": " Lê\u202e Văn\x00\n"}, "name", 80) == "Lê Văn"
    assert one_line({}, "name", 80) == ""


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\u00a0=1", "＝1", "\r=1"])
def test_no_cell_is_a_formula(cell: str) -> None:
    assert safe(cell) == f"'{cell}"


def test_a_line_is_quoted_as_spreadsheets_read_it() -> None:
    assert csv_lines([["a,b", 'c"d', "e\nf", "số"]]) == '"a,b","c""d","e\nf",số\r\n'.encode()
