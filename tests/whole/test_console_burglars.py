"""Burglars try the staff listener of a running gateway: stolen cookies, forged forms, one's own broadcast approved."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import secrets
import sqlite3
import time
import tomllib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote, urljoin, urlsplit

import pytest
import pytest_asyncio

from console import paths
from console.accounts.sessions import SECURE_NAME, digest_of, new_secret
from console.accounts.totp import STEP_S, code_of
from console.broadcasts.desk import at
from console.routes import Access, ConsoleRoute
from domain.csv_lines import safe
from domain.officers import OfficerRole as Role
from tests.console_made import made_console
from tests.whole.bombs import BOMBS, GOOD
from tests.whole.gateways import LOG, ROOT, assert_quiet, tell
from tests.whole.staff_listener import (
    BASIS,
    FOLLOWERS,
    OURS,
    PASSWORD,
    PROVINCE,
    SAME,
    THEIRS,
    Answer,
    Insider,
    Staff,
    draft_form,
    number_of,
    one,
    staff_listener,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
NEW: Final = "ăn quả nhớ kẻ trồng cây xưa"
AT_ONCE: Final = 20
EVIL: Final = "evil.example"
FORMULAS: Final = ("=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "＝1", " =1", '=HYPERLINK("http://evil.example")')
NOWHERE: Final = {
    "session": "0" * 64,
    "file": "none.css",
    "key": "ts_aaaaaaaaaaaaaaaa",
    "page": "health",
    "action": "pause",
}
OPEN_TO_ALL: Final = {paths.SIGN_IN, paths.SIGN_OUT, paths.STATIC}
STREAMS: Final = {paths.HEALTH_EVENTS, paths.BROADCAST_PROGRESS, paths.BROADCAST_FILE_PROGRESS}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def staff(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Staff]:
    async with staff_listener(tmp_path_factory.mktemp("burgled")) as listening:
        yield listening


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def routes(tmp_path_factory: pytest.TempPathFactory) -> Sequence[ConsoleRoute]:
    """Every route there is: made as the gateway makes them."""
    async with made_console(tmp_path_factory.mktemp("made")) as made:
        return tuple(made.console.routes)


def address(route: ConsoleRoute, number: int | str = 1) -> str:
    """Of something there is not, or of what has this number."""
    return re.sub(r"\{(\w+)(?::[^{}]*)?\}", lambda match: NOWHERE.get(match[1], str(number)), route.path)


def login() -> str:
    return f"trom.{secrets.token_hex(4)}"


# ---- sessions: planted and stolen


async def test_a_cookie_set_before_signing_in_never_becomes_the_session(staff: Staff) -> None:
    victim, burglar = await staff.insider(login(), Role.AUTHOR), await staff.insider(login(), Role.AUTHOR)
    given: list[str] = []
    for planted in (new_secret(), "x", burglar.secret):
        answer = await staff.sign_in(victim, cookie=planted)
        assert answer.status == 303
        assert answer.cookie not in ("", planted, *given)
        assert len(answer.cookie) >= 43
        given.append(answer.cookie)
        assert not await staff.is_in(planted)
    assert "không còn" not in (await staff.get(paths.ACCOUNT, given[-1])).words


async def test_the_cookie_goes_to_this_host_only_over_https_and_to_no_script(staff: Staff) -> None:
    signed_in = (await staff.sign_in(await staff.insider(login(), Role.AUTHOR))).headers["Set-Cookie"]
    flags = {part.strip().lower() for part in signed_in.split(";")[1:]}
    assert signed_in.startswith("__Host-")
    assert flags == {"secure", "httponly", "samesite=lax", "path=/"}
    out = await staff.post(paths.SIGN_OUT, "x")
    assert {"secure", "httponly"} < {part.strip().lower() for part in out.headers["Set-Cookie"].split(";")[1:]}


async def test_nothing_but_the_secret_itself_is_a_cookie(staff: Staff) -> None:
    whose = await staff.insider(login(), Role.AUTHOR)
    secret = whose.secret
    for wrong in (
        digest_of(secret),
        secret[:-1],
        secret + "x",
        secret.upper(),
        f"{secret}\\",
        "x" * 5_000,
        "",
        "%00",
        "' OR 1=1--",
    ):
        assert not await staff.is_in(wrong), wrong
    for header in (
        f"tracuu={secret}",
        f"{SECURE_NAME.lower()}={secret}",
        f"{SECURE_NAME}[]={secret}",
        f"x={SECURE_NAME}={secret}",
    ):
        assert (await staff.get(paths.ACCOUNT, headers={"Cookie": header})).status == 303, header
    for name in ("Authorization", "X-Session", SECURE_NAME):
        assert (await staff.get(paths.ACCOUNT, headers={name: secret})).status == 303
    assert (await staff.get(f"{paths.ACCOUNT}?{SECURE_NAME}={secret}")).status == 303


Deed = Callable[[Staff, Insider], Awaitable[Any]]


async def signs_out(staff: Staff, victim: Insider) -> None:
    assert (await staff.post(paths.SIGN_OUT, victim)).status == 303


async def ends_it_from_the_list(staff: Staff, victim: Insider) -> None:
    another = await staff.session(victim)
    ended = await staff.post(paths.ACCOUNT_SESSION_END.format(session=digest_of(victim.secret)), another)
    assert ended.status == 303
    assert await staff.is_in(another)


async def changes_the_password(staff: Staff, victim: Insider) -> None:
    another = await staff.session(victim)
    fields = {"present": PASSWORD, "wanted": NEW, "again": NEW, "code": victim.code()}
    assert (await staff.post(paths.ACCOUNT_PASSWORD, another, fields)).status == 303


async def replaces_the_telephone(staff: Staff, victim: Insider) -> None:
    another = await staff.session(victim)
    fields = {"step": "begin", "present": PASSWORD, "code": victim.code()}
    assert (await staff.post(paths.ACCOUNT_TOTP, another, fields)).status == 303


async def is_reset(staff: Staff, victim: Insider) -> None:
    chief = await staff.insider(login(), Role.AGENCY_ADMIN)
    assert (await staff.post(f"{paths.OFFICERS}/{victim.id}/dat-lai", chief)).status == 200


async def is_closed(staff: Staff, victim: Insider) -> None:
    chief = await staff.insider(login(), Role.AGENCY_ADMIN)
    assert (await staff.post(f"{paths.OFFICERS}/{victim.id}/khoa", chief)).status == 303


@pytest.mark.parametrize(
    "deed",
    [signs_out, ends_it_from_the_list, changes_the_password, replaces_the_telephone, is_reset, is_closed],
    ids=lambda deed: deed.__name__,
)
async def test_a_stolen_cookie_is_worth_nothing_once_its_officer(staff: Staff, deed: Deed) -> None:
    victim = await staff.insider(login(), Role.AUTHOR)
    stolen = victim.secret
    assert await staff.is_in(stolen)
    await deed(staff, victim)
    assert not await staff.is_in(stolen)
    assert (await staff.get(paths.BROADCASTS, stolen)).status == 303
    refused = await staff.post(paths.BROADCAST_NEW, stolen, draft_form())
    assert refused.status == 401
    assert victim.login not in refused.page


async def test_a_role_that_is_taken_is_gone_with_the_next_request(staff: Staff) -> None:
    victim, chief = await staff.insider(login(), Role.APPROVER), await staff.insider(login(), Role.AGENCY_ADMIN)
    assert (await staff.get(paths.BROADCASTS, victim)).status == 200
    fields = {"name": "X", "agency": OURS, "role": "intake"}
    assert (await staff.post(f"{paths.OFFICERS}/{victim.id}", chief, fields)).status == 303
    assert (await staff.get(paths.BROADCASTS, victim)).status == 403
    fields = {"name": "X", "agency": OURS, "role": "approver"}
    assert (await staff.post(f"{paths.OFFICERS}/{victim.id}", chief, fields)).status == 303
    identifier = await staff.submitted(await staff.insider(login(), Role.AUTHOR))
    assert (await staff.get(at(paths.BROADCAST, identifier), victim)).status == 200


@pytest.mark.parametrize(
    ("age", "unseen", "inside"),
    [
        (timedelta(hours=11), timedelta(minutes=29), True),
        (timedelta(hours=1), timedelta(minutes=31), False),
        (timedelta(hours=12, minutes=1), timedelta(), False),
    ],
)
async def test_a_cookie_is_worth_nothing_after_its_time(
    staff: Staff, age: timedelta, unseen: timedelta, *, inside: bool
) -> None:
    victim = await staff.insider(login(), Role.AUTHOR, age=age, unseen=unseen)
    for _ in range(2):
        assert await staff.is_in(victim.secret) == inside
    ended = staff.count(
        "SELECT ended_at IS NOT NULL FROM officer_session WHERE digest = ?", (digest_of(victim.secret),)
    )
    assert bool(ended) is not inside


async def test_a_session_of_the_given_password_sees_no_secret_of_a_telephone_that_is_set_up_elsewhere(
    staff: Staff,
) -> None:
    """Whoever read the one-time password first must not read the second factor too."""
    victim = await staff.insider(login(), Role.AUTHOR, must_set_password=True, totp_secret="", totp_step=None)
    burglar = await staff.session(victim)
    fields = {"present": PASSWORD, "wanted": NEW, "again": NEW}
    renewed = (await staff.post(paths.ACCOUNT_PASSWORD, victim, fields)).cookie
    assert not await staff.is_in(victim.secret), "it is another session now, whoever saw the first one"
    assert (await staff.post(paths.ACCOUNT_TOTP, renewed, {"step": "begin"})).status == 303
    assert not await staff.is_in(burglar)
    shown = one(r"<code>([A-Z2-7 ]+)</code>", (await staff.get(paths.ACCOUNT, renewed)).page).replace(" ", "")
    staff.secrets.add(shown)
    confirmed = {"step": "confirm", "new_code": code_of(shown, int(time.time()) // STEP_S)}
    last = (await staff.post(paths.ACCOUNT_TOTP, renewed, confirmed)).cookie
    assert not await staff.is_in(renewed), "the second factor begins another one too"
    assert (await staff.get(paths.BROADCASTS, last)).status == 200


async def test_while_a_telephone_is_replaced_the_old_one_guards_the_account(staff: Staff) -> None:
    """A password alone opens nothing in the minute, or the day, between the picture and its first code."""
    victim = await staff.insider(login(), Role.AUTHOR)
    begun = await staff.post(paths.ACCOUNT_TOTP, victim, {"step": "begin", "present": PASSWORD, "code": victim.code()})
    assert begun.status == 303
    assert (await staff.sign_in(victim, code="")).status == 422
    again = await staff.post(paths.ACCOUNT_TOTP, victim, {"step": "begin"})
    assert again.status == 422, "a stolen session would give itself a second factor"
    assert (await staff.sign_in(victim)).status == 303


# ---- signing in


async def test_who_does_not_exist_is_told_the_same_as_who_does(
    staff: Staff, capsys: pytest.CaptureFixture[str]
) -> None:
    known, locked = await staff.insider(login(), Role.AUTHOR), await staff.insider(login(), Role.AUTHOR)
    closed = await staff.insider(login(), Role.AUTHOR)
    await is_closed(staff, closed)
    staff.write(
        "UPDATE officer SET failures = 5, locked_until_at = ? WHERE id = ?",
        (round(time.time() * 1000) + 900_000, locked.id),
    )
    told, took = {}, {}
    for name, whose, fields in (
        ("nobody", known, {"login": "khong.co.ai", "code": "123456"}),
        ("no login at all", known, {"login": "' OR 1=1 --", "code": "123456"}),
        ("a wrong password", known, {"password": "x" * 20, "code": "123456"}),
        ("a wrong code", known, {"code": "000000"}),
        ("no code", known, {"code": ""}),
        ("locked, all right", locked, {}),
        ("closed, all right", closed, {}),
    ):
        began = time.perf_counter()
        answer = await staff.sign_in(whose, **fields)
        took[name] = (time.perf_counter() - began) * 1000
        page = re.sub(r'value="[^"]*"', "", answer.page)
        told[name] = (answer.status, page, sorted(answer.headers), answer.headers.get("Retry-After"))
    assert len({str(each) for each in told.values()}) == 1, {name: each[0] for name, each in told.items()}
    assert told["nobody"][0] == 422
    tell(capsys, "signing in, ms: " + ", ".join(f"{name} {ms:.0f}" for name, ms in took.items()))


async def test_a_password_is_guessed_five_times_whoever_and_however_many_guess(staff: Staff) -> None:
    victim = await staff.insider(login(), Role.AUTHOR)
    failed = len(staff.noted(action="sign_in.failed"))
    guesses = [
        staff.sign_in(victim, password=f"guess {each:020}", code="1", address=f"10.9.{each}.1") for each in range(12)
    ]
    assert {answer.status for answer in await asyncio.gather(*guesses)} <= {422, 503}
    assert len(staff.noted(action="sign_in.failed")) - failed <= 5
    assert staff.count("SELECT locked_until_at IS NOT NULL FROM officer WHERE id = ?", (victim.id,))
    assert (await staff.sign_in(victim)).status == 422, "the right ones open nothing either"


async def test_whoever_has_the_password_guesses_five_codes(staff: Staff) -> None:
    victim = await staff.insider(login(), Role.AUTHOR)
    for guess in range(5):
        assert (await staff.sign_in(victim, code=f"{guess:06}")).status == 422
    assert (await staff.sign_in(victim)).status == 422


async def test_codes_are_not_guessed_in_a_stolen_session_either(staff: Staff) -> None:
    author, victim = await staff.insider(login(), Role.AUTHOR), await staff.insider(login(), Role.APPROVER)
    identifier = await staff.submitted(author)
    answers = await asyncio.gather(*(staff.approve(victim, identifier, code=f"{each:06}") for each in range(10)))
    assert {each.status for each in answers} == {422}
    assert (await staff.approve(victim, identifier)).status == 422, "it is locked"
    assert staff.broadcast(identifier)["state"] == "submitted"


async def test_a_code_opens_once_and_no_earlier_one_after_it(staff: Staff) -> None:
    victim = await staff.insider(login(), Role.AUTHOR)
    present = int(time.time()) // STEP_S
    codes = {step: code_of(victim.totp, step) for step in (present - 1, present, present + 1)}
    answers = await asyncio.gather(*(staff.sign_in(victim, code=codes[present + 1]) for _ in range(4)))
    assert Counter(each.status for each in answers) == {303: 1, 422: 3}
    for step in (present + 1, present, present - 1, present - 2, present + 5):
        assert (await staff.sign_in(victim, code=code_of(victim.totp, step))).status == 422
        staff.write("UPDATE officer SET failures = 0, locked_until_at = NULL WHERE id = ?", (victim.id,))


async def test_a_lock_of_strangers_making_ends_no_session_and_locks_nobody_else(staff: Staff) -> None:
    victim, neighbour = await staff.insider(login(), Role.AUTHOR), await staff.insider(login(), Role.AUTHOR)
    for guess in range(6):
        await staff.sign_in(victim, password="x" * 12, code="1", address=f"10.8.{guess}.1")
    assert await staff.is_in(victim.secret)
    assert (await staff.sign_in(neighbour)).status == 303
    chief = await staff.insider(login(), Role.AGENCY_ADMIN)
    assert (await staff.post(f"{paths.OFFICERS}/{victim.id}/dat-lai", chief)).status == 200
    assert not staff.count("SELECT locked_until_at IS NOT NULL FROM officer WHERE id = ?", (victim.id,))


async def test_one_address_cannot_lock_a_whole_agency(staff: Staff) -> None:
    victims = [await staff.insider(login(), Role.AUTHOR) for _ in range(6)]
    for victim in victims:
        for _ in range(5):
            await staff.sign_in(victim, password="x" * 12, code="1", address="10.7.7.7")
    locked = [
        staff.count("SELECT locked_until_at IS NOT NULL FROM officer WHERE id = ?", (each.id,)) for each in victims
    ]
    assert sum(locked) == 4
    assert (await staff.sign_in(victims[-1])).status == 303, "from anywhere else"


# ---- where one is sent


ELSEWHERE: Final = (
    f"//{EVIL}", f"///{EVIL}", f"////{EVIL}", f"/\\{EVIL}", f"\\\\{EVIL}", f"\\/{EVIL}", f"/\\/{EVIL}", f"https://{EVIL}", f"https:{EVIL}",
    f"HTTPS://{EVIL}", f"http:/{EVIL}", "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", f" //{EVIL}", f"\t//{EVIL}",
    f"/\t/{EVIL}", f"/\n/{EVIL}", f"/\r\n/{EVIL}", f"/\x00/{EVIL}", f"/%09/{EVIL}", f"%2f%2f{EVIL}", f"/%2f{EVIL}", f"/%5c{EVIL}", f"/.//{EVIL}",
    f"/..//{EVIL}", f"/;@{EVIL}", f"@{EVIL}", f"/@{EVIL}", f"{EVIL}", f".{EVIL}", f"?//{EVIL}", f"#//{EVIL}", "/x\r\nSet-Cookie: a=b",
    f"/x\r\nLocation: https://{EVIL}", f"/\u2028/{EVIL}", f"/\u00a0/{EVIL}", f"/\uff0f{EVIL}", f"\uff0f\uff0f{EVIL}", f"/\ufeff/{EVIL}", f"/\u202e/{EVIL}",
    f"https://{EVIL}\\@console", f"[//{EVIL}", "//[", "http://[::1", "/" * 3_000 + EVIL, "",
)  # fmt: skip


async def test_nobody_is_sent_to_anothers_address(staff: Staff) -> None:
    victim = await staff.insider(login(), Role.AUTHOR)
    for number, elsewhere in enumerate(ELSEWHERE):
        staff.write("UPDATE officer SET totp_step = 1 WHERE id = ?", (victim.id,))
        code = code_of(victim.totp, int(time.time()) // STEP_S)
        answer = await staff.sign_in(victim, tiep=elsewhere, next=elsewhere, code=code, address=f"10.6.{number}.1")
        assert answer.status == 303, repr(elsewhere)
        assert lands(answer.location) == "", (elsewhere, answer.location)
        assert "Set-Cookie" not in answer.location
        assert len(answer.headers.getall("Set-Cookie")) == 1
        shown = await staff.get(f"{paths.SIGN_IN}?tiep={quote(elsewhere)}&next={quote(elsewhere)}")
        back = re.search(r'name="tiep" value="([^"]*)"', shown.page)
        assert back is None or lands(back[1]) == "", (elsewhere, back[1])
        for referer in (elsewhere, f"https://{EVIL}/"):
            asked = await staff.post(
                paths.ACCOUNT_LANGUAGE,
                victim,
                {"language": "vi"},
                headers={**SAME, "Referer": quote(referer, safe=":/@")},
            )
            assert asked.location.startswith(paths.ACCOUNT)


def lands(location: str) -> str:
    """The host a browser goes to: it takes a backslash for a slash, and leaves out what is not seen (WHATWG URL)."""
    typed = re.sub(r"[\t\r\n]", "", location.strip("".join(map(chr, range(33))))).replace("\\", "/")
    return urlsplit(urljoin("http://console.test/dang-nhap", typed)).netloc.replace("console.test", "")


async def test_who_is_not_signed_in_is_sent_to_our_own_form_from_everywhere(staff: Staff) -> None:
    for path in (
        f"//{EVIL}/..",
        f"/{EVIL}",
        f"/gui-tin?x=//{EVIL}",
        "/gui-tin?%0d%0aX-Evil:1",
        f"/%5c%5c{EVIL}",
        "/nhat-ky?%00",
    ):
        answer = await staff.get(
            path, headers={"Host": "127.0.0.1", "X-Forwarded-Host": EVIL, "Forwarded": f"host={EVIL}"}
        )
        assert answer.status in (303, 400, 404)
        assert lands(answer.location) == ""
        assert answer.location.startswith(paths.SIGN_IN) or not answer.location
        assert "X-Evil" not in answer.headers


async def test_nothing_typed_becomes_a_header(staff: Staff, routes: Sequence[ConsoleRoute]) -> None:
    """Wherever it can be typed."""
    chief = await staff.insider(login(), Role.OPERATOR, Role.AGENCY_ADMIN, Role.AUTHOR, agency=PROVINCE)
    broken = "x%0d%0aX-Evil:%201%0d%0a%0d%0a<script>alert(1)</script>"
    names = (
        "lang",
        "tiep",
        "xong",
        "sau",
        "truoc",
        "loai",
        "trang_thai",
        "login",
        "action",
        "about",
        "since",
        "until",
        "before",
    )
    for route in routes:
        if route.method == "GET" and route.path not in STREAMS:
            answer = await staff.get(f"{address(route)}?" + "&".join(f"{name}={broken}" for name in names), chief)
            assert "X-Evil" not in answer.headers, route.path
            assert "<script>alert" not in answer.page, route.path
            assert answer.status < 500, route.path


# ---- requests from elsewhere

# What a browser says of a form that no page of ours sent; older ones say nothing but Origin, or nothing at all.
FOREIGN: Final[Sequence[Mapping[str, str]]] = (
    {},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "OWN"},
    {"Sec-Fetch-Site": "SAME-ORIGIN"},
    {"Sec-Fetch-Site": "same-origin, cross-site"},
    {"Sec-Fetch-Site": ""},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "https://evil.example"},
    {"Origin": "OWN.evil.example"},
    {"Origin": "http://evil.example@HOST"},
    {"Origin": "http://evil.example#HOST"},
    {"Origin": "HOST"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "https://evil.example", "X-Forwarded-Host": "evil.example"},
    {"Origin": "https://evil.example", "Referer": "OWN/gui-tin"},
    {"Referer": "OWN/gui-tin"},
    {"X-Requested-With": "XMLHttpRequest"},
)


async def test_no_form_of_another_site_changes_anything(staff: Staff, routes: Sequence[ConsoleRoute]) -> None:
    victim = await staff.insider(login(), *Role, agency=PROVINCE)
    identifier, someone = await staff.drafted(victim), await staff.insider(login(), Role.INTAKE)
    own = staff.gateway.staff
    posts = [route for route in routes if route.method not in ("GET", "HEAD")]
    assert len(posts) >= 25
    before = staff.kept(), len(staff.noted())
    for route in posts:
        number = someone.id if "officer" in route.path else identifier
        form = {
            **draft_form(),
            "version": "1",
            "sure": "1",
            "login": "planted",
            "name": "X",
            "role": "author",
            "language": "en",
        }
        asked = []
        for headers in FOREIGN:
            sent = {
                name: value.replace("OWN", own).replace("HOST", urlsplit(own).netloc) for name, value in headers.items()
            }
            asked.append(staff.ask(route.method, address(route, number), who=victim, form=form, headers=sent))
        statuses = [answer.status for answer in await asyncio.gather(*asked)]
        assert statuses == [403] * len(FOREIGN), (route.method, route.path, statuses)
    assert (staff.kept(), len(staff.noted())) == before
    assert await staff.is_in(victim.secret)


async def test_looking_changes_nothing_whoever_makes_one_look(staff: Staff, routes: Sequence[ConsoleRoute]) -> None:
    """A link or a picture on another site asks with the cookie."""
    victim = await staff.insider(login(), *Role, agency=PROVINCE)
    identifier, someone = await staff.submitted(victim), await staff.insider(login(), Role.INTAKE)
    before = staff.kept()
    for route in routes:
        if route.method == "GET" and route.path not in STREAMS:
            number = someone.id if "officer" in route.path else identifier
            query = "action=approve&step=send&open=1&sure=1&role=operator&_method=POST&version=2"
            for method in ("GET", "HEAD"):
                sent = {"Sec-Fetch-Site": "cross-site", "X-HTTP-Method-Override": "POST"}
                answer = await staff.ask(method, f"{address(route, number)}?{query}", who=victim, headers=sent)
                assert answer.status < 500, route.path
    assert staff.kept() == before


async def test_a_route_answers_to_its_own_method_only(staff: Staff, routes: Sequence[ConsoleRoute]) -> None:
    victim = await staff.insider(login(), *Role, agency=PROVINCE)
    known = {(route.method, route.path) for route in routes}
    before = staff.kept()
    for path in sorted({route.path for route in routes}):
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"):
            if (method, path) not in known:
                answer = await staff.ask(method, address_of(path), who=victim)
                assert answer.status == 405, (method, path, answer.status)
                assert "Access-Control-Allow-Origin" not in answer.headers
    assert staff.kept() == before


def address_of(path: str) -> str:
    return re.sub(r"\{(\w+)(?::[^{}]*)?\}", lambda match: NOWHERE.get(match[1], "1"), path)


# ---- one's own broadcast approved


async def test_nobody_approves_their_own_whatever_role_they_are_given(staff: Staff) -> None:
    author, chief = await staff.insider(login(), Role.AUTHOR), await staff.insider(login(), Role.AGENCY_ADMIN)
    identifier = await staff.submitted(author)
    for roles in (["approver"], ["approver", "author"], ["approver", "agency_admin"]):
        fields = {"name": "Tên khác", "agency": OURS, "role": roles}
        form = [
            (name, each) for name, value in fields.items() for each in ([value] if isinstance(value, str) else value)
        ]
        assert (await staff.post(f"{paths.OFFICERS}/{author.id}", chief, form)).status == 303
        refused = await staff.approve(author, identifier)
        assert (refused.status, staff.broadcast(identifier)["state"]) == (403, "submitted")
    refused = await staff.post(
        f"{paths.OFFICERS}/{author.id}", author, {"name": "X", "agency": OURS, "role": "approver"}
    )
    assert refused.status == 403, "nor gives it to oneself"


async def test_whoever_has_touched_it_is_an_author_of_it(staff: Staff) -> None:
    """Edited, submitted, taken a list into it: by turns, and back again."""
    lan, hoa = [await staff.insider(login(), Role.AUTHOR, Role.APPROVER) for _ in range(2)]
    stranger = await staff.insider(login(), Role.APPROVER)
    written = await staff.drafted(lan)
    assert (await staff.act(hoa, written, "submit")).status == 303
    for one_of_them in (lan, hoa):
        assert (await staff.approve(one_of_them, written)).status == 403
    assert (await staff.act(hoa, written, "send_back", reason="x")).status == 303
    assert (await staff.act(lan, written, "edit", **draft_form(title="Khác"))).status == 303
    assert (await staff.act(lan, written, "submit")).status == 303
    for one_of_them in (lan, hoa):
        assert (await staff.approve(one_of_them, written)).status == 403
    assert (await staff.approve(stranger, written)).status == 303
    assert staff.broadcast(written)["approved_by"] == stranger.id


async def test_what_was_changed_after_it_was_looked_at_is_not_approved_by_an_old_form(staff: Staff) -> None:
    author, approver = await staff.insider(login(), Role.AUTHOR), await staff.insider(login(), Role.APPROVER)
    identifier = await staff.submitted(author)
    looked_at = str(staff.broadcast(identifier)["version"])
    assert (await staff.act(approver, identifier, "send_back", reason="x")).status == 303
    assert (await staff.act(author, identifier, "edit", **draft_form(text_vi="Chuyển tiền ngay"))).status == 303
    assert (await staff.act(author, identifier, "submit")).status == 303
    code = approver.code()
    present = str(staff.broadcast(identifier)["version"])
    for forged in (looked_at, "", "0", "-1", "99999", f"{looked_at}.0", f" {looked_at}", "x", "9" * 40):
        refused = await staff.approve(approver, identifier, version=forged, code=code)
        assert (refused.status, staff.broadcast(identifier)["state"]) == (409, "submitted"), forged
    polluted = [("version", looked_at), ("version", present), ("code", code)]
    assert (await staff.post(at(paths.BROADCAST_APPROVE, identifier), approver, polluted)).status == 409
    assert (await staff.approve(approver, identifier, code=code)).status == 303, "which used up no code"


async def test_after_the_approval_nothing_changes_what_is_sent(staff: Staff) -> None:
    author, approver = await staff.insider(login(), Role.AUTHOR), await staff.insider(login(), Role.APPROVER)
    tomorrow = time.strftime("%Y-%m-%dT%H:%M", time.localtime(time.time() + 2 * 86_400))
    identifier = await staff.submitted(author, starts_at=tomorrow)
    assert (await staff.approve(approver, identifier)).status == 303
    before = staff.broadcast(identifier)
    changes = {
        "text_vi": "Chuyển tiền ngay",
        "state": "draft",
        "approved_by": str(approver.id),
        "seal": "x",
        "people": "1",
    }
    for path in (
        paths.BROADCAST_EDIT,
        paths.BROADCAST_SUBMIT,
        paths.BROADCAST_FILE,
        paths.BROADCAST_FILE_TAKE,
        paths.BROADCAST_RESEND,
        paths.BROADCAST_APPROVE,
    ):
        form = {
            **draft_form(**changes),
            "version": str(before["version"]),
            "code": "1",
            "upload": "1",
            "id": str(identifier),
        }
        for whose in (author, approver):
            assert (await staff.post(at(path, identifier), whose, form)).status in (403, 404, 409), path
    assert (
        await staff.post(paths.BROADCAST_NEW, author, {**draft_form(**changes), "id": str(identifier)})
    ).location.startswith(at(paths.BROADCAST, identifier))
    assert staff.broadcast(identifier) == before


async def test_what_was_changed_behind_our_back_does_not_leave(staff: Staff) -> None:
    """The seal is looked at when it starts, too."""
    author, approver = await staff.insider(login(), Role.AUTHOR), await staff.insider(login(), Role.APPROVER)
    soon = time.strftime("%Y-%m-%dT%H:%M", time.localtime(time.time() + 2 * 86_400))
    identifier = await staff.submitted(author, starts_at=soon)
    staff.write("UPDATE broadcast SET texts = ? WHERE id = ?", ('{"vi": "Chuyen tien ngay"}', identifier))
    assert (await staff.approve(approver, identifier)).status == 409
    assert staff.broadcast(identifier)["state"] == "submitted"


async def test_fifty_at_once_make_nobody_approve_their_own(staff: Staff) -> None:
    """Two officers with both roles do everything at once, again and again, to what both have a hand in."""
    lan, hoa = [await staff.insider(login(), Role.AUTHOR, Role.APPROVER) for _ in range(2)]
    identifier = await staff.drafted(lan)

    def deed(number: int) -> Awaitable[Answer]:
        whose, version = (lan, hoa)[number % 2], str(1 + number % 6)
        if number % 5 == 0:
            return staff.act(whose, identifier, "edit", **draft_form(title=f"{number}"), version=version)
        action = ("submit", "send_back", "approve", "submit")[number % 4]
        code = code_of(whose.totp, int(time.time()) // STEP_S) if action == "approve" else ""
        return staff.act(whose, identifier, action, version=version, reason="x", code=code)

    for _ in range(2):
        answers = await asyncio.gather(*(deed(number) for number in range(50)))
        assert {each.status for each in answers} <= {303, 403, 409, 422}
    row, trail = staff.broadcast(identifier), staff.noted(about=f"broadcast:{identifier}")
    hands = {row["author"], row["submitted_by"], *json.loads(row["editors"])}
    assert row["approved_by"] is None or row["approved_by"] not in hands
    done = Counter(each["action"] for each in trail)
    assert row["version"] == sum(done.values()), "each change is noted, and nothing else is"
    for entry in trail:
        if entry["action"] == "broadcast.approved":
            touched = {
                each["officer_id"]
                for each in trail
                if each["id"] < entry["id"] and each["action"] != "broadcast.sent_back"
            }
            assert entry["officer_id"] not in touched


async def test_an_approvers_account_that_is_taken_over_says_so(staff: Staff) -> None:
    """An administrator who writes can give oneself an approver's password: the approver is thrown out, and it is noted."""
    chief, approver = (
        await staff.insider(login(), Role.AGENCY_ADMIN, Role.AUTHOR),
        await staff.insider(login(), Role.APPROVER),
    )
    identifier = await staff.submitted(chief)
    given = await staff.post(f"{paths.OFFICERS}/{approver.id}/dat-lai", chief)
    password = one(r"<code[^>]*>([a-z2-9-]{19})</code>", given.page)
    staff.secrets.add(password)
    assert not await staff.is_in(approver.secret)
    entered = await staff.sign_in(approver, password=password, code="")
    assert (await staff.get(at(paths.BROADCAST, identifier), entered.cookie)).location == paths.ACCOUNT
    refused = await staff.post(at(paths.BROADCAST_APPROVE, identifier), entered.cookie, {"version": "2", "code": "1"})
    assert (refused.location, staff.broadcast(identifier)["state"]) == (paths.ACCOUNT, "submitted")
    [entry] = staff.noted(about=f"officer:{approver.id}", action="officer.reset")
    assert entry["login"] == chief.login


