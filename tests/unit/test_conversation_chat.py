"""What a chat can do besides typing: press, show a picture, come and go, join a number; a telephone stays as it was."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import pytest

from adapters.memory.budgets import MemoryBudgets
from channels.sms.numbers import normalise
from conversation.answer import Conversation, ConversationSettings, Offers, Pending, Shape
from conversation.guards import Guards, GuardSettings
from conversation.joining import MOST, JoinTalk
from conversation.pins import PinLine, PinPost, PinRules
from conversation.ports import Decision, Following, FollowWish, Limit, Link, LinkRequest, Parting, Person, PinResult
from domain.agencies import Agencies
from domain.answers import Outcome
from domain.buttons import PRESSES, After, ButtonWriter, Press
from domain.catalogue import Catalogue
from domain.codes import CodeFamily, DossierCode
from domain.dossier import DossierStatus
from domain.errors import PictureUnavailable, StoreUnavailable
from domain.gsm import segments_needed
from domain.inquiry import Follow, JoinNumber, ListFollowed, LookUp, Resume, Unfollow, read_inquiry
from domain.message import Address, Button, Capabilities, ChatEvent, InboundMessage, Media, MediaKind
from domain.proof import Sealer
from domain.replies import ReplyWriter
from lookup.disclosure import Disclosure, DisclosureRules
from tests.unit.planning import BOB
from tests.unit.speaking import (
    CONFIG,
    NOW,
    STALE_AFTER,
    shipped_agencies,
    shipped_grammar,
    shipped_texts,
)
from tests.unit.test_conversation import CODE, OTHER, FakeCatalogue, FakeLookUps, FakePeople, dossier, guards
from tests.unit.test_following import NOBODYS, code

PHONE = Address("sms", "84912345678")
TYPED = "0912 345 678"
CHAT = Shape(Capabilities(buttons=True, media=True, reports=False), lambda text: len(text) <= 4096)
SMS = Shape(Capabilities(accents=False), lambda text: segments_needed(text)[1] <= 2)
LINE = PinLine(channel="sms", account="main", sender=Address("sms", "8100"), shape=SMS, normalise=normalise)
SEALER = Sealer(b"only for the tests of the chat")
PICTURE = Media(MediaKind.PICTURE, "file-1")


def all_languages() -> ReplyWriter:
    texts = shipped_texts() | {"km": tomllib.loads((CONFIG / "texts" / "km.toml").read_text(encoding="utf-8"))}
    agencies = Agencies.from_mapping(shipped_agencies())
    return ReplyWriter(Catalogue.from_mapping(texts), agencies, stale_after=STALE_AFTER)


class ChatPeople(FakePeople):
    """Remembers what a store would of joined and blocked people."""

    def remember(self, address: Address, decision: Decision) -> None:
        super().remember(address, decision)
        wishes = [change.wish for change in decision.follows]
        if decision.links or wishes:
            person = self.persons.get(address) or Person(address=address)
            linked = (*person.linked, *(link.address for link in decision.links))
            blocked = FollowWish.BLOCKED in wishes or (person.blocked and person.stopped_at is not None)
            self.persons[address] = replace(person, linked=linked, blocked=blocked)


class FakePictures:
    """A picture holds what its test says; one without a text below it is waited for."""

    def __init__(self) -> None:
        self.holds: list[str] = []
        self.away = False
        self.looked_at: list[str] = []

    async def texts(self, message: InboundMessage) -> Sequence[str]:
        assert message.media is not None
        self.looked_at.append(message.media.reference)
        if self.away:
            raise PictureUnavailable("it did not come")
        return self.holds


class FakeLinks:
    """Keeps requests as a store does; time does not pass."""

    def __init__(self) -> None:
        self.requests: dict[Address, LinkRequest] = {}
        self.tried: dict[Address, int] = {}
        self.away = False

    async def ask(self, request: LinkRequest) -> None:
        if self.away:
            raise StoreUnavailable("away")
        self.requests[request.asker] = request
        self.tried[request.asker] = 0

    async def redeem(self, asker: Address, pin_seal: str, *, tries: int) -> tuple[PinResult, Link | None]:
        request = self.requests.get(asker)
        if request is None or self.tried[asker] >= tries:
            return PinResult.SPENT, None
        if request.pin_seal != pin_seal:
            self.tried[asker] += 1
            return PinResult.SPENT if self.tried[asker] == tries else PinResult.WRONG, None
        return PinResult.FOLLOWING, self.requests.pop(asker).link

    def pin(self, asker: Address = BOB) -> str:
        """As the owner of the number reads it."""
        found = re.match(r"(\d{6}) ", self.requests[asker].message.text)
        assert found is not None
        return found[1]


@dataclass
class Chat:
    """A conversation with a bot in it, in which what is decided is remembered."""

    guards: Guards = field(default_factory=lambda: guards(100))
    rules: PinRules = field(default_factory=PinRules)
    disclosure: DisclosureRules = field(default_factory=DisclosureRules)
    seeing: bool = True
    joins: bool = True
    people: Any = field(default_factory=ChatPeople)
    links: Any = field(default_factory=FakeLinks)

    def __post_init__(self) -> None:
        self.lookups, self.pictures = FakeLookUps(), FakePictures()
        self.lookups.known = {text: dossier(code(text)) for text in (CODE, OTHER)}
        self.now, self.writer, self.new_id = NOW, all_languages(), count(1).__next__
        post = PinPost(
            people=self.people,
            budgets=(budgets := MemoryBudgets(lambda: 0.0)),
            guards=self.guards,
            writer=self.writer,
            line=LINE,
            rules=self.rules,
            new_id=lambda: 7,
        )
        joining = JoinTalk(
            links=self.links,
            budgets=budgets,
            writer=self.writer,
            post=post,
            line=LINE,
            rules=self.rules,
            key=b"sixteen bytes or more of them",
        )
        self.conversation = Conversation(
            lookups=self.lookups,
            people=self.people,
            guards=self.guards,
            writer=self.writer,
            grammar=shipped_grammar(),
            clock=lambda: self.now,
            settings=ConversationSettings(),
            disclosure=Disclosure(self.disclosure, SEALER),
            offers=Offers(
                procedures=FakeCatalogue(),
                pictures=self.pictures if self.seeing else None,
                joining=joining if self.joins else None,
            ),
        )

    def message(self, text: str, sender: Address = BOB, **beside: object) -> InboundMessage:
        return InboundMessage(
            id=self.new_id(),
            channel=sender.scheme,
            account="main",
            sender=sender,
            recipient=Address(sender.scheme, "8100"),
            text=text,
            received_at=self.now,
            **beside,  # type: ignore[arg-type]
        )

    async def begun(self, message: InboundMessage) -> Decision | Pending:
        (decision,) = await self.conversation.begin([message], {"main": SMS if message.channel == "sms" else CHAT})
        return decision

    async def decided(self, message: InboundMessage) -> Decision:
        decision = await self.begun(message)
        return await decision.finish() if isinstance(decision, Pending) else decision

    async def say(self, text: str = "", sender: Address = BOB, **beside: object) -> Decision:
        decision = await self.decided(self.message(text, sender, **beside))
        self.people.remember(sender, decision)
        return decision

    async def told(self, text: str = "", sender: Address = BOB, **beside: object) -> str:
        return (await self.say(text, sender, **beside)).text or ""

    def joined(self) -> None:
        self.people.persons[BOB] = Person(address=BOB, linked=(PHONE,))


def pressed(decision: Decision) -> list[str]:
    """What the buttons say when they are pressed."""
    return [button.text for row in decision.buttons for button in row]


def labels(decision: Decision) -> list[str]:
    """What stands on the buttons."""
    return [button.label for row in decision.buttons for button in row]


# ---- buttons


@pytest.mark.parametrize("typed", [CODE, f"DK {CODE}", "HELP", "DUNG", "DK h512918 250701 0004", "TT ket hon", "EN"])
async def test_a_telephone_is_shown_no_buttons_and_told_the_same(typed: str) -> None:
    by_sms, by_chat = await Chat().say(typed, PHONE), await Chat().say(typed)
    assert by_sms.buttons == ()
    assert pressed(by_chat)
    assert "button" not in (by_sms.text or "")


async def test_a_dossier_that_is_not_there_has_nothing_to_press() -> None:
    assert pressed(await Chat().say(NOBODYS)) == []


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (DossierStatus.IN_PROCESS, [f"DK {CODE}", CODE]),
        (DossierStatus.DONE, [f"DK {CODE}", CODE]),
        (None, [f"DK {CODE}", CODE]),
        (DossierStatus.RETURNED, []),
        (DossierStatus.NOT_ACCEPTED, []),
    ],
)
async def test_an_open_dossier_can_be_followed_with_one_tap(
    status: DossierStatus | None, expected: Sequence[str]
) -> None:
    chat = Chat()
    chat.lookups.known[CODE] = dossier(code(CODE), status)
    assert pressed(await chat.say(CODE)) == expected


async def test_one_tap_follows_and_another_ends_it() -> None:
    chat = Chat()
    follow, _ = pressed(await chat.say(CODE))
    followed = await chat.say(follow)
    assert [change.wish for change in followed.follows] == [FollowWish.FOLLOW]
    end, listed = pressed(followed)
    assert CODE in await chat.told(listed)
    ended = await chat.say(end)
    assert [change.wish for change in ended.follows] == [FollowWish.UNFOLLOW]
    assert pressed(ended)[0] == f"DK {CODE}"


async def test_what_is_down_can_be_asked_again_with_one_tap() -> None:
    chat = Chat()
    chat.lookups.down = True
    assert pressed(await chat.say(CODE)) == [CODE]


async def test_below_two_dossiers_nobody_would_know_which_is_meant() -> None:
    assert pressed(await Chat().say(f"{CODE} {OTHER}")) == []
    assert pressed(await Chat().say(f"DK {CODE} {OTHER}")) == ["DS"]


async def test_a_question_back_is_answered_by_a_tap_and_an_old_one_as_if_it_were_typed() -> None:
    chat = Chat()
    asked = await chat.say("DK h512918 250701 0004")
    assert labels(asked) == ["1", "2"]
    question = chat.people.persons[BOB].pending
    assert question is not None
    typed = str(question.codes.index(OTHER) + 1)
    assert pressed(asked) == [f"DK {each}" for each in question.codes]
    assert [change.wish for change in (await chat.say(f"DK {OTHER}")).follows] == [FollowWish.FOLLOW]
    again = await chat.say(typed)
    assert (again.outcome, again.follows) == (Outcome.UNREADABLE, ())
    chat.people.persons[BOB] = Person(address=BOB, pending=replace(question, expires_at=NOW))
    assert "hết hạn" in await chat.told(typed)


async def test_a_tap_under_an_old_question_does_not_answer_the_latest() -> None:
    chat = Chat()
    chat.people.followings[BOB] = [Following(code=code(each), since=NOW) for each in (CODE, OTHER)]
    old = await chat.say("DK h512918 250701 0004")
    assert labels(await chat.say("HUY")) == ["1", "2"]
    assert FollowWish.UNFOLLOW not in [change.wish for change in (await chat.say(pressed(old)[0])).follows]


async def test_which_procedure_is_meant_is_answered_by_a_tap() -> None:
    chat = Chat()
    asked = await chat.say("TT ket hon")
    assert labels(asked) == ["1", "2"]
    assert "yếu tố nước ngoài" in await chat.told(pressed(asked)[1])


@pytest.mark.parametrize("typed", ["HELP", "alo"])
async def test_the_help_shows_every_language_the_list_and_how_to_join_a_number(typed: str) -> None:
    assert pressed(await Chat().say(typed)) == ["VI", "EN", "KM", "DS", "LK"]
    assert pressed(await Chat(joins=False).say(typed)) == ["VI", "EN", "KM", "DS"]


async def test_buttons_are_labelled_in_the_language_that_is_spoken_from_now_on() -> None:
    chat = Chat()
    chosen = await chat.say("EN")
    assert Button("My list", "DS") in chosen.buttons[1]
    assert (await chat.say(CODE)).buttons[0][0] == Button("Send me updates", f"DK {CODE}")


async def test_whoever_stopped_everything_resumes_with_one_tap() -> None:
    chat = Chat()
    (resume,) = pressed(await chat.say("DUNG"))
    assert (await chat.say(resume)).inquiry == "resume"


LEGACY = DossierCode(text="12345/2016/00123", family=CodeFamily.LEGACY, agency="H51.18")
CODELESS = (ListFollowed, Resume, JoinNumber)
MEANT: dict[Press, Follow | LookUp | Unfollow | ListFollowed | Resume | JoinNumber] = {
    Press.FOLLOW: Follow(codes=(LEGACY,)),
    Press.AGAIN: LookUp(codes=(LEGACY,)),
    Press.VIEW: LookUp(codes=(LEGACY,)),
    Press.UNFOLLOW: Unfollow(codes=(LEGACY,)),
    Press.LIST: ListFollowed(),
    Press.RESUME: Resume(),
    Press.JOIN: JoinNumber(),
}


@pytest.mark.parametrize("about", [LEGACY, code(CODE), code("000.00.18.H51-161220-0001")], ids=str)
@pytest.mark.parametrize("after", After)
def test_every_button_is_a_command_that_can_be_typed_and_means_this_dossier(after: After, about: DossierCode) -> None:
    legacy = Agencies.from_mapping(shipped_agencies()).legacy_patterns()
    rows = ButtonWriter(Catalogue.from_mapping(shipped_texts())).below(after, "vi", about)
    for row, presses in zip(rows[-len(PRESSES[after]) :], PRESSES[after], strict=True):
        for button, press in zip(row, presses, strict=True):
            read = read_inquiry(button.text, shipped_grammar(), today=NOW.date(), legacy=legacy)
            meant = MEANT[press]
            assert read == (meant if isinstance(meant, CODELESS) else replace(meant, codes=(about,)))
            assert len(button.text.encode()) <= 64  # what a chat gives back


def test_a_label_that_is_missing_is_told_at_start() -> None:
    texts = shipped_texts()
    for language in texts.values():
        language["button"]["dance"] = language["button"].pop("again")
    with pytest.raises(ValueError, match=r"button\.again is missing\ntexts: button\.dance is on no"):
        ButtonWriter(Catalogue.from_mapping(texts))


# ---- pictures


async def test_a_picture_without_a_code_is_told_how_to_take_one() -> None:
    decision = await Chat().say(media=PICTURE)
    assert (decision.outcome, decision.inquiry) == (Outcome.UNREADABLE, "picture")
    assert "mã QR" in (decision.text or "")


async def test_a_picture_that_cannot_be_looked_at_is_to_be_sent_again() -> None:
    chat = Chat()
    chat.pictures.away = True
    assert "gửi lại" in await chat.told(media=PICTURE)


async def test_where_pictures_are_not_read_it_is_said_so() -> None:
    assert await Chat(seeing=False).told(media=PICTURE) == await Chat().told(media=Media(MediaKind.OTHER))
    assert "đọc được tin chữ" in await Chat(seeing=False).told(media=PICTURE)


@pytest.mark.parametrize("holds", [[CODE], [f"https://example.vn/tra-cuu?ma={CODE}"], ["8934563138165", CODE]])
async def test_the_code_in_a_picture_is_looked_up_as_if_it_had_been_typed(holds: list[str]) -> None:
    chat = Chat()
    chat.pictures.holds = holds
    decision = await chat.say(media=PICTURE)
    assert (decision.outcome, decision.inquiry, decision.dossier_code) == (Outcome.FOUND, "look_up", CODE)
    assert pressed(decision) == [f"DK {CODE}", CODE]


@pytest.mark.parametrize("away", [True, False])
async def test_where_a_picture_tells_nothing_the_words_below_it_count(*, away: bool) -> None:
    chat = Chat()
    chat.pictures.away = away
    assert (await chat.say(f"hồ sơ {CODE}", media=PICTURE)).dossier_code == CODE


async def test_the_wish_below_a_picture_is_about_the_code_in_it() -> None:
    chat = Chat()
    chat.pictures.holds = [CODE]
    decision = await chat.say("theo dõi giúp em", media=PICTURE)
    assert [(change.wish, str(change.code)) for change in decision.follows] == [(FollowWish.FOLLOW, CODE)]


async def test_a_wish_below_a_picture_without_a_code_is_not_about_the_last_dossier() -> None:
    chat = Chat()
    chat.people.memory = replace(chat.people.memory, last_code=CODE)
    assert (await chat.say("DK", media=PICTURE)).follows == ()


async def test_an_opinion_with_a_picture_is_kept() -> None:
    decision = await Chat().say("GY phòng chờ thiếu ghế", media=PICTURE)
    assert decision.feedback is not None


async def test_a_code_in_a_picture_costs_like_a_typed_one_and_one_reply() -> None:
    limits = GuardSettings(replies=(Limit(4, 600.0),), misses=(Limit(2, 3600.0),))
    chat = Chat(guards=Guards(MemoryBudgets(lambda: 0.0), limits))
    chat.pictures.holds = [NOBODYS]
    missed = [(await chat.say(media=PICTURE)).outcome for _ in range(3)]
    assert missed == [Outcome.NOT_FOUND, Outcome.NOT_FOUND, Outcome.REFUSED]
    assert [(await chat.say("HELP")).outcome for _ in range(2)] == [None, Outcome.REFUSED]


async def test_a_picture_of_a_refused_sender_is_not_fetched() -> None:
    chat = Chat(guards=guards(1))
    await chat.say("HELP")
    assert [(await chat.say(media=PICTURE)).outcome for _ in range(2)] == [Outcome.REFUSED] * 2
    assert chat.pictures.looked_at == []


async def test_a_slow_system_behind_a_picture_is_told_as_down() -> None:
    chat = Chat()
    chat.pictures.holds, chat.lookups.slow = [CODE], {CODE}
    pending = await chat.begun(chat.message("", media=PICTURE))
    assert isinstance(pending, Pending)
    assert "Chưa xem được ảnh" in ((await pending.give_up()).text or "")
    await pending.finish()
    assert (await pending.give_up()).outcome is Outcome.SOURCE_DOWN


# ---- where others read along


@pytest.mark.parametrize("said", [CODE, f"DK {CODE}", "HELP", "DUNG", "EN", "DS", f"LK {TYPED}"])
async def test_nothing_of_a_dossier_is_told_where_others_read_along(said: str) -> None:
    chat = Chat()
    decision = await chat.say(said, public=True)
    assert "nhắn riêng" in (decision.text or "")
    assert decision == replace(decision, follows=(), person=None, links=(), buttons=(), dossier_code="", outcome=None)
    assert chat.lookups.asked == []


async def test_whoever_starts_us_in_a_group_is_told_to_write_privately() -> None:
    decision = await Chat().say(event=ChatEvent.STARTED, public=True)
    assert ("nhắn riêng" in (decision.text or ""), decision.buttons) == (True, ())


async def test_a_picture_in_a_group_is_not_looked_at() -> None:
    chat = Chat()
    assert "nhắn riêng" in await chat.told(media=PICTURE, public=True)
    assert chat.pictures.looked_at == []


async def test_a_group_has_the_budget_of_one_sender() -> None:
    chat = Chat(guards=guards(2))
    assert [bool(await chat.told("x", public=True)) for _ in range(4)] == [True, True, True, False]


# ---- coming and going


async def test_whoever_starts_is_told_how_it_works() -> None:
    decision = await Chat().say(event=ChatEvent.STARTED)
    assert decision.inquiry == "started"
    assert decision.text == await Chat().told("HELP")
    assert "DS" in pressed(decision)


async def test_who_blocks_is_told_nothing_and_it_is_marked_as_a_block_not_as_a_wish() -> None:
    chat = Chat()
    decision = await chat.say(event=ChatEvent.BLOCKED)
    assert (decision.text, decision.inquiry) == (None, "blocked")
    assert [(change.wish, change.words) for change in decision.follows] == [(FollowWish.BLOCKED, "blocked")]
    assert decision.person is not None
    assert decision.person.stopped_at == NOW  # when it was received: by that the store knows it
    assert decision.changes == frozenset({"stopped_at", "pending"})


async def test_a_block_is_honoured_in_silence_when_the_budget_is_spent() -> None:
    chat = Chat(guards=guards(1))
    await chat.say("HELP")
    decision = await chat.say(event=ChatEvent.BLOCKED)
    assert (decision.text, decision.muted) == (None, True)
    assert [change.wish for change in decision.follows] == [FollowWish.BLOCKED]


async def test_coming_back_resumes_what_the_block_ended() -> None:
    chat = Chat()
    await chat.say(event=ChatEvent.BLOCKED)
    back = await chat.say(event=ChatEvent.STARTED)
    assert [(change.wish, change.words) for change in back.follows] == [(FollowWish.RESUME, "started")]
    assert chat.people.persons[BOB].stopped_at is None
    assert "DUNG" in (back.text or "")


async def test_coming_back_does_not_undo_what_was_said() -> None:
    chat = Chat()
    await chat.say("DUNG")
    assert (await chat.say(event=ChatEvent.BLOCKED)).follows == ()
    assert (await chat.say(event=ChatEvent.STARTED)).follows == ()
    assert chat.people.persons[BOB].stopped_at == NOW


async def test_a_group_that_puts_us_out_stops_nobody() -> None:
    decision = await Chat().say(event=ChatEvent.BLOCKED, public=True)
    assert (decision.text, decision.person, decision.follows) == (None, None, ())


# ---- language


@pytest.mark.parametrize(("hint", "word"), [("en", "Look up"), ("km", "ស្វែងរក"), ("fr", "Tra cứu"), ("", "Tra cứu")])
async def test_who_chose_no_language_is_answered_in_that_of_the_application(hint: str, word: str) -> None:
    assert word in await Chat().told("HELP", language=hint)


async def test_who_follows_is_told_later_in_the_language_they_were_answered_in() -> None:
    chat = Chat()
    await chat.say(f"DK {CODE}", language="en")
    assert chat.people.persons[BOB].language == "en"
    await chat.say("VI")
    await chat.say(f"DK {OTHER}", language="en")
    assert chat.people.persons[BOB].language == "vi"


@pytest.mark.parametrize("hint", ["", "fr"])
async def test_who_follows_without_a_language_of_ours_chose_none(hint: str) -> None:
    chat = Chat()
    await chat.say(f"DK {CODE}", language=hint)
    assert chat.people.persons[BOB].language is None


async def test_a_chosen_language_counts_more_than_the_application() -> None:
    chat = Chat()
    await chat.say("VI", language="en")
    assert "Tra cứu" in await chat.told("HELP", language="en")


# ---- joining a number


@pytest.mark.parametrize("typed", ["LK", "LK 0912 345", "liên kết 8100", "LK 02993 821 888", "LK +1 202 555 0143"])
async def test_a_code_is_sent_to_mobile_numbers_of_this_country_only(typed: str) -> None:
    chat = Chat()
    assert "LK 0912 345 678" in await chat.told(typed)
    assert chat.links.requests == {}


async def test_a_number_is_not_joined_before_its_code_comes_back() -> None:
    chat = Chat()
    decision = await chat.say(f"LK {TYPED}")
    assert decision.links == ()
    assert "6 chữ số" in (decision.text or "")
    assert chat.links.pin() not in (decision.text or "")
    request = chat.links.requests[BOB]
    assert (request.message.recipient, request.link.address) == (PHONE, PHONE)
    assert "Telegram" in request.message.text
    assert segments_needed(request.message.text)[1] == 1


async def test_the_code_that_comes_back_joins_the_number_with_the_words_that_asked_for_it() -> None:
    chat = Chat()
    await chat.say(f"nối số {TYPED}")
    pin = chat.links.pin()
    decision = await chat.say(f"{pin[:3]} {pin[3:]}")
    line = {"channel": "sms", "account": "main", "sender": Address("sms", "8100")}
    assert decision.links == (Link(address=PHONE, words=f"nối số {TYPED}", **line),)  # type: ignore[arg-type]
    assert "Đã nối" in (decision.text or "")
    assert chat.people.persons[BOB].pending is None


async def test_a_wrong_code_joins_nothing_and_may_be_typed_again_so_many_times() -> None:
    chat = Chat(rules=PinRules(tries=3))
    await chat.say(f"LK {TYPED}")
    wrong = f"{(int(chat.links.pin()) + 1) % 1_000_000:06d}"
    said = [await chat.say(wrong) for _ in range(3)]
    assert [decision.links for decision in said] == [(), (), ()]
    assert ["chưa khớp" in (decision.text or "") for decision in said] == [True, True, False]
    assert "gửi LK" in (said[2].text or "")
    assert chat.people.persons[BOB].pending is None


async def test_while_a_code_is_on_its_way_something_else_may_be_asked() -> None:
    chat = Chat()
    await chat.say(f"LK {TYPED}")
    assert (await chat.say(CODE)).outcome is Outcome.FOUND
    assert (await chat.say("1")).outcome is Outcome.UNREADABLE
    await chat.say("EN")
    assert (await chat.say(chat.links.pin())).links != ()


async def test_while_a_code_is_on_its_way_everything_can_be_stopped() -> None:
    chat = Chat()
    await chat.say(f"LK {TYPED}")
    assert [change.wish for change in (await chat.say("dung")).follows] == [FollowWish.STOP_ALL]


async def test_six_digits_that_nobody_asked_for_are_no_code_of_ours() -> None:
    assert (await Chat().say("123456")).inquiry == "unreadable"


async def test_a_code_that_was_asked_for_in_another_chat_joins_nothing_here() -> None:
    chat, stranger = Chat(), Address("telegram", "666")
    await chat.say(f"LK {TYPED}")
    pin = chat.links.pin()
    await chat.say("LK 0987 654 321", stranger)
    while chat.links.pin(stranger) == pin:
        await chat.say("LK 0987 654 321", stranger)
    assert (await chat.say(pin, stranger)).links == ()


async def test_a_contact_that_the_chat_vouches_for_is_joined_at_once() -> None:
    chat = Chat()
    decision = await chat.say(phone="+84912345678")
    assert [(link.address, link.words) for link in decision.links] == [(PHONE, "shared contact")]
    assert chat.links.requests == {}


async def test_whoever_asks_for_too_many_codes_gets_no_more() -> None:
    chat = Chat(rules=PinRules(per_address=2))
    for number in ("0912 345 671", "0912 345 672", "0912 345 673"):
        await chat.say(f"LK {number}")
    assert chat.links.requests[BOB].link.address.value == "84912345672"


async def test_a_number_whose_day_of_codes_is_spent_looks_like_any_other_from_the_chat() -> None:
    chat = Chat(rules=PinRules(per_number=1))
    first, second = await chat.told(f"LK {TYPED}", ANN_CHAT), await chat.told(f"LK {TYPED}")
    assert first == second
    assert chat.links.requests[ANN_CHAT].message.expires_at > NOW > chat.links.requests[BOB].message.expires_at


async def test_a_number_that_wants_no_messages_is_sent_no_code() -> None:
    chat = Chat()
    await chat.say("DUNG", PHONE)
    await chat.say(f"LK {TYPED}")
    assert chat.links.requests[BOB].message.expires_at < NOW


async def test_a_code_that_was_not_sent_cannot_be_guessed() -> None:
    chat = Chat()
    await chat.say("DUNG", PHONE)
    await chat.say(f"LK {TYPED}")
    assert (await chat.say(chat.links.pin())).links == ()


async def test_what_the_store_did_not_take_was_not_spent() -> None:
    chat = Chat(rules=PinRules(per_address=1))
    chat.links.away = True
    with pytest.raises(StoreUnavailable):
        await chat.say(f"LK {TYPED}")
    chat.links.away = False
    assert "6 chữ số" in await chat.told(f"LK {TYPED}")


async def test_no_more_than_a_few_numbers_are_joined() -> None:
    chat = Chat()
    linked = tuple(Address("sms", f"8491234567{number}") for number in range(MOST))
    chat.people.persons[BOB] = Person(address=BOB, linked=linked)
    assert "3 số" in await chat.told(f"LK {TYPED}")
    assert (await chat.say(phone=TYPED)).links == ()


async def test_a_number_that_is_joined_already_is_sent_no_code() -> None:
    chat = Chat()
    chat.joined()
    assert "Đã nối" in await chat.told(f"LK {TYPED}")
    assert chat.links.requests == {}


async def test_from_a_telephone_it_is_explained_where_numbers_are_joined() -> None:
    chat = Chat()
    assert "Telegram hoac Zalo" in await chat.told(f"LK {TYPED}", PHONE)
    assert chat.links.requests == {}


async def test_where_no_code_can_be_sent_nobody_is_promised_one() -> None:
    assert "6 chữ số" not in await Chat(joins=False).told(f"LK {TYPED}")


# ---- what a joined number opens


def owned(chat: Chat) -> None:
    proofs = SEALER.seals_of(code(CODE), numbers=["0912345678"])
    chat.lookups.known[CODE] = replace(dossier(code(CODE)), procedure_name="Cấp sổ đỏ", proofs=proofs)


async def test_a_chat_is_told_no_more_than_the_code_opens_until_the_number_is_joined() -> None:
    chat = Chat()
    owned(chat)
    assert "Cấp sổ đỏ" not in await chat.told(CODE)
    chat.joined()
    assert "Cấp sổ đỏ" in await chat.told(CODE)


async def test_what_a_joined_number_opens_is_never_told_to_the_next_who_asks() -> None:
    chat = Chat()
    owned(chat)
    chat.joined()
    assert "Cấp sổ đỏ" in await chat.told(CODE)
    assert "Cấp sổ đỏ" not in await chat.told(CODE, ANN_CHAT)


@pytest.mark.parametrize("typed", [f"DK {CODE}", "DK"])
@pytest.mark.parametrize("joined", [True, False])
async def test_who_follows_with_the_number_on_the_dossier_is_told_more_later(typed: str, *, joined: bool) -> None:
    chat = Chat(disclosure=DisclosureRules())
    owned(chat)
    chat.people.memory = replace(chat.people.memory, last_code=CODE)
    if joined:
        chat.joined()
    assert [change.proved for change in (await chat.say(typed)).follows] == [joined]


async def test_where_a_proof_is_required_a_joined_number_is_one() -> None:
    chat = Chat(disclosure=DisclosureRules(proof_required=True))
    owned(chat)
    assert (await chat.say(CODE)).outcome is Outcome.NOT_FOUND
    chat.joined()
    assert (await chat.say(CODE)).outcome is Outcome.FOUND


async def test_a_joined_chat_is_no_number() -> None:
    chat = Chat()
    owned(chat)
    chat.people.persons[BOB] = Person(address=BOB, linked=(Address("zalo", "84912345678"),))
    assert "Cấp sổ đỏ" not in await chat.told(CODE)


ANN_CHAT = Address("zalo", "1.77")


# ---- and parting from it


async def test_whoever_joined_a_number_parts_from_it_with_one_message() -> None:
    chat = Chat()
    chat.joined()
    decision = await chat.say("HUY LK")
    assert decision.partings == (Parting(words="HUY LK"),)
    assert "không còn nối" in (decision.text or "")


async def test_of_several_numbers_the_one_that_was_typed_is_parted_from() -> None:
    chat = Chat()
    other = Address("sms", "84987654321")
    chat.people.persons[BOB] = Person(address=BOB, linked=(other, PHONE))
    assert [each.address for each in (await chat.say(f"huy liên kết {TYPED}")).partings] == [PHONE]
    assert (await chat.say("huy liên kết 0911 111 111")).partings == ()


async def test_whoever_holds_the_number_now_ends_what_others_joined_to_it() -> None:
    assert (await Chat().say("HUY LK", PHONE)).partings == (Parting(words="HUY LK"),)


async def test_parting_is_honoured_in_silence_when_the_budget_is_spent() -> None:
    chat = Chat(guards=guards(1))
    await chat.say("HELP")
    await chat.say("HELP")
    decision = await chat.say("HUY LK")
    assert (decision.text, decision.partings) == (None, (Parting(words="HUY LK"),))
