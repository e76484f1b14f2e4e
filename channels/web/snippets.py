"""What a webmaster pastes, and what he adds to his own policy (pure): one look-up in five forms, for what his site allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode

from channels.web import paths

PLACEHOLDER = "ts_…"  # where a key is still to come
FOLLOWING = "1"  # the version that follows the newest 1.x
FRAME_HEIGHT = 760  # CSS pixels: an answer with its steps, without a scroll bar on a desk's screen
QR_SIDE = 180  # CSS pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a snippet is for. `gateway`: an origin; `version` and `integrity`: of the newest widget; `title`: the words
    of the link, in that language; `accent`: "#rrggbb", or empty for ours.
    """

    gateway: str
    key: str
    language: str
    version: str
    integrity: str
    title: str
    picture: str = ""  # what is said of the QR code to who does not see it
    accent: str = ""


def snippets(place: Place) -> Mapping[str, str]:
    """HTML by the name of its form, the one to take first at the front; whatever is given is escaped."""
    return {
        "tags": f"{_script(place, FOLLOWING)}\n{_element(place)}",
        "pinned": f"{_script(place, place.version, integrity=place.integrity, crossorigin='anonymous')}\n{_element(place)}",
        "one": _script(place, FOLLOWING, **{"data-site-key": place.key, "data-lang": place.language}),
        "frame": _frame(place),
        "link": _link(place),
    }


def policies(gateway: str) -> Mapping[str, tuple[str, ...]]:
    """What the site's own Content-Security-Policy must allow, by the form; nothing where it has no policy."""
    widget = (f"script-src {gateway}", f"connect-src {gateway}")
    return {
        "tags": widget,
        "pinned": widget,
        "one": widget,
        "frame": (f"frame-src {gateway}",),
        "link": (f"img-src {gateway}",),
    }


def accent_rule(accent: str) -> str:
    """The line for the site's own style sheet; no policy minds it there."""
    return f"dossier-status {{ --ds-accent: {accent}; }}"


def page(place: Place) -> str:
    """The address of the look-up page in that language: what a link opens and a QR code holds."""
    return f"{place.gateway}{paths.LOOK_UP}?{urlencode({'lang': place.language})}"


def frame_address(place: Place) -> str:
    fields = {"site": place.key, "lang": place.language, "accent": place.accent.removeprefix("#")}
    return f"{place.gateway}{paths.EMBED}?{urlencode({name: value for name, value in fields.items() if value})}"


def _script(place: Place, version: str, **attributes: str) -> str:
    source = place.gateway + paths.WIDGET.format(version=version, file=paths.WIDGET_FILE)
    return _tag("script", {"src": source, **attributes, "async": None}) + "</script>"


def _element(place: Place) -> str:
    return (
        _tag("dossier-status", {"site-key": place.key, "lang": place.language})
        + f"\n  {_anchor(place)}\n</dossier-status>"
    )


def _anchor(place: Place) -> str:
    return _tag("a", {"href": page(place)}) + f"{escape(place.title)}</a>"


def _frame(place: Place) -> str:
    attributes = {
        "src": frame_address(place),
        "title": place.title,
        "width": "100%",
        "height": str(FRAME_HEIGHT),
        "loading": "lazy",
        "frameborder": "0",  # the only way to have no border that needs no style and survives a cautious editor
    }
    return _tag("iframe", attributes) + "</iframe>"


def _link(place: Place) -> str:
    picture = f"{place.gateway}{paths.INTEGRATE_QR}?{urlencode({'lang': place.language})}"
    side = str(QR_SIDE)
    image = _tag("img", {"src": picture, "alt": place.picture, "width": side, "height": side})
    return f"<p>{_anchor(place)}</p>\n<p>{image}</p>"


def _tag(name: str, attributes: Mapping[str, str | None]) -> str:
    """A start tag; None: an attribute that has no value."""
    written = [each if value is None else f'{each}="{escape(value)}"' for each, value in attributes.items()]
    return f"<{' '.join([name, *written])}>"
