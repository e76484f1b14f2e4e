"""The conversation and the channels it is held over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from channels.base import Channel
from channels.sms.account import BindMode, MessageIds, Segmentation, SmppAccount, SmppBind, Tls
from channels.sms.channel import SmsChannel
from channels.sms.numbers import normalise
from channels.sms.ports import PartStore, SentIds
from channels.sms.segments import DefaultAlphabet
from channels.web.asking import Ask
from conversation.answer import Conversation, ConversationSettings, Offers
from conversation.guards import Guards
from conversation.guards import GuardSettings as GuardRules
from conversation.ports import Limit
from conversation.questions import Questions
from domain.calendar import LOCAL_ZONE
from domain.proof import Sealer
from domain.questions import Answer, Asked, Question, QuestionAnswer
from domain.replies import ReplyWriter
from domain.stoppage import Announced
from gateway.bootstrap.notices import schedule_rules
from gateway.bootstrap.store import OpenStore
from gateway.bootstrap.words import Words
from gateway.dispatcher import Dispatcher, DispatcherSettings
from gateway.metrics import Metrics
from gateway.settings import BindSettings, RateLimit, Settings, SmsSettings
from lookup.disclosure import Disclosure, DisclosureRules
from lookup.service import LookupService

# ---- conversation


def guard_rules(settings: Settings) -> GuardRules:
    """The guards' part of the settings; our own short codes are never answered."""
    chosen = settings.guards
    own = [*chosen.own_numbers, *(account.short_code for account in settings.sms)]
    return GuardRules(
        replies=_limits(chosen.replies_per_sender),
        replies_per_block=_limits(chosen.replies_per_block),
        all_replies=_limits(chosen.replies_in_all),
        codes=_limits(chosen.codes_per_sender),
        misses=_limits(chosen.misses_per_sender),
        questions_per_address=_limits(chosen.questions_per_address),
        questions_per_block=_limits(chosen.questions_per_block),
        codes_per_address=_limits(chosen.codes_per_address),
        misses_per_address=_limits(chosen.misses_per_address),
        misses_per_block=_limits(chosen.misses_per_block),
        misses_per_code=_limits(chosen.misses_per_code),
        misses_per_prefix=_limits(chosen.misses_per_prefix),
        misses_before_work=_limits(chosen.misses_before_work),
        block_misses_before_work=_limits(chosen.block_misses_before_work),
        site_misses_before_work=_limits(chosen.site_misses_before_work),
        site_questions_before_work=_limits(chosen.site_questions_before_work),
        own_numbers=frozenset(normalise(number) for number in own),
    )


def _limits(limits: Sequence[RateLimit]) -> tuple[Limit, ...]:
    return tuple(Limit(limit.count, limit.seconds) for limit in limits)


def make_disclosure(settings: Settings, sealer: Sealer | None) -> Disclosure:
    """Who may know how much; the strict table unless the settings say otherwise."""
    chosen = settings.disclosure
    return Disclosure(DisclosureRules(public=frozenset(chosen.public), proof_required=chosen.proof_required), sealer)


def make_writer(settings: Settings, words: Words, announced: Callable[[], Announced | None]) -> ReplyWriter:
    """Who writes every reply; `announced`: the planned stoppage answers speak of."""
    stale_after = timedelta(minutes=settings.replies.stale_after_minutes)
    return ReplyWriter(words.catalogue, words.agencies, stale_after=stale_after, announced=announced)


def make_conversation(
    settings: Settings,
    words: Words,
    opened: OpenStore,
    *,
    lookups: LookupService,
    guards: Guards,
    disclosure: Disclosure,
    writer: ReplyWriter,
    offers: Offers,
) -> Conversation:
    """The one conversation of all channels."""
    replies = settings.replies
    return Conversation(
        lookups=lookups,
        people=opened.store,
        guards=guards,
        writer=writer,
        grammar=words.grammar,
        clock=opened.clock,
        settings=ConversationSettings(
            language=replies.default_language,
            codes_per_reply=replies.max_codes,
            question_open_for=timedelta(minutes=replies.question_minutes),
            follows_per_person=settings.notices.follows_per_person,
        ),
        legacy=words.agencies.legacy_patterns(),
        disclosure=disclosure,
        offers=offers,
    )


