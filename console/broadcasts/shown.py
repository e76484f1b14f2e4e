"""Broadcasts and estimates as the pages show them: words and numbers, nothing to decide (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from console.accounts.ports import AuditEntry
from console.accounts.shown import local, local_to_the_second
from console.broadcasts.estimates import Estimate
from console.broadcasts.ports import Standing, Tally
from console.broadcasts.sizing import Size
from domain.agencies import Agencies
from domain.broadcast_texts import PLACEHOLDERS, VIETNAMESE
from domain.broadcasts import AudienceKind, Broadcast, BroadcastState

MOST_SIGNS: Final = 12  # that are named: a text in Khmer is made of such
KEPT_BACK: Final = frozenset({"ready", "held", "dropped"})  # of what is stopped
Words = Mapping[str, Any]  # the texts of a language, by section


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Rows of a name and a value under a title."""

    title: str
    rows: Sequence[tuple[str, str]]

    def plain(self) -> Mapping[str, Any]:
        """As JSON carries it."""
        return {"title": self.title, "rows": [list(row) for row in self.rows]}


# ---- one broadcast


def row_of(standing: Standing, texts: Words, agencies: Agencies, language: str) -> Mapping[str, Any]:
    """A line of the list."""
    broadcast = standing.broadcast
    return {
        "id": broadcast.id,
        "title": broadcast.title,
        "state": texts["broadcast_state"][broadcast.state],
        "agency": agency_name(broadcast.agency, agencies, language),
        "author": standing.author_name,
        "people": number(broadcast.people) if broadcast.people else "",
        "progress": f"{number(standing.tally.sent)} / {number(broadcast.people)}" if standing.tally.written else "",
        "created": local(broadcast.created_at),
    }


def facts_of(standing: Standing, texts: Words, agencies: Agencies, language: str) -> Sequence[tuple[str, str]]:
    """Who it goes to, when, and who had a hand in it."""
    broadcast, words = standing.broadcast, texts["broadcast"]
    rows = [
        (words["agency"], agency_name(broadcast.agency, agencies, language)),
        *_audience(broadcast, texts, agencies, language),
        (words["rows"], number(standing.rows) if broadcast.audience.kind is AudienceKind.FILE else ""),
        (words["people"], number(broadcast.people) if broadcast.people else ""),
        (words["starts_at"], local(broadcast.starts_at) if broadcast.starts_at else words["starts_at_once"]),
        (words["canary"], number(broadcast.canary)),
        (words["author"], standing.author_name),
        (words["submitter"], standing.submitter_name),
        (words["approver"], standing.approver_name),
        (words["approved_until"], local(broadcast.approved_until) if broadcast.approved_until else ""),
        (words["seal"], broadcast.seal),
    ]
    return [row for row in rows if row[1]]


def _audience(broadcast: Broadcast, texts: Words, agencies: Agencies, language: str) -> Iterator[tuple[str, str]]:
    audience, words = broadcast.audience, texts["broadcast"]
    names = [agency_name(each, agencies, language) for each in audience.agencies]
    yield words["kind"], texts["broadcast_kind"][audience.kind]
    yield words["again"], words["again_value"] if audience.failed_of else ""
    yield words["agencies"], ", ".join(names)
    yield words["procedure"], audience.procedure
    yield words["statuses"], ", ".join(texts["broadcast_status"][str(int(each))] for each in audience.statuses)
    yield words["received_from"], f"{audience.received_from:%d/%m/%Y}" if audience.received_from else ""
    yield words["received_to"], f"{audience.received_to:%d/%m/%Y}" if audience.received_to else ""
    yield words["due_in_days"], "" if audience.due_in_days is None else str(audience.due_in_days)
    yield words["late"], words["yes"] if audience.late else ""
    yield words["basis"], audience.basis


def progress_of(standing: Standing, texts: Words) -> Mapping[str, Any]:
    """How far it is, as JSON carries it and the page shows it."""
    tally, people = standing.tally, standing.broadcast.people
    left_out = sum(tally.left_out.values())
    waiting = tally.under_way + (0 if tally.all_written else max(people - tally.written - left_out, 0))
    stopped = standing.broadcast.state is BroadcastState.STOPPED
    if stopped:  # nobody waits any more
        gone = sum(each.messages for each in tally.results if each.state not in KEPT_BACK)
        waiting = max(people - gone - left_out, 0)
    figures = {"sent": tally.sent, "delivered": tally.delivered, "failed": tally.failed}
    figures["never" if stopped else "waiting"] = waiting
    ended = max(people - waiting, 0)
    return {
        "state": standing.broadcast.state.value,
        "state_name": texts["broadcast_state"][standing.broadcast.state],
        "people": people,
        "ended": ended,
        "text": texts["broadcast_progress"]["text"].format(ended=number(ended), people=number(people)),
        "rows": [[texts["broadcast_progress"][name], number(value)] for name, value in figures.items()],
    }


