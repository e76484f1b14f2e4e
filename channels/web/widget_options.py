"""What a site can set on the widget, hear from it and read in the console, as tables; what each means is in the texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from channels.web.accent import OURS


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """`key`: what it means, in the texts. `value`: what it is where nothing is set, or what can be set."""

    name: str
    key: str
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """`said`: what Chromium's console says, GW standing for our address; empty: nothing."""

    key: str
    said: str = ""


ATTRIBUTES: Sequence[Option] = (
    Option(name="site-key", key="site_key", value="ts_…"),
    Option(name="lang", key="lang", value="vi | en | km"),
    Option(name="code", key="code", value="H51.18-250701-0000"),
    Option(name="api", key="api", value="https://…"),
)
PROPERTIES: Sequence[Option] = (
    Option(name="--ds-accent", key="accent", value=OURS),
    Option(name="--ds-on-accent", key="on_accent", value="#fff"),
    Option(name="--ds-ink", key="ink", value="#16242d"),
    Option(name="--ds-quiet", key="quiet", value="#4b5c66"),
    Option(name="--ds-paper", key="paper", value="#fff"),
    Option(name="--ds-line", key="line", value="#c9d3d2"),
    Option(name="--ds-radius", key="radius", value="0.5rem"),
    Option(name="--ds-font", key="font", value="sans-serif"),
)
PARTS: Sequence[Option] = tuple(
    Option(name=name, key=name)
    for name in (
        "card",
        "form",
        "label",
        "input",
        "button",
        "result",
        "badge",
        "todo",
        "phone",
        "note",
        "problem",
        "details",
        "link",
    )
)
EVENTS: Sequence[Option] = (Option(name="dossier-status", key="asked", value="detail.outcome"),)

TROUBLES: Sequence[Trouble] = (
    Trouble(
        key="script",
        said="Loading the script 'GW/widget/1/dossier-status.js' violates the following Content Security Policy directive",
    ),
    Trouble(
        key="connect",
        said="Connecting to 'GW/api/v1/dossiers/…' violates the following Content Security Policy directive",
    ),
    Trouble(
        key="integrity", said="Failed to find a valid digest in the 'integrity' attribute for resource 'GW/widget/…'"
    ),
    Trouble(key="stripped"),
    Trouble(key="origin", said="Failed to load resource: the server responded with a status of 403 (Forbidden)"),
    Trouble(key="key", said="Failed to load resource: the server responded with a status of 403 (Forbidden)"),
    Trouble(
        key="frame",
        said="Framing 'GW/' violates the following Content Security Policy directive: \"frame-ancestors …\"",
    ),
)
