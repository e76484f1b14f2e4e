"""Logs: never a telephone number, a name or a text, whoever writes the line; every action is in the list."""

from __future__ import annotations

import errno
import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import StoreUnavailable
from domain.message import Address
from gateway.log_actions import LOG_ACTIONS
from gateway.logs import PERSONAL, REDACTED, configure_logs, masked
from gateway.source_scan import logged_actions

ROOT = Path(__file__).parent.parent.parent
Written = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    handlers, level = logging.getLogger().handlers, logging.getLogger().level
    yield io.StringIO()
    structlog.reset_defaults()
    logging.getLogger().handlers = handlers
    logging.getLogger().setLevel(level)


@pytest.fixture
def written(stream: io.StringIO) -> Written:
    configure_logs("info", "json", stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def fail(why: str) -> None:
    raise ValueError(why)


def test_a_line_is_an_action_with_its_ids(written: Written) -> None:
    structlog.get_logger().info("sms.bound", account="viettel", message_id=1234567890123456789)
    (line,) = written()
    assert line.pop("timestamp").endswith("Z")
    assert line == {"action": "sms.bound", "level": "info", "account": "viettel", "message_id": 1234567890123456789}


@pytest.mark.parametrize("field", sorted(PERSONAL))
def test_a_personal_field_is_taken_out_wherever_it_stands(written: Written, field: str) -> None:
    log = structlog.get_logger()
    log.info("message.seen", **{field: "Nguyễn Văn A"})
    log.info("message.seen", inner={"deep": [{field: "Nguyễn Văn A"}]})
    assert "Nguyễn" not in json.dumps(written(), ensure_ascii=False)


@pytest.mark.parametrize(
    "number",
    ["0912345678", "+84912345678", "84912345678", "+84 912 345 678", "0912.345.678", "0237 385 2246", "+447911123456"],
)
@pytest.mark.parametrize("around", ["{}", "from {} at once", "sms:{}", "b'{}'", "to={},", "({})"])
def test_a_number_in_any_text_is_masked(written: Written, number: str, around: str) -> None:
    structlog.get_logger().info("message.seen", detail=around.format(number))
    (line,) = written()
    assert line["detail"] == around.format(REDACTED)


@given(st.integers(min_value=0, max_value=99_999_999), st.sampled_from(["09", "03", "849", "+849", "843"]))
def test_no_mobile_number_survives(rest: int, beginning: str) -> None:
    number = f"{beginning}{rest:08d}"
    assert number not in str(masked({"k": [f"a {number} b"]}))
    assert masked(int(f"849{rest:08d}")) == REDACTED


@pytest.mark.parametrize(
    "code",
    [
        "000.00.18.H51-161220-0001",
        "H51.18-210817-0005",
        "G09.20-20260609-0092637",
        "H56.21.03-240105-0912",
        "000.00.84.H56-20240105-09123456",
    ],
)
def test_a_dossier_code_is_an_id_and_stays(code: str) -> None:
    assert masked(f"code {code}, again {code}") == f"code {code}, again {code}"


def test_a_number_given_as_an_integer_is_masked_and_a_row_id_is_not() -> None:
    assert masked([84912345678, 1234567890123456789, 200, True, 1.5, None]) == [
        REDACTED,
        1234567890123456789,
        200,
        True,
        1.5,
        None,
    ]


def test_an_unknown_object_shows_only_its_type() -> None:
    assert masked(Address("sms", "84912345678")) == "<Address>"
    assert masked(b"0912345678") == "<bytes>"
    assert masked(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00+00:00"


def test_an_exception_is_told_by_type_and_place_without_its_words(written: Written) -> None:
    text = "Nguyễn Văn A"
    try:
        fail(f"cannot read {text}")
    except ValueError:
        structlog.get_logger().exception("outbox.send_failed")
    (line,) = written()
    (told,) = line["exception"]
    assert (told["type"], told["said"]) == ("ValueError", "")
    assert told["places"][-1].endswith(" fail")
    assert text not in json.dumps(line, ensure_ascii=False)


def test_our_own_errors_speak_and_their_cause_is_told_first(written: Written) -> None:
    try:
        try:
            fail("Nguyễn Văn A")
        except ValueError as cause:
            raise StoreUnavailable("the disk is full, ask 0912345678") from cause
    except StoreUnavailable:
        structlog.get_logger().exception("journal.unavailable")
    (line,) = written()
    assert [told["type"] for told in line["exception"]] == ["ValueError", "StoreUnavailable"]
    assert line["exception"][1]["said"] == f"the disk is full, ask {REDACTED}"


def test_of_what_libraries_say_the_wording_stays_and_the_arguments_go(written: Written) -> None:
    logging.getLogger("some.library").warning("lost %s\nand more", "Nguyễn Văn A")
    logging.getLogger("some.library").info("chatter")
    (line,) = written()
    assert (line["action"], line["library"], line["said"]) == ("library.spoke", "some.library", "lost %s")


def test_less_than_the_level_is_not_written(written: Written) -> None:
    structlog.get_logger().debug("cache.back")
    assert written() == []


class FullDisk(io.StringIO):
    full = False

    def write(self, line: str) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(line)


@pytest.mark.parametrize("layout", ["json", "text"])
def test_no_value_writes_a_second_line_or_an_escape(stream: io.StringIO, layout: str) -> None:
    unseen = "\x1b[31m\n\r\x00\x7f\x85\x9b31m\u2028\u2029\u202e\u2066\u200b\ufeff\ud800\U000e0041"
    configure_logs("info", layout, stream)
    structlog.get_logger().info("test.told", value=f"a{unseen}đ", values=[unseen], mapped={unseen: 1})
    line = stream.getvalue()
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    if layout == "json":
        assert json.loads(line)["value"] == f"a{unseen}đ"
        assert "đ" in line


@pytest.mark.usefixtures("stream")
def test_a_log_that_cannot_be_written_stops_nobody_and_says_later_how_much_is_missing() -> None:
    disk = FullDisk()
    configure_logs("info", "json", disk)
    log = structlog.get_logger()
    disk.full = True
    for _ in range(3):
        log.info("sms.bound")
    disk.full = False
    log.info("sms.link_lost")
    log.info("sms.bound")
    lines = [json.loads(line) for line in disk.getvalue().splitlines()]
    assert [(line["action"], line.get("lines_lost")) for line in lines] == [("sms.link_lost", 3), ("sms.bound", None)]


def test_for_people_a_line_is_text(stream: io.StringIO) -> None:
    configure_logs("info", "console", stream)
    structlog.get_logger().info("sms.bound", account="viettel", sender="84912345678")
    try:
        fail("x")
    except ValueError:
        structlog.get_logger().exception("part.crashed")
    text = stream.getvalue()
    assert "sms.bound" in text
    assert "viettel" in text
    assert "84912345678" not in text
    assert "ValueError" in text
    assert "fail" in text


def test_every_logged_action_is_in_the_list() -> None:
    unknown = [
        f"{action.place} {action.name}"
        for action in logged_actions(ROOT)
        if action.name == "*" or not any(fnmatchcase(name, action.name) for name in LOG_ACTIONS)
    ]
    assert not unknown, "describe these in gateway/log_actions.py"


def test_every_listed_action_is_logged() -> None:
    patterns = {action.name for action in logged_actions(ROOT)}
    stale = [name for name in LOG_ACTIONS if not any(fnmatchcase(name, pattern) for pattern in patterns)]
    assert not stale, "take these out of gateway/log_actions.py"