def results_of(tally: Tally, texts: Words) -> Sequence[tuple[str, str, str, str]]:
    """(state, what the report says, why, how many), and those nothing was written for."""
    states, deliveries = texts["broadcast_result"], texts["broadcast_delivery"]
    rows = [
        (
            states.get(each.state, each.state),
            deliveries.get(each.delivery, each.delivery) if each.delivery else "",
            reason(each.reason, texts),
            number(each.messages),
        )
        for each in sorted(tally.results, key=lambda each: -each.messages)
    ]
    left_out = texts["broadcast_left_out"]
    rows += [(left_out["title"], "", left_out.get(why, why), number(many)) for why, many in tally.left_out.items()]
    return rows


def reason(code: str, texts: Words) -> str:
    """Why, in words; what the network says as it says it."""
    words = texts["broadcast_reason"]
    return words.get(code) or (words["of_network"].format(code) if code else "")


def trail_of(entries: Sequence[AuditEntry], texts: Words) -> Sequence[Mapping[str, str]]:
    """What was done to it."""
    names = texts["action"]
    return [
        {
            "at": local_to_the_second(each.at),
            "login": each.login,
            "action": names.get(each.action, each.action),
            "reason": str(each.detail.get("reason", "")),
        }
        for each in entries
    ]


# ---- an estimate


def sections_of(estimate: Estimate, texts: Words) -> Sequence[Section]:
    """Everything that is told while somebody writes."""
    sections = [
        Section(
            title=texts["broadcast_language"][size.language],
            rows=[*_size(size, texts), *_unanswered(size.language, estimate, texts)],
        )
        for size in estimate.sizes
    ]
    if estimate.count is not None:
        sections.append(Section(title=texts["broadcast_count"]["people_title"], rows=_people(estimate, texts)))
    return sections


def _size(size: Size, texts: Words) -> Sequence[tuple[str, str]]:
    words = texts["broadcast_count"]
    signs = ", ".join(f"{sign.name} ×{sign.times}" for sign in size.forcing[:MOST_SIGNS])
    plain = words["plain_value"].format(most=size.plain_most) if size.worth_plain else ""
    rows = (
        (words["characters"], str(size.characters)),
        (words["segments"], str(size.segments)),
        (words["most"], str(size.most)),
        (words["alphabet"], words["ucs2"] if size.is_ucs2 else words["gsm7"]),
        (words["forcing"], words["forcing_more"].format(signs) if len(size.forcing) > MOST_SIGNS else signs),
        (words["plain"], plain),
    )
    return [row for row in rows if row[1]]


def _unanswered(language: str, estimate: Estimate, texts: Words) -> Iterator[tuple[str, str]]:
    """A warning: it may be sent as it is."""
    if language in estimate.unanswered:
        words = texts["broadcast_count"]
        yield words["unanswered"], words["unanswered_value"].format(names=", ".join(estimate.names))


def _people(estimate: Estimate, texts: Words) -> Sequence[tuple[str, str]]:
    words, channels, count, cost = texts["broadcast_count"], texts["broadcast_channel"], estimate.count, estimate.cost
    if count is None or cost is None:
        return ()
    about = "{}" if not count.more or estimate.known else words["at_least"]
    rows = [(words["dossiers"], about.format(number(estimate.known or count.dossiers)))]
    if not estimate.known:
        rows += [(channels.get(name, name), about.format(number(many))) for name, many in sorted(count.people.items())]
    rows += [(words[f"out_{why}"], number(many)) for why, many in count.taken_out.items() if f"out_{why}" in words]
    rows += [(words["waits"], number(count.waits))] if count.waits else []
    rows += [
        (words["total_segments"], about.format(number(cost.segments))),
        (words["dong"], about.format(words["dong_value"].format(number(cost.dong)))),
        (words["duration"], words["not_sending"] if cost.seconds is None else about.format(duration(cost.seconds))),
    ]
    return rows


# ---- words


def placeholders_of(columns: Sequence[str], kind: str, language: str) -> Sequence[tuple[str, str]]:
    """(what is typed, what it means) of those a text may hold."""
    if kind == AudienceKind.FILE:
        return [(f"{{{name}}}", "") for name in columns]
    return [(f"{{{name}}}", means.get(language, means[VIETNAMESE])) for name, means in PLACEHOLDERS.items()]


def agency_name(identifier: str, agencies: Agencies, language: str) -> str:
    agency = agencies.find(identifier)
    return agency.name(language) if agency else identifier


def number(value: int) -> str:
    """`1.234.567`, as it is written here."""
    return f"{value:,}".replace(",", ".")


def duration(seconds: int) -> str:
    """`1:02:03`."""
    return str(timedelta(seconds=seconds))
