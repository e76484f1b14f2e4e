"""What the pages for filing online need decided: drafts, numbers, files, dossiers. Whatever touches the store raises
GatewayError when it is away, and whoever raised it logged it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

from domain.filing import (
    FiledDossier,
    FilingDraft,
    FilingFault,
    FilingForm,
    FilingRefusal,
    NumberAnswer,
    UploadLeave,
    UploadLimits,
)
from domain.intake import IntakeFile
from domain.intake_moves import IntakeRefusal
from domain.message import Address
from domain.procedure import Procedure


class FilingDesk(Protocol):
    """Drafts and what becomes of them; a `token` is the secret of a link."""

    @property
    def agencies(self) -> Sequence[str]:
        """Those that take filings online, by identifier."""
        ...

    def search(self, words: str, limit: int) -> Sequence[Procedure]: ...

    def procedure(self, code: str) -> Procedure | None: ...

    async def start(self, asker: Address, agency: str, code: str, language: str) -> str | FilingRefusal: ...

    async def opened(self, token: str) -> FilingDraft | FiledDossier | None: ...

    async def save(self, token: str, form: FilingForm) -> bool: ...

    async def delete(self, token: str) -> bool: ...

    async def drop_file(self, token: str, file: int) -> bool: ...

    async def ask_code(self, asker: Address, token: str, *, worked: bool) -> NumberAnswer | None: ...

    async def redeem(self, token: str, pin: str) -> NumberAnswer | None: ...

    async def send(self, token: str, *, declared: bool) -> FiledDossier | Sequence[tuple[str, FilingFault]] | None: ...

    async def withdraw(self, token: str, reason: str) -> IntakeRefusal | None: ...

    async def result(self, token: str, file: int) -> tuple[IntakeFile, Path] | None: ...


class UploadDesk(Protocol):
    """Files on their way in."""

    @property
    def limits(self) -> UploadLimits: ...

    async def leave(self, token: str) -> UploadLeave | FilingRefusal | None: ...

    async def take(
        self, leave: UploadLeave, asker: Address, name: str, chunks: AsyncIterator[bytes], paper: int | None
    ) -> IntakeFile | str:
        """The file as it is kept; or why it is not: a name under [web.upload_fault]."""
        ...

    async def supplemented(self, token: str, files: Sequence[IntakeFile]) -> None: ...
