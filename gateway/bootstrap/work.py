"""Proofs of work: the desk that hands them out, and the budgets by which each is taken once."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime

from channels.web.work import LEAST_KEY, Once, WorkDesk
from conversation.ports import BudgetAsk, Budgets, Limit, Verdict
from domain.errors import SettingsError
from gateway.settings import Settings


def make_work_desk(settings: Settings, budgets: Budgets, clock: Callable[[], datetime]) -> WorkDesk:
    """With a key of this start where none is configured: what another process, or this one before, asked for is then
    asked for anew.

    Raises:
        SettingsError: web.work_key is too short.
    """
    chosen = settings.web
    key = secrets.token_bytes(2 * LEAST_KEY) if chosen.work_key is None else chosen.work_key.get_secret_value().encode()
    once = spent_once(budgets)
    try:
        return WorkDesk(key=key, once=once, clock=clock, cost=chosen.work_cost, minutes=chosen.work_minutes)
    except ValueError as error:
        raise SettingsError(f"web.work_key: {error}") from error


def spent_once(budgets: Budgets) -> Once:
    """A budget of one for each signature, with room of their own: a flood of them crowds nothing else out."""

    async def once(signature: str, seconds: float) -> bool:
        (verdict,) = await budgets.spend([BudgetAsk(f"work:solved:{signature}", (Limit(1, seconds),))])
        return verdict is Verdict.ALLOWED

    return once
