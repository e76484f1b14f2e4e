"""The error tree: whose fault it is decides what happens next.

GatewayError
|-- SourceError             a one-stop system did not answer truthfully; the citizen reads "try later"
|   |-- SourceUnavailable       away, slow or refusing: may be tried again
|   |-- SourceMisread           it answered, but not as its mapping says: not tried again
|   `-- SourceIncomplete        it answered for some codes and failed for others: what it told holds
|-- StoreError              our own database
|   |-- StoreUnavailable        nothing was written; the other side is asked to send again
|   |   `-- StoreRejected           nor would it be another time: a row of it can never be written
|   `-- StoreUncertain          a commit whose outcome is unknown; read back before settling
|-- ChannelError            a channel cannot work at all
|   |-- CredentialsRefused      fatal: trying again could lock the account
|   `-- PictureUnavailable      what was sent cannot be fetched or looked at
`-- SettingsError           ours to configure: the operator mends a file and starts again
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # both of them may raise what stands here
    from domain.codes import DossierCode
    from domain.dossier import Dossier


class GatewayError(Exception):
    """Anything this gateway says about itself; the message is fit for an operator to read."""


class SettingsError(GatewayError):
    """The configuration is wrong; the message names every fault, one a line."""


class SourceError(GatewayError):
    """A one-stop system failed; the citizen is told so, never "not found"."""


class SourceUnavailable(SourceError):
    """Away, slow or refusing: the read may be tried again."""


class SourceMisread(SourceError):
    """It answered something its mapping does not allow: trying again would not help."""


class SourceIncomplete(SourceError):
    """Some of the codes could be read and some not. `found`: the dossiers it told. `failed`: the codes nothing is known
    of. A code in neither is one it does not know.
    """

    def __init__(self, message: str, *, found: Mapping[DossierCode, Dossier], failed: frozenset[DossierCode]) -> None:
        super().__init__(message)
        self.found = found
        self.failed = failed


class StoreError(GatewayError):
    """Our own database failed."""


class StoreUnavailable(StoreError):
    """Nothing was written: nothing may be acknowledged."""


class StoreRejected(StoreUnavailable):
    """A row among what was to be written can never be: it breaks a rule of the tables. The message names no value."""


class StoreUncertain(StoreError):
    """The commit may or may not have happened: read back before settling."""


class ChannelError(GatewayError):
    """A channel cannot work as configured."""


class CredentialsRefused(ChannelError):
    """The other side refused our name or password: do not try again, say so."""


class PictureUnavailable(ChannelError):
    """A picture cannot be fetched, is too large, or cannot be looked at now."""
