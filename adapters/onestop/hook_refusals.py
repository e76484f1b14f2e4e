"""Why a call of the webhook is refused: reason -> status and words, as RFC 9457 problem details. docs/webhooks.md lists
them, and a test compares.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from adapters.onestop.hook_payloads import MOST_CODES, Misfit
from adapters.onestop.hook_signature import SIGNATURE, Doubt

LARGEST_BODY = 1_048_576  # bytes: a thousand national records with all their fields; not web.max_body_bytes, since
#                           a citizen's form is small and this one is signed
BODY_TIMEOUT_S = 10.0  # for a body to arrive, and as long to wait for a place to be read in
UNAUTHORIZED = 401


class Trouble(enum.StrEnum):
    """What else a call may be refused for, beside its signature and its body."""

    UNKNOWN_SOURCE = "unknown_source"
    CONTENT_TYPE = "content_type"
    CONTENT_ENCODING = "content_encoding"
    TOO_LARGE = "too_large"
    SLOW = "slow"
    BROKEN_OFF = "broken_off"
    BUSY = "busy"
    REPLAYED = "replayed"
    NOT_KEPT = "not_kept"


Reason = Trouble | Doubt | Misfit


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the caller is told. `retry_after`: seconds until the same call makes sense again; 0: it never does."""

    status: int
    title: str
    detail: str
    retry_after: int = 0
    closes: bool = False  # what is still on its way is not waited for


_CLOCKS = "The clocks differ by more than five minutes: set yours by NTP, and sign at the moment of sending."

REFUSALS: Mapping[Reason, Refusal] = {
    Trouble.UNKNOWN_SOURCE: Refusal(404, "No such webhook", "There is no such source, or it has no keys."),
    Trouble.CONTENT_TYPE: Refusal(
        415, "Not JSON", "Send application/json, application/cloudevents+json or application/cloudevents-batch+json."
    ),
    Trouble.CONTENT_ENCODING: Refusal(415, "Compressed", "Send the body as it is, without Content-Encoding."),
    Trouble.TOO_LARGE: Refusal(
        413, "Too large", f"A body has at most {LARGEST_BODY} bytes: send fewer dossiers in one call.", closes=True
    ),
    Doubt.UNSIGNED: Refusal(UNAUTHORIZED, "Not signed", f"The header {SIGNATURE} is missing."),
    Doubt.UNREADABLE_SIGNATURE: Refusal(
        UNAUTHORIZED,
        "The signature cannot be read",
        f"Expected {SIGNATURE}: t=<unix seconds>,k=<key id>,n=<nonce of 16 to 64 letters and digits>,v1=<64 hex digits>.",
    ),
    Doubt.UNKNOWN_KEY: Refusal(UNAUTHORIZED, "Unknown key", "This source has no key of that id; it may be retired."),
    Doubt.LATE: Refusal(UNAUTHORIZED, "Signed too long ago", f"`now` is our clock. {_CLOCKS}"),
    Doubt.EARLY: Refusal(UNAUTHORIZED, "Signed in the future", f"`now` is our clock. {_CLOCKS}"),
    Doubt.FORGED: Refusal(
        UNAUTHORIZED,
        "The signature does not match",
        "Sign the very bytes that are sent, with the secret of the key that is named; a ce-subject is signed as well.",
    ),
    Trouble.BUSY: Refusal(503, "Too many calls at once", "Nothing was taken: send it again.", retry_after=2),
    Trouble.SLOW: Refusal(408, "Too slow", f"The body did not arrive within {BODY_TIMEOUT_S:g} s.", closes=True),
    Trouble.BROKEN_OFF: Refusal(400, "Broken off", "The body ended before it was complete.", closes=True),
    Misfit.NOT_JSON: Refusal(400, "Not JSON", "The body is not JSON in UTF-8."),
    Misfit.WRONG_SHAPE: Refusal(422, "Unknown shape", "The body has none of the shapes this webhook takes."),
    Misfit.NO_CODE: Refusal(422, "No code", "Nothing in the body reads as a dossier code."),
    Misfit.TOO_MANY_CODES: Refusal(422, "Too many codes", f"A call names at most {MOST_CODES} dossiers."),
    Trouble.REPLAYED: Refusal(
        409, "Taken before", "This very call was taken before, and nothing was done again: it needs no other try."
    ),
    Trouble.NOT_KEPT: Refusal(503, "Not kept", "Our store does not answer: send it again.", retry_after=5),
}


def refusal_response(reason: Reason, now: datetime) -> web.Response:
    """The problem as application/problem+json, with our clock: what a caller needs who is early or late."""
    refusal = REFUSALS[reason]
    problem = {
        "type": f"/problems/hook-{reason.value.replace('_', '-')}",
        "title": refusal.title,
        "status": refusal.status,
        "detail": refusal.detail,
        "reason": reason.value,
        "now": int(now.timestamp()),
    }
    headers = {"Retry-After": str(refusal.retry_after)} if refusal.retry_after else {}
    if refusal.status == UNAUTHORIZED:
        headers["WWW-Authenticate"] = SIGNATURE  # RFC 9110 §11.6.1
    response = web.json_response(
        problem, status=refusal.status, headers=headers, content_type="application/problem+json"
    )
    if refusal.closes:
        response.force_close()
    return response