# ---- sent twice


async def test_a_form_sent_twenty_times_is_one_broadcast_one_start_and_one_message_each(staff: Staff) -> None:
    author, approver = await staff.insider(login(), Role.AUTHOR), await staff.insider(login(), Role.APPROVER)
    identifier = one(r'name="id" value="(\d+)"', (await staff.get(paths.BROADCAST_NEW, author)).page)
    made = staff.count("SELECT count(*) FROM broadcast")
    form = {**draft_form(text_vi="Chi mot lan {ma_ho_so}"), "id": identifier}
    answers = await asyncio.gather(*(staff.post(paths.BROADCAST_NEW, author, form) for _ in range(AT_ONCE)))
    assert {each.location for each in answers} == {f"{at(paths.BROADCAST, int(identifier))}?xong=created"}
    assert staff.count("SELECT count(*) FROM broadcast") == made + 1
    number = int(identifier)
    for action, whose, fields in (("submit", author, {}), ("approve", approver, {"code": approver.code()})):
        version = str(staff.broadcast(number)["version"])
        answers = await asyncio.gather(
            *(staff.act(whose, number, action, version=version, **fields) for _ in range(AT_ONCE))
        )
        statuses = Counter(each.status for each in answers)
        assert statuses[303] == 1, (action, statuses)
        assert (
            len(
                staff.noted(
                    f"broadcast:{number}", {"submit": "broadcast.submitted", "approve": "broadcast.approved"}[action]
                )
            )
            == 1
        )
    async with asyncio.timeout(60):
        while staff.broadcast(number)["state"] != "done":  # noqa: ASYNC110 - another process has no event to await
            await asyncio.sleep(0.1)
    sent = [each["recipient"] for each in staff.rows("SELECT recipient FROM outbox WHERE broadcast_id = ?", (number,))]
    assert sorted(sent) == sorted(f"sms:{number_of(person)}" for person in range(FOLLOWERS))
    heard = Counter(each.destination.removeprefix("+") for each in staff.smsc.replies if "Chi mot lan" in each.text)
    assert {heard[number_of(person)] for person in range(FOLLOWERS)} == {1}


