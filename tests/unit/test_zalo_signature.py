"""Zalo's signature: forged, altered and stale calls are told from genuine ones."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.zalo.signature import is_genuine, is_timely

APP = "4300000000000000001"
SECRET = "the account's key"
NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
STAMP = f"{int(NOW.timestamp() * 1000)}"
BODY = '{"event_name" :"user_send_text", "message":{"text":"Hồ sơ"},"timestamp":"1795334400000"}'.encode()


def as_described(app_id: str, body: bytes, timestamp: str, secret: str) -> str:
    """The platform's own words, `sha256(appId + data + timeStamp + OAsecretKey)`, and nothing of ours."""
    digest = hashlib.sha256()
    for part in (app_id.encode(), body, timestamp.encode(), secret.encode()):
        digest.update(part)
    return "mac=" + digest.hexdigest()


def genuine(
    signature: str, body: bytes = BODY, timestamp: str = STAMP, app_id: str = APP, secret: str = SECRET
) -> bool:
    return is_genuine(signature, app_id=app_id, body=body, timestamp=timestamp, secret=secret)


def test_a_sum_worked_out_by_another_tool_is_taken() -> None:
    # printf '12{"timestamp":"3"}3key' | sha256sum
    known = "187bbbf8be70b4ba8af632c11213901478f9ab5c5bc87102f14e044339ef8fdd"
    assert genuine(known, body=b'{"timestamp":"3"}', timestamp="3", app_id="12", secret="key")


@pytest.mark.parametrize("form", ["mac={}", "{}", " mac={} "])
def test_the_signature_is_taken_with_its_prefix_and_without(form: str) -> None:
    digest = as_described(APP, BODY, STAMP, SECRET).removeprefix("mac=")
    assert genuine(form.format(digest))
    assert genuine(form.format(digest.upper()))


@pytest.mark.parametrize(
    "signature",
    ["", "mac=", "mac=0", "mac=" + "0" * 64, "sha256=" + "0" * 64, "mac=\udcff\udcfe", "mắc", "mac=" + "a" * 100_000],
)
def test_what_is_no_signature_is_refused(signature: str) -> None:
    assert not genuine(signature)


def test_whatever_is_changed_the_signature_is_wrong() -> None:
    mac = as_described(APP, BODY, STAMP, SECRET)
    assert not genuine(mac, body=BODY.replace(b"text", b"test"))
    assert not genuine(mac, timestamp="1795334400001")
    assert not genuine(mac, app_id="4300000000000000002")
    assert not genuine(mac, secret="the application's key")


def test_a_body_written_anew_is_another_body() -> None:
    mac = as_described(APP, BODY, STAMP, SECRET)
    assert not genuine(mac, body=json.dumps(json.loads(BODY)).encode())


@given(st.binary(max_size=200), st.text(max_size=20))
def test_our_sum_is_theirs_for_any_body(body: bytes, secret: str) -> None:
    assert genuine(as_described(APP, body, STAMP, secret), body=body, secret=secret)


@pytest.mark.parametrize(
    ("age", "timely"),
    [
        (timedelta(0), True),
        (timedelta(hours=2), True),  # the last of their own tries
        (timedelta(hours=24), True),
        (timedelta(hours=24, seconds=1), False),
        (timedelta(hours=-7), True),  # our clock is set to UTC by mistake
        (timedelta(hours=-13), False),
    ],
)
def test_a_call_is_believed_as_long_as_the_platform_repeats_it(age: timedelta, *, timely: bool) -> None:
    stamp = f"{int((NOW - age).timestamp() * 1000)}"
    assert is_timely(stamp, now=NOW, longest=timedelta(hours=24)) is timely


@pytest.mark.parametrize(
    "stamp", ["", "soon", "-1", "1e12", "17953344000000000000", "１７９５３３４４０００００", "1.5"]
)
def test_what_is_no_moment_is_never_timely(stamp: str) -> None:
    assert not is_timely(stamp, now=NOW, longest=timedelta(hours=24))
