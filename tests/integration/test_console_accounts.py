"""The console's accounts as browsers and attackers meet them: a real listener, a real store, a clock that is told."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from console import paths
from console.accounts.passwords import WAITING
from console.accounts.sessions import SECURE_NAME, digest_of
from domain.officers import OfficerRole as Role
from tests.contract.stores import SqliteKit
from tests.integration.consoles import (
    LIMITS,
    PASSWORD,
    SECRET,
    Browser,
    Console,
    CountingHasher,
    get,
    one,
    patient_store,
    post,
)

NEW = "một câu dài và dễ nhớ"
Open = Callable[[], Awaitable[Browser]]


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    kit = SqliteKit(tmp_path)
    hasher = CountingHasher()
    store = patient_store(kit)
    await store.open()
    yield Console(kit=kit, store=store, hasher=hasher)
    await hasher.close()
    await store.close()


@pytest.fixture
async def opened(console: Console) -> AsyncIterator[Open]:
    """Opens browsers."""
    server = TestServer(console.app())
    await server.start_server()
    browsers: list[Browser] = []

    async def open_one() -> Browser:
        browsers.append(await console.browser(server))
        return browsers[-1]

    yield open_one
    for each in browsers:
        await each.session.close()
    await server.close()


@pytest.fixture
async def browser(opened: Open) -> Browser:
    return await opened()


def secret_of(browser: Browser) -> str:
    return browser.session.cookie_jar.filter_cookies(browser.make_url("/"))["tracuu"].value


def plant(browser: Browser, secret: str) -> None:
    browser.session.cookie_jar.update_cookies({"tracuu": secret}, browser.make_url("/"))


# ---- signing in


async def test_who_is_not_signed_in_is_sent_to_sign_in_and_back(console: Console, browser: Browser) -> None:
    await console.officer("lan")
    sent = await get(browser, f"{paths.AUDIT}?login=lan")
    assert (sent.status, sent.headers["Location"]) == (303, f"{paths.SIGN_IN}?tiep=%2Fnhat-ky%3Flogin%3Dlan")
    page = await (await get(browser, sent.headers["Location"])).text()
    back = one(r'name="tiep" value="([^"]*)"', page)
    entered = await console.sign_in(browser, "lan", tiep=back)
    assert (entered.status, entered.headers["Location"]) == (303, "/nhat-ky?login=lan")
    assert (await get(browser, paths.AUDIT)).status == 200
    assert [each.action for each in await console.did(login="lan")] == ["sign_in.done"]


async def test_the_cookie_is_of_this_host_only_over_https_and_out_of_reach_of_scripts(
    console: Console, opened: Open
) -> None:
    await console.officer("lan")
    console.secure = True
    async with TestServer(console.app()) as server:
        browser = await console.browser(server)
        entered = await console.sign_in(browser, "lan")
        await browser.session.close()
    cookie = SimpleCookie(entered.headers["Set-Cookie"])[SECURE_NAME]
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, True, "Lax", "/")
    assert (cookie["domain"], cookie["max-age"], cookie["expires"]) == ("", "", "")


async def test_a_page_of_the_console_is_kept_by_nobody_and_runs_nothing_inline(browser: Browser) -> None:
    page = await get(browser, paths.SIGN_IN)
    assert page.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "<script" not in (text := await page.text())
    assert "style=" not in text


@pytest.mark.parametrize(
    "back", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""]
)
async def test_nobody_is_sent_to_anothers_address(console: Console, browser: Browser, back: str) -> None:
    await console.officer("lan")
    entered = await console.sign_in(browser, "lan", tiep=back)
    assert (entered.status, entered.headers["Location"]) == (303, "/")


async def test_what_is_wrong_is_told_in_the_same_words_whatever_it_is(console: Console, browser: Browser) -> None:
    """And one password is verified in each case: no clock tells whether there is such an account."""
    await console.officer("lan")
    await console.officer("binh")
    closed = await console.officer("chi")
    noted = replace((await console.did())[0], id=console.kit.new_id())
    await console.store.officers().close(closed.officer, console.kit.clock.now, noted)
    for _ in range(LIMITS.lock_after):
        await console.sign_in(browser, "binh", password="wrong")
    told = set()
    for login, changes in (
        ("nobody", {}),
        ("No Login'--", {}),
        ("", {}),
        ("lan", {"password": "wrong"}),
        ("lan", {"password": ""}),
        ("binh", {}),
        ("chi", {}),
    ):
        before = console.hasher.verified
        refused = await console.sign_in(browser, login, **changes)
        page = re.sub(r'(id="login"[^>]*?) value="[^"]*"', r"\1", await refused.text())
        told.add((refused.status, refused.headers.get("Set-Cookie"), " ".join(page.split())))
        assert console.hasher.verified == before + 1, login
    assert len(told) == 1
    assert next(iter(told))[:2] == (422, None)


async def test_an_account_is_locked_after_wrong_tries_and_opens_in_time(console: Console, browser: Browser) -> None:
    await console.officer("lan")
    for _ in range(LIMITS.lock_after):
        assert (await console.sign_in(browser, "lan", password="wrong")).status == 422
    assert (await console.sign_in(browser, "lan")).status == 422
    console.kit.clock.advance(LIMITS.lock_for.total_seconds())
    assert (await console.sign_in(browser, "lan")).status == 303
    did = [each.action for each in await console.did(login="lan")]
    assert did == ["sign_in.done", "sign_in.locked", "sign_in.failed", "sign_in.failed"]


async def test_guesses_at_once_are_no_more_than_guesses_in_a_row(console: Console, browser: Browser) -> None:
    await console.officer("lan")
    code = console.code()
    guesses = [console.sign_in(browser, "lan", password="wrong", code=code) for _ in range(8)]
    await asyncio.gather(*guesses, console.sign_in(browser, "nobody", code=code))
    assert len(await console.did(login="lan")) == LIMITS.lock_after
    assert (await console.sign_in(browser, "lan")).status == 422


async def test_one_address_tries_so_many_accounts_and_then_none(console: Console, browser: Browser) -> None:
    await console.officer("lan")
    for number in range(LIMITS.address_tries):
        assert (await console.sign_in(browser, f"nobody{number}")).status == 422
    before = console.hasher.verified
    assert (await console.sign_in(browser, "lan")).status == 422
    assert console.hasher.verified == before
    console.kit.clock.advance(LIMITS.lock_for.total_seconds() * 2)
    assert (await console.sign_in(browser, "lan")).status == 303


async def test_who_signs_in_rightly_uses_up_nothing_of_the_address(console: Console, browser: Browser) -> None:
    await console.officer("lan")
    console.limits = LIMITS
    for _ in range(LIMITS.address_tries + 1):
        assert (await console.sign_in(browser, "lan")).status == 303


async def test_a_code_opens_once(console: Console, browser: Browser) -> None:
    await console.officer("lan")
    code = console.code()
    assert (await console.sign_in(browser, "lan", code=code)).status == 303
    assert (await console.sign_in(browser, "lan", code=code)).status == 422
    assert (
        await console.sign_in(browser, "lan", code=" " + console.code()[:3] + " " + console.present_code()[3:])
    ).status == 303


async def test_the_same_code_sent_by_many_at_once_opens_once(console: Console, browser: Browser) -> None:
    await console.officer("lan")
    code = console.code()
    entered = await asyncio.gather(*(console.sign_in(browser, "lan", code=code) for _ in range(3)))
    assert sorted(each.status for each in entered) == [303, 422, 422]


@pytest.mark.parametrize(("late", "status"), [(-30, 303), (30, 303), (60, 422), (-60, 422)])
async def test_a_telephone_may_be_one_step_off(console: Console, browser: Browser, late: int, status: int) -> None:
    await console.officer("lan")
    code = console.code()
    console.kit.clock.advance(late)
    assert (await console.sign_in(browser, "lan", code=code)).status == status


async def test_without_a_code_nobody_is_let_in_who_has_a_second_factor(console: Console, browser: Browser) -> None:
    await console.officer("lan")
    assert (await console.sign_in(browser, "lan", code=" ")).status == 422


async def test_when_too_many_sign_in_the_next_is_asked_to_come_back_and_not_counted(
    console: Console, browser: Browser
) -> None:
    account = await console.officer("lan")
    go = threading.Event()
    waiting = [asyncio.ensure_future(console.hasher._run(go.wait)) for _ in range(WAITING)]
    await asyncio.sleep(0)
    busy = await console.sign_in(browser, "lan")
    assert (busy.status, busy.headers["Retry-After"]) == (503, "5")
    go.set()
    await asyncio.gather(*waiting)
    assert (await console.account(account)).failures == 0
    assert (await console.sign_in(browser, "lan")).status == 303


async def test_a_password_hashed_by_old_parameters_is_hashed_anew(console: Console, browser: Browser) -> None:
    old = CountingHasher(memory_kib=32)
    account = await console.officer("lan", password_hash=await old.hash(PASSWORD))
    await old.close()
    assert (await console.sign_in(browser, "lan")).status == 303
    assert "m=64," in (await console.account(account)).password_hash
    assert (await console.sign_in(browser, "lan")).status == 303


# ---- sessions


async def test_a_secret_planted_before_signing_in_opens_nothing_afterwards(
    console: Console, browser: Browser, opened: Open
) -> None:
    await console.officer("lan")
    attacker = await opened()
    for each in (browser, attacker):
        plant(each, "planted")
    assert (await console.sign_in(browser, "lan")).status == 303
    assert secret_of(browser) != "planted"
    assert (await get(attacker, paths.ACCOUNT)).status == 303


async def test_signing_in_again_ends_the_session_of_before(console: Console, browser: Browser, opened: Open) -> None:
    await console.officer("lan")
    await console.sign_in(browser, "lan")
    thief = await opened()
    plant(thief, secret_of(browser))
    assert (await get(thief, paths.ACCOUNT)).status == 200
    await console.sign_in(browser, "lan")
    assert (await get(thief, paths.ACCOUNT)).status == 303


async def test_a_stolen_secret_is_worth_nothing_after_signing_out(
    console: Console, browser: Browser, opened: Open
) -> None:
    await console.officer("lan")
    await console.sign_in(browser, "lan")
    thief = await opened()
    plant(thief, secret_of(browser))
    out = await post(browser, paths.SIGN_OUT)
    assert (out.status, out.headers["Location"]) == (303, paths.SIGN_IN)
    assert (await get(thief, paths.ACCOUNT)).status == 303
    assert (await post(thief, paths.ACCOUNT_LANGUAGE, {"language": "en"})).status == 401
    assert (await post(browser, paths.SIGN_OUT)).status == 303
    assert [each.action for each in await console.did(login="lan")] == ["sign_out.done", "sign_in.done"]


async def test_the_store_holds_no_secret(console: Console, browser: Browser) -> None:
    await console.officer("lan")
    await console.sign_in(browser, "lan")
    [row] = await console.kit.rows("officer_session")
    assert row["digest"] == digest_of(secret_of(browser))
    assert secret_of(browser) not in str(row)


async def test_a_session_nobody_uses_ends_and_one_in_use_goes_on(console: Console, browser: Browser) -> None:
    await console.officer("lan")
    await console.sign_in(browser, "lan")
    for _ in range(3):
        console.kit.clock.advance((LIMITS.idle - timedelta(seconds=1)).total_seconds())
        assert (await get(browser, paths.ACCOUNT)).status == 200
    console.kit.clock.advance(LIMITS.idle.total_seconds())
    assert (await get(browser, paths.ACCOUNT)).status == 303
    [row] = await console.kit.rows("officer_session")
    assert row["end_reason"] == "idle"


async def test_a_session_ends_however_busy(console: Console, browser: Browser) -> None:
    await console.officer("lan")
    await console.sign_in(browser, "lan")
    step = timedelta(minutes=20)
    for _ in range(LIMITS.absolute // step - 1):
        console.kit.clock.advance(step.total_seconds())
        assert (await get(browser, paths.ACCOUNT)).status == 200
    console.kit.clock.advance(step.total_seconds())
    assert (await get(browser, paths.ACCOUNT)).status == 303
    [row] = await console.kit.rows("officer_session")
    assert row["end_reason"] == "absolute"


async def test_looking_writes_at_most_once_a_minute(console: Console, browser: Browser) -> None:
    await console.officer("lan")
    await console.sign_in(browser, "lan")
    began = console.kit.now_ms()
    for second in (20, 39, 1, 30):
        console.kit.clock.advance(second)
        await get(browser, paths.ACCOUNT)
        [row] = await console.kit.rows("officer_session")
        assert row["seen_at"] in (began, began + 60_000)
    assert row["seen_at"] == began + 60_000


async def test_one_sees_and_ends_ones_own_sessions_and_nobody_elses(
    console: Console, browser: Browser, opened: Open
) -> None:
    await console.officer("lan")
    await console.officer("binh")
    other, thief = await opened(), await opened()
    await console.sign_in(browser, "lan")
    await console.sign_in(thief, "lan")
    await console.sign_in(other, "binh")
    page = await (await get(browser, paths.ACCOUNT)).text()
    assert page.count("/ket-thuc") == 2
    of_thief = paths.ACCOUNT_SESSION_END.replace("{session}", digest_of(secret_of(thief)))
    assert (await post(other, of_thief)).status == 404
    assert (await post(browser, of_thief)).status == 303
    assert (await post(browser, of_thief)).status == 404
    assert (await get(thief, paths.ACCOUNT)).status == 303
    own = paths.ACCOUNT_SESSION_END.replace("{session}", digest_of(secret_of(browser)))
    assert (await post(browser, own)).headers["Location"] == paths.SIGN_IN
    assert (await get(browser, paths.ACCOUNT)).status == 303


async def test_an_account_closed_while_one_works_is_closed_at_once(
    console: Console, browser: Browser, opened: Open
) -> None:
    await console.officer("lan")
    binh = await console.officer("binh", Role.AUTHOR, agency="H13.01")
    theirs = await opened()
    await console.sign_in(browser, "lan")
    await console.sign_in(theirs, "binh")
    assert (await post(browser, f"{paths.OFFICERS}/{binh.officer.id}/khoa")).status == 303
    assert (await get(theirs, paths.ACCOUNT)).status == 303


# ---- requests from elsewhere


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "OWN"}, False),
        ({"Origin": "OWN"}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({}, False),
    ],
    ids=str,
)
async def test_a_form_of_another_site_changes_nothing(
    console: Console, browser: Browser, headers: dict[str, str], *, allowed: bool
) -> None:
    account = await console.officer("lan")
    await console.sign_in(browser, "lan")
    own = str(browser.make_url("/")).rstrip("/")
    sent = {name: own if value == "OWN" else value for name, value in headers.items()}
    answered = await browser.post(paths.ACCOUNT_LANGUAGE, data={"language": "en"}, headers=sent, allow_redirects=False)
    assert answered.status == (303 if allowed else 403)
    assert (await console.account(account)).officer.language == ("en" if allowed else "vi")


async def test_nobody_is_signed_in_or_out_by_another_site(console: Console, browser: Browser) -> None:
    await console.officer("lan")
    fields = {"login": "lan", "password": PASSWORD, "code": console.code()}
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert (await browser.post(paths.SIGN_IN, data=fields, headers=foreign, allow_redirects=False)).status == 403
    await console.sign_in(browser, "lan")
    assert (await browser.post(paths.SIGN_OUT, headers=foreign, allow_redirects=False)).status == 403
    assert (await get(browser, paths.ACCOUNT)).status == 200


# ---- the own account


async def test_a_given_password_opens_nothing_but_the_own_account_until_all_is_set_up(
    console: Console, browser: Browser
) -> None:
    account = await console.officer("lan", must_set_password=True, totp_secret="", totp_step=None)
    await console.sign_in(browser, "lan", code=" ")
    assert (await get(browser, paths.AUDIT)).headers["Location"] == paths.ACCOUNT
    assert (await post(browser, paths.OFFICER_NEW, {"login": "binh"})).headers["Location"] == paths.ACCOUNT
    changed = await post(browser, paths.ACCOUNT_PASSWORD, {"present": PASSWORD, "wanted": NEW, "again": NEW})
    assert (changed.status, changed.headers["Location"]) == (303, f"{paths.ACCOUNT}?xong=password")
    assert (await get(browser, paths.AUDIT)).headers["Location"] == paths.ACCOUNT
    assert (await post(browser, paths.ACCOUNT_TOTP, {"step": "begin"})).status == 303
    page = await (await get(browser, paths.ACCOUNT)).text()
    assert "<svg " in page
    secret = one(r"<code>([A-Z2-7 ]+)</code>", page).replace(" ", "")
    wrong = await post(browser, paths.ACCOUNT_TOTP, {"step": "confirm", "new_code": "000000"})
    assert wrong.status == 422
    code = console.present_code(secret)
    assert (await post(browser, paths.ACCOUNT_TOTP, {"step": "confirm", "new_code": code})).status == 303
    assert (await get(browser, paths.AUDIT)).status == 200
    assert secret not in str([each.detail for each in await console.did()])
    assert secret not in await (await get(browser, paths.ACCOUNT)).text()
    await post(browser, paths.SIGN_OUT)
    replayed = await console.sign_in(browser, "lan", password=NEW, code=code)
    assert replayed.status == 422, "the code that confirmed is used up"
    console.kit.clock.advance(30)
    assert (await console.sign_in(browser, "lan", password=NEW, code=console.present_code(secret))).status == 303
    assert not (await console.account(account)).must_set_up


async def test_ones_password_is_changed_by_who_proves_it_and_other_sessions_end(
    console: Console, browser: Browser, opened: Open
) -> None:
    await console.officer("lan")
    other = await opened()
    await console.sign_in(browser, "lan")
    await console.sign_in(other, "lan")
    fields = {"present": PASSWORD, "wanted": NEW, "again": NEW}
    for wrong in (
        {"present": "wrong", "code": console.code()},
        {"code": "000000"},
        {"wanted": "short", "again": "short", "code": console.code()},
        {"wanted": PASSWORD, "again": PASSWORD, "code": console.code()},
        {"again": "another", "code": console.code()},
    ):
        assert (await post(browser, paths.ACCOUNT_PASSWORD, {**fields, **wrong})).status == 422
    assert (await get(other, paths.ACCOUNT)).status == 200
    assert (await post(browser, paths.ACCOUNT_PASSWORD, {**fields, "code": console.code()})).status == 303
    assert (await get(other, paths.ACCOUNT)).status == 303
    assert (await get(browser, paths.ACCOUNT)).status == 200
    assert (await console.sign_in(other, "lan")).status == 422
    assert (await console.sign_in(other, "lan", password=NEW)).status == 303


async def test_who_stole_a_session_cannot_guess_the_password_in_it(console: Console, browser: Browser) -> None:
    await console.officer("lan")
    await console.sign_in(browser, "lan")
    fields = {"present": "guess", "wanted": NEW, "again": NEW}
    for _ in range(LIMITS.lock_after):
        await post(browser, paths.ACCOUNT_PASSWORD, {**fields, "code": console.code()})
    right = {**fields, "present": PASSWORD, "code": console.code()}
    assert (await post(browser, paths.ACCOUNT_PASSWORD, right)).status == 422


async def test_a_second_factor_is_replaced_only_by_who_proves_the_present_one(
    console: Console, browser: Browser
) -> None:
    account = await console.officer("lan")
    await console.sign_in(browser, "lan")
    for fields in ({"present": PASSWORD}, {"present": "wrong", "code": console.code()}):
        assert (await post(browser, paths.ACCOUNT_TOTP, {"step": "begin", **fields})).status == 422
    forged = await post(browser, paths.ACCOUNT_TOTP, {"step": "confirm", "new_code": console.code()})
    assert forged.status == 422
    assert (await console.account(account)).has_second_factor
    proved = {"step": "begin", "present": PASSWORD, "code": console.code()}
    assert (await post(browser, paths.ACCOUNT_TOTP, proved)).status == 303
    begun = await console.account(account)
    assert (begun.has_second_factor, begun.totp_secret) == (True, SECRET), "until the next one is confirmed"
    fields = {"step": "confirm", "new_code": console.present_code(begun.totp_pending)}
    assert (await post(browser, paths.ACCOUNT_TOTP, fields)).status == 303
    now = await console.account(account)
    assert (now.totp_secret, now.totp_pending) == (begun.totp_pending, "")


async def test_the_language_is_the_officers(console: Console, browser: Browser) -> None:
    await console.officer("lan")
    await console.sign_in(browser, "lan")
    assert '<html lang="vi">' in await (await get(browser, paths.ACCOUNT)).text()
    await post(browser, paths.ACCOUNT_LANGUAGE, {"language": "en"})
    assert '<html lang="en">' in await (await get(browser, paths.ACCOUNT)).text()
    await post(browser, paths.ACCOUNT_LANGUAGE, {"language": "<script>"})
    assert '<html lang="en">' in await (await get(browser, paths.ACCOUNT)).text()


# ---- officers


def form(**changes: object) -> dict[str, object]:
    return {"login": "moi", "name": "Lê Thị Mới", "agency": "H13.01", "role": ["author"], **changes}


async def signed_in_admin(console: Console, browser: Browser) -> None:
    await console.officer("quan-tri", Role.AGENCY_ADMIN, agency="H13.01")
    assert (await console.sign_in(browser, "quan-tri")).status == 303


async def test_a_new_officer_is_given_a_password_once(console: Console, browser: Browser, opened: Open) -> None:
    await signed_in_admin(console, browser)
    given = await post(browser, paths.OFFICER_NEW, form(agency="H13.01.02"))
    assert given.status == 200
    password = one(r"<code>([a-z0-9-]{19})</code>", await given.text())
    theirs = await opened()
    assert (await console.sign_in(theirs, "moi", password=password, code=" ")).status == 303
    listed = await (await get(browser, paths.OFFICERS)).text()
    assert "Lê Thị Mới" in listed
    assert password not in listed
    [noted] = await console.did(action="officer.added", login="quan-tri")
    assert noted.detail == {"login": "moi", "agency": "H13.01.02", "roles": ["author"]}
    again = await post(browser, paths.OFFICER_NEW, form())
    assert again.status == 422
    assert 'href="#login"' in await again.text()


@pytest.mark.parametrize("wrong", [{"login": "A B"}, {"name": " "}, {"agency": ""}, {"role": []}], ids=str)
async def test_what_is_wrong_in_a_form_is_told_beside_its_field(
    console: Console, browser: Browser, wrong: dict[str, object]
) -> None:
    await signed_in_admin(console, browser)
    refused = await post(browser, paths.OFFICER_NEW, form(**wrong))
    assert refused.status == 422
    field = one(r'<a href="#(\w+)">', await refused.text())
    assert field.removesuffix("s") == next(iter(wrong))
    assert f'id="{field}"' in await refused.text()


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"role": ["operator"]}, 403),
        ({"role": ["author", "operator"]}, 403),
        ({"role": ["king"]}, 403),
        ({"agency": "H13"}, 404),
        ({"agency": "H13.02"}, 404),
        ({"agency": "H99"}, 404),
        ({"agency": "H13.03"}, 200),  # whose work the own agency took over
    ],
    ids=str,
)
async def test_nobody_gives_more_than_the_own_role_may_give_or_where_one_is_nobody(
    console: Console, browser: Browser, changes: dict[str, object], status: int
) -> None:
    await signed_in_admin(console, browser)
    assert (await post(browser, paths.OFFICER_NEW, form(**changes))).status == status
    binh = await console.officer("binh", Role.AUTHOR, agency="H13.01")
    answered = await post(browser, f"{paths.OFFICERS}/{binh.officer.id}", form(**changes))
    assert answered.status == (303 if status == 200 else status)
    assert (await console.account(binh)).officer.roles == {Role.AUTHOR}


async def test_nobody_changes_resets_or_closes_oneself(console: Console, browser: Browser) -> None:
    account = await console.officer("lan")
    await console.officer("binh")
    await console.sign_in(browser, "lan")
    own = f"{paths.OFFICERS}/{account.officer.id}"
    for path, fields in (
        (own, form(role=["operator", "author"], agency="H13")),
        (f"{own}/dat-lai", {}),
        (f"{own}/khoa", {}),
    ):
        assert (await post(browser, path, fields)).status == 403
    page = await (await get(browser, own)).text()
    assert "<form" not in page.partition("<main")[2]
    assert (await console.account(account)).officer == account.officer


async def test_an_officer_of_another_agency_is_not_there(console: Console, browser: Browser) -> None:
    await signed_in_admin(console, browser)
    others = [
        await console.officer("tinh", Role.AUTHOR, agency="H13"),
        await console.officer("so-tu-phap", Role.AUTHOR, agency="H13.02"),
    ]
    below = await console.officer("phong", Role.AUTHOR, agency="H13.01.02")
    for number in (*(each.officer.id for each in others), 1, 2**63, 10**40):
        one_of = f"{paths.OFFICERS}/{number}"
        assert (await get(browser, one_of)).status == 404
        for path in (one_of, f"{one_of}/dat-lai", f"{one_of}/khoa"):
            assert (await post(browser, path, form())).status == 404
    assert (await get(browser, f"{paths.OFFICERS}/{below.officer.id}")).status == 200
    listed = await (await get(browser, paths.OFFICERS)).text()
    assert "<td>phong</td>" in listed
    assert "<td>tinh</td>" not in listed
    assert [await console.account(each) for each in others] == others


async def test_an_operator_of_the_own_agency_is_seen_but_not_taken_over(console: Console, browser: Browser) -> None:
    await signed_in_admin(console, browser)
    operator = await console.officer("van-hanh", Role.OPERATOR, Role.AUTHOR, agency="H13.01")
    address = f"{paths.OFFICERS}/{operator.officer.id}"
    assert (await get(browser, address)).status == 200
    for path in (address, f"{address}/dat-lai", f"{address}/khoa"):
        assert (await post(browser, path, form())).status == 403
    assert await console.account(operator) == operator


@pytest.mark.parametrize("role", [Role.INTAKE, Role.AUTHOR, Role.APPROVER, Role.INSPECTOR])
async def test_who_may_not_manage_manages_nobody(console: Console, browser: Browser, role: Role) -> None:
    binh = await console.officer("binh", Role.AUTHOR, agency="H13.01")
    await console.officer("lan", role)
    await console.sign_in(browser, "lan")
    address = f"{paths.OFFICERS}/{binh.officer.id}"
    for path in (paths.OFFICER_NEW, address, f"{address}/dat-lai", f"{address}/khoa"):
        assert (await post(browser, path, form())).status == 403
    assert (await get(browser, paths.OFFICER_NEW)).status == 403
    assert (await get(browser, address)).status == (200 if role is Role.INSPECTOR else 403)
    assert (await get(browser, paths.AUDIT)).status == (200 if role is Role.INSPECTOR else 403)
    assert await console.account(binh) == binh


async def test_a_reset_gives_a_password_takes_the_second_factor_and_ends_the_sessions(
    console: Console, browser: Browser, opened: Open
) -> None:
    await signed_in_admin(console, browser)
    binh = await console.officer("binh", Role.AUTHOR, agency="H13.01")
    theirs = await opened()
    await console.sign_in(theirs, "binh")
    given = await post(browser, f"{paths.OFFICERS}/{binh.officer.id}/dat-lai")
    password = one(r"<code>([a-z0-9-]{19})</code>", await given.text())
    assert (await get(theirs, paths.ACCOUNT)).status == 303
    assert (await console.sign_in(theirs, "binh")).status == 422
    assert (await console.sign_in(theirs, "binh", password=password, code=" ")).status == 303
    assert (await get(theirs, paths.BROADCASTS)).status in (303, 404)
    assert (await console.account(binh)).must_set_up


async def test_an_account_is_closed_and_opened_again_and_the_last_operator_stays(
    console: Console, browser: Browser, opened: Open
) -> None:
    an, binh = await console.officer("lan"), await console.officer("binh")
    theirs = await opened()
    await console.sign_in(browser, "lan")
    await console.sign_in(theirs, "binh")
    address = f"{paths.OFFICERS}/{binh.officer.id}/khoa"
    assert (await post(browser, address)).status == 303
    assert (await post(browser, address)).status == 303
    assert (await console.sign_in(theirs, "binh")).status == 422
    assert (await post(browser, address, {"open": "1"})).status == 303
    assert (await console.sign_in(theirs, "binh")).status == 303
    closing = await asyncio.gather(post(browser, address), post(theirs, f"{paths.OFFICERS}/{an.officer.id}/khoa"))
    left = [each for each in (an, binh) if (await console.account(each)).officer.disabled_at is None]
    assert len(left) == 1, [each.status for each in closing]


# ---- the audit log


async def test_what_one_sees_of_the_log_is_of_the_own_agencies(
    console: Console, browser: Browser, opened: Open
) -> None:
    await signed_in_admin(console, browser)
    await console.officer("tinh", Role.INSPECTOR)
    await console.officer("phong", Role.AGENCY_ADMIN, agency="H13.01.02")
    province, below = await opened(), await opened()
    await console.sign_in(province, "tinh")
    await console.sign_in(below, "phong")

    async def seen(who: Browser, query: str = "") -> set[str]:
        page = await (await get(who, f"{paths.AUDIT}{query}")).text()
        return {login for login in ("tracuu", "tinh", "quan-tri", "phong") if f"<td>{login}</td>" in page}

    assert await seen(province) == {"tracuu", "tinh", "quan-tri", "phong"}
    assert await seen(browser) == {"quan-tri", "phong"}
    assert await seen(below) == {"phong"}
    assert await seen(below, "?login=tinh") == set()
    assert await seen(province, "?login=phong&action=sign_in.done") == {"phong"}
    assert await seen(province, "?action=officer.closed") == set()
    day = f"{console.kit.clock.now:%Y-%m-%d}"
    assert await seen(province, f"?since={day}&until={day}&login=tinh") == {"tinh"}
    assert await seen(province, "?until=2020-01-01") == set()


@pytest.mark.parametrize("query", ["?since=yesterday", "?until=9999-12-31", "?since=0001-01-01"])
async def test_a_day_that_is_none_is_told(console: Console, browser: Browser, query: str) -> None:
    await console.officer("lan")
    await console.sign_in(browser, "lan")
    for path in (paths.AUDIT, paths.AUDIT_FILE):
        assert (await get(browser, path + query)).status == 422
    assert (await get(browser, f"{paths.AUDIT}?before={10**30}&login=%00%ff")).status == 200


async def test_the_log_is_paged_and_taken_away_whole_with_no_formula_in_it(console: Console, browser: Browser) -> None:
    await console.officer("lan")
    await console.sign_in(browser, "lan")
    noted = (await console.did(login="lan"))[0]
    await console.store.audit().note(
        [replace(noted, id=console.kit.new_id(), about="=1+1", detail={"name": f"số {n}"}) for n in range(620)]
    )
    page = await (await get(browser, f"{paths.AUDIT}?about=%3D1%2B1")).text()
    assert page.count("<tr>") == 51
    older = one(r'<a href="([^"]*)" rel="next">', page).replace("&amp;", "&")
    assert page.count("số 569") + (await (await get(browser, older)).text()).count("số 569") == 1
    file = await get(browser, f"{paths.AUDIT_FILE}?about=%3D1%2B1")
    assert file.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert file.headers["Content-Disposition"].startswith('attachment; filename="nhat-ky-')
    body = await file.read()
    assert body.startswith(b"\xef\xbb\xbf")
    lines = body.decode("utf-8-sig").splitlines()
    assert len(lines) == 621
    assert all(",'=1+1," in line for line in lines[1:])
    [exported] = await console.did(action="audit.exported")
    assert exported.detail == {"search": ["about==1+1"]}


async def test_what_an_officer_named_like_a_tag_did_is_shown_as_text(console: Console, browser: Browser) -> None:
    await console.officer("lan")
    await console.sign_in(browser, "lan")
    await post(browser, paths.OFFICER_NEW, form(name="<img src=x onerror=alert(1)>", agency="H13"))
    for path in (paths.OFFICERS, paths.AUDIT):
        assert "<img" not in await (await get(browser, path)).text()
