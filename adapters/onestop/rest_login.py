"""Who we say we are to an HTTP source: nobody, a name and password, a token, or a session that a log-in gives.

A session is kept until the source no longer takes it, and then renewed; one log-in at a time, whoever waits for it. A
log-in that failed, or whose session the source never took, is not tried again for a while: trying could lock the account.
Nor is it where one request alone is forbidden: that may be one record's trouble, and each question would be a log-in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from adapters.onestop.json_paths import parse_path
from adapters.onestop.rest_asking import basic, fill_in
from adapters.onestop.rest_client import RestClient
from adapters.onestop.rest_mapping import Authentication, LogIn
from adapters.onestop.rest_reading import AccessRefused, AnswerReader, LogInRefused
from domain.errors import SettingsError, SourceMisread

PAUSE = 60.0  # seconds between a log-in that did not help and the next one
LONGEST_TOKEN = 8_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What the settings give; which of them are needed, the mapping's [authentication] says. `login_url` is where the
    log-in is asked for when that is another host than the source's own.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    login_url: str = ""


NO_CREDENTIALS = Credentials()


@dataclass(frozen=True, slots=True)
class Session:
    """What a request carries to show who asks; `token` is put wherever a request says {token}."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    token: str = field(default="", repr=False)


class Identity:
    """One source's credentials, and the session they opened."""

    def __init__(
        self, how: Authentication, credentials: Credentials, *, source: str, client: RestClient, reader: AnswerReader
    ) -> None:
        """`client` speaks to the host of the log-in.

        Raises:
            SettingsError: credentials are missing, or cannot stand in a header.
        """
        _check(how, credentials, source)
        self._how = how
        self._credentials = credentials
        self._source = source
        self._client = client
        self._reader = reader
        self._session = None if how.login else Session(_STATIC[how.kind](how, credentials))
        self._one_at_a_time = asyncio.Lock()
        self._not_before = 0.0  # event loop time; a log-in failed
        self._opened_at = 0.0  # event loop time
        self._taken = False  # the source answered in this session

    async def session(self) -> Session:
        """The session there is, else a new one.

        Raises:
            SourceUnavailable: the log-in cannot be reached.
            SourceMisread: it refuses us, or gives no token.
        """
        if self._session is not None:
            return self._session
        async with self._one_at_a_time:
            if self._session is None:
                self._session = await self._log_in(self._how.login)
                self._opened_at, self._taken = asyncio.get_running_loop().time(), False
            return self._session

    def answered(self, session: Session) -> None:
        """The source takes this one."""
        if self._session is session:
            self._taken = True

    def renews(self, session: Session, refusal: LogInRefused) -> bool:
        """Whether to ask again in another session, since this one was refused: in the one that somebody got in the
        meantime, or in a new one.
        """
        if self._how.login is None:
            return False
        if self._session is session:
            if not self._may_have_ended(refusal):
                return False
            self._session = None
            self._client.forget_cookies()
        return True

    def _may_have_ended(self, refusal: LogInRefused) -> bool:
        old = asyncio.get_running_loop().time() >= self._opened_at + PAUSE
        return old or (self._taken and not isinstance(refusal, AccessRefused))

    async def _log_in(self, login: LogIn | None) -> Session:
        if login is None:
            return Session()
        loop = asyncio.get_running_loop()
        if loop.time() < self._not_before:
            raise SourceMisread(f"{self._source}: its log-in failed, and is left alone for a minute")
        try:
            return await self._asked(login)
        except SourceMisread:
            self._not_before = loop.time() + PAUSE
            raise

    async def _asked(self, login: LogIn) -> Session:
        given = self._credentials
        request = fill_in(login, {"username": given.username, "password": given.password})
        if login.basic:
            signed = {**request.headers, "Authorization": basic(given.username, given.password)}
            request = replace(request, headers=signed)
        answer = await self._client.exchange(request)
        self._reader.refuse_faults(answer)
        if login.token is None:
            return Session()
        token = parse_path(login.token).first(self._reader.document(answer))
        if not isinstance(token, str) or not _fits_a_header(token):
            raise SourceMisread(f"{self._source}: its log-in gave no token at {login.token}")
        return Session({self._how.header: self._how.prefix + token}, token)


def _fits_a_header(text: str) -> bool:
    return 0 < len(text) <= LONGEST_TOKEN and text.isascii() and text.isprintable()


def _check(how: Authentication, given: Credentials, source: str) -> None:
    needed = _NEEDED[how.kind]
    if how.login is not None:
        needed = ("username", "password") if how.login.basic else tuple(sorted(how.login.words()))
    missing = [name for name in needed if not getattr(given, name)]
    if missing:
        raise SettingsError(
            f"source {source}: its mapping asks for {', '.join(missing)}, which the settings do not give"
        )
    if given.token and not _fits_a_header(given.token):
        raise SettingsError(f"source {source}: its token holds signs that no header can carry")
    if how.login is None and given.login_url:
        raise SettingsError(f"source {source}: login_url is given, and its mapping knows no log-in")
    if how.login is not None and how.login.cookies and given.login_url:
        raise SettingsError(f"source {source}: cookies of another host are not kept, so login_url cannot be used")


_NEEDED: dict[str, tuple[str, ...]] = {
    "none": (),
    "basic": ("username", "password"),
    "bearer": ("token",),
    "api_key": ("token",),
    "login": (),  # what its own words name
}
_STATIC: dict[str, Callable[[Authentication, Credentials], dict[str, str]]] = {
    "none": lambda _how, _given: {},
    "basic": lambda _how, given: {"Authorization": basic(given.username, given.password)},
    "bearer": lambda _how, given: {"Authorization": f"Bearer {given.token}"},
    "api_key": lambda how, given: {how.header: how.prefix + given.token},
}
