"""The documents cannot go stale: what is printed from the code is compared with the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.cli import cli
from gateway.docs import pages
from gateway.settings import Settings
from gateway.source_scan import PACKAGES, listed_routes, logged_actions

ROOT = Path(__file__).parent.parent.parent
PAGES = pages(cli)


@pytest.mark.parametrize("name", PAGES)
def test_a_printed_page_is_what_the_code_says(name: str) -> None:
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert written == PAGES[name], "run `make docs`"


@pytest.mark.parametrize("section", Settings.model_fields)
def test_every_section_has_its_heading(section: str) -> None:
    assert re.search(rf"^## \[\[?{section}\]", PAGES["settings.md"], re.MULTILINE)


@pytest.mark.parametrize("command", cli.commands)
def test_every_command_says_what_it_does(command: str) -> None:
    assert cli.commands[command].help
    assert f"## tracuu {command}\n" in PAGES["commands.md"]


def test_every_target_of_make_says_what_it_does() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    for target in phony[1].split():
        assert re.search(rf"^{target}:.* ## .", makefile, re.MULTILINE), target


@pytest.mark.parametrize("page", sorted((*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))), ids=str)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_pointer_into_the_design_leads_to_a_section() -> None:
    """Comments and docstrings point there as (design: Redelivery), by as much of a heading as tells it apart."""
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", design, re.MULTILINE)
    pointers = {
        (path.name, pointer)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for pointer in re.findall(r"\bdesign: ([^().;]+)", path.read_text(encoding="utf-8"))
    }
    assert pointers
    assert not {each for each in pointers if not any(heading.startswith(each[1]) for heading in headings)}


# ---- what the source scan sees


def sources(root: Path, text: str) -> Path:
    (root / "gateway").mkdir()
    (root / "gateway" / "x.py").write_text(text, encoding="utf-8")
    return root


def test_an_action_is_found_in_every_shape_it_is_written(tmp_path: Path) -> None:
    text = """
name = "d.e" if odd else f"f.{g}"
log.info("a.b", x=1)
self._log.bind().info("not seen: no logger of ours")
self._log.warning("a.c")
log.error(name)
log.info(unheard_of)
math.log(2)
"""
    names = sorted(action.name for action in logged_actions(sources(tmp_path, text)))
    assert names == ["*", "a.b", "a.c", "d.e", "f.*"]


def test_a_route_is_found_where_its_path_has_a_name(tmp_path: Path) -> None:
    text = """
PATH = "/a"
class Pages:
    def __init__(self):
        self._style = f"/b.{digest}.css"
    def routes(self):
        yield RouteDef(method="GET", path=PATH, handler=h, summary="s")
        yield RouteDef(method="GET", path=self._style, handler=h, summary="s")
"""
    assert [route.path for route in listed_routes(sources(tmp_path, text))] == ["/a", "/b.*.css"]


def test_a_route_that_is_not_written_out_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"x\.py:1: a RouteDef"):
        listed_routes(sources(tmp_path, 'RouteDef(method="GET", path=made_up, handler=h, summary="s")'))