def make_questions(
    settings: Settings,
    words: Words,
    opened: OpenStore,
    lookups: LookupService,
    guards: Guards,
    disclosure: Disclosure,
) -> Questions:
    """What the web asks; as much is kept of what was told as of what was read."""
    return Questions(
        lookups=lookups,
        guards=guards,
        clock=opened.clock,
        legacy=words.agencies.legacy_patterns(),
        disclosure=disclosure,
        kept=settings.lookup.cache_entries,
    )


# ---- SMS

# Settings that are words of the channel's own.
WORDS: Mapping[str, Callable[[str], Any]] = {
    "default_alphabet": DefaultAlphabet,
    "segmentation": Segmentation,
    "message_ids": MessageIds,
}


class SmsStore(Protocol):
    """What the SMS channel asks of the store."""

    def sms_parts(self) -> PartStore: ...

    def sent_ids(self) -> SentIds: ...


def make_sms(
    accounts: Sequence[SmsSettings], store: SmsStore, new_id: Callable[[], int], clock: Callable[[], datetime]
) -> list[SmsChannel]:
    """A channel for each account, whoever holds it: what may be said over it is known without being bound."""
    parts, sent_ids = store.sms_parts(), store.sent_ids()
    return [
        SmsChannel(smpp_account(account), new_id=new_id, clock=clock, parts=parts, sent_ids=sent_ids)
        for account in accounts
    ]


def smpp_account(settings: SmsSettings) -> SmppAccount:
    """An SMSC account in the channel's own words: the same names, the secrets revealed."""
    fields = SmppAccount.__dataclass_fields__.keys() - {"password", "tls", "binds", *WORDS}
    values = {name: getattr(settings, name) for name in fields if name in type(settings).model_fields}
    words = {name: kind(getattr(settings, name)) for name, kind in WORDS.items()}
    return SmppAccount(
        **values,
        **words,
        password=settings.password.get_secret_value(),
        tls=_tls(settings),
        binds=[
            _bind(each, f"{place}.{copy}" if each.count > 1 else f"{place}")
            for place, each in enumerate(settings.bind, 1)
            for copy in range(1, each.count + 1)
        ],
    )


def _tls(settings: SmsSettings) -> Tls | None:
    if not settings.tls:
        return None
    return Tls(
        authorities=settings.tls_authorities,
        host_name=settings.tls_host_name,
        certificate=settings.tls_certificate,
        key=settings.tls_key,
    )


def _bind(settings: BindSettings, name: str) -> SmppBind:
    values = settings.model_dump(exclude={"mode", "count", "password", "password_file"})
    password = settings.password.get_secret_value() if settings.password else ""
    return SmppBind(name=name, mode=BindMode(settings.mode), password=password, **values)


def make_dispatcher(
    settings: Settings,
    conversation: Conversation,
    opened: OpenStore,
    channels: Sequence[Channel],
    new_id: Callable[[], int],
    metrics: Metrics,
) -> Dispatcher:
    """The pumps of the walk. A channel that does not run here is never ready, so nothing is claimed for it."""
    budgets = settings.gateway.answer_budgets
    rules = schedule_rules(settings.notices)
    return Dispatcher(
        conversation=conversation,
        journal=opened.store,
        outbox=opened.store,
        channels=channels,
        new_id=new_id,
        clock=opened.clock,
        metrics=metrics,
        settings=DispatcherSettings(
            answer_budgets={"sms": budgets.sms_ms / 1000},
            default_budget=budgets.chat_ms / 1000,
            source_down_after=settings.gateway.source_down_after_s,
            most_in_flight=settings.gateway.max_in_flight,
        ),
        quiet=lambda: rules.quiet(opened.clock().astimezone(LOCAL_ZONE).time()),
    )


# ---- web


def counted(ask: Ask, metrics: Metrics) -> Ask:
    """The same, with every question counted by how it ended."""

    async def awaited(answer: Awaitable[QuestionAnswer]) -> QuestionAnswer:
        told = await answer
        metrics.question(told.outcome)
        return told

    async def ask_and_count(questions: Sequence[Question]) -> Sequence[Asked[Answer]]:
        answers = await ask(questions)
        at_once = [answer.outcome for answer, _ in answers if isinstance(answer, QuestionAnswer)]
        for outcome, count in Counter(at_once).items():
            metrics.question(outcome, count)
        return [
            asked if isinstance(asked.answer, QuestionAnswer) else asked._replace(answer=awaited(asked.answer))
            for asked in answers
        ]

    return ask_and_count
