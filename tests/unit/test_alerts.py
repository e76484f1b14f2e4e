"""The rules for Prometheus in deploy/ are about figures, labels and events there are, and cover the alarms of the page."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it ships no types

from channels.sms.counters import SmsCounters
from channels.telegram.counters import TelegramCounters
from gateway.metrics import COUNTED, PREFIX, READ, RISING, Figure

ROOT = Path(__file__).parent.parent.parent
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
ALARMS = (
    (ROOT / "docs" / "operations.md").read_text(encoding="utf-8").partition("| alarm when |")[2].partition("\n\n")[0]
)
SERIES = re.compile(rf"({PREFIX}\w+)(?:\{{([^}}]*)\}})?")
HISTOGRAM_PARTS = ("_bucket", "_sum", "_count")


def exposed() -> dict[str, Figure]:
    """Every series of /metrics, by the name it has there."""
    found: dict[str, Figure] = {}
    for figure in (*COUNTED, *READ):
        name = PREFIX + figure.name
        if figure.buckets:
            found |= {name + part: figure for part in HISTOGRAM_PARTS}
        else:
            rising = figure in COUNTED or figure.name in RISING
            found[name + ("_total" if rising else "")] = figure
    return found


EXPOSED = exposed()
USED = sorted({(name, labels) for rule in RULES for name, labels in SERIES.findall(rule["expr"])})


@pytest.mark.parametrize(("name", "selector"), USED)
def test_what_a_rule_asks_for_exists(name: str, selector: str) -> None:
    assert name in EXPOSED
    asked = re.findall(r'(\w+)=~?"', selector)
    assert set(asked) <= set(EXPOSED[name].labels)


@pytest.mark.parametrize(
    ("metric", "counters"),
    [("tracuu_sms_events_total", SmsCounters), ("tracuu_telegram_events_total", TelegramCounters)],
)
def test_an_event_a_rule_asks_for_is_counted(metric: str, counters: type) -> None:
    events = {event for name, labels in USED if name == metric for event in re.findall(r'event="(\w+)"', labels)}
    assert events
    assert events <= {field.name for field in fields(counters)}


@pytest.mark.parametrize("metric", sorted(set(re.findall(rf"^\| [^|]*?({PREFIX}\w+)", ALARMS, re.MULTILINE))))
def test_every_alarm_of_the_page_has_a_rule(metric: str) -> None:
    assert {metric, metric + "_bucket"} & {name for name, _ in USED}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_a_rule_says_how_urgent_it_is_and_what_it_means(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]
    assert sum(each["alert"] == rule["alert"] for each in RULES) == 1
