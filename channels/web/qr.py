"""QR codes as markup of a page, and the addresses in them: in capitals, which makes a code a third smaller."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import quote

import segno
from aiohttp import web
from markupsafe import Markup

from channels.web import paths
from domain.sites import read_origin

REMEMBERED = 256  # drawings; a page of an agency is asked for again and again
QUIET = 4  # modules of white around a code (ISO/IEC 18004 §9.1)


def own_address(request: web.Request, base_url: str) -> str:
    """How citizens reach us, without a closing slash: `base_url`, or what the browser called; empty where that is no
    name of a host. What shows it must not be kept by a cache for others: whoever asks names any host he likes.
    """
    if base_url:
        return base_url
    try:
        return read_origin(f"{request.scheme}://{request.headers.get('Host', '')}")
    except ValueError:  # no browser writes such a Host
        return ""


def short_link(address: str, reference: str) -> str:
    """The page of one dossier, in capitals only; empty where we do not know where we are."""
    if not address:
        return ""
    place = paths.SHORT_UPPER.partition("{")[0]
    return f"{address.upper()}{place}{quote(reference.upper(), safe='/:')}"


@lru_cache(REMEMBERED)
def qr_code(text: str) -> Markup:
    """A drawing without a style of its own: the page's style sheet says how large it is."""
    drawn = segno.make(text, micro=False, error="m", boost_error=False)
    # segno writes the drawing out of numbers alone: nothing of `text` stands in it.
    return Markup(drawn.svg_inline(border=QUIET, omitsize=True, svgclass="qr", lineclass=None))  # noqa: S704
