"""Reads dossier codes out of typed text (contract; the reader itself is being written)."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class CodeFamily(enum.StrEnum):
    """How a code is built (reference: domain §2)."""

    OLD = "old"  # 000.00.18.H51-161220-0001
    NEW = "new"  # H51.18-210817-0005, G09.20-20260609-0092637
    LEGACY = "legacy"  # a receipt number by an agency's own pattern


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class DossierCode:
    """One dossier's code in its canonical form: upper case, dots and dashes as printed on the receipt."""

    text: str
    family: CodeFamily = CodeFamily.NEW
    agency: str = ""  # the agency part as printed: "000.00.18.H51" or "H51.18"

    def __str__(self) -> str:
        return self.text