async def test_a_test_sent_twenty_times_is_one_message(staff: Staff) -> None:
    author = await staff.insider(login(), Role.AUTHOR)
    identifier = await staff.drafted(author)
    page = (await staff.get(at(paths.BROADCAST, identifier), author)).page
    form = {
        "by": "sms",
        "to": "0912000777",
        "language": "vi",
        **dict(re.findall(r'name="(id|version)" value="(\d+)"', page)),
    }
    staff.secrets.add("84912000777")
    answers = await asyncio.gather(
        *(staff.post(at(paths.BROADCAST_TEST, identifier), author, form) for _ in range(AT_ONCE))
    )
    assert {each.status for each in answers} <= {303, 409}
    assert staff.count("SELECT count(*) FROM outbox WHERE recipient = 'sms:84912000777'") == 1
    assert len(staff.noted(f"broadcast:{identifier}", "broadcast.tested")) == 1


async def test_an_incident_told_twenty_times_is_told_once(staff: Staff) -> None:
    operator = await staff.insider(login(), Role.OPERATOR, agency=PROVINCE)
    form = {"words": "Nghẽn mạng", "step": "send"}
    answers = await asyncio.gather(*(staff.post(paths.INCIDENT, operator, form) for _ in range(AT_ONCE)))
    assert {each.status for each in answers} == {303}
    assert len(staff.noted(action="incident.reported")) == 1


