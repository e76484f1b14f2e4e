"""`tracuu procedures` on real files: another catalogue is taken whole or not at all, and nothing is gone by accident."""

from __future__ import annotations

import os
import threading
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway import terminal
from gateway.bootstrap import read_words
from gateway.cli import cli
from gateway.configuration import CONFIG_DIRECTORY, load_settings
from gateway.procedure_files import put_in_place

CONFIG = """
[replies]
help_phone = "02993 123456"

[procedures]
path = "catalogue/procedures.toml"

[[sources]]
name = "province"
url = "mysql+aiomysql://reader:secret@onestop/db"
mapping = "mapping.toml"
"""
WORDS = 'courtesy = ["xin"]\n'
ROW = """
[[procedure]]
code = "{code}"
names = {{ vi = "{name}" }}
where = {{ vi = "UBND xã" }}
fee = {{ vi = "không thu" }}
{more}
"""
TODAY = date(2026, 11, 23)


def row(code: str, name: str = "Đăng ký thử", more: str = "days = 3") -> str:
    return ROW.format(code=code, name=name, more=more)


BIRTH, MARRIAGE = row("1.000001", "Đăng ký khai sinh"), row("1.000002", "Đăng ký kết hôn")
FORM = 'days = 3\nforms = [{ name = "Tờ khai", file = "to-khai.docx" }]'


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configured file, with two procedures in force."""
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG, encoding="utf-8")
    (tmp_path / "mapping.toml").touch()
    configured = tmp_path / "catalogue" / "procedures.toml"
    (configured.parent / "forms").mkdir(parents=True)
    configured.write_text(WORDS + BIRTH + MARRIAGE, encoding="utf-8")
    monkeypatch.setattr(terminal, "configure_logs", lambda *_: None)
    monkeypatch.setenv("TRACUU_CONFIG", str(config))
    return configured


@pytest.fixture
def other(tmp_path: Path) -> Path:
    return tmp_path / "from-the-province.toml"


def tracuu(*arguments: object) -> tuple[int, str]:
    ended = CliRunner().invoke(cli, ["procedures", *map(str, arguments)])
    return ended.exit_code, ended.output


def beside(catalogue: Path) -> list[str]:
    return sorted(path.name for path in catalogue.parent.iterdir() if path.is_file())


# ---- check


def test_every_fault_is_told_with_its_line(catalogue: Path, other: Path) -> None:
    other.write_text(
        WORDS + row("1.02") + row("1.000002", more=FORM) + row("1.000003", more='days = 3\ncut_off = "03:00"'),
        encoding="utf-8",
    )
    code, printed = tracuu("check", other)
    assert code != 0
    assert printed.splitlines() == [
        f"{other}:3: procedure 1.02: the code is not of the form 1.004946",
        f"{other}:10: procedure 1.000002: {catalogue.parent / 'forms' / 'to-khai.docx'} is not there",
        f"{other}:18: procedure 1.000003: cut_off: 03:00 is not while the desks are open (intake.hours)",
        "Error: 3 faults",
    ]


def test_a_file_that_is_no_toml_or_no_text_is_one_fault(catalogue: Path, other: Path) -> None:
    for content in (b"[[procedure]\n", 'tên = "khai sinh"'.encode("utf-16"), b'procedures = "none"\n'):
        other.write_bytes(content)
        code, printed = tracuu("import", other)
        assert code != 0
        assert printed.startswith(f"{other}: ")
        assert printed.endswith("Error: 1 fault\n")
    assert beside(catalogue) == ["procedures.toml"]


def test_the_configured_file_is_checked_where_none_is_given(catalogue: Path) -> None:
    code, printed = tracuu("check")
    assert (code, "2 procedures in force" in printed) == (0, True)
    catalogue.write_text(WORDS + BIRTH + BIRTH, encoding="utf-8")
    code, printed = tracuu("check")
    assert code != 0
    assert "two versions are in force on the same day" in printed


def test_a_check_says_what_would_change(catalogue: Path, other: Path) -> None:
    other.write_text(BIRTH.replace("days = 3", "days = 2") + MARRIAGE + row("1.000009"), encoding="utf-8")
    code, printed = tracuu("check", other)
    assert code == 0
    for words in ("added", "1.000009", "changed", "days: 3 -> 2", "courtesy: 0 in place of 1"):
        assert words in printed


def test_what_would_change_is_not_guessed_where_the_configured_file_has_faults(catalogue: Path, other: Path) -> None:
    catalogue.write_text("procedure = 3\n", encoding="utf-8")
    other.write_text(WORDS + BIRTH, encoding="utf-8")
    assert "what would change is not known" in tracuu("check", other)[1]
    code, printed = tracuu("import", other)
    assert code != 0
    assert "--drop takes FILE all the same" in printed
    assert tracuu("import", "--drop", other)[0] == 0
    assert tracuu("check")[0] == 0


# ---- import


def test_a_dry_run_changes_nothing(catalogue: Path, other: Path) -> None:
    other.write_text(WORDS + BIRTH + MARRIAGE + row("1.000009"), encoding="utf-8")
    before = catalogue.read_bytes()
    code, printed = tracuu("import", "--dry-run", other)
    assert code == 0
    assert "1.000009" in printed
    assert "nothing is changed" in printed
    assert (catalogue.read_bytes(), beside(catalogue)) == (before, ["procedures.toml"])


def test_what_is_imported_is_what_the_next_start_reads_and_the_former_is_kept(catalogue: Path, other: Path) -> None:
    ends = MARRIAGE.replace("days = 3", "days = 3\nvalid_to = 2026-12-31")
    begins = row("1.000002", "Đăng ký kết hôn", "days = 1\nvalid_from = 2027-01-01")
    other.write_text(WORDS + BIRTH + ends + begins, encoding="utf-8")
    before = catalogue.read_bytes()
    catalogue.chmod(0o640)
    code, printed = tracuu("import", other)
    assert code == 0
    assert "go on with the former one" in printed
    assert catalogue.read_bytes() == other.read_bytes()
    assert catalogue.stat().st_mode & 0o777 == 0o640
    (kept,) = set(beside(catalogue)) - {"procedures.toml"}
    assert kept in printed
    assert (catalogue.parent / kept).read_bytes() == before
    words = read_words(load_settings(catalogue.parent.parent / "gateway.toml"))
    found = words.procedures.get("1.000002", today=date(2027, 1, 1))
    assert found is not None
    assert found.days == 1


def test_what_is_there_already_is_not_written_again(catalogue: Path, other: Path) -> None:
    other.write_bytes(catalogue.read_bytes())
    code, printed = tracuu("import", other)
    assert (code, "in place already" in printed) == (0, True)
    assert beside(catalogue) == ["procedures.toml"]


def test_a_file_with_a_fault_is_not_taken_even_where_dropping_is_allowed(catalogue: Path, other: Path) -> None:
    other.write_text(WORDS + BIRTH + row("1.000002", more="days = 0"), encoding="utf-8")
    before = catalogue.read_bytes()
    for arguments in ((), ("--drop",), ("--dry-run",)):
        assert tracuu("import", *arguments, other)[0] != 0
    assert (catalogue.read_bytes(), beside(catalogue)) == (before, ["procedures.toml"])


def test_a_procedure_without_a_last_day_is_gone_only_where_that_is_asked_for(catalogue: Path, other: Path) -> None:
    other.write_text(WORDS + BIRTH, encoding="utf-8")
    before = catalogue.read_bytes()
    for arguments in ((), ("--dry-run",)):
        code, printed = tracuu("import", *arguments, other)
        assert code != 0
        assert "1.000002 would be gone" in printed
    assert catalogue.read_bytes() == before
    assert tracuu("import", "--drop", other)[0] == 0
    assert catalogue.read_bytes() == other.read_bytes()


def test_the_sample_of_the_program_is_never_replaced(
    catalogue: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = CONFIG_DIRECTORY / "procedures.toml"
    before = sample.read_bytes()
    monkeypatch.setenv("TRACUU_PROCEDURES__PATH", str(sample))
    other.write_bytes(before + b"# ours\n")
    code, printed = tracuu("import", other)
    assert code != 0
    assert "is the sample that came with the program" in printed
    assert sample.read_bytes() == before


# ---- putting in place


def test_a_day_may_have_more_than_one_former_file(catalogue: Path) -> None:
    kept = [put_in_place(catalogue, content, TODAY) for content in (b"one", b"two", b"three")]
    assert [path.name.removeprefix("procedures.toml.bak-") for path in kept] == [
        "2026-11-23",
        "2026-11-23-2",
        "2026-11-23-3",
    ]
    assert [path.read_bytes() for path in kept[1:]] == [b"one", b"two"]
    assert catalogue.read_bytes() == b"three"


def test_a_link_stays_a_link(catalogue: Path) -> None:
    link = catalogue.parent.parent / "link.toml"
    link.symlink_to(catalogue)
    put_in_place(link, b"new", TODAY)
    assert link.is_symlink()
    assert catalogue.read_bytes() == b"new"


@pytest.mark.parametrize("failing", [1, 2, 3], ids=["the new file", "the copy of the former", "the folder"])
def test_a_disk_that_fails_leaves_the_former_file_and_nothing_else(
    catalogue: Path, other: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    calls: list[int] = []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) == failing:
            raise OSError(28, "No space left on device")

    before = catalogue.read_bytes()
    other.write_text(WORDS + BIRTH + MARRIAGE + row("1.000009"), encoding="utf-8")
    monkeypatch.setattr(os, "fsync", full)
    code, printed = tracuu("import", other)
    assert code != 0
    assert "nothing is changed" in printed
    assert "No space left on device" in printed
    assert (catalogue.read_bytes(), beside(catalogue)) == (before, ["procedures.toml"])


def test_a_reader_sees_one_file_or_the_other_never_half_of_one(catalogue: Path) -> None:
    whole = [bytes([letter]) * 200_000 for letter in b"ab"]
    catalogue.write_bytes(whole[0])
    seen: set[bytes] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(catalogue.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(1, 21):
            put_in_place(catalogue, whole[number % 2], TODAY)
    finally:
        done.set()
        reader.join()
    assert seen <= set(whole)
