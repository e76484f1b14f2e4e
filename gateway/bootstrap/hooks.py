"""The webhook by which one-stop systems tell of changes, for every source that has keys; and a call of it, signed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from adapters.onestop.hook_signature import SIGNATURE, SigningKey, sign
from adapters.onestop.hooks import Hooks
from channels.base import RouteDef
from domain.code_legacy import LegacyPattern
from domain.errors import SettingsError
from gateway.metrics import Metrics
from gateway.settings import HookKey, Settings, SourceSettings
from notifications.ports import Notices


def hook_routes(
    settings: Settings,
    notices: Notices,
    clock: Callable[[], datetime],
    legacy: Sequence[LegacyPattern],
    metrics: Metrics,
    on_heard: Callable[[str], None],
) -> Sequence[RouteDef]:
    """For the public listener; none where no source has keys. `on_heard`: wakes the watcher of a source.

    Raises:
        SettingsError: a secret that says it is base64 is not.
    """
    keys = {each.name: _signing_keys(each) for each in settings.sources if _listens(each)}
    if not keys:
        return ()
    hooks = Hooks(
        keys=keys,
        keep=notices.look,
        clock=clock,
        legacy=legacy,
        count=lambda result, source: metrics.hook(source, result),
        on_heard=on_heard,
    )
    summary = "A one-stop system says which dossiers changed; signed."
    return (RouteDef(method="POST", path="/hooks/onestop/{source}", handler=hooks.handle, summary=summary),)


def _listens(source: SourceSettings) -> bool:
    return source.watch.enabled and bool(source.watch.hook_keys)


def _signing_keys(source: SourceSettings) -> Sequence[SigningKey]:
    try:
        return [_signing_key(key) for key in source.watch.hook_keys]
    except ValueError as fault:
        raise SettingsError(f"source {source.name}: {fault}") from fault


def _signing_key(key: HookKey) -> SigningKey:
    return SigningKey.of(key.id, key.secret.get_secret_value())


def sign_hook(key: HookKey, *, moment: datetime, nonce: str, body: bytes) -> tuple[str, str]:
    """The name and the value of the header that signs this body.

    Raises:
        SettingsError: the secret says it is base64 and is not.
    """
    try:
        return SIGNATURE, sign(_signing_key(key), moment=moment, nonce=nonce, body=body)
    except ValueError as fault:
        raise SettingsError(str(fault)) from fault
