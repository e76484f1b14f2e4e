"""Texts that want to be more than texts, a one-stop system that is full of them, and a gateway that asks it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Final

from demo.generous import generous_guards
from demo.process import GatewayProcess, free_ports
from domain.calendar import LOCAL_ZONE
from tests.whole.gateways import LOG, STORE, Account

MARK: Final = "h1t"  # in every text, so that it is found again wherever it should not be
OWNER: Final = "0912345678"
FIELDS: Final = ("unit", "procedure", "procedure_name", "missing", "fee")
LONGEST: Final = 200  # characters that are kept of a field

# What a browser would run, or take for markup, if a page let it.
MARKUP: Final = (
    "<script>window.h1t=1</script>",
    "<img src=x onerror=window.h1t=1>",
    "<svg onload=window.h1t=1><animate onbegin=window.h1t=1>",
    '"><script>window.h1t=1</script><p title="',
    "'><img src=x onerror=window.h1t=1><p title='",
    '" autofocus onfocus=window.h1t=1 x="',
    "</title><script>window.h1t=1</script>",
    "</textarea><svg/onload=window.h1t=1>",
    "</style><img src=x onerror=window.h1t=1><style>",
    "</script><script>window.h1t=1</script>",
    "<iframe srcdoc='<script>parent.h1t=1</script>'></iframe>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=window.h1t=1>",
    "<details open ontoggle=window.h1t=1><summary>h1t</summary></details>",
    "<base href=//evil.example/h1t>",
    "<link rel=stylesheet href=//evil.example/h1t.css>",
    "<meta http-equiv=refresh content='0;url=//evil.example/h1t'>",
    "<a href=javascript:window.h1t=1 autofocus>h1t</a>",
    "<!--><script>window.h1t=1</script>-->",
    "<![CDATA[<script>window.h1t=1</script>]]>",
    "&lt;script&gt;window.h1t=1&lt;/script&gt;",
    "&#60;img src=x onerror=window.h1t=1&#62;",
    "\uff1cscript\uff1ewindow.h1t=1\uff1c/script\uff1e",
    "javascript:window.h1t=1//",
    "data:text/html,<script>parent.h1t=1</script>",
    '{"h1t": "</script><script>window.h1t=1</script>"}',
)
# What a template, a terminal, a log, a telephone or a spreadsheet would read in its own way.
OTHERS: Final = (
    "{{7*7}}h1t{% raw %}",
    "${7*7}h1t#{7*7}<%= 7*7 %>",
    "{0}h1t{agency}[{code}]{",
    "%n%s%x%00h1t%(name)s",
    "h1t\r\nSet-Cookie: h1t=1\r\n\r\n<script>window.h1t=1</script>",
    'h1t\n{"level": "error", "action": "forged"}',
    "h1t\x1b[2J\x1b]0;owned\x07\x9b31m",
    "h1t\x00\x01\x02\x03\x08\x0b\x0c\x1a\x7f\x80\x85\x9f",
    "h1t\u202egpj.exe\u2066\u2067\u202d\u200f\u061c",
    "h\u200b1\u200ct\u200d\u2060\ufeffh1t\u00ad",
    "h1t\u2028\u2029\u0085new",
    '=HYPERLINK("http://evil.example/?h1t","h1t")',
    "+h1t|' /C calc'!A0",
    "-h1t+cmd",
    "@SUM(h1t)",
    "\t=h1t",
    "\uff1dh1t",
    "\uff0b\uff0d\uff20h1t",
    "h1t\x1b\x0e\x0f\x10\x1a//SCKL158A //",
    "h1t" + "A\u0301\u0302\u0303" * 60,
    "h1t" + "W" * 5_000,
    "h1t'; DROP TABLE HoSo;--\\",
    "h1t ../../../../etc/passwd\\..\\..",
    "h1t \U0001f600\U000e0041\ue000\ufdd0\uffff",
    "h1t https://evil.example/ +84900000000",
)
TEXTS: Final = (*MARKUP, *OTHERS)

MAPPING: Final = f"""
name = "hostile"
table = "HoSo"
prefixes = ["H51"]
default = true
time_zone = "Asia/Ho_Chi_Minh"
date_formats = ["yyyy-MM-dd HH:mm:ss"]

