"""Days as the one-stop desk counts them. Viet Nam has kept +07:00 without summer time since 1975."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

LOCAL_ZONE = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")


def local_day(moment: datetime) -> date:
    """The day it is at the desk; `moment` is aware."""
    return moment.astimezone(LOCAL_ZONE).date()
