"""How the process ends: one number for each kind of fault, so that a service manager can tell them apart."""

from __future__ import annotations

import enum

from domain.errors import CredentialsRefused, GatewayError, SettingsError, StoreError


class ExitCode(enum.IntEnum):
    """What `tracuu` returns to whoever started it; docs/commands.md prints this table."""

    OK = 0
    FAILED = 1
    BAD_CONFIG = 2
    PORT_TAKEN = 3
    CREDENTIALS_REFUSED = 4
    STORE_UNAVAILABLE = 5


MEANINGS = {
    ExitCode.OK: "ended as asked (SIGTERM, SIGINT, or the command's work is done)",
    ExitCode.FAILED: "a fault not named below; the last log line says which",
    ExitCode.BAD_CONFIG: "the settings are wrong; every fault is printed, with its file and line",
    ExitCode.PORT_TAKEN: "an address to listen on is in use or not ours, or its host cannot be resolved",
    ExitCode.CREDENTIALS_REFUSED: "the other side refused our name or password; of `serve`: and no other channel is left",
    ExitCode.STORE_UNAVAILABLE: "our own database could not be opened",
}


class PortTaken(GatewayError):
    """An address we were told to listen on is in use, is not ours to use, or is a name nobody knows."""


EXIT_CODES: tuple[tuple[type[GatewayError], ExitCode], ...] = (
    (SettingsError, ExitCode.BAD_CONFIG),
    (PortTaken, ExitCode.PORT_TAKEN),
    (CredentialsRefused, ExitCode.CREDENTIALS_REFUSED),
    (StoreError, ExitCode.STORE_UNAVAILABLE),
)


def exit_code_for(error: BaseException) -> ExitCode:
    """The code a process ends with when `error` is why it ends."""
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), ExitCode.FAILED)
