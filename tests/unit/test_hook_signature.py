"""Who signed a call of the webhook: what the recipe of docs/webhooks.md says, and nothing else, is believed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from adapters.onestop.hook_signature import (
    KEPT,
    SIGNATURE,
    TOLERANCE,
    Doubt,
    Signature,
    SigningKey,
    doubt_of,
    is_genuine,
    read_signature,
    sign,
)

GUIDE = (Path(__file__).parent.parent.parent / "docs" / "webhooks.md").read_text(encoding="utf-8")
SECRET = "example-secret-of-at-least-32-characters"
BODY = b'{"codes":["H51.18-210817-0005"]}'
MOMENT = datetime.fromtimestamp(1_790_000_000, UTC)
NONCE = "5f0c1e7a9b3d4c6e"
KEY = SigningKey.of("2026-1", SECRET)
NEXT = SigningKey.of("2026-2", "another-secret-of-at-least-32-characters")
SECOND = timedelta(seconds=1)


def read(**headers: str) -> Signature | Doubt:
    return read_signature(CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()}))


def ours(key: SigningKey = KEY, body: bytes = BODY, moment: datetime = MOMENT, subject: str | None = None) -> Signature:
    header = sign(key, moment=moment, nonce=NONCE, body=body, subject=subject)
    signature = read(tracuu_signature=header, **({} if subject is None else {"ce_subject": subject}))
    assert isinstance(signature, Signature)
    return signature


def standard(key: bytes = KEY.secret, nonce: str = "msg_2KWPBgLlAfx", moment: str = "1790000000") -> dict[str, str]:
    mac = hmac.new(key, f"{nonce}.{moment}.".encode() + BODY, hashlib.sha256).digest()
    told = f"v1,{base64.b64encode(mac).decode()}"
    return {"webhook_id": nonce, "webhook_timestamp": moment, "webhook_signature": told}


# ---- what is believed


def test_a_signed_call_is_genuine() -> None:
    assert is_genuine(ours(), [KEY], BODY)
    assert doubt_of(ours(), [KEY], MOMENT) is None


def test_both_keys_are_good_while_one_takes_over() -> None:
    for key in (KEY, NEXT):
        assert doubt_of(ours(key), [KEY, NEXT], MOMENT) is None
        assert is_genuine(ours(key), [KEY, NEXT], BODY)


def test_a_key_that_was_taken_out_is_unknown() -> None:
    assert doubt_of(ours(KEY), [NEXT], MOMENT) is Doubt.UNKNOWN_KEY
    assert not is_genuine(ours(KEY), [NEXT], BODY)


def test_a_call_cannot_name_another_key_than_the_one_that_signed_it() -> None:
    header = sign(NEXT, moment=MOMENT, nonce=NONCE, body=BODY).replace("2026-2", "2026-1")
    signature = read(tracuu_signature=header)
    assert isinstance(signature, Signature)
    assert not is_genuine(signature, [KEY, NEXT], BODY)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_no_other_body_is_genuine(signed: bytes, sent: bytes) -> None:
    assert is_genuine(ours(body=signed), [KEY], sent) == (signed == sent)


@pytest.mark.parametrize("part", ["t=1790000001", "n=5f0c1e7a9b3d4c6f", f"v1={'0' * 64}"])
def test_no_part_of_the_header_may_be_altered(part: str) -> None:
    header = re.sub(rf"{part[:2]}[^,]*", part, sign(KEY, moment=MOMENT, nonce=NONCE, body=BODY))
    signature = read(tracuu_signature=header)
    assert isinstance(signature, Signature)
    assert not is_genuine(signature, [KEY], BODY)


def test_a_subject_is_signed_and_cannot_be_added_altered_or_dropped() -> None:
    header = sign(KEY, moment=MOMENT, nonce=NONCE, body=BODY, subject="H51.18-210817-0005")
    assert is_genuine(ours(subject="H51.18-210817-0005"), [KEY], BODY)
    for altered in ({"ce_subject": "H51.18-210817-0006"}, {}):
        signature = read(tracuu_signature=header, **altered)
        assert isinstance(signature, Signature)
        assert not is_genuine(signature, [KEY], BODY)
    added = read(tracuu_signature=sign(KEY, moment=MOMENT, nonce=NONCE, body=BODY), ce_subject="H51.18-210817-0006")
    assert isinstance(added, Signature)
    assert not is_genuine(added, [KEY], BODY)


# ---- when


@pytest.mark.parametrize(
    ("now", "doubt"),
    [
        (MOMENT + TOLERANCE, None),
        (MOMENT + TOLERANCE + SECOND, Doubt.LATE),
        (MOMENT - TOLERANCE, None),
        (MOMENT - TOLERANCE - SECOND, Doubt.EARLY),
    ],
)
def test_clocks_may_differ_by_five_minutes_and_no_more(now: datetime, doubt: Doubt | None) -> None:
    assert doubt_of(ours(), [KEY], now) is doubt


def test_a_nonce_is_kept_longer_than_its_call_is_good() -> None:
    assert ours().kept_until == MOMENT + KEPT
    assert doubt_of(ours(), [KEY], ours().kept_until) is Doubt.LATE


def test_a_call_signed_anew_is_another_one_though_its_nonce_stays() -> None:
    assert ours().once == ours().once
    assert ours().once != ours(moment=MOMENT + SECOND).once


# ---- what cannot be read


def test_a_call_without_a_signature_is_unsigned() -> None:
    assert read() is Doubt.UNSIGNED
    assert read(webhook_id="msg_1", webhook_timestamp="1790000000") is Doubt.UNSIGNED


MAC = "0" * 64


@pytest.mark.parametrize(
    "header",
    [
        "",
        "v1=x",
        f"t=1790000000,k=2026-1,n={NONCE}",
        f"t=1790000000,n={NONCE},k=2026-1,v1={MAC}",
        f"t=1790000000, k=2026-1, n={NONCE}, v1={MAC}",
        f"t=1790000000,k=2026-1,n=short,v1={MAC}",
        f"t=1790000000,k=2026-1,n={'a' * 65},v1={MAC}",
        f"t=1790000000,k=2026-1,n={NONCE}.{NONCE},v1={MAC}",
        f"t=-790000000,k=2026-1,n={NONCE},v1={MAC}",
        f"t=17900000000,k=2026-1,n={NONCE},v1={MAC}",
        f"t=１７９０００００００,k=2026-1,n={NONCE},v1={MAC}",
        f"t=1790000000,k=2026-1,n={NONCE},v1={MAC[:-1]}",
        f"t=1790000000,k=2026-1,n={NONCE},v1={'A' * 64}",
        f"t=1790000000,k=2026-1,n={NONCE},v1={MAC}\n",
        "t=" + "1" * 100_000,
    ],
)
def test_a_header_of_another_form_is_refused(header: str) -> None:
    assert read(tracuu_signature=header) is Doubt.UNREADABLE_SIGNATURE


@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=200))
def test_nothing_in_a_header_makes_it_fail(first: str, second: str, third: str) -> None:
    assert isinstance(read(tracuu_signature=first, ce_subject=second), Doubt)
    told = read(webhook_id=first, webhook_timestamp=second, webhook_signature=f"v1,{third}")
    assert isinstance(told, Doubt | Signature)


# ---- Standard Webhooks


def test_standard_webhooks_are_believed() -> None:
    signature = read(**standard())
    assert isinstance(signature, Signature)
    assert doubt_of(signature, [NEXT, KEY], MOMENT) is None
    assert is_genuine(signature, [NEXT, KEY], BODY)
    assert not is_genuine(signature, [KEY], BODY + b" ")
    assert not is_genuine(signature, [NEXT], BODY)


def test_the_example_of_the_standard_is_believed() -> None:
    """The secret, message and signature of its reference libraries' own test."""
    key = SigningKey.of("svix", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = read(
        webhook_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        webhook_timestamp="1614265330",
        webhook_signature="v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    )
    assert isinstance(signature, Signature)
    assert is_genuine(signature, [key], b'{"test": 2432232314}')


def test_one_of_several_signatures_is_enough() -> None:
    headers = standard()
    headers["webhook_signature"] = (
        f"v1a,xyz v1,!!! v1,{base64.b64encode(b'0' * 32).decode()} " + (headers["webhook_signature"])
    )
    signature = read(**headers)
    assert isinstance(signature, Signature)
    assert is_genuine(signature, [KEY], BODY)


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook_id": ""},
        {"webhook_id": "msg.1"},
        {"webhook_id": "msg 1"},
        {"webhook_id": "m" * 129},
        {"webhook_timestamp": "yesterday"},
        {"webhook_timestamp": "1790000000000"},
        {"webhook_signature": "v2,AAAA"},
        {"webhook_signature": "v1,ü"},
        {"webhook_signature": ""},
    ],
)
def test_standard_headers_of_another_form_are_refused(changes: dict[str, str]) -> None:
    assert read(**(standard() | changes)) is Doubt.UNREADABLE_SIGNATURE


