"""The file with the procedures, as an operator keeps it: every fault with its line, put in place whole or not at all."""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import count
from pathlib import Path
from typing import IO, Any

from domain.working_time import DeskHours
from gateway.toml_lines import key_lines, place_of
from intake.procedure_rows import CatalogueRead, RowFault, Rows, read_catalogue

FORMS = "forms"  # the folder beside the file of the procedures


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedureFile:
    """A file that was read. `lines`: where each of its rows stands."""

    path: Path
    content: bytes
    mapping: Mapping[str, Any]
    read: CatalogueRead
    lines: Mapping[int, int]

    def told(self, fault: RowFault) -> str:
        """With the line it is on, as editors open it."""
        line = None if fault.row is None else self.lines.get(fault.row)
        return f"{self.path}{'' if line is None else f':{line}'}: {fault.text}"


def read_procedures(path: Path) -> ProcedureFile:
    """Read once: what is checked is what is put in place. A file that is no TOML has that one fault.

    Raises:
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    try:
        text = content.decode()
        mapping = tomllib.loads(text)
    except ValueError as error:
        unread = CatalogueRead((), [RowFault(None, str(error))])
        return ProcedureFile(path=path, content=content, mapping={}, read=unread, lines={})
    return ProcedureFile(
        path=path, content=content, mapping=mapping, read=read_catalogue(mapping), lines=_lines(text, mapping)
    )


def surroundings(rows: Rows, forms: Path, desk: DeskHours) -> Iterator[RowFault]:
    """What is wrong between the rows and the rest: forms that are not there, a cut-off while the desks are closed."""
    for number, procedure in rows:
        for form in procedure.forms:
            if form.file and not (forms / form.file).is_file():
                yield RowFault(number, f"procedure {procedure.code}: {forms / form.file} is not there")
        if procedure.cut_off is not None and not replace(desk, cut_off=procedure.cut_off).cuts_within:
            told = f"{procedure.cut_off:%H:%M} is not while the desks are open (intake.hours)"
            yield RowFault(number, f"procedure {procedure.code}: cut_off: {told}")


def wording_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Sequence[str]:
    """What differs in the words a search knows, beside the procedures themselves."""
    told = []
    for key in ("courtesy", "abbreviations"):
        was, now = set(before.get(key, ())), set(after.get(key, ()))
        if before.get(key) != after.get(key):
            told.append(f"{key}: {len(now)} in place of {len(was)} ({len(now - was)} new, {len(was - now)} gone)")
    return told


def put_in_place(target: Path, content: bytes, today: date) -> Path:
    """Write beside, then rename: whoever reads sees the former file or the new one, whatever happens meanwhile. Gives the
    path under which the former one is kept.

    Raises:
        OSError: nothing was changed.
    """
    former = target.resolve()  # the file itself where a link leads to it
    written: list[Path] = []
    try:
        beside = _write_beside(former, content, written)
        kept = _keep(former, today, written)
        _sync(former.parent)
        beside.replace(former)
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return kept


def _lines(text: str, mapping: Mapping[str, Any]) -> dict[int, int]:
    places = key_lines(text)
    rows = mapping.get("procedure")
    found = {row: place_of(places, ("procedure", row)) for row in range(len(rows))} if isinstance(rows, list) else {}
    return {row: line for row, line in found.items() if line is not None}


def _write_beside(former: Path, content: bytes, written: list[Path]) -> Path:
    handle, name = tempfile.mkstemp(prefix=f".{former.name}.", dir=former.parent)
    written.append(Path(name))
    with os.fdopen(handle, "wb") as file:
        _like(former, handle)
        _write(file, content)
    return Path(name)


def _like(former: Path, handle: int) -> None:
    """Whoever may read the former one may read the new one, though root did the work."""
    found = former.stat()
    os.fchmod(handle, found.st_mode & 0o7777)
    if os.geteuid() == 0:
        os.fchown(handle, found.st_uid, found.st_gid)


def _keep(former: Path, today: date, written: list[Path]) -> Path:
    """A copy under a name of this day that nothing has yet."""
    content = former.read_bytes()
    for number in count(1):
        kept = former.with_name(f"{former.name}.bak-{today.isoformat()}{'' if number == 1 else f'-{number}'}")
        try:
            with kept.open("xb") as file:
                written.append(kept)
                _write(file, content)
        except FileExistsError:
            continue
        return kept
    raise AssertionError("numbers do not end")


def _write(file: IO[bytes], content: bytes) -> None:
    file.write(content)
    file.flush()
    os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """The names in it are on the disk, that of the copy too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
