"""Makes the key of a site, which is public, and the secret of its webmaster, which is shown once."""

from __future__ import annotations

import secrets

SIGNS = "abcdefghijklmnopqrstuvwxyz234567"  # no 0, 1, 8, 9: none is taken for another when it is read aloud
KEY_SIGNS = 16
SECRET_SIGNS = 26  # 130 bits


def new_key() -> str:
    """As domain.sites.KEY has it."""
    return f"ts_{_random(KEY_SIGNS)}"


def new_secret() -> str:
    return _random(SECRET_SIGNS)


def _random(signs: int) -> str:
    return "".join(secrets.choice(SIGNS) for _ in range(signs))
