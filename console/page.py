"""What every page of the console shares: the texts of the reader's language, the menu of what the officer may, headers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from console import paths
from console.routes import Access
from console.signed import SIGNED, Signed
from domain.officers import Right

HERE = Path(__file__).parent
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script';"
    " trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
}
# The menu, in its order: (name under [menu] in the texts, address, what it needs).
MENU: Sequence[tuple[str, str, Right | Access]] = (
    ("health", paths.HEALTH, Right.HEALTH_SEE),
    ("intake", paths.INTAKE, Right.INTAKE_SEE),
    ("broadcasts", paths.BROADCASTS, Right.BROADCASTS_SEE),
    ("messages", paths.MESSAGES, Right.MESSAGES_SEE),
    ("feedback", paths.FEEDBACK, Right.FEEDBACK_SEE),
    ("officers", paths.OFFICERS, Right.OFFICERS_SEE),
    ("sites", paths.SITES, Right.SITES_MANAGE),
    ("audit", paths.AUDIT, Right.AUDIT_SEE),
    ("help", paths.HELP, Access.SIGNED_IN),
)
# What stands in no menu, by the name of the page that helps with it.
BESIDE: Sequence[tuple[str, str]] = (
    ("account", paths.ACCOUNT),
    ("health", paths.INCIDENT),
    ("outage", paths.NUMBERS),
    ("outage", paths.LATE),
    ("outage", paths.RECONCILE),
)

Texts = Mapping[str, Mapping[str, Any]]


class Pages:
    """Renders templates. `texts` by language, section and name (config/console); `assets` by file name: its address under
    the name of its contents; `absent`: names of MENU that this gateway does not have.
    """

    __slots__ = ("_assets", "_environment", "_texts", "absent")

    def __init__(self, texts: Mapping[str, Texts], assets: Mapping[str, str], *, absent: Collection[str] = ()) -> None:
        self.absent = absent
        self._texts = texts
        self._assets = assets
        self._environment = Environment(
            loader=FileSystemLoader(sorted(HERE.glob("**/templates"))),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    @property
    def languages(self) -> Collection[str]:
        """Those there are texts of."""
        return self._texts.keys()

    def language(self, request: web.Request) -> str:
        """The officer's own; before signing in what `?lang=` says, else the first there is."""
        signed = request.get(SIGNED)
        wanted = request.query.get("lang", "") if signed is None else signed.officer.language
        return wanted if wanted in self._texts else next(iter(self._texts))

    def texts(self, request: web.Request) -> Texts:
        return self._texts[self.language(request)]

    def render(self, request: web.Request, template: str, *, status: int = 200, **shown: object) -> web.Response:
        """The page as HTML; every template extends console.html and finds `texts`, `officer`, `menu`, `assets`, `here`."""
        signed: Signed | None = request.get(SIGNED)
        language = self.language(request)
        page = self._environment.get_template(template).render(
            language=language,
            languages=sorted(self._texts),
            texts=self._texts[language],
            officer=signed.officer if signed else None,
            menu=self._menu(signed, language),
            here=request.path,
            about=_screen(request.path),
            assets=self._assets,
            paths=paths,
            **shown,
        )
        headers = HEADERS | {"Content-Language": language}
        return web.Response(status=status, text=page, content_type="text/html", headers=headers)

    def _menu(self, signed: Signed | None, language: str) -> Sequence[tuple[str, str]]:
        if signed is None or signed.must_set_up:
            return ()
        words = self._texts[language]["menu"]
        return [(words[name], address) for name, address, needs in self._there() if _open(needs, signed)]

    def first(self, signed: Signed) -> str:
        """The address of the first page of the menu that the officer may open; help is open to all."""
        return next(address for _, address, needs in self._there() if _open(needs, signed))

    def _there(self) -> Iterable[tuple[str, str, Right | Access]]:
        return (row for row in MENU if row[0] not in self.absent)

    def refuse(self, request: web.Request, status: int) -> web.Response:
        """A page for 401, 403, 404 and 503."""
        return self.render(request, "refused.html", status=status, reason=str(status))


def _screen(path: str) -> str:
    """By whose name there is help about it; empty: there is none."""
    known = [(name, address) for name, address, _ in MENU] + list(BESIDE)
    return next((name for name, address in known if path == address or path.startswith(f"{address}/")), "")


def _open(needs: Right | Access, signed: Signed) -> bool:
    return needs is Access.SIGNED_IN or (isinstance(needs, Right) and signed.officer.may(needs))
