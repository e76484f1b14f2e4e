"""Logs: one action a line, as a verb of something (`sms.bound`), with ids; never a number, a name or a text.

Privacy does not hang on every caller's care: the last step before writing takes out fields that hold a person's words
or number, masks whatever looks like a telephone number in any other, and shows of unknown objects only their type.
"""

from __future__ import annotations

import enum
import json
import logging
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, TextIO, cast

import structlog

from domain.errors import GatewayError

REDACTED = "[redacted]"
PERSONAL = frozenset(
    [
        "text",
        "texts",
        "body",
        "message_text",
        "short_message",
        "raw",
        "content",
        "words",
        "payload",
        "question",
        "feedback",
        "sender",
        "recipient",
        "address",
        "addresses",
        "source_addr",
        "destination_addr",
        "msisdn",
        "phone",
        "phones",
        "telephone",
        "number",
        "applicant",
        "name_of_applicant",
        "full_name",
        "person",
        "people",
        "owner_name",
        "identity_number",
        "password",
        "secret",
        "token",
        "authorization",
        "cookie",
        "url",
        "query",
    ]
)
# A telephone number as people and machines write it. Not inside a dossier code (H51.18-210817-0005), which is an id.
NUMBER = re.compile(
    r"(?<![0-9A-Za-z])(?<![0-9A-Za-z][.\-])"  # not in the middle of a code
    r"(?:\+\d(?:[ .\-]?\d){7,13}|(?:0|84)(?:[ .\-]?\d){8,10})"
    r"(?![0-9A-Za-z])"
)
NUMBER_AS_INTEGER = re.compile(r"84\d{9,10}")
DEEPEST = 4
LONGEST_CHAIN = 5
MOST_FRAMES = 15

Event = MutableMapping[str, Any]


def redact(_: object, __: str, event: Event) -> Event:
    """The structlog step that takes personal data out; the action itself is a literal and stays."""
    for key, value in event.items():
        if key in PERSONAL:
            event[key] = REDACTED
        elif key != "event" or not isinstance(value, str):
            event[key] = masked(value)
        else:
            event[key] = NUMBER.sub(REDACTED, value)
    return event


def masked(value: object, depth: int = 0) -> object:
    """A value as it may be logged."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, enum.Enum):
        return masked(value.value, depth + 1)
    if isinstance(value, int):
        return REDACTED if NUMBER_AS_INTEGER.fullmatch(str(value)) else value
    if isinstance(value, str | Path):
        return NUMBER.sub(REDACTED, str(value))
    if isinstance(value, date | datetime):
        return value.isoformat()
    return _masked_collection(value, depth)


def _masked_collection(value: object, depth: int) -> object:
    if depth < DEEPEST and isinstance(value, Mapping):
        return {str(key): REDACTED if key in PERSONAL else masked(inner, depth + 1) for key, inner in value.items()}
    if depth < DEEPEST and isinstance(value, list | tuple | set | frozenset):
        return [masked(inner, depth + 1) for inner in value]
    return f"<{type(value).__name__}>"  # its repr could say anything


class _LibraryLogs(logging.Handler):
    """What libraries say through the standard library's logging, as one action of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        level = record.levelno if record.levelno in (logging.WARNING, logging.ERROR, logging.CRITICAL) else logging.INFO
        said = str(record.msg).partition("\n")[0]  # the wording without its arguments: those could say anything
        log.log(level, "library.spoke", library=record.name, said=said, exc_info=record.exc_info)


class _Lines:
    """Where finished lines go. A full disk or a reader that is gone costs lines, never an answer; how many are missing
    is told by the first line that can be written again.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lost = 0

    def write(self, line: str) -> None:
        try:
            self._stream.write(line)
            self._stream.flush()
        except OSError:  # told later: the log is the place where it would be told
            self._lost += 1
        else:
            self._lost = 0

    def flush(self) -> None:
        """Done with every line."""

    def tell_lost(self, _: object, __: str, event: Event) -> Event:
        """The structlog step that adds how many lines before this one are missing."""
        if self._lost:
            event["lines_lost"] = self._lost
        return event


def configure_logs(level: str, layout: str, stream: TextIO | None = None) -> None:
    """Set the process's logs up, once, from the command line; `stream` is standard error unless given.

    `level` and `layout` are `logs.level` and `logs.format` of the settings.
    """
    stream = stream or sys.stderr
    lines = _Lines(stream)
    lowest = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            tell_exception,
            redact,
            lines.tell_lost,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *_renderers(layout, stream),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", lines)),  # it writes and flushes, nothing else
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_LibraryLogs()]
    root.setLevel(max(lowest, logging.WARNING))
    # A request line that is no HTTP is answered 400; a traceback for each would let anybody fill the disk.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)


def tell_exception(_: object, __: str, event: Event) -> Event:
    """The structlog step that turns `exc_info` into types and places, the cause first.

    What an exception says is shown only of our own errors, whose words are meant for an operator, and of the system's:
    anybody else's may quote a citizen.
    """
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["exception"] = [_told(each) for each in _chain(error)]
    return event


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what led to it, the first cause first."""
    chain = [error]
    while len(chain) < LONGEST_CHAIN:
        before = chain[0].__cause__ or (None if chain[0].__suppress_context__ else chain[0].__context__)
        if before is None or before in chain:
            break
        chain.insert(0, before)
    return chain


def _told(error: BaseException) -> dict[str, object]:
    said = str(error) if isinstance(error, GatewayError) else getattr(error, "strerror", None) or ""
    frames = traceback.extract_tb(error.__traceback__)[-MOST_FRAMES:]
    places = [f"{'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno} {frame.name}" for frame in frames]
    return {"type": type(error).__name__, "said": said, "places": places}


def _renderers(layout: str, stream: TextIO) -> list[structlog.typing.Processor]:
    if layout == "json":
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
        return [_action_first, renderer, cast("structlog.typing.Processor", _without_escapes)]
    return [_one_line_exception, structlog.dev.ConsoleRenderer(colors=stream.isatty())]


def _action_first(_: object, __: str, event: Event) -> Event:
    """For people who read JSON all the same: when, how grave, what; then the rest."""
    return {"timestamp": event.pop("timestamp"), "level": event.pop("level"), "action": event.pop("event"), **event}


def _without_escapes(_: object, __: str, line: str) -> str:
    """A line that moves no terminal and is one line to every reader: what is not seen, as JSON writes it."""
    return line if line.isprintable() else "".join(s if s.isprintable() else json.dumps(s)[1:-1] for s in line)


def _one_line_exception(_: object, __: str, event: Event) -> Event:
    """For people: what happened and where, without the way there."""
    chain = event.pop("exception", None)
    if chain:
        last = chain[-1]
        event["exception"] = " ".join([last["type"], last["said"], *last["places"][-1:]])
    return event
