"""Every page of the console with its filters and its further pages, as an officer would ask for them."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import product
from typing import Final

from aiohttp import ClientSession, FormData

from adapters.store.housekeeping import first_id
from bench.console_seed import (
    AGENCIES,
    AGENCY,
    BASIS,
    DAYS,
    HOT_NUMBER,
    OFFICERS,
    OPINIONS,
    OWN_SHARE,
    PROVINCE,
    TEXTS,
    Seeded,
)
from console import paths
from console.accounts.sessions import PLAIN_NAME
from console.assets import Assets
from console.broadcasts.desk import at
from console.help.pages import SCREENS
from console.messages.ports import Which
from domain.broadcasts import BroadcastState

LIST: Final = "draft, a list of 100,000"
FEW: Final = 1_000  # lines of a list that is sent before the walk, some of them wrong
FIRST: Final = 4_096  # bytes of a file that are waited for: more than its heading
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
DESK: Final = frozenset(
    {"intake", "outage"}
)  # its pages are there where an agency works with the intake module: not here


class Reads(enum.Enum):
    """How much of an answer is waited for."""

    ALL = "all"
    FIRST = "first"  # the beginning of a file
    EVENT = "event"  # the first event
    HEAD = "head"  # that it began: the page itself shows what the first event will


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One page. `form` None: a GET. `path` as console.paths has it, `address` as it is asked for."""

    name: str
    path: str
    address: str
    form: Mapping[str, str | Sequence[str]] | None = None
    json: bool = False
    reads: Reads = Reads.ALL
    status: int = 200

    @property
    def method(self) -> str:
        return "GET" if self.form is None else "POST"

    @property
    def counts(self) -> bool:
        """People are counted for it, which is kept for some seconds."""
        return self.path in (paths.BROADCAST, paths.BROADCAST_EDIT, paths.BROADCAST_COUNT)


def asks(seeded: Seeded, who: str) -> Sequence[Ask]:
    """All of one officer."""
    parts = (_accounts, _audit, _broadcasts, _counts, _messages, _opinions, _plain)
    return [each for part in parts for each in part(seeded, who)]


def _get(path: str, name: str = "", query: str = "", **changes: object) -> Ask:
    address = path + (f"?{query}" if query else "")
    return replace(Ask(name=name or query, path=path, address=address), **changes)  # type: ignore[arg-type]


def _plain(_seeded: Seeded, _who: str) -> Iterator[Ask]:
    yield _get(paths.HOME, status=303)
    yield _get(paths.SIGN_IN)
    yield _get(paths.STATIC, address=Assets().addresses["console.css"])
    yield _get(paths.HEALTH)
    yield _get(paths.HEALTH_EVENTS, reads=Reads.HEAD)
    yield _get(paths.INCIDENT)
    yield _get(paths.SITES)
    yield _get(paths.HELP)
    yield from (_get(paths.HELP_ONE, name, address=f"{paths.HELP}/{name}") for name in SCREENS if name not in DESK)


def _accounts(seeded: Seeded, _who: str) -> Iterator[Ask]:
    yield _get(paths.ACCOUNT)
    yield _get(paths.OFFICERS)
    yield _get(paths.OFFICERS, query=f"sau=officer-{OFFICERS // 2}")
    yield _get(paths.OFFICER_NEW)
    yield _get(paths.OFFICER, address=f"{paths.OFFICERS}/{seeded.who['agency'].officer.id}")


