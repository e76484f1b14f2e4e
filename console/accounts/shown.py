"""How moments are shown to officers."""

from __future__ import annotations

from datetime import datetime

from domain.calendar import LOCAL_ZONE


def local(moment: datetime) -> str:
    """`23/11/2026 14:05` in Asia/Ho_Chi_Minh."""
    return f"{moment.astimezone(LOCAL_ZONE):%d/%m/%Y %H:%M}"


def local_to_the_second(moment: datetime) -> str:
    return f"{moment.astimezone(LOCAL_ZONE):%d/%m/%Y %H:%M:%S}"
