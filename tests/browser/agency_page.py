"""An agency's page that carries the widget, on an origin of its own, under a policy that allows two things only."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from channels.web.widget_files import WidgetFiles

SITE = "ts_abcdefgh23456723"
STRICT = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
FALLBACK = '<a href="{gateway}/tra-cuu?site={site}">Tra cứu hồ sơ</a>'
TAGS = '<script src="{source}"{pin} async></script>\n<dossier-status site-key="{site}"{attributes}>{fallback}</dossier-status>'
ONE_TAG = '<script src="{source}" data-site-key="{site}" data-lang="en" data-code="H51.18-250701-0001"></script>'
PAGE = """<!doctype html>
<html lang="vi"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sở Tài nguyên và Môi trường</title></head>
<body><main><h1>Sở Tài nguyên và Môi trường</h1>
{widget}
<p>Giờ làm việc: 7:00 đến 17:00</p></main></body></html>"""


def policy(gateway: str, *, connect: bool = True) -> str:
    """Of a strict site, with the two lines we ask for."""
    lines = [STRICT, f"script-src {gateway}", *([f"connect-src {gateway}"] if connect else [])]
    return "; ".join(lines)


def tags(gateway: str, *, version: str = "1", integrity: str = "", **attributes: str) -> str:
    """The snippet of two tags; a version with its hash where there is one."""
    return TAGS.format(
        source=gateway + WidgetFiles().path(version),
        pin=f' integrity="{integrity}" crossorigin="anonymous"' if integrity else "",
        site=SITE,
        attributes="".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items()),
        fallback=FALLBACK.format(gateway=gateway, site=SITE),
    )


def one_tag(gateway: str) -> str:
    return ONE_TAG.format(source=gateway + WidgetFiles().path("1"), site=SITE)


class AgencySite:
    """Pages by path; each is a piece of HTML and a policy."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[str, str]] = {}

    def put(self, path: str, widget: str, policy: str) -> str:
        self.pages[path] = (PAGE.format(widget=widget), policy)
        return path

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._serve)
        return app

    async def _serve(self, request: web.Request) -> web.Response:
        html, rules = self.pages[request.path]
        headers: Mapping[str, str] = {"Content-Security-Policy": rules} if rules else {}
        return web.Response(text=html, content_type="text/html", headers=headers)
