"""The picture in the reader's words: what the page shows first, and what the stream says afterwards, are made here (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from console.health.board import Picture, total
from console.health.judging import Alarm, Mark, alarms, holder, is_silent, mark_of
from console.health.ports import AccountSeen, SourceSeen, Traffic
from console.page import Texts
from domain.calendar import LOCAL_ZONE

UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))  # seconds, names under [health_unit]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell: its words; `mark` where it is good or bad; `value` where it is a figure."""

    words: str
    mark: str = ""
    value: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A table. The first cell of a row names it; `figures` are the columns of figures, `nothing` is said where there are
    no rows.
    """

    name: str
    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    figures: Sequence[int] = ()
    nothing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A figure that is read at a glance."""

    name: str
    label: str
    words: str
    mark: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything. `wrong`: what is, as sentences with their marks; `hours`: the table the chart is drawn from."""

    at: str
    wrong: Sequence[Cell]
    tiles: Sequence[Tile]
    blocks: Sequence[Block]

    def plain(self) -> Mapping[str, object]:
        """As JSON has it."""
        return asdict(self)


def make_view(picture: Picture, texts: Texts) -> View:
    return View(
        at=_clock(picture.at),
        wrong=[Cell(words=sentence(alarm, texts), mark=alarm.mark.value) for alarm in alarms(picture)],
        tiles=list(_tiles(picture, texts)),
        blocks=[make(picture, texts) for make in _BLOCKS],
    )


def sentence(alarm: Alarm, texts: Texts) -> str:
    """An alarm in words."""
    words: str = texts["health_alarm"][alarm.rule].format(**alarm.facts)
    return words


# ---- tiles


def _tiles(picture: Picture, texts: Texts) -> Iterator[Tile]:
    words = texts["health"]
    today, hour = total(picture.today), total(picture.last_hour)
    for name, share in (("in_2s", 2), ("in_5s", 5)):
        label, note = words["answered_within"].format(seconds=share), words["last_hour"]
        told = f"{note}: {_percent(getattr(hour, name), hour.replies, texts)}"
        yield Tile(name=name, label=label, words=_percent(getattr(today, name), today.replies, texts), note=told)
    for name in ("came_in", "left"):
        count = getattr(today, name)
        told = f"{words['last_hour']}: {number(getattr(hour, name), texts)}"
        yield Tile(name=name, label=words[name], words=number(count, texts), note=told)
    waiting = [each for each in picture.standing.queues if each.state in ("open", "ready", "bulk")]
    oldest = min((each.oldest_at for each in waiting), default=None)
    yield Tile(
        name="waiting",
        label=words["waiting"],
        words=number(sum(each.messages for each in waiting), texts),
        note=words["oldest"].format(span=span(picture.at - oldest, texts)) if oldest else words["none_waits"],
    )
    yield Tile(name="failed", label=words["failed"], words=number(today.failed, texts), note=words["today"])


# ---- tables


def _accounts(picture: Picture, texts: Texts) -> Block:
    rows = [_account(account, picture, texts) for account in picture.nearby.accounts]
    return _block("accounts", rows, texts)


def _account(account: AccountSeen, picture: Picture, texts: Texts) -> Sequence[Cell]:
    mark, held, words = mark_of(account, picture), holder(account, picture), texts["health"]
    here = held is not None and held.process == picture.nearby.number
    since = account.since if here else held.since if held else None
    states = {Mark.GOOD: "ready", Mark.BAD: "not_ready" if held else "unheld", Mark.UNKNOWN: "elsewhere"}
    return (
        Cell(words=f"{texts['channel'].get(account.channel, account.channel)}: {account.account}"),
        Cell(words=words[states[mark]].format(process=held.process if held else ""), mark=mark.value),
        Cell(words=span(picture.at - since, texts) if since else ""),
        Cell(words=account.detail if here else ""),
    )


def _queues(picture: Picture, texts: Texts) -> Block:
    rows = [
        (
            Cell(words=each.account),
            Cell(words=texts["health_queue"][each.state]),
            _figure(each.messages, texts),
            Cell(words=span(picture.at - each.oldest_at, texts)),
        )
        for each in picture.standing.queues
    ]
    return _block("queues", rows, texts, figures=(2,))


def _later(picture: Picture, texts: Texts) -> Block:
    reasons = texts["health_reason"]
    rows = [
        (
            Cell(words=each.account),
            Cell(words=reasons.get(each.reason, reasons["other"])),
            _figure(each.messages, texts),
            Cell(words=texts["health"]["in_span"].format(span=span(each.next_at - picture.at, texts))),
        )
        for each in picture.standing.later
    ]
    rows += [
        (
            Cell(words=each.source),
            Cell(words=reasons["hold"], mark=Mark.WARN.value),
            _figure(each.notices, texts),
            Cell(words=texts["health"]["by_operator"]),
        )
        for each in picture.standing.holds
    ]
    return _block("later", rows, texts, figures=(2,))


def _sources(picture: Picture, texts: Texts) -> Block:
    return _block("sources", [_source(each, picture, texts) for each in picture.nearby.sources], texts)


def _source(source: SourceSeen, picture: Picture, texts: Texts) -> Sequence[Cell]:
    words = texts["health"]
    state = "answers" if source.ok else "paused" if source.paused else "silent"
    lag = words["lag_elsewhere"] if source.lag_s is None else span(timedelta(seconds=source.lag_s), texts)
    return (
        Cell(words=source.name),
        Cell(words=words[state], mark=(Mark.GOOD if source.ok else Mark.BAD).value),
        Cell(words=span(picture.at - source.since, texts)),
        Cell(words=lag),
        Cell(words=source.detail),
    )


def _channels(picture: Picture, texts: Texts) -> Block:
    rows = [
        (Cell(words=texts["channel"].get(each.channel, each.channel)), *_figures(each, texts)) for each in picture.today
    ]
    return _block("channels", rows, texts, figures=range(1, 7))


def _hours(picture: Picture, texts: Texts) -> Block:
    rows = [
        (Cell(words=f"{each.begins.astimezone(LOCAL_ZONE):%H:%M}"), *_figures(total(each.traffic), texts))
        for each in picture.hours
    ]
    return _block("hours", rows, texts, figures=range(1, 7))


def _figures(traffic: Traffic, texts: Texts) -> Sequence[Cell]:
    counts = (traffic.came_in, traffic.left, traffic.replies, traffic.notices, traffic.broadcasts, traffic.failed)
    return [_figure(count, texts) for count in counts]


def _processes(picture: Picture, texts: Texts) -> Block:
    words, now = texts["health"], picture.at
    held = [lease for lease in picture.standing.leases if lease.until > now]
    rows = []
    for each in picture.standing.processes:
        silent = is_silent(each.heartbeat_at, now)
        does = ", ".join(lease.name for lease in held if lease.process == each.number)
        own = f" ({words['this_one']})" if each.number == picture.nearby.number else ""
        rows.append(
            (
                Cell(words=f"{each.number}{own}"),
                Cell(
                    words=words["silent_process" if silent else "alive"],
                    mark=(Mark.WARN if silent else Mark.GOOD).value,
                ),
                Cell(words=each.host),
                Cell(words=each.roles.replace(",", ", ")),
                Cell(words=does),
                Cell(words=each.version),
                Cell(words=span(now - each.started_at, texts)),
            )
        )
    return _block("processes", rows, texts)


_BLOCKS: Sequence[Callable[[Picture, Texts], Block]] = (
    _hours,
    _channels,
    _accounts,
    _sources,
    _queues,
    _later,
    _processes,
)


def _block(name: str, rows: Sequence[Sequence[Cell]], texts: Texts, *, figures: Iterable[int] = ()) -> Block:
    words = texts["health_table"][name]
    return Block(
        name=name,
        caption=words["caption"],
        heads=words["heads"],
        rows=rows,
        figures=list(figures),
        nothing=words["nothing"],
    )


# ---- figures in words


def number(count: int, texts: Texts) -> str:
    """With a sign between thousands, as the reader's language has it."""
    return f"{count:,}".replace(",", str(texts["health"]["thousands"]))


def _figure(count: int, texts: Texts) -> Cell:
    return Cell(words=number(count, texts), value=count)


def _percent(part: int, whole: int, texts: Texts) -> str:
    """Rounded down, so that 100 % is all of them; none of none is no share."""
    if not whole:
        return str(texts["health"]["no_replies"])
    tenths = part * 1000 // whole
    return f"{tenths // 10}{texts['health']['decimal']}{tenths % 10} %"


def span(length: timedelta, texts: Texts) -> str:
    """The largest unit and the next: `2 giờ 5 phút`."""
    left = round(max(length.total_seconds(), 0))
    words: list[str] = []
    for size, unit in UNITS:
        count, left = divmod(left, size)
        if count or words:
            words.append(f"{count} {texts['health_unit'][unit]}")
    told = " ".join(word for word in words[:2] if not word.startswith("0 "))
    return told or f"0 {texts['health_unit']['second']}"


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(LOCAL_ZONE):%H:%M:%S %d/%m/%Y}"