# ---- objects of others


async def test_what_is_anothers_is_not_there(staff: Staff, routes: Sequence[ConsoleRoute]) -> None:
    """On every route with a number, for officers of another agency with every role: the same as what there is not."""
    author, approver = await staff.insider(login(), Role.AUTHOR), await staff.insider(login(), Role.APPROVER)
    stranger = await staff.insider(login(), *(set(Role) - {Role.OPERATOR}), agency=THEIRS)
    identifier, ended = await staff.submitted(author), await staff.drafted(author)
    staff.write(
        "INSERT INTO feedback (number, inbound_id, sender, text, received_at, agency) VALUES (?,?,?,?,?,?)",
        (4_711, 4_711, "sms:84912345678", "Xin cam on", round(time.time() * 1000), OURS),
    )
    before, noted = staff.kept(), len(staff.noted())
    tried = 0
    for route in routes:
        numbers = {"broadcast": (identifier, ended), "officer": (author.id, approver.id), "number": (4_711,)}
        for name, there in numbers.items():
            if f"{{{name}:" not in route.path:
                continue
            form = {
                **draft_form(agency=THEIRS),
                "version": "2",
                "code": "1",
                "sure": "1",
                "reason": "x",
                "answer": "x",
                "name": "X",
                "role": "author",
            }
            asked = {"form": form} if route.method == "POST" else {}
            nowhere = await staff.ask(route.method, address(route, 7), who=stranger, **asked)
            for number in there:
                answer = await staff.ask(route.method, address(route, number), who=stranger, **asked)
                tried += 1
                assert (answer.status, answer.page.replace(str(number), "7")) == (nowhere.status, nowhere.page), (
                    route.path
                )
                assert answer.status == 404, (route.method, route.path, answer.status)
    assert tried > 25
    session = paths.ACCOUNT_SESSION_END.format(session=digest_of(author.secret))
    assert (await staff.post(session, stranger)).status == 404
    assert await staff.is_in(author.secret)
    assert (staff.kept(), len(staff.noted())) == (before, noted)
    for path in (paths.BROADCASTS, paths.OFFICERS, paths.AUDIT, paths.FEEDBACK, paths.AUDIT_FILE, paths.FEEDBACK_FILE):
        shown = (await staff.get(path, stranger)).page
        assert author.login not in shown
        assert str(identifier) not in shown
        assert "Xin cam on" not in shown
    for field in ("about", "login"):
        value = {"about": f"broadcast:{identifier}", "login": author.login}[field]
        assert "broadcast." not in (await staff.get(f"{paths.AUDIT_FILE}?{field}={value}", stranger)).page


