"""`tracuu site`: the sites that carry the widget, as an operator sees and changes them from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from adapters.store.sites import OutsideSites
from channels.web import paths
from channels.web.snippets import Place, policies, snippets
from console.sites.keys import new_key
from console.sites.keys import new_secret as another_secret
from domain.calendar import local_day
from domain.sites import Site, Used, digest
from gateway.bootstrap.desk import outside
from gateway.bootstrap.store import utc_now
from gateway.bootstrap.words import read_words
from gateway.settings import Settings
from gateway.site_command import NewSecret, Pasted

EXAMPLE = "https://tracuu.example.gov.vn"


def site_book(settings: Settings) -> OutsideSites:
    """All sites and their use."""
    return OutsideSites(outside(settings), engine="postgresql" if settings.database.shared else "sqlite")


async def list_sites(settings: Settings) -> Sequence[Site]:
    """All, revoked ones too. Raises StoreError."""
    return await site_book(settings).sites()


async def add_site(settings: Settings, *, name: str, agency: str, origins: Sequence[str]) -> NewSecret:
    """Keep a new one; the secret is told here and nowhere kept. Raises StoreError."""
    secret = another_secret()
    site = Site(
        key=new_key(),
        name=name,
        agency=agency,
        origins=tuple(origins),
        secret_digest=digest(secret),
        created_at=utc_now(),
    )
    await site_book(settings).add(site)
    return NewSecret(site=site, secret=secret)


async def change_site(settings: Settings, site: Site, *, new_secret: bool) -> NewSecret | None:
    """Write `site` over what is kept under its key, with another secret if wanted, which is then told; None: there is no
    such key, or it is revoked. Raises StoreError.
    """
    secret = another_secret() if new_secret else ""
    changed = replace(site, secret_digest=digest(secret)) if new_secret else site
    kept = await site_book(settings).change(
        changed.key,
        name=changed.name,
        agency=changed.agency,
        origins=changed.origins,
        secret_digest=changed.secret_digest,
    )
    return NewSecret(site=changed, secret=secret) if kept else None


async def revoke_site(settings: Settings, key: str) -> bool:
    """From now on it opens nothing; False: there is no such key, or it was revoked before. Raises StoreError."""
    return await site_book(settings).revoke(key, utc_now())


async def site_use(settings: Settings, key: str, days: int) -> Sequence[Used]:
    """What was counted in the last days, today included. Raises StoreError."""
    return await site_book(settings).used(key, local_day(utc_now()) - timedelta(days=days - 1))


def site_agency(settings: Settings, typed: str) -> str | None:
    """The identifier of an agency, from any of its spellings; None: there is none. Raises SettingsError."""
    found = read_words(settings).agencies.find(typed)
    return found.identifier if found and typed in (found.identifier, *found.aliases) else None


def pasted(settings: Settings, site: Site) -> Pasted:
    """What the webmaster pastes and adds, in the default language. Raises SettingsError."""
    catalogue, gateway = read_words(settings).catalogue, settings.web.base_url or EXAMPLE
    language = catalogue.default
    title = catalogue.text(language, "web.integrate.link_words")
    place = Place(gateway=gateway, key=site.key, language=language, version="", integrity="", title=title)
    return Pasted(
        tags=snippets(place)["tags"],
        policies=policies(gateway)["tags"],
        use_page=f"{gateway}{paths.SITE_USE}",
        more=f"{gateway}{paths.INTEGRATE}",
        assumed="" if settings.web.base_url else gateway,
    )