def _audit(seeded: Seeded, _who: str) -> Iterator[Ask]:
    half = seeded.at - timedelta(days=DAYS // 2)
    quarter = seeded.at - timedelta(days=DAYS * 3 // 4)
    login, action, about = "login=officer-8", "action=feedback.answered", "about=broadcast%3A42"
    rare, nobody = "login=agency", "login=nobody"
    span = f"since={quarter:%Y-%m-%d}&until={half:%Y-%m-%d}"
    yield _get(paths.AUDIT)
    for query in (login, action, about, rare, nobody, span, f"{login}&{action}", f"{login}&{about}&{span}"):
        yield _get(paths.AUDIT, query=query)
    for query in (
        f"before={first_id(half)}",
        f"{action}&before={first_id(quarter)}",
        f"{rare}&before={first_id(half)}",
    ):
        yield _get(paths.AUDIT, f"further: {query.partition('before')[0]}", query)
    yield _get(paths.AUDIT_FILE, "first bytes", reads=Reads.FIRST)
    yield _get(paths.AUDIT_FILE, f"first bytes, {login}", login, reads=Reads.FIRST)


def _broadcasts(seeded: Seeded, who: str) -> Iterator[Ask]:
    half = first_id(seeded.at - timedelta(days=DAYS // 2))
    yield _get(paths.BROADCASTS)
    for state in BroadcastState:
        yield _get(paths.BROADCASTS, query=f"trang_thai={state.value}")
    yield _get(paths.BROADCASTS, "further", f"truoc={half}")
    yield _get(paths.BROADCASTS, "further, done", f"trang_thai=done&truoc={half}")
    yield _get(paths.BROADCAST_NEW)
    for name, number in _own(seeded, who).items():
        yield _get(paths.BROADCAST, name, address=at(paths.BROADCAST, number))
        if name.startswith("draft"):
            yield _get(paths.BROADCAST_EDIT, name, address=at(paths.BROADCAST_EDIT, number))
    there = seeded.broadcasts
    yield _get(paths.BROADCAST_STOP, address=at(paths.BROADCAST_STOP, there["running"]))
    for name in ("running", "done"):
        follow, results = (at(path, there[name]) for path in (paths.BROADCAST_PROGRESS, paths.BROADCAST_RESULTS))
        yield _get(paths.BROADCAST_PROGRESS, f"first event, {name}", address=follow, reads=Reads.EVENT)
        yield _get(paths.BROADCAST_RESULTS, f"first bytes, {name}", address=results, reads=Reads.FIRST)
    for path in (paths.BROADCAST_FILE, paths.BROADCAST_FILE_FAULTS):
        yield _get(path, address=at(path, there[LIST]))
    progress = at(paths.BROADCAST_FILE_PROGRESS, there[LIST])
    yield _get(paths.BROADCAST_FILE_PROGRESS, "first event", address=progress, reads=Reads.EVENT)


def _own(seeded: Seeded, who: str) -> Mapping[str, int]:
    """Named broadcasts within reach: those of the province are further than an agency's."""
    far = ("draft, followers of all", "draft, nearly nobody of all", "submitted, numbers of all")
    named = {name: number for name, number in seeded.broadcasts.items() if not name.startswith("other")}
    return {name: number for name, number in named.items() if who == "operator" or name not in far}


def _counts(seeded: Seeded, who: str) -> Iterator[Ask]:
    """What the form asks for while somebody writes."""
    agencies = [*AGENCIES, PROVINCE] if who == "operator" else [AGENCY]
    followers, numbers = {"kind": "followers"}, {"kind": "numbers", "basis": BASIS}
    since = {"received_from": f"{seeded.at - timedelta(days=30):%Y-%m-%d}"}
    filters: Mapping[str, Mapping[str, str]] = {
        "all": {},
        "one procedure": {"procedure": "1.004042"},
        "no procedure there is": {"procedure": "9.999999"},
        "late": {"late": "on"},
        "due in 3 days": {"due_in_days": "3"},
        "of 30 days": since,
        "in process": {"status": "4"},
    }
    base = {f"text_{name}": words for name, words in TEXTS.items()} | {"title": "t", "canary": "100"}
    for kind, (name, narrowed) in product((followers, numbers), filters.items()):
        form = {**base, **kind, **narrowed, "agency": agencies}
        yield Ask(
            name=f"count: {kind['kind']}, {name}",
            path=paths.BROADCAST_COUNT,
            address=paths.BROADCAST_COUNT,
            form=form,
            json=True,
        )
    lines = {**base, "kind": "file", "basis": BASIS, "agency": [AGENCY], "id": str(seeded.broadcasts[LIST])}
    yield Ask(
        name="count: a list of 100,000",
        path=paths.BROADCAST_COUNT,
        address=paths.BROADCAST_COUNT,
        form=lines,
        json=True,
    )


def _messages(seeded: Seeded, _who: str) -> Iterator[Ask]:
    count, half = seeded.count, str(first_id(seeded.at - timedelta(days=DAYS // 2)))
    yield _get(paths.MESSAGES)
    hot, many, one = (seeded.code(_owned(number)) for number in (count // 2, count // 3, count // 7))
    for name, form in {
        "by code, asked about most": {"code": hot},
        "the same, further": {"code": hot, "before": half},
        "by code, asked about much": {"code": many},
        "by code": {"code": one},
        "by code, of no dossier": {"code": f"{AGENCY}-200101-99999"},
    }.items():
        yield Ask(name=name, path=paths.MESSAGES, address=paths.MESSAGES, form=form)
    for name, form in {
        "by number, of all day": {"number": f"0{HOT_NUMBER[2:]}"},
        "the same, further": {"number": f"0{HOT_NUMBER[2:]}", "before": half},
        "by number, asks much": {"number": "0900000007"},
        "by number": {"number": "0900007919"},
        "by number, of nobody": {"number": "0988888888"},
    }.items():
        yield Ask(name=name, path=paths.MESSAGES_NUMBER, address=paths.MESSAGES_NUMBER, form=form)


def _owned(number: int) -> int:
    """The next dossier of AGENCY."""
    return number if number % 10 < OWN_SHARE else number - number % 10 + 10


def _opinions(_seeded: Seeded, _who: str) -> Iterator[Ask]:
    half = OPINIONS // 2
    for which in Which:
        yield _get(paths.FEEDBACK, query=f"loai={which.value}")
        yield _get(paths.FEEDBACK, f"further: loai={which.value}", f"loai={which.value}&sau={half}")
    yield _get(paths.FEEDBACK_FILE, "first bytes", f"loai={Which.ALL.value}", reads=Reads.FIRST)
    for number in (half - half % 30 + 1, half - half % 30 + 10):
        yield _get(paths.FEEDBACK_ONE, address=f"{paths.FEEDBACK}/{number}")


def never_asked(routes: Iterable[tuple[str, str]], asked: Iterable[Ask]) -> Sequence[str]:
    """Of these routes (method, path) the GETs nobody asks for."""
    reached = {each.path for each in asked if each.form is None}
    concrete = {each.address.partition("?")[0] for each in asked if each.form is None}
    return [
        path
        for method, path in routes
        if method == "GET" and path not in reached and not any(_pattern(path).fullmatch(each) for each in concrete)
    ]


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)(?::([^{}]+))?\}", path)
    found = [re.escape(parts[0])]
    for _, pattern, rest in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        found += [f"(?:{pattern or '[^/]+'})", re.escape(rest)]
    return re.compile("".join(found))


# ---- asking


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """Somebody signed in to the console at `base`."""

    http: ClientSession
    base: str
    secret: str

    async def ask(self, each: Ask) -> int:
        """How many bytes came.

        Raises:
            RuntimeError: it is not answered as it should be.
        """
        headers = {"Cookie": f"{PLAIN_NAME}={self.secret}", **OWN_PAGE}
        headers |= {"Accept": "application/json"} if each.json else {}
        form = None if each.form is None else list(_fields(each.form))
        async with self.http.request(
            each.method, self.base + each.address, data=form, headers=headers, allow_redirects=False
        ) as response:
            if response.status != each.status:
                raise RuntimeError(f"{each.method} {each.address} ({each.name}) was answered {response.status}")
            if each.reads is Reads.HEAD:
                response.close()
                return 0
            if each.reads is Reads.ALL:
                return len(await response.read())
            read = b""
            while not _enough(each.reads, read):
                chunk = await response.content.readany()
                if not chunk:
                    return len(read)
                read += chunk
            response.close()
            return len(read)

    async def forget(self, agency: str) -> None:
        """Have nobody counted, so that the next count is a new one: of each officer the last is kept."""
        form = {"text_vi": "t", "title": "t", "canary": "1", "kind": "followers", "agency": agency, "status": "7"}
        await self.ask(Ask(name="", path=paths.BROADCAST_COUNT, address=paths.BROADCAST_COUNT, form=form, json=True))

    async def send_list(self, broadcast: int) -> None:
        """A short list with faults, read to its end: for the pages about one."""
        lines = ["so_dien_thoai,ho_ten"]
        lines += [f"{'09' if number % 10 else 'x'}{10_000_000 + number},Nguyễn Văn {number}" for number in range(FEW)]
        form = FormData()
        form.add_field("file", "\n".join(lines).encode(), filename="list.csv", content_type="text/csv")
        headers = {"Cookie": f"{PLAIN_NAME}={self.secret}", **OWN_PAGE}
        address = self.base + at(paths.BROADCAST_FILE, broadcast)
        async with self.http.post(address, data=form, headers=headers, allow_redirects=False) as response:
            if response.status != 303:
                raise RuntimeError(f"a list was answered {response.status}")
        address = self.base + at(paths.BROADCAST_FILE_PROGRESS, broadcast)
        async with self.http.get(address, headers=headers) as response:
            await response.read()


def _enough(reads: Reads, read: bytes) -> bool:
    return len(read) >= FIRST if reads is Reads.FIRST else b"\n\n" in read


def _fields(form: Mapping[str, str | Sequence[str]]) -> Iterator[tuple[str, str]]:
    for name, value in form.items():
        yield from [(name, value)] if isinstance(value, str) else [(name, each) for each in value]