async def test_a_resend_takes_no_number_of_anothers(staff: Staff) -> None:
    author, stranger = (
        await staff.insider(login(), Role.AUTHOR),
        await staff.insider(login(), Role.AUTHOR, agency=THEIRS),
    )
    taken = await staff.drafted(author)
    answer = await staff.post(paths.BROADCAST_NEW, stranger, {**draft_form(agency=THEIRS), "id": str(taken)})
    assert answer.status == 404
    assert staff.broadcast(taken)["author"] == author.id


# ---- more than a form asks for


async def test_fields_that_no_form_has_change_nothing(staff: Staff) -> None:
    author, chief = await staff.insider(login(), Role.AUTHOR), await staff.insider(login(), Role.AGENCY_ADMIN)
    forged = {
        "state": "approved", "author": str(chief.id), "agency_": THEIRS, "approved_by": str(chief.id), "submitted_by": str(chief.id),
        "seal": "x", "people": "1", "version": "99", "editors": "[]", "busy": "1", "resend_of": "1", "failed_of": "1", "file": "x", "upload": "1",
        "created_at": "0", "officer": str(chief.id), "id_": "1", "canary_left": "0", "audience": '{"kind":"file"}', "approved_until": "9",
    }  # fmt: skip
    identifier = staff.new_id()
    assert (
        await staff.post(paths.BROADCAST_NEW, author, {**draft_form(), "id": str(identifier), **forged})
    ).status == 303
    row = staff.broadcast(identifier)
    assert (row["state"], row["author"], row["agency"], row["version"]) == ("draft", author.id, OURS, 1)
    assert (row["approved_by"], row["submitted_by"], row["seal"], row["people"], row["upload"], row["resend_of"]) == (
        None,
        None,
        "",
        0,
        None,
        None,
    )
    assert json.loads(row["audience"])["file"] == ""
    whose = login()
    fields = {
        "login": whose, "name": "X", "agency": OURS, "role": "author", "id": "1", "password": NEW, "password_hash": "x", "must_set_password": "0",
        "totp_secret": "A" * 32, "totp_step": "0", "created_by": "tracuu", "roles": "operator", "disabled_at": "", "failures": "-100",
    }  # fmt: skip
    assert (await staff.post(paths.OFFICER_NEW, chief, fields)).status == 200
    [made] = staff.rows("SELECT * FROM officer WHERE login = ?", (whose,))
    assert (made["roles"], made["must_set_password"], made["totp_secret"], made["created_by"], made["failures"]) == (
        "author",
        1,
        None,
        chief.login,
        0,
    )
    assert made["id"] != 1
    own = {"language": "en", "role": "operator", "agency": PROVINCE, "roles": "operator", "name": "Y", "login": "chu"}
    assert (await staff.post(paths.ACCOUNT_LANGUAGE, author, own)).status == 303
    [me] = staff.rows("SELECT login, name, agency, roles, language FROM officer WHERE id = ?", (author.id,))
    assert (me["login"], me["agency"], me["roles"], me["language"]) == (author.login, OURS, "author", "en")


