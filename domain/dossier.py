"""The dossier and the ten national states with their legal moves, as tables (reference: domain §3.1, §3.2)."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import date, datetime

from domain.codes import DossierCode
from domain.message import require_aware


class DossierStatus(enum.IntEnum):
    """The national list; the numbers are the national portal's and never a source's own."""

    NEWLY_REGISTERED = 1  # Mới đăng ký
    ACCEPTED = 2  # Được tiếp nhận
    NOT_ACCEPTED = 3  # Không được tiếp nhận
    IN_PROCESS = 4  # Đang xử lý
    MORE_DOCUMENTS = 5  # Yêu cầu bổ sung giấy tờ
    PAYMENT_DUE = 6  # Yêu cầu thực hiện nghĩa vụ tài chính
    WITHDRAWAL_ASKED = 7  # Công dân yêu cầu rút hồ sơ
    STOPPED = 8  # Dừng xử lý
    DONE = 9  # Đã xử lý xong
    RETURNED = 10  # Đã trả kết quả


_S = DossierStatus

LEGAL_MOVES: dict[DossierStatus, frozenset[DossierStatus]] = {
    _S.NEWLY_REGISTERED: frozenset(
        {_S.ACCEPTED, _S.NOT_ACCEPTED, _S.MORE_DOCUMENTS, _S.PAYMENT_DUE, _S.WITHDRAWAL_ASKED}
    ),
    _S.ACCEPTED: frozenset(
        {_S.IN_PROCESS, _S.MORE_DOCUMENTS, _S.PAYMENT_DUE, _S.WITHDRAWAL_ASKED, _S.STOPPED, _S.DONE}
    ),
    _S.NOT_ACCEPTED: frozenset(),
    _S.IN_PROCESS: frozenset({_S.MORE_DOCUMENTS, _S.PAYMENT_DUE, _S.WITHDRAWAL_ASKED, _S.STOPPED, _S.DONE}),
    _S.MORE_DOCUMENTS: frozenset(
        {_S.NEWLY_REGISTERED, _S.ACCEPTED, _S.IN_PROCESS, _S.NOT_ACCEPTED, _S.WITHDRAWAL_ASKED, _S.STOPPED}
    ),
    _S.PAYMENT_DUE: frozenset({_S.ACCEPTED, _S.IN_PROCESS, _S.WITHDRAWAL_ASKED, _S.STOPPED, _S.DONE}),
    _S.WITHDRAWAL_ASKED: frozenset({_S.NOT_ACCEPTED, _S.IN_PROCESS, _S.STOPPED}),
    _S.STOPPED: frozenset({_S.IN_PROCESS}),
    _S.DONE: frozenset({_S.RETURNED, _S.IN_PROCESS}),
    _S.RETURNED: frozenset({_S.DONE}),  # "thu hồi hồ sơ đã trả kết quả": a state may go back
}

CLOSED = frozenset({_S.NOT_ACCEPTED, _S.STOPPED, _S.DONE, _S.RETURNED})  # being late no longer matters


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """What a one-stop system says of one dossier, reduced to what may be needed; names and numbers are never read.

    `status` is None where the source's own state has no row in its map: answered "in process, ask the agency" and
    raised as `status_unmapped`, never passed through. `due_on` is a day in Asia/Ho_Chi_Minh; without one, `due_unknown`
    says that there may be one all the same: the source cannot say it, or in a form nobody can read.
    `agency` is the identifier of who holds it and works on it (domain.agencies); `receiving_agency` and
    `returning_agency` are where it was handed in and where its result is fetched, empty where that is the same or not
    said. `source` is the name of the one-stop system.

    `procedure` is a code and `procedure_name` its name; `missing` says which papers are wanted, `fee` what is to be
    paid, as the source says it. `proofs` are seals (domain.proof): whoever makes one of them may know the rest.
    """

    code: DossierCode
    source: str
    status: DossierStatus | None
    agency: str
    received_at: datetime | None = None
    due_on: date | None = None
    due_unknown: bool = False
    finished_at: datetime | None = None
    returned_at: datetime | None = None
    changed_at: datetime | None = None
    unit: str = ""
    procedure: str = ""
    procedure_name: str = ""
    missing: str = ""
    fee: str = ""
    receiving_agency: str = ""
    returning_agency: str = ""
    proofs: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name in ("received_at", "finished_at", "returned_at", "changed_at"):
            require_aware(getattr(self, name), name)

    def overdue(self, today: date) -> bool:
        """The promised day is past and nothing was decided; `today` is a day in Asia/Ho_Chi_Minh."""
        return self.due_on is not None and today > self.due_on and self.status not in CLOSED