[columns]
code = "Ma"
status = "TrangThai"
substatus = "TrangThaiPhu"
received_at = "NgayNhan"
due_on = "NgayHen"
finished_at = "NgayXong"
returned_at = "NgayTra"
changed_at = "NgaySua"
{"".join(f'{field} = "{field}"{chr(10)}' for field in FIELDS)}
[agency]
column = "CoQuan"

[proof]
numbers = ["Phone"]
secret = "MatKhau"

[status]
4 = 4
5 = 5
6 = 6

[substatus.5]
cho = 5
"""
SCHEMA: Final = f"""
CREATE TABLE HoSo (Ma TEXT, TrangThai TEXT, TrangThaiPhu TEXT, NgayNhan TEXT, NgayHen TEXT, NgayXong TEXT, NgayTra TEXT,
    NgaySua TEXT, CoQuan TEXT, Phone TEXT, MatKhau TEXT, {", ".join(f"{field} TEXT" for field in FIELDS)});
CREATE INDEX IX_Ma ON HoSo (Ma);
"""
CONFIG: Final = """
[listen]
public = {{ host = "127.0.0.1", port = 0 }}

[database]
url = "sqlite:///{directory}/{store}"

[replies]
help_phone = "02993 000000"

[disclosure]
proof_key = "of the tests and of nobody else"

[notices] # tests run at night, too
quiet_from = "00:00"
quiet_until = "00:00"

{guards}

[[sources]]
name = "hostile"
url = "sqlite+aiosqlite:///{directory}/hostile.sqlite3"
mapping = "{directory}/hostile.toml"
watch = {{ poll_s = 0.2 }}

[logs]
level = "info"
format = "json"
"""


def code(number: int) -> str:
    return f"H51.18-250702-{number:04d}"


def planted() -> dict[str, dict[str, str]]:
    """Dossiers in which every text field is hostile, by code; told to who proves a right to them."""
    lots = [TEXTS[first : first + len(FIELDS)] for first in range(0, len(TEXTS), len(FIELDS))]
    return {code(number): dict(zip(FIELDS, lot, strict=True)) for number, lot in enumerate(lots, start=1)}


# Hostile where no text is told: state, agency, dates, number and secret, by code.
UNTOLD: Final = {
    code(101 + number): {
        "TrangThai": text,
        "TrangThaiPhu": text,
        "CoQuan": text,
        "NgayNhan": text,
        "NgayHen": text,
        "NgayXong": text,
        "NgayTra": text,
        "MatKhau": text,
    }
    for number, text in enumerate(TEXTS)
}
BROKEN: Final = code(999)  # its bytes are no text
BESIDE: Final = code(998)


class Desk:
    """The one-stop system, a file in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "hostile.sqlite3"
        usual = {
            "TrangThai": "5",
            "TrangThaiPhu": "cho",
            "CoQuan": "H51.18",
            "Phone": OWNER,
            "NgaySua": "2026-07-02 08:00:00",
        }
        with closing(sqlite3.connect(self._file)) as connection, connection:
            connection.executescript(SCHEMA)
            for each, fields in (planted() | UNTOLD | {BESIDE: {}}).items():
                row = usual | {"Ma": each} | fields
                marks = ", ".join("?" * len(row))
                connection.execute(f"INSERT INTO HoSo ({', '.join(row)}) VALUES ({marks})", [*row.values()])
            connection.execute(
                "INSERT INTO HoSo (Ma, TrangThai, unit, NgaySua) VALUES (?, '4', CAST(x'68EDA080FF74' AS TEXT), '')",
                [BROKEN],
            )

    def move(self, moved: str, state: str) -> None:
        """A dossier gets another state now."""
        at = f"{datetime.now(LOCAL_ZONE):%Y-%m-%d %H:%M:%S}"
        with closing(sqlite3.connect(self._file, timeout=10)) as connection, connection:
            connection.execute("UPDATE HoSo SET TrangThai = ?, NgaySua = ? WHERE Ma = ?", (state, at, moved))


def hostile_gateway(directory: Path, account: Account) -> GatewayProcess:
    """A gateway that asks it, not started yet."""
    (directory / "hostile.toml").write_text(MAPPING, encoding="utf-8")
    config = directory / "gateway.toml"
    text = CONFIG.format(directory=directory, store=STORE, guards=generous_guards())
    config.write_text(text + account.toml(), encoding="utf-8")
    public, operations = free_ports(2)
    return GatewayProcess(config=config, public_port=public, operations_port=operations, log=directory / LOG)