def test_what_was_signed_one_way_cannot_be_passed_off_as_the_other() -> None:
    mac = bytes.fromhex(sign(KEY, moment=MOMENT, nonce="1790000000123456", body=BODY)[-64:])
    told = f"v1,{base64.b64encode(mac).decode()}"
    passed_off = read(webhook_id="1790000000", webhook_timestamp="1790000000123456", webhook_signature=told)
    assert passed_off is Doubt.UNREADABLE_SIGNATURE


def test_a_secret_that_says_it_is_base64_must_be() -> None:
    assert SigningKey.of("a", "whsec_" + base64.b64encode(b"x" * 32).decode()).secret == b"x" * 32
    for told in ("?" * 40, base64.b64encode(b"x" * 23).decode()):
        with pytest.raises(ValueError, match="key a"):
            SigningKey.of("a", f"whsec_{told}")


def test_a_key_does_not_show_its_secret() -> None:
    assert SECRET not in repr(KEY)


# ---- the recipe


def example(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    return str(found)


def test_the_header_of_the_guide_is_what_we_believe() -> None:
    (header,) = re.findall(rf"^{SIGNATURE}: (\S+)$", GUIDE, re.MULTILINE)
    assert header == sign(KEY, moment=MOMENT, nonce=NONCE, body=BODY)


def test_the_python_of_the_guide_makes_that_header() -> None:
    namespace: dict[str, Any] = {}
    exec(example("python"), namespace)
    header = namespace["signature_header"](SECRET, "2026-1", 1_790_000_000, NONCE, BODY)
    assert header == sign(KEY, moment=MOMENT, nonce=NONCE, body=BODY)


@pytest.mark.skipif(not shutil.which("openssl"), reason="the example needs openssl")
def test_the_shell_of_the_guide_makes_that_header() -> None:
    script = example("sh") + 'printf "%s" "$HEADER"'
    made = subprocess.run(["/bin/sh", "-euc", script], capture_output=True, text=True, check=True, timeout=60)
    assert made.stdout == f"{SIGNATURE}: {sign(KEY, moment=MOMENT, nonce=NONCE, body=BODY)}"
