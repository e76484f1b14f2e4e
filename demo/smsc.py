"""The SMSC simulator of the demo, the tests and the bench; `python -m demo.smsc` runs it alone, with a small log."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path

import click

from channels.sms import commands as c
from channels.sms.pdu import Bind, DeliverSmResp, GenericNack, SubmitSm, SubmitSmResp, Unbind
from demo.smsc_faults import FAULTS, Dice, Fault, parse_fault
from demo.smsc_messages import Concatenation
from demo.smsc_options import SmscOptions
from demo.smsc_server import Seen, Smsc
from demo.smsc_session import Delivery, Session
from demo.smsc_strikes import STRIKES
from demo.smsc_tickets import MoTicket, Reply

__all__ = [
    "FAULTS",
    "STRIKES",
    "Concatenation",
    "Delivery",
    "Dice",
    "Fault",
    "MoTicket",
    "Reply",
    "Seen",
    "Session",
    "Smsc",
    "SmscOptions",
]

PEM = click.Path(exists=True, dir_okay=False, path_type=Path)
_SHOWN = (Bind, SubmitSm, SubmitSmResp, DeliverSmResp, GenericNack, Unbind)


class FaultChance(click.ParamType["tuple[Fault, float]"]):
    """`throttled`, `throttled=0.1`, `throttled=3`."""

    name = "fault[=chance]"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Fault, float]:
        try:
            return parse_fault(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def describe(seen: Seen) -> str | None:
    """One line of the log; None for what is not worth one."""
    pdu = seen.pdu
    if not isinstance(pdu, _SHOWN):
        return None
    words = [f"#{seen.session}", "<-" if seen.received else "->", type(pdu).__name__, str(pdu.sequence)]
    if isinstance(pdu, SubmitSm):
        words.append(f"to {pdu.destination}")
    status = getattr(pdu, "status", c.ROK)
    if status:
        words.append(c.status_text(status))
    return " ".join(words)


def _log(seen: Seen) -> None:
    line = describe(seen)
    if line is not None:
        click.echo(line)


def _log_reply(reply: Reply, ticket: MoTicket | None) -> None:
    after = f" after {ticket.latency * 1000:.1f} ms" if ticket is not None and ticket.latency is not None else ""
    click.echo(f"   {reply.destination} reads{after}, {reply.segments} segment(s): {reply.text}")


async def _serve(smsc: Smsc, messages: tuple[tuple[str, str, str], ...]) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # no such handlers on this platform: Ctrl-C still raises
            loop.add_signal_handler(number, stopping.set)
    async with smsc:
        click.echo(f"listening on {smsc.host}:{smsc.port}")
        for source, destination, text in messages:
            await smsc.send_mo(source, destination, text)
        await stopping.wait()


def _epilog() -> str:
    rows = "\n".join(f"  {fault.value:26} {meaning}" for fault, meaning in FAULTS.items())
    return f"\b\nFaults: NAME (always), NAME=0.1 (a probability), NAME=3 (the next three times)\n{rows}"


@click.command(epilog=_epilog(), context_settings={"max_content_width": 130})
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=2775, show_default=True, help="Port to listen on; 0 takes a free one and says which.")
@click.option("--system-id", default="demo", show_default=True, help="The account gateways bind with.")
@click.option("--password", default="demo", show_default=True, help="Its password.")
@click.option("--max-binds", default=8, show_default=True, help="More binds are refused with 0x0D.")
@click.option("--window", default=10, show_default=True, help="Unacknowledged deliver_sm on one bind.")
@click.option("--redeliver-after", default=30.0, show_default=True, help="Seconds to wait for a deliver_sm_resp.")
@click.option("--retry-after", default=1.0, show_default=True, help="Seconds before a refused message comes again.")
@click.option("--receipt-delay", default=0.0, show_default=True, help="Seconds from a submit_sm to its receipt.")
@click.option("--slow-response", default=1.0, show_default=True, help="Seconds a slow or held back answer takes.")
@click.option("--fault", "faults", type=FaultChance(), multiple=True, help="A fault to arm; see below. Repeatable.")
@click.option("--certificate", type=PEM, help="Speak TLS, with this certificate (PEM).")
@click.option("--key", type=PEM, help="Its key, where it is in another file.")
@click.option("--authorities", type=PEM, help="Ask gateways for a certificate that one of these signed.")
@click.option("--seed", default=0, show_default=True, help="Of the dice: the same seed, the same faults.")
@click.option(
    "--send",
    "messages",
    type=(str, str, str),
    multiple=True,
    metavar="FROM TO TEXT",
    help="A message a handset sends as soon as a gateway is bound. Repeatable.",
)
@click.option("--quiet", is_flag=True, help="Do not log what goes over the wire.")
def main(
    *,
    host: str,
    port: int,
    quiet: bool,
    faults: tuple[tuple[Fault, float], ...],
    messages: tuple[tuple[str, str, str], ...],
    **figures: object,
) -> None:
    """Run a simulated SMSC until it is interrupted."""
    try:
        options = SmscOptions(faults=dict(faults), record=False, **figures)  # type: ignore[arg-type]  # click made them
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    smsc = Smsc(options, host=host, port=port, on_pdu=None if quiet else _log, on_reply=_log_reply)
    try:
        asyncio.run(_serve(smsc, messages))
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror or error}") from error


if __name__ == "__main__":
    main()