async def test_a_field_said_twice_gets_nobody_more(staff: Staff) -> None:
    author, chief = await staff.insider(login(), Role.AUTHOR), await staff.insider(login(), Role.AGENCY_ADMIN)
    before = staff.kept()
    base = list(draft_form().items())
    for agencies in (
        (OURS, THEIRS),
        (THEIRS, OURS),
        (OURS, PROVINCE),
        (f"{OURS},{THEIRS}",),
        (f" {THEIRS} ",),
        (THEIRS.lower(),),
    ):
        form = [pair for pair in base if pair[0] != "agency"] + [("agency", each) for each in agencies]
        assert (await staff.post(paths.BROADCAST_NEW, author, form)).status in (404, 422), agencies
    for extra in (
        [("role", "author"), ("role", "operator")],
        [("role", "operator"), ("role", "author")],
        [("role", "author"), ("role", "OPERATOR")],
        [("role", "author operator")],
        [("role", "author\x00operator")],
    ):
        form = [("login", login()), ("name", "X"), ("agency", OURS), *extra]
        assert (await staff.post(paths.OFFICER_NEW, chief, form)).status in (403, 422), extra
    for agencies in ((OURS, PROVINCE), (PROVINCE, OURS)):
        form = [("login", login()), ("name", "X"), *(("agency", each) for each in agencies), ("role", "author")]
        answer = await staff.post(paths.OFFICER_NEW, chief, form)
        assert answer.status in (200, 404)
    assert not staff.rows("SELECT 1 FROM officer WHERE agency = ? AND created_by = ?", (PROVINCE, chief.login))
    after = staff.kept("officer")
    assert after == {table: rows for table, rows in before.items() if table != "officer"}


# ---- odd forms

LONG: Final = (
    "x" * 60_000,
    "\u0301" * 9_000,
    "đ" * 20_000,
    "\x00" * 500,
    "<script>alert(1)</script>" * 50,
    "{{7*7}}{%x%}" * 90,
    "%n%s" * 900,
)


