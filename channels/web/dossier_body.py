"""The JSON of a dossier, and how it is filled in (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal
from urllib.parse import quote

import msgspec

from channels.web import paths
from channels.web.chat_links import ChatLink
from channels.web.problem import ContactBody, Moment, NoticeBody, notice_body
from channels.web.telling import MORE, StoppageNotice, Told


class LinkBody(msgspec.Struct, frozen=True, kw_only=True):
    """A chat that opens with the code typed already; `name` is "telegram" or "zalo"."""

    name: str
    url: str


class FollowBody(msgspec.Struct, frozen=True, kw_only=True):
    """How to be told when the dossier changes. `phone`: by a text message, see /api/v1/subscriptions."""

    phone: bool
    links: Sequence[LinkBody]


class DossierBody(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a dossier. Dates are ISO 8601, days and moments of Asia/Ho_Chi_Minh.

    `status` is the national number, 1 to 10; null for a state the agency's system has no number for. `sentence`: the
    state in a sentence, with the agency's name. `stale`: the agency's system is down, and this is what was known at
    `as_of`. `tier`: "public" for the code alone, or "proved"; then the five from `procedure` on are there, empty where
    the agency says nothing. `notice`: a planned stoppage, from its announcement until its end. `page`: the dossier on a
    page, to print and to share. `follow`: absent where there is nothing to follow.
    """

    code: str
    status: int | None
    status_name: str
    status_text: str
    sentence: str
    what_to_do: str
    received_on: date | None
    due_on: date | None
    due_unknown: bool
    finished_on: date | None
    returned_on: date | None
    overdue: bool
    agency: ContactBody
    as_of: Moment
    stale: bool
    tier: Literal["public", "proved"]
    page: str
    procedure: str | msgspec.UnsetType = msgspec.UNSET
    procedure_name: str | msgspec.UnsetType = msgspec.UNSET
    unit: str | msgspec.UnsetType = msgspec.UNSET
    missing: str | msgspec.UnsetType = msgspec.UNSET
    fee: str | msgspec.UnsetType = msgspec.UNSET
    follow: FollowBody | msgspec.UnsetType = msgspec.UNSET
    notice: NoticeBody | msgspec.UnsetType = msgspec.UNSET


def follow_body(links: Sequence[ChatLink], *, phone: bool) -> FollowBody | None:
    """None: nothing is offered."""
    if not phone and not links:
        return None
    return FollowBody(phone=phone, links=[LinkBody(name=link.name, url=link.url) for link in links])


def page_of(base_url: str, told: Told) -> str:
    """The address of the dossier on a page; without a `base_url`, as it is called on our own host."""
    return base_url + paths.SHORT.partition("{")[0] + quote(told.reference, safe="/:")


def dossier_body(told: Told, notice: StoppageNotice | None, *, page: str, follow: FollowBody | None) -> DossierBody:
    """With all that a proof opens, or what of it the installation tells to everybody."""
    more = {name: told.more.get(name, "") for name in MORE} if told.proved else told.more
    return DossierBody(
        code=told.code,
        status=None if told.status is None else int(told.status),
        status_name=told.name,
        status_text=told.state,
        sentence=told.sentence,
        what_to_do=told.what_to_do,
        received_on=told.received_on,
        due_on=told.due_on,
        due_unknown=told.due_unknown,
        finished_on=told.finished_on,
        returned_on=told.returned_on,
        overdue=told.overdue,
        agency=ContactBody(name=told.agency.name, phone=told.agency.phone),
        as_of=told.as_of,
        stale=told.stale,
        tier="proved" if told.proved else "public",
        page=page,
        follow=follow or msgspec.UNSET,
        notice=notice_body(notice) or msgspec.UNSET,
        **more,
    )
