"""A gateway's staff listener in a process of its own, and officers whose cookies, passwords and telephones a burglar has
or has not: a store with people to write to, a place for files that are sent, and a view of both from outside.
"""

from __future__ import annotations

import asyncio
import io
import re
import sqlite3
import time
import zlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final

import aiohttp
from yarl import URL

from adapters.store.officers import StoreOfficers
from adapters.store.outside import OutsideSteps, SqliteOutside
from console import paths
from console.accounts.passwords import Hasher
from console.accounts.ports import Account as OfficerAccount
from console.accounts.ports import AuditEntry, Session
from console.accounts.sessions import SECURE_NAME, digest_of, new_secret
from console.accounts.totp import STEP_S, code_of
from console.accounts.totp import new_secret as new_totp_secret
from console.broadcasts.desk import at
from demo.process import GatewayProcess, free_port
from demo.smsc import Smsc, SmscOptions
from domain.ids import IdSequence
from domain.officers import Officer, OfficerRole
from gateway.bootstrap import migrate
from gateway.configuration import load_settings
from tests.whole.bombs import Bomb
from tests.whole.gateways import STORE, Account, make_gateway

PASSWORD: Final = "con trâu đi trước cái cày theo sau"
OURS, THEIRS, PROVINCE = "H13.10", "H13.05", "H13"
BASIS: Final = "Quyết định 40/2016/QĐ-UBND, điều 5"
FOLLOWERS: Final = 8
FOUND: Final = "H51.18-250701-0005"  # a dossier of the demo's one-stop systems, for a citizen to ask about
SAME: Final = {"Sec-Fetch-Site": "same-origin"}
CONSOLE: Final = """
[web]
trusted_proxies = ["127.0.0.0/8"]
hsts_s = 600

[console]
secure_cookies = true
incident_recipients = ["sms:84912345678"]
legal_bases = [{{ agency = "{agency}", words = "{basis}" }}]
"""
IDS_OF_BURGLARS: Final = 1_001  # a process number nobody has
# What a request may not change unless it is one of ours: everything an officer could want to be otherwise. `seen_at` of
# a session is written by looking.
KEPT: Final[Mapping[str, str]] = {
    "officer": "*",
    "officer_session": "digest, officer_id, created_at, ended_at, end_reason",
    "broadcast": "*",
    "broadcast_row": "*",
    "outbox": "*",
    "feedback": "number, text, answer, answered_at, answered_by",
    "site_key": "*",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Insider:
    """An officer as a burglar who has everything of theirs knows them. `secret`: of the cookie of a session."""

    officer: Officer
    totp: str
    secret: str
    used: list[int] = field(default_factory=list)  # steps of codes

    @property
    def id(self) -> int:
        return self.officer.id

    @property
    def login(self) -> str:
        return self.officer.login

    def code(self) -> str:
        """One that was not used yet: the telephone may be a step late or early, which makes three at any moment."""
        step = max([int(time.time()) // STEP_S - 1, *(each + 1 for each in self.used)])
        self.used.append(step)
        return code_of(self.totp, step)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, read to its end."""

    status: int
    headers: Any
    page: str

    @property
    def location(self) -> str:
        return str(self.headers.get("Location", ""))

    @property
    def cookie(self) -> str:
        """The secret the browser is given; empty: none."""
        found = re.search(rf"{SECURE_NAME}=([^;]+)", self.headers.get("Set-Cookie", ""))
        return found[1].strip('"') if found else ""

    @property
    def words(self) -> str:
        return " ".join(re.sub(r"<[^>]*>", " ", self.page).split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """The process and its door. `secrets`: what must never stand in a log or in the audit."""

    gateway: GatewayProcess
    directory: Path
    spool: Path
    smsc: Smsc
    http: aiohttp.ClientSession
    password_hash: str
    ids: IdSequence = field(default_factory=lambda: IdSequence(IDS_OF_BURGLARS))
    secrets: set[str] = field(default_factory=set)

    # ---- asking

    async def ask(
        self,
        method: str,
        path: str,
        *,
        who: Insider | str | None = None,
        form: Any = None,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Answer:
        """A request to this path as it is written here. `who`: whose cookie comes with it, or its secret. `headers` None:
        as a page of ours sends it.
        """
        sent = dict(SAME if headers is None else headers)
        if who is not None:
            sent["Cookie"] = f"{SECURE_NAME}={who.secret if isinstance(who, Insider) else who}"
        url = URL(self.gateway.staff + path, encoded=True)
        async with self.http.request(
            method, url, data=form, headers=sent, allow_redirects=False, **options
        ) as response:
            return Answer(status=response.status, headers=response.headers, page=await response.text(errors="replace"))

    async def get(self, path: str, who: Insider | str | None = None, **options: Any) -> Answer:
        return await self.ask("GET", path, who=who, **options)

    async def post(self, path: str, who: Insider | str | None = None, form: Any = None, **options: Any) -> Answer:
        return await self.ask("POST", path, who=who, form={} if form is None else form, **options)

    async def sign_in(self, insider: Insider, *, address: str = "", cookie: str = "", **changes: str) -> Answer:
        """What the form sends, by default the right things; from an address of one's own unless given."""
        fields = {"login": insider.login, "password": PASSWORD, **changes}
        fields.setdefault("code", "" if "code" in changes else insider.code())
        headers = {
            **SAME,
            "X-Forwarded-For": address or str(IPv4Address(0x0B000000 + zlib.crc32(insider.login.encode()) % (1 << 24))),
        }
        return await self.post(paths.SIGN_IN, cookie or None, fields, headers=headers)

    async def is_in(self, secret: str) -> bool:
        """The cookie opens something."""
        answer = await self.get(paths.ACCOUNT, secret)
        assert answer.status in (200, 303), answer.status
        return answer.status == 200

    async def citizen(self) -> int:
        """The status of a citizen's question about a dossier that exists."""
        async with self.http.get(f"{self.gateway.public}/api/v1/dossiers/{FOUND}") as response:
            return response.status

    # ---- officers

    async def insider(
        self,
        login: str,
        *roles: OfficerRole,
        agency: str = OURS,
        age: timedelta = timedelta(),
        unseen: timedelta = timedelta(),
        **changes: Any,
    ) -> Insider:
        """An officer, set up, with a session that was begun `age` ago and used last `unseen` ago."""
        now = datetime.now(UTC)
        officer = Officer(
            id=self.new_id(), login=login, name=f"Cán bộ {login}", agency=agency, roles=frozenset(roles), created_at=now
        )
        totp, secret = new_totp_secret(), new_secret()
        values = {"totp_secret": totp, "totp_step": 0, "password_hash": self.password_hash, **changes}
        account = OfficerAccount(officer=officer, created_by="test", **values)
        officers = self._officers()
        assert await officers.add(account, self._noted("officer.added"))
        session = Session(
            digest=digest_of(secret),
            officer_id=officer.id,
            created_at=now - age,
            seen_at=now - unseen,
            address="127.0.0.1",
            agent="",
        )
        step = 1 if account.has_second_factor else None
        assert await officers.admit(
            account, step=step, password_hash=account.password_hash, session=session, noted=None
        )
        self.secrets.update((totp, secret, digest_of(secret), PASSWORD, self.password_hash))
        return Insider(officer=officer, totp=totp, secret=secret)

    async def session(self, insider: Insider) -> str:
        """The secret of another one of theirs."""
        secret, now = new_secret(), round(time.time() * 1000)
        self.write(
            "INSERT INTO officer_session (digest, officer_id, created_at, seen_at, address, agent) VALUES (?,?,?,?,'','')",
            (digest_of(secret), insider.id, now, now),
        )
        return secret

    def new_id(self) -> int:
        return self.ids.next(round(time.time() * 1000))

    def _officers(self) -> StoreOfficers:
        steps = OutsideSteps(SqliteOutside(self.directory / STORE))
        return StoreOfficers(steps.write, steps.look)

    def _noted(self, action: str) -> AuditEntry:
        return AuditEntry(
            id=self.new_id(), at=datetime.now(UTC), officer_id=None, login="tracuu", agency="", action=action
        )

    # ---- broadcasts

    async def drafted(self, author: Insider, **changes: Any) -> int:
        """The broadcast somebody wrote, to everybody who follows a dossier of ours."""
        identifier = one(r'name="id" value="(\d+)"', (await self.get(paths.BROADCAST_NEW, author)).page)
        made = await self.post(paths.BROADCAST_NEW, author, {**draft_form(), "id": identifier, **changes})
        assert made.status == 303, made.words
        return int(identifier)

    async def submitted(self, author: Insider, **changes: Any) -> int:
        identifier = await self.drafted(author, **changes)
        assert (await self.act(author, identifier, "submit")).status == 303
        return identifier

    async def act(self, who: Insider, identifier: int, action: str, **fields: Any) -> Answer:
        """What the form of the page sends, of the version there is now unless given."""
        sent = {"version": str(self.broadcast(identifier)["version"]), **fields}
        return await self.post(at(paths.BROADCAST_ACT, identifier, action), who, sent)

    async def approve(self, who: Insider, identifier: int, **fields: Any) -> Answer:
        return await self.act(who, identifier, "approve", **{"code": who.code(), **fields})

    async def upload(self, who: Insider, identifier: int, content: Any, name: str = "list.csv") -> Answer:
        """A file, as its form sends it."""
        form = aiohttp.FormData({"nothing": "1"})
        form.add_field("file", content, filename=name, content_type="text/csv")
        return await self.post(at(paths.BROADCAST_FILE, identifier), who, form)

    async def until_read(self, whose: Insider, identifier: int) -> Answer:
        """The page of a list, once its file is read."""
        async with asyncio.timeout(300):
            while True:
                answer = await self.get(at(paths.BROADCAST_FILE, identifier), whose)
                if 'id="import"' not in answer.page:
                    return answer
                await asyncio.sleep(0.05)

    async def bombed(self, author: Insider, identifier: int, bomb: Bomb) -> Answer | None:
        """What the author is told of it in the end; None: the door was shut while it was still being pushed in."""
        content = await asyncio.to_thread(bomb.content)
        try:
            sent = io.BytesIO(content) if isinstance(content, bytes) else content
            answer = await self.upload(author, identifier, sent)
        except aiohttp.ClientError:  # so it was
            return None
        return await self.until_read(author, identifier) if answer.status == 303 else answer

    def broadcast(self, identifier: int) -> Mapping[str, Any]:
        """As it stands in the store."""
        [row] = self.rows("SELECT * FROM broadcast WHERE id = ?", (identifier,))
        return row

    # ---- the store, from outside

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[Mapping[str, Any]]:
        with closing(sqlite3.connect(f"file:{self.directory / STORE}?mode=ro", uri=True, timeout=60)) as store:
            store.row_factory = sqlite3.Row
            return [dict(row) for row in store.execute(statement, values)]

    def count(self, statement: str, values: Sequence[Any] = ()) -> int:
        [row] = self.rows(statement, values)
        return int(next(iter(row.values())))

    def write(self, statement: str, *rows: Sequence[Any]) -> None:
        with closing(sqlite3.connect(self.directory / STORE, timeout=60)) as store, store:
            store.executemany(statement, rows)

    def kept(self, *but: str) -> Mapping[str, list[Mapping[str, Any]]]:
        """All that an officer could want to be otherwise."""
        return {
            table: self.rows(f"SELECT {columns} FROM {table}") for table, columns in KEPT.items() if table not in but
        }

    def noted(self, about: str = "", action: str = "") -> list[Mapping[str, Any]]:
        """Entries of the audit log."""
        return self.rows(
            "SELECT * FROM audit WHERE (about = :about OR :about = '') AND (action = :action OR :action = '') ORDER BY id",
            {"about": about, "action": action},  # type: ignore[arg-type]
        )

    # ---- the process

    def memory_mib(self, *, alone: bool = False) -> float:
        """Of the process and, unless `alone`, those it started: what is in memory now."""
        others = () if alone else _children(self.gateway.pid)
        return sum(_resident_kib(pid) for pid in (self.gateway.pid, *others)) / 1024


def draft_form(**changes: Any) -> dict[str, Any]:
    return {
        "title": "Nghỉ lễ 30/4",
        "text_vi": "Hồ sơ {ma_ho_so}: cơ quan nghỉ ngày 30/4.",
        "kind": "followers",
        "agency": OURS,
        "canary": "100",
        **changes,
    }


def one(pattern: str, page: str) -> str:
    """What a page shows there, once."""
    (found,) = re.findall(pattern, page)
    return str(found)


def _children(pid: int) -> list[int]:
    """And theirs."""
    try:
        own = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:  # it is gone
        return []
    return [*own, *(each for child in own for each in _children(child))]


def _resident_kib(pid: int) -> int:
    try:
        return int(one(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()))
    except (OSError, ValueError):  # it is gone
        return 0


# ---- setting it up


@asynccontextmanager
async def staff_listener(directory: Path) -> AsyncIterator[Staff]:
    """A gateway of all roles on free ports, with an SMSC, people who follow dossiers of OURS, and nobody signed in."""
    spool = directory / "spool"
    spool.mkdir()
    async with AsyncExitStack() as stack:
        smsc = await stack.enter_async_context(Smsc(SmscOptions()))
        gateway = make_gateway(directory, Account(port=smsc.port), settings={"TMPDIR": str(spool)})
        text = gateway.config.read_text(encoding="utf-8") + CONSOLE.format(agency=OURS, basis=BASIS)
        gateway.config.write_text(text, encoding="utf-8")
        gateway.staff_port = free_port()
        await migrate(load_settings(gateway.config))
        _people(directory / STORE)
        hasher = Hasher()
        password_hash = await hasher.hash(PASSWORD)
        await hasher.close()
        await gateway.start()
        stack.push_async_callback(gateway.stop)
        await smsc.bound()
        connector = aiohttp.TCPConnector(force_close=True, limit=0)
        client = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        yield Staff(
            gateway=gateway,
            directory=directory,
            spool=spool,
            smsc=smsc,
            http=await stack.enter_async_context(client),
            password_hash=password_hash,
        )


def number_of(person: int) -> str:
    return f"8491{person:07}"


def _people(store: Path) -> None:
    """One dossier each, followed by one person each."""
    now = round(time.time() * 1000)
    dossiers: Iterable[Mapping[str, Any]] = (
        {
            "source": "hoso",
            "dossier_code": f"{OURS}-260817-{person:04}",
            "version": 1,
            "known": "4|2026-12-09|",
            "status": 4,
            "due_on": "2026-12-09",
            "agency": OURS,
            "unit": "",
            "procedure": "1.004946",
            "received_at": now,
            "first_seen_at": now,
            "seen_at": now,
            "apologised": False,
            "gone": False,
        }
        for person in range(FOLLOWERS)
    )
    followers: Iterable[Mapping[str, Any]] = (
        {
            "recipient": f"sms:{number_of(person)}",
            "dossier_code": f"{OURS}-260817-{person:04}",
            "source": "hoso",
            "channel": "sms",
            "account": "demo",
            "sender": "sms:8100",
            "origin": "text",
            "proved": False,
            "followed_at": now,
        }
        for person in range(FOLLOWERS)
    )
    with closing(sqlite3.connect(store, timeout=60)) as connection, connection:
        for table, rows in (("dossier_seen", dossiers), ("subscription", followers)):
            for row in rows:
                names = ", ".join(row)
                marks = ", ".join("?" for _ in row)
                connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))