async def test_whatever_is_typed_is_answered_and_nothing_breaks(staff: Staff, routes: Sequence[ConsoleRoute]) -> None:
    victim = await staff.insider(login(), *Role, agency=PROVINCE)
    identifier, someone = await staff.drafted(victim), await staff.insider(login(), Role.INTAKE)
    fields = (
        "login", "password", "code", "tiep", "present", "wanted", "again", "new_code", "language", "name", "agency", "role", "title", "text_vi", "text_en",
        "kind", "procedure", "status", "received_from", "received_to", "due_in_days", "basis", "starts_at", "canary", "version", "reason", "id", "upload",
        "by", "to", "answer", "number", "before", "words", "step", "origins", "plain",
    )  # fmt: skip
    odd: list[Any] = [
        *(dict.fromkeys(fields, long[:300]) | {"step": "x", "kind": "followers"} for long in ("", *LONG)),
        *({field: long} for field in ("login", "text_vi", "answer", "words", "origins") for long in (LONG[0], LONG[3])),
        [(f"x{number}", "1") for number in range(3_000)],
        [("agency", f"H{number}") for number in range(3_000)],
        b"\xff\xfe" * 900,
        b"login=%ff%fe%00&=&&==&%",
        b"x" * 70_000,
    ]
    for route in routes:
        if route.method != "POST" or route.path in (paths.SIGN_OUT, paths.ACCOUNT_SESSION_END):
            continue
        number = someone.id if "officer" in route.path else identifier
        asked = [
            staff.ask("POST", address(route, number), who=victim, form=form, headers=_as_form(form)) for form in odd
        ]
        for form, answer in zip(odd, await asyncio.gather(*asked), strict=True):
            busy = answer.status == 503 and route.path in (
                paths.SIGN_IN,
                paths.ACCOUNT_PASSWORD,
                paths.ACCOUNT_TOTP,
                paths.OFFICER_NEW,
                paths.OFFICER_RESET,
            )
            assert busy or answer.status < 500, (route.path, answer.status, str(form)[:80])
            assert "<script>alert" not in answer.page, route.path
            assert "49{%x" not in answer.page, route.path
            assert len(answer.page) < 1_000_000, route.path


def _as_form(form: Any) -> Mapping[str, str]:
    return {**SAME, "Content-Type": "application/x-www-form-urlencoded"} if isinstance(form, bytes) else SAME


@pytest.mark.parametrize(
    "number",
    ["0", "-1", "9" * 19, "9" * 400, "1e3", "٣", "１", "0x10", "1%00", "1%20", "..%2f1", "1;2", "1'--", "null", "NaN"],
)
async def test_a_number_that_is_none_is_not_there(staff: Staff, routes: Sequence[ConsoleRoute], number: str) -> None:
    victim = await staff.insider(login(), *Role, agency=PROVINCE)
    for route in routes:
        if re.search(r"\{(broadcast|officer|number):", route.path):
            answer = await staff.ask(
                route.method,
                address(route, quote(number, safe="%")),
                who=victim,
                form={} if route.method == "POST" else None,
            )
            assert answer.status in (400, 404, 405), (route.path, answer.status)


# ---- every page


async def test_no_page_is_kept_framed_or_run_with_anothers_script(staff: Staff, routes: Sequence[ConsoleRoute]) -> None:
    """Whoever asks, and whatever the answer is."""
    victim, inspector = (
        await staff.insider(login(), *Role, agency=PROVINCE),
        await staff.insider(login(), Role.INSPECTOR),
    )
    broken = (
        f"{paths.OFFICERS}/x",
        "/khong-co",
        "/%ff",
        "/" + "x" * 4_000,
        f"{paths.AUDIT}?since=x",
        "/static/..%2f..%2fpaths.py",
    )
    asked = [
        (route.method, address(route)) for route in routes if route.path not in {*STREAMS, paths.STATIC, paths.SIGN_OUT}
    ]
    for method, path in (*asked, *(("GET", path) for path in broken), ("DELETE", paths.AUDIT)):
        for whose, accepts in ((victim, "text/html"), (inspector, "*/*"), (None, "*/*"), ("stolen", "text/html")):
            sent = {**SAME, "Accept": accepts}
            answer = await staff.ask(method, path, who=whose, headers=sent)
            headers = answer.headers
            assert headers["Cache-Control"] == "no-store", path
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], path
            assert "unsafe" not in headers["Content-Security-Policy"], path
            assert headers["X-Content-Type-Options"] == "nosniff", path
            assert headers["Referrer-Policy"] in ("same-origin", "no-referrer"), path
            assert headers["Strict-Transport-Security"].startswith("max-age="), path
            assert "Server" not in headers, path
            assert "Access-Control-Allow-Origin" not in headers, path
            assert not re.search(r"Traceback|aiohttp|[Pp]ython|sqlite|\.py\b|/site-packages/|SELECT ", answer.page), (
                path
            )
            assert answer.status < 500 or answer.status == 503, (path, answer.status)


async def test_who_is_not_signed_in_sees_nothing_but_the_door(staff: Staff, routes: Sequence[ConsoleRoute]) -> None:
    for route in routes:
        if route.needs is Access.PUBLIC:
            assert route.path in OPEN_TO_ALL
            continue
        answer = await staff.ask(route.method, address(route))
        assert answer.status == (303 if route.method == "GET" else 401), route.path
        assert answer.location.startswith(paths.SIGN_IN) or route.method != "GET"


# ---- files that are taken away


async def test_no_cell_of_any_file_is_a_formula(staff: Staff, routes: Sequence[ConsoleRoute]) -> None:
    """Of every file there is: people, strangers and officers wrote into them what a spreadsheet would run."""
    files = {route.path for route in routes if route.path.endswith(".csv")}
    victim = await staff.insider(login(), *Role, agency=PROVINCE)
    author = await staff.insider(login(), Role.AUTHOR)
    identifier = await staff.drafted(author)
    now = round(time.time() * 1000)
    for number, formula in enumerate(FORMULAS):
        staff.write(
            "INSERT INTO feedback (number, inbound_id, sender, text, received_at, agency, answer, answered_at, answered_by) VALUES (?,?,?,?,?,?,?,?,?)",
            (5_000 + number, 5_000 + number, "sms:84912345678", formula, now, OURS, formula, now, formula),
        )
        staff.write(
            "INSERT INTO audit (id, at, officer_id, login, agency, action, about, detail, address) VALUES (?,?,?,?,?,?,?,?,?)",
            (
                staff.new_id(),
                now,
                None,
                formula,
                formula,
                formula,
                f"broadcast:{identifier}",
                json.dumps({"x": formula}),
                formula,
            ),
        )
        first = staff.new_id()
        staff.write(
            "INSERT INTO outbox (id, channel, account, category, priority, recipient, sender, text, state, created_at, available_at, expires_at, attempts,"
            " dossier_code, language, reason, broadcast_id, delivery_status) VALUES (?,?,'demo','broadcast',2,?,'sms:8100','x','rejected',?,?,?,1,?,?,?,?,?)",
            (first, formula, f"sms:{formula}", now, now, now, formula, formula, formula, identifier, formula),
        )
        columns = [row["name"] for row in staff.rows("SELECT name FROM pragma_table_info('broadcast_chunk')")]
        known = {"broadcast_id": identifier, "first_id": first, "last_id": first}
        values = [known.get(column, 0) for column in columns]
        staff.write(
            f"INSERT INTO broadcast_chunk ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", values
        )
    staff.write("UPDATE broadcast SET state = 'stopped' WHERE id = ?", (identifier,))
    listed = await staff.drafted(victim, kind="file", agency=OURS, basis=BASIS, text_vi="Chao")
    rows = "\n".join(f'"{formula}";"{formula}"' for formula in FORMULAS if formula.isprintable())
    assert (await staff.upload(victim, listed, f"SĐT;Ngôn ngữ\n{rows}\n0912345678;=1+1\n".encode())).status == 303
    await staff.until_read(victim, listed)
    seen: set[str] = set()
    for path in files:
        number = listed if path == paths.BROADCAST_FILE_FAULTS else identifier
        answer = await staff.get(f"{at(path, number)}?loai=all", victim)
        assert answer.status == 200, path
        assert answer.headers["Content-Disposition"].startswith("attachment; filename="), path
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        cells = [cell for row in csv.reader(io.StringIO(answer.page.removeprefix("\ufeff"))) for cell in row]
        assert len(cells) > len(FORMULAS), path
        assert [cell for cell in cells if safe(cell) != cell] == [], path
        seen.update(path for cell in cells if cell.startswith("'"))
    assert seen == files - {paths.BROADCAST_FILE_FAULTS} or seen == files


