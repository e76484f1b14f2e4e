"""What others made is what they released; files are named by what they hold; all languages say the same things."""

from __future__ import annotations

import base64
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from console.assets import HERE, VENDOR, VENDORED, Assets
from console.help.pages import SCREENS
from console.page import MENU
from domain.officers import OfficerRole, Right

ROOT = Path(__file__).parent.parent.parent
TEXTS: dict[str, dict[str, Any]] = {
    path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "config" / "console").glob("*.toml")
}
MANIFEST = json.loads((VENDOR / "manifest.json").read_text())


def test_vendored_files_hold_what_the_manifest_says_and_nothing_else_is_there() -> None:
    found = {
        f"{folder.name}/{path.name}": "sha384-"
        + base64.b64encode(hashlib.sha384(path.read_bytes()).digest()).decode("ascii")
        for folder in VENDOR.iterdir()
        if folder.is_dir()
        for path in folder.iterdir()
    }
    told = {f"{folder}/{name}": hashed for folder, each in MANIFEST.items() for name, hashed in each["files"].items()}
    assert found == told
    assert set(VENDORED.values()) <= told.keys()


@pytest.mark.parametrize("folder", MANIFEST)
def test_what_others_made_stands_in_a_folder_of_its_version_with_its_licence(folder: str) -> None:
    assert folder == f"{MANIFEST[folder]['package']}-{MANIFEST[folder]['version']}"
    assert "MIT" in (VENDOR / folder / "LICENSE").read_text()


def test_every_file_has_an_address_by_its_contents(tmp_path: Path) -> None:
    addresses = Assets().addresses
    assert {"bootstrap.css", "console.css", "health.js", "uplot.js", "icon.svg"} <= addresses.keys()
    assert len(set(addresses.values())) == len(addresses)
    slice_ = tmp_path / "x" / "static"
    slice_.mkdir(parents=True)
    (slice_ / "a.js").write_text('import { b } from "./b.js";\n')
    (slice_ / "b.js").write_text("export const b = 1;\n")
    before = Assets(tmp_path).addresses
    (slice_ / "b.js").write_text("export const b = 2;\n")
    after = Assets(tmp_path).addresses
    assert before["a.js"] != after["a.js"]  # whoever imports it is another file, too


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    for slice_ in ("x", "y"):
        (tmp_path / slice_ / "static").mkdir(parents=True)
        (tmp_path / slice_ / "static" / "a.js").write_text("")
    with pytest.raises(ValueError, match=r"a\.js"):
        Assets(tmp_path)


def test_scripts_of_ours_hold_nothing_the_policy_refuses() -> None:
    for path in HERE.glob("*/static/*.js"):
        source = path.read_text(encoding="utf-8")
        for refused in ("innerHTML =", "insertAdjacentHTML", "eval(", "new Function", "document.write"):
            assert refused not in source, path


@pytest.mark.parametrize("language", TEXTS)
def test_each_language_names_every_right_role_screen_and_alarm(language: str) -> None:
    texts = TEXTS[language]
    assert texts["right"].keys() == {str(right) for right in Right}
    assert texts["role"].keys() == {str(role) for role in OfficerRole}
    assert texts["menu"].keys() == {name for name, _, _ in MENU}
    assert texts["help_page"].keys() == SCREENS.keys()
    assert {name for name, _, _ in MENU} - {"help"} <= SCREENS.keys()
