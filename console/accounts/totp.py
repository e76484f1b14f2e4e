"""The second factor: codes of an app on the officer's telephone (RFC 6238), each good for one sign-in.

There are no recovery codes: whoever loses the telephone is given a new password by an administrator, who knows them.
"""

from __future__ import annotations

import hmac
from datetime import datetime

import pyotp
import segno

STEP_S = 30
WINDOW = 1  # steps to either side: the telephone's clock, and slow fingers
DIGITS = 6
ISSUER = "Tra cuu ho so"
QR_SCALE = 5


def new_secret() -> str:
    """160 bits, base32."""
    return pyotp.random_base32()


def matching_step(secret: str, typed: str, now: datetime, *, after: int | None) -> int | None:
    """The time step of this code, if it is one of now and later than `after`, the last one accepted; else None. All
    candidates are compared.
    """
    code = "".join(typed.split())
    present = int(now.timestamp()) // STEP_S
    found = None
    for step in range(present - WINDOW, present + WINDOW + 1):
        right = hmac.compare_digest(code_of(secret, step).encode(), code.encode())
        if right and (after is None or step > after):
            found = step
    return found


def code_of(secret: str, step: int) -> str:
    return pyotp.TOTP(secret, digits=DIGITS, interval=STEP_S).generate_otp(step)


def in_groups(secret: str) -> str:
    """To be typed into an app that reads no QR code."""
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))


def qr_svg(secret: str, login: str) -> str:
    """The secret as an app scans it: SVG to stand in a page, without scripts and styles."""
    uri = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_S).provisioning_uri(name=login, issuer_name=ISSUER)
    return segno.make(uri, micro=False).svg_inline(scale=QR_SCALE, svgclass="qr", lineclass=None, light="#fff")