# ---- files that are sent


async def test_a_file_that_is_no_list_takes_neither_memory_nor_time_nor_place(
    staff: Staff, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is refused in words; citizens are answered meanwhile, by a process that has grown by nothing that counts."""
    author = await staff.insider(login(), Role.AUTHOR)
    identifier = await staff.drafted(author, kind="file", basis=BASIS, text_vi="Chao")
    words = read_words()
    at_rest, most, citizens = staff.memory_mib(), Counter[str](), list[int]()
    over = asyncio.Event()
    slow = asyncio.create_task(dribbled(staff, author, identifier))

    async def watch() -> None:
        while not over.is_set():
            ours, all_of_them = staff.memory_mib(alone=True), staff.memory_mib()
            most["of the gateway"] = max(most["of the gateway"], round(ours))
            most["with the reader"] = max(most["with the reader"], round(all_of_them))
            citizens.append(await staff.citizen())
            await asyncio.sleep(0.05)

    watching = asyncio.create_task(watch())
    for bomb in BOMBS:
        answer = await staff.bombed(author, identifier, bomb)
        if answer is not None:
            told = [name for name, sentence in words.items() if sentence in answer.words]
            assert told or bomb.may_be_read, (bomb.name, answer.status, answer.words[:900])
            assert answer.status in ((413, 422) if told else (200,)), bomb.name
            assert "root:" not in answer.page, bomb.name
            assert "<script>alert" not in answer.page, bomb.name
            assert "Traceback" not in answer.page
        assert len(list(staff.spool.glob("recipients-*"))) <= 1, bomb.name  # the slow one's
    slow.cancel()  # whoever leaves takes what came with them
    await asyncio.gather(slow, return_exceptions=True)
    async with asyncio.timeout(60):
        while list(staff.spool.glob("recipients-*")):  # noqa: ASYNC110 - another process has no event to await
            await asyncio.sleep(0.05)
    over.set()
    await watching
    assert set(citizens) == {200}
    assert len(citizens) > len(BOMBS)
    tell(capsys, f"MiB at rest {at_rest:.0f}, at most {dict(most)}; citizens answered meanwhile {len(citizens)}")
    assert most["of the gateway"] < at_rest + 150
    assert most["with the reader"] < at_rest + 1_300, "the reader may take a gigabyte of addresses"
    assert staff.count("SELECT count(*) FROM broadcast_row WHERE broadcast_id = ?", (identifier,)) <= 1
    assert staff.broadcast(identifier)["upload"] is None
    assert not (staff.directory.parent / "burgled").exists()
    assert_quiet(staff.directory)


async def dribbled(staff: Staff, author: Insider, identifier: int) -> None:
    """A file that comes an octet at a time and never ends."""

    async def octets() -> AsyncIterator[bytes]:
        while True:
            yield b"1"
            await asyncio.sleep(0.2)

    await staff.upload(author, identifier, octets())


async def test_a_length_that_lies_ends_the_connection_and_leaves_nothing(staff: Staff) -> None:
    author = await staff.insider(login(), Role.AUTHOR)
    identifier = await staff.drafted(author, kind="file", basis=BASIS, text_vi="Chao")
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="../../../etc/cron.d/a.csv"\r\n\r\n'
    whole = head + GOOD + b"\r\n--x--\r\n"
    for claimed, body in (
        (2 << 30, whole),
        (1 << 62, whole),
        (len(whole) + 100, whole),
        (len(head) + 10, whole),
        (len(whole), whole[:-4]),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", staff.gateway.staff_port)
        lines = (
            f"POST {at(paths.BROADCAST_FILE, identifier)} HTTP/1.1",
            "Host: 127.0.0.1",
            "Sec-Fetch-Site: same-origin",
            f"Cookie: {SECURE_NAME}={author.secret}",
            f"Content-Length: {claimed}",
            "Content-Type: multipart/form-data; boundary=x",
        )
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        if claimed > 1 << 30:
            assert b" 413 " in await reader.readline(), claimed
        else:
            writer.write_eof()
            await reader.read()
        writer.close()
    await asyncio.gather(*(left_in_the_middle(staff, author, identifier, head) for _ in range(AT_ONCE)))
    async with asyncio.timeout(60):
        while list(staff.spool.glob("recipients-*")):  # noqa: ASYNC110 - another process has no event to await
            await asyncio.sleep(0.05)
    assert staff.broadcast(identifier)["upload"] is None


async def left_in_the_middle(staff: Staff, author: Insider, identifier: int, head: bytes) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", staff.gateway.staff_port)
    lines = f"POST {at(paths.BROADCAST_FILE, identifier)} HTTP/1.1\r\nHost: x\r\nSec-Fetch-Site: same-origin\r\nCookie: {SECURE_NAME}={author.secret}\r\n"
    writer.write(
        f"{lines}Content-Length: 9000000\r\nContent-Type: multipart/form-data; boundary=x\r\n\r\n".encode()
        + head
        + GOOD * 900
    )
    await writer.drain()
    writer.transport.abort()


def read_words() -> Mapping[str, str]:
    """What a file is refused with, in Vietnamese."""
    texts = tomllib.loads((ROOT / "config" / "console" / "vi.toml").read_text(encoding="utf-8"))
    return {
        name: words for name, words in texts["broadcast_file_fault"].items() if name not in ("in_row", "busy", "gone")
    }


# ---- what is left behind; to be the last


async def test_the_audit_log_is_changed_by_nobody_and_none_of_it_is_a_secret(staff: Staff) -> None:
    ids = [each["id"] for each in staff.noted()]
    assert len(ids) > 100
    for statement in (
        "UPDATE audit SET login = 'x'",
        "DELETE FROM audit",
        f"REPLACE INTO audit SELECT * FROM audit WHERE id = {ids[0]}",
    ):
        with pytest.raises(sqlite3.Error, match="append-only"):
            staff.write(statement, ())
    told = json.dumps(staff.noted(), ensure_ascii=False)
    log = (staff.directory / LOG).read_text(encoding="utf-8")
    assert "console.foreign_form" in log
    numbers = {number_of(person) for person in range(FOLLOWERS)}
    for secret in staff.secrets | numbers | {NEW, "Chuyển tiền ngay", "Chi mot lan"}:
        assert secret not in told
        assert secret not in log
    assert_quiet(staff.directory)


async def test_nothing_is_left_where_files_are_kept_while_they_are_read(staff: Staff) -> None:
    assert list(staff.spool.iterdir()) == []
