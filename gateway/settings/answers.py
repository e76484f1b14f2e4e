"""What is told: to whom and how often, how fresh, in which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator

from gateway.settings.kinds import Count, ExistingDirectory, ExistingFile, PhoneNumber, Seconds, Section, expected

LEAST_PROOF_KEY = 16


class DisclosureSettings(Section):
    """Who may know how much. The code alone opens the state, the dates, what to do and whom to call; a proof (the
    sender's own number, its last four digits, the receipt's secret) the rest.
    """

    public: frozenset[Literal["procedure", "procedure_name", "unit", "missing", "fee"]] = Field(
        default=frozenset(), description="What is told to whoever has the code, beyond the strict default."
    )
    proof_required: bool = Field(
        default=False, description="Without a proof nothing is told at all: answered as “not found”."
    )
    proof_key: SecretStr | None = Field(
        default=None,
        description=(
            "Seals telephone numbers and secrets of dossiers, at least 16 characters, the same for all gateways; "
            "without it no proof is read or asked for."
        ),
    )
    proof_key_file: Path | None = Field(default=None, description="A file that holds `proof_key`.")

    @field_validator("proof_key")
    @classmethod
    def long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        """Refuse a key that could be guessed."""
        if key is not None and len(key.get_secret_value().encode()) < LEAST_PROOF_KEY:
            raise expected(f"expected at least {LEAST_PROOF_KEY} characters")
        return key


class LookupSettings(Section):
    """How long an answer may be told again, and how long a one-stop system may think."""

    fresh_s: Seconds = Field(default=60.0, description="Seconds a found dossier is told without asking again.")
    not_found_s: Seconds = Field(default=15.0, description="Seconds “not found” is told without asking again.")
    stale_s: Seconds = Field(
        default=86_400.0, description="Seconds the last known state is told, with its time, while its source is down."
    )
    cache_entries: Count = Field(default=100_000, description="Answers kept in the process's own memory.")
    batch_size: Count = Field(default=200, description="Codes read from a source at once.")
    hedge_after_s: Seconds = Field(
        default=1.0, description="Seconds of silence after which the next source that may know a code is asked as well."
    )


class RateLimit(Section):
    """At most so many in any so many seconds."""

    count: Count = Field(description="How many.")
    seconds: Seconds = Field(description="In how many seconds.")


Limits = tuple[RateLimit, ...]


def _limits(*limits: tuple[int, float], description: str) -> Any:  # noqa: ANN401 - pydantic's own type of a field
    default = tuple(RateLimit(count=count, seconds=seconds) for count, seconds in limits)
    return Field(default=default, min_length=1, description=description)


class GuardSettings(Section):
    """Who gets an answer, how often. Raise the figures for a load test; the guards stay on.

    A sender is a telephone number or a chat account, an address one of the web, where a whole office may stand behind
    one. A block is the numbers that differ in their last four digits, an IPv4 /24 or an IPv6 /48. A miss is a code
    nobody knows or a proof that is wrong.
    """

    replies_per_sender: Limits = _limits(
        (10, 600.0),
        (30, 86_400.0),
        description="Replies to one person over all channels; the first refusal is answered, later ones are silent.",
    )
    replies_per_block: Limits = _limits((200, 3600.0), description="Replies to a block of numbers.")
    replies_in_all: Limits = _limits(
        (20_000, 3600.0),
        description="The ceiling of an hour's cost: beyond it strangers get no reply; notices are not touched.",
    )
    codes_per_sender: Limits = _limits((10, 86_400.0), description="Different dossiers one sender may ask about.")
    misses_per_sender: Limits = _limits((5, 3600.0), description="Misses of one sender.")
    questions_per_address: Limits = _limits((30, 60.0), description="Questions from one address on the web.")
    questions_per_block: Limits = _limits((300, 60.0), description="Questions from a block of addresses.")
    codes_per_address: Limits = _limits((60, 86_400.0), description="Different dossiers one address may ask about.")
    misses_per_address: Limits = _limits((20, 3600.0), description="Misses of one address.")
    misses_per_block: Limits = _limits(
        (30, 3600.0), description="Misses of a block of numbers or addresses; beyond it, found dossiers are still told."
    )
    misses_per_code: Limits = _limits(
        (10, 86_400.0), description="Wrong proofs for one dossier, whoever typed them; then no typed proof opens it."
    )
    misses_per_prefix: Limits = _limits(
        (100, 86_400.0),
        description=(
            "Misses among the codes of one agency and day; beyond it, somebody walks through them, and they are told "
            "only to who proves a right to know."
        ),
    )
    misses_before_work: Limits = _limits(
        (3, 3600.0),
        description="Misses of one address on the web after which its questions need a proof of work; none is refused for it.",
    )
    block_misses_before_work: Limits = _limits((10, 3600.0), description="The same, of a block of addresses.")
    site_misses_before_work: Limits = _limits(
        (100, 3600.0),
        description="The same, of all who ask through one site's key; an alarm, since somebody walks through codes there.",
    )
    site_questions_before_work: Limits = _limits(
        (600, 60.0), description="Questions through one site's key without a proof of work; further ones need one."
    )
    own_numbers: tuple[PhoneNumber, ...] = Field(
        default=(), description="Numbers of our own besides the short codes; they never get a reply."
    )


class ReplySettings(Section):
    """What replies say."""

    help_phone: PhoneNumber = Field(
        max_length=12, description="The number a citizen may call, at most 12 characters; in every help reply."
    )
    default_language: Literal["vi", "en"] = Field(default="vi", description="For whoever chose none.")
    stale_after_minutes: Count = Field(
        default=30, description="An SMS tells the time of its data when that is older than so many minutes."
    )
    max_codes: Count = Field(
        default=2, le=2, description="Dossiers answered in one reply; the rest: “send separately”."
    )
    question_minutes: Count = Field(default=10, description="Minutes a question we asked back (“1 or 2?”) stays open.")


class TextSettings(Section):
    """The wording: what people write and what they read."""

    path: ExistingDirectory = Field(description="The directory with a file of texts for each language.")
    grammar: ExistingFile = Field(description="The file with the words people send, by what they mean.")


class ProcedureSettings(Section):
    """What people need for what."""

    path: ExistingFile = Field(
        description="The file with the procedures: name, papers, time, fee, where. Their forms to download are in `forms` beside it."
    )


class AgencySettings(Section):
    """Who is who."""

    path: ExistingFile = Field(description="The file with the agencies: code, names, telephone.")
