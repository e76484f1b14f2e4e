"""The simulated SMSC's account, manners and faults."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from demo.smsc_faults import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class SmscOptions:
    """The account, the manners and the faults. Times are seconds; `faults` as `Dice.arm` takes them."""

    system_id: str = "demo"
    password: str = field(default="demo", repr=False)
    max_binds: int = 8
    window: int = 10  # unacknowledged deliver_sm on one bind; more wait in a queue
    redeliver_after: float = 30.0  # an unacknowledged deliver_sm is written again
    retry_after: float = 1.0  # a temporarily refused one, too
    receipt_delay: float = 0.0
    slow_response: float = 1.0  # for the faults slow-response and responses-out-of-order
    faults: Mapping[Fault, float] = field(default_factory=dict)
    seed: int = 0
    record: bool = True
    # None: from the clock, so that a restarted simulator does not repeat ids a gateway still remembers.
    first_message_id: int | None = None
    certificate: Path | None = None  # PEM: with it and its key this SMSC speaks TLS only
    key: Path | None = None
    authorities: Path | None = None  # gateways must show a certificate one of these signed

    def __post_init__(self) -> None:
        if self.window < 1 or self.max_binds < 1:
            raise ValueError("window and max_binds are at least 1")
        if self.certificate is None and (self.key or self.authorities):
            raise ValueError("a key or authorities without a certificate: nothing would be encrypted")

    def tls(self) -> ssl.SSLContext | None:
        """How to listen; None: in the clear.

        Raises:
            OSError: a file cannot be used.
        """
        if self.certificate is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.authorities)
        context.load_cert_chain(self.certificate, self.key)
        if self.authorities is not None:
            context.verify_mode = ssl.CERT_REQUIRED
        return context
