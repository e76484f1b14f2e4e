"""Accounts of which a claim may have been carried out without our hearing of it: its rows are ours and nobody sends them.

As long as we live their lease is renewed with the others', so nobody else would ever take them over.
"""

from __future__ import annotations

import asyncio


class Unheard:
    """`longest`: seconds a statement of which nothing was heard may go on; until then it is looked for again."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._until: dict[str, float] = {}  # event loop time, by account

    def missed(self, account: str) -> None:
        """A claim of this account ended without an answer."""
        self._until[account] = asyncio.get_running_loop().time() + self._longest

    def suspected(self, account: str) -> bool:
        """Whether there may be rows of this account we do not know to be ours."""
        return account in self._until

    def looked(self, account: str, began: float) -> None:
        """A look for them, begun at that event loop time, found all there were then."""
        if self._until.get(account, began) < began:
            del self._until[account]
