"""The pages for the first day and for bad days name only what there is, and their links lead to headings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.cli import cli
from gateway.log_actions import LOG_ACTIONS
from gateway.metrics import COUNTED, PREFIX, READ, RISING
from tests.unit.test_operations_docs import KEYS, SECTIONS

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
PAGES = {name: (DOCS / name).read_text(encoding="utf-8") for name in ("installing.md", "bad-days.md", "operations.md")}
TEXT = "\n".join(PAGES.values())
QUOTED = frozenset(re.findall(r"`([^`\n]+)`", TEXT))
PARTS = {action.partition(".")[0] for action in LOG_ACTIONS}
DOTTED = re.compile(rf"({SECTIONS}|{'|'.join(sorted(PARTS))})\.(?!toml$)[a-z_]+(\.\w+)*")
LINKS = sorted({(name, link) for name, text in PAGES.items() for link in re.findall(r"\]\(([^):]*#[^)]+)\)", text)})


def anchors(page: Path) -> set[str]:
    """Of its headings, as they are made from them: lower case, no punctuation, hyphens."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_a_link_leads_to_a_heading(page: str, link: str) -> None:
    target, _, anchor = link.partition("#")
    assert anchor in anchors(DOCS / (target or page))


@pytest.mark.parametrize("metric", sorted(word for word in QUOTED if word.startswith(PREFIX)))
def test_a_metric_that_is_named_exists(metric: str) -> None:
    counters = {figure.name for figure in COUNTED if not figure.buckets} | RISING
    assert metric in {PREFIX + f.name + ("_total" if f.name in counters else "") for f in (*COUNTED, *READ)}


@pytest.mark.parametrize("word", sorted(word for word in QUOTED if DOTTED.fullmatch(word)))
def test_an_action_or_a_setting_that_is_named_exists(word: str) -> None:
    assert word in LOG_ACTIONS.keys() | KEYS


@pytest.mark.parametrize("command", sorted(set(re.findall(r"(?:`|^)(?:tracuu|t) ([a-z-]+)", TEXT, re.MULTILINE))))
def test_a_command_that_is_named_exists(command: str) -> None:
    assert command in cli.commands


def test_the_proxy_is_told_what_the_gateway_reads() -> None:
    lines = (ROOT / "deploy" / "nginx.conf.example").read_text(encoding="utf-8")
    assert "proxy_set_header Host $http_host;" in lines
    assert "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;" in lines
    assert "add_header" not in lines
    assert ":8082" not in lines
