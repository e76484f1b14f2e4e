"""Following by message: what is changed, what is said of it, and that nobody learns more by it than by asking."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from adapters.memory.budgets import MemoryBudgets
from conversation.answer import Conversation, ConversationSettings, Pending, Shape
from conversation.guards import Guards, GuardSettings
from conversation.ports import Decision, FollowChange, Following, FollowWish, Limit, Recollection
from domain.answers import Outcome
from domain.codes import DossierCode, parse_canonical
from domain.dossier import DossierStatus
from domain.gsm import segments_needed
from domain.message import Address, Capabilities, InboundMessage
from domain.notices import Known
from domain.proof import Sealer
from lookup.disclosure import Disclosure, DisclosureRules
from tests.unit.speaking import NOW, shipped_grammar, shipped_writer
from tests.unit.test_conversation import CODE, MOTHER, OTHER, Talk, dossier, guards

THIRD = "H51.18-250701-0006"
NOBODYS = "H51.18-250701-4321"
SEALER = Sealer(b"only for the tests of following")


def code(text: str) -> DossierCode:
    found = parse_canonical(text)
    assert found is not None
    return found


def message(text: str, sender: Address = MOTHER) -> InboundMessage:
    return InboundMessage(
        id=1,
        channel="sms",
        account="main",
        sender=sender,
        recipient=Address("sms", "8100"),
        text=text,
        received_at=NOW,
    )


async def pending(talk: Talk, text: str) -> Pending:
    shapes = {"main": Shape(Capabilities(accents=False), lambda said: segments_needed(said)[1] <= 2)}
    (decision,) = await talk.conversation.begin([message(text)], shapes)
    assert isinstance(decision, Pending)
    return decision


def follows(talk: Talk, *codes: str) -> None:
    talk.people.followings[MOTHER] = [Following(code=code(each), since=NOW) for each in codes]


def followed(talk: Talk) -> list[str]:
    return [each.code.text for each in talk.people.followings.get(MOTHER, [])]


def wishes(decision: Decision) -> list[tuple[FollowWish, str]]:
    return [(change.wish, change.code.text if change.code else "") for change in decision.follows]


# ---- follow


async def test_nobody_follows_what_is_not_there() -> None:
    talk = Talk()
    decision = await talk.say(f"DK {NOBODYS}")
    assert (decision.outcome, decision.follows) == (Outcome.NOT_FOUND, ())
    assert decision.text == await talk.told(NOBODYS)


async def test_a_wish_to_follow_is_kept_with_its_words_and_what_was_shown() -> None:
    talk = Talk()
    talk.lookups.known[CODE] = replace(dossier(code(CODE)), due_on=date(2026, 11, 30))
    decision = await talk.say(f"  Đăng ký {CODE}\n giúp em")
    assert decision.follows == (
        FollowChange(
            wish=FollowWish.FOLLOW,
            words=f"Đăng ký {CODE}  giúp em",
            code=code(CODE),
            source="hoso",
            known="4|2026-11-30|",
        ),
    )
    assert (decision.inquiry, decision.outcome, decision.dossier_code) == ("follow", Outcome.FOUND, CODE)
    assert CODE in (decision.text or "")
    assert "nay dang xu ly" in (decision.text or "")
    assert "HUY" in (decision.text or "")


async def test_the_words_of_consent_are_safe_and_short() -> None:
    decision = await Talk().say(f"DK {CODE}\u202e\x07" + " giup em" * 40)
    assert len(decision.follows[0].words) <= 160
    assert decision.follows[0].words.isprintable()


async def test_what_only_a_proof_opens_counts_in_what_is_known_and_is_not_said() -> None:
    talk = Talk()
    wanting = replace(
        dossier(code(CODE), DossierStatus.MORE_DOCUMENTS), missing="Bản gốc giấy chứng nhận", proofs=frozenset()
    )
    talk.lookups.known[CODE] = wanting
    decision = await talk.say(f"DK {CODE}")
    assert decision.follows[0].known == Known.of(wanting).text
    assert Known.read(decision.follows[0].known).asked
    assert "giay chung nhan" not in (decision.text or "")


async def test_two_are_followed_at_once_and_a_third_is_asked_for() -> None:
    talk = Talk()
    decision = await talk.say(f"DK {CODE} {OTHER} {THIRD}")
    assert wishes(decision) == [(FollowWish.FOLLOW, CODE), (FollowWish.FOLLOW, OTHER)]
    assert OTHER in (decision.text or "")
    assert "gui rieng" in (decision.text or "")
    assert segments_needed(decision.text or "")[1] <= 2


async def test_of_two_one_that_is_not_there_is_told_and_the_other_followed() -> None:
    decision = await Talk().say(f"DK {NOBODYS} {CODE}")
    assert wishes(decision) == [(FollowWish.FOLLOW, CODE)]
    assert "Chua co thong tin" in (decision.text or "")


async def test_without_a_code_the_last_one_asked_about_is_followed() -> None:
    talk = Talk()
    talk.people.memory = Recollection(last_code=CODE)
    assert wishes(await talk.say("DK")) == [(FollowWish.FOLLOW, CODE)]


async def test_without_a_code_and_nothing_asked_before_it_is_said_how() -> None:
    decision = await Talk().say("DK")
    assert decision.follows == ()
    assert "DK H51.18-250701-0000" in (decision.text or "")


async def test_to_follow_again_is_confirmed_again() -> None:
    talk = Talk()
    first, again = await talk.say(f"DK {CODE}"), await talk.say(f"DK {CODE}")
    assert first == again
    assert followed(talk) == [CODE]


async def test_one_more_than_the_limit_is_not_followed_and_it_is_said_how_to_make_room() -> None:
    talk = Talk()
    follows(talk, *(f"H51.18-250702-{serial:04d}" for serial in range(1, 11)))
    decision = await talk.say(f"DK {CODE}")
    assert decision.follows == ()
    assert all(word in (decision.text or "") for word in (CODE, "10 ho so", "DS", "HUY"))
    assert wishes(await talk.say("DK H51.18-250702-0003")) == []  # nobody knows that one
    await talk.say("HUY H51.18-250702-0003")
    assert wishes(await talk.say(f"DK {CODE} {OTHER}")) == [(FollowWish.FOLLOW, CODE)]


@pytest.mark.parametrize("status", [DossierStatus.RETURNED, DossierStatus.NOT_ACCEPTED])
async def test_what_is_over_is_said_to_be_and_not_followed(status: DossierStatus) -> None:
    talk = Talk()
    talk.lookups.known[CODE] = dossier(code(CODE), status)
    decision = await talk.say(f"DK {CODE}")
    assert decision.follows == ()
    assert "khong con gi de bao tin" in (decision.text or "")


@pytest.mark.parametrize("status", [DossierStatus.DONE, DossierStatus.STOPPED, None])
async def test_what_may_still_change_is_followed(status: DossierStatus | None) -> None:
    talk = Talk()
    talk.lookups.known[CODE] = dossier(code(CODE), status)
    assert wishes(await talk.say(f"DK {CODE}")) == [(FollowWish.FOLLOW, CODE)]


async def test_an_outage_without_a_last_answer_follows_nothing_and_says_try_later() -> None:
    talk = Talk()
    talk.lookups.down = True
    decision = await talk.say(f"DK {CODE}")
    assert (decision.outcome, decision.follows) == (Outcome.SOURCE_DOWN, ())
    assert "gian doan" in (decision.text or "")


async def test_a_source_that_is_too_slow_is_followed_on_its_last_known_answer() -> None:
    talk = Talk()
    waiting = await pending(talk, f"DK {CODE}")
    await waiting.finish()  # the followings were read, the system did not answer
    given_up = await waiting.give_up()
    assert given_up.outcome is Outcome.SOURCE_DOWN
    assert [change.known for change in given_up.follows] == ["4||"]
    assert "luc 14:30" in (given_up.text or "")


async def test_a_store_that_is_away_is_not_asked_again_when_it_is_given_up() -> None:
    given_up = await (await pending(Talk(), f"DK {CODE}")).give_up()
    assert given_up.follows == ()
    assert "gui lai" in (given_up.text or "")


async def test_whoever_stopped_everything_and_follows_is_told_again_and_told_so() -> None:
    talk = Talk()
    await talk.say("DUNG")
    decision = await talk.say(f"DK {CODE}")
    assert wishes(decision) == [(FollowWish.RESUME, ""), (FollowWish.FOLLOW, CODE)]
    assert talk.people.persons[MOTHER].stopped_at is None
    assert decision.changes == frozenset({"stopped_at", "pending"})
    assert "nhan lai" in (decision.text or "")


async def test_a_wish_that_follows_nothing_resumes_nothing() -> None:
    talk = Talk()
    await talk.say("DUNG")
    await talk.say(f"DK {NOBODYS}")
    assert talk.people.persons[MOTHER].stopped_at == NOW


async def test_a_choice_asked_back_is_followed_when_it_is_chosen() -> None:
    talk = Talk()
    asked = await talk.say("DK h512918 250701 0004")
    assert asked.inquiry == "ask_back"
    question = talk.people.persons[MOTHER].pending
    assert question is not None
    chosen = await talk.say(str(question.codes.index(OTHER) + 1))
    assert wishes(chosen) == [(FollowWish.FOLLOW, OTHER)]
    assert talk.people.persons[MOTHER].pending is None


# ---- nobody learns more by following than by asking


async def test_a_wish_to_follow_costs_a_miss_like_a_look_up() -> None:
    talk = Talk(guards=Guards(MemoryBudgets(lambda: 0.0), GuardSettings(misses=(Limit(2, 3600.0),))))
    for serial in ("4001", "4002"):
        await talk.say(f"DK H51.18-250701-{serial}")
    assert (await talk.say(f"DK {CODE}")).outcome is Outcome.REFUSED


async def test_without_a_code_the_guards_are_asked_all_the_same() -> None:
    talk = Talk(guards=Guards(MemoryBudgets(lambda: 0.0), GuardSettings(codes=(Limit(1, 3600.0),))))
    await talk.say(CODE)
    talk.people.memory = Recollection(last_code=OTHER)
    refused = [await talk.say("DK") for _ in range(2)]
    assert [each.outcome for each in refused] == [Outcome.REFUSED] * 2
    assert [each.follows for each in refused] == [(), ()]
    assert [each.text is None for each in refused] == [False, True]


async def test_a_refused_wish_costs_no_look_up() -> None:
    talk = Talk(guards=guards(1))
    talk.lookups.slow = {CODE}
    await talk.say("HELP")
    assert (await talk.say(f"DK {CODE}")).follows == ()
    assert talk.lookups.asked == []


@pytest.mark.parametrize(("sender", "proved"), [("84912008351", True), ("84912345678", False)])
async def test_whoever_writes_from_the_number_on_the_dossier_is_told_more_later(sender: str, *, proved: bool) -> None:
    decision = await ask_proving(DisclosureRules(), sender)
    assert [change.proved for change in decision.follows] == [proved]


async def test_where_a_proof_is_required_a_stranger_follows_nothing() -> None:
    rules = DisclosureRules(proof_required=True)
    assert (await ask_proving(rules, "84912345678")).outcome is Outcome.NOT_FOUND
    assert wishes(await ask_proving(rules, "84912008351")) == [(FollowWish.FOLLOW, CODE)]


async def ask_proving(rules: DisclosureRules, sender: str) -> Decision:
    talk = Talk()
    owned = replace(dossier(code(CODE)), proofs=SEALER.seals_of(code(CODE), numbers=["0912008351"]))
    talk.lookups.known[CODE] = owned
    talk.conversation = Conversation(
        lookups=talk.lookups,
        people=talk.people,
        guards=talk.guards,
        writer=shipped_writer(),
        grammar=shipped_grammar(),
        clock=lambda: NOW,
        settings=ConversationSettings(),
        disclosure=Disclosure(rules, SEALER),
    )
    return await talk.say(f"DK {CODE}", Address("sms", sender))


# ---- follow no more


async def test_to_end_what_is_followed_is_said_and_needs_no_source() -> None:
    talk = Talk()
    follows(talk, CODE, OTHER)
    talk.lookups.down = True
    decision = await talk.say(f"HUY {CODE}")
    assert wishes(decision) == [(FollowWish.UNFOLLOW, CODE)]
    assert f"Da ngung bao tin ho so {CODE}" in (decision.text or "")
    assert (followed(talk), talk.lookups.asked) == ([OTHER], [])


@pytest.mark.parametrize("known", [CODE, NOBODYS])
async def test_to_end_what_is_not_followed_says_nothing_about_dossiers(known: str) -> None:
    talk = Talk()
    follows(talk, OTHER)
    told = await talk.told(f"HUY {known}")
    assert told.replace(known, "") == (await talk.told(f"HUY {THIRD}")).replace(THIRD, "")
    assert "khong nhan tin" in told


async def test_without_a_code_the_only_one_is_ended() -> None:
    talk = Talk()
    follows(talk, CODE)
    assert wishes(await talk.say("HUY")) == [(FollowWish.UNFOLLOW, CODE)]


@pytest.mark.parametrize("typed", ["1", "2"])
async def test_without_a_code_which_one_is_asked_and_the_choice_is_ended(typed: str) -> None:
    talk = Talk()
    follows(talk, CODE, OTHER)
    asked = await talk.say("huy theo doi")
    assert "Ngung tin ho so nao?" in (asked.text or "")
    assert asked.follows == ()
    assert await talk.told("dung") == await talk.told("3") == asked.text
    chosen = [CODE, OTHER][int(typed) - 1]
    assert wishes(await talk.say(typed)) == [(FollowWish.UNFOLLOW, chosen)]
    assert CODE not in followed(talk) or OTHER not in followed(talk)


async def test_without_a_code_and_many_followed_it_is_said_how() -> None:
    talk = Talk()
    follows(talk, *(f"H51.18-250702-{serial:04d}" for serial in range(1, 8)))
    decision = await talk.say("HUY")
    assert decision.follows == ()
    assert "7 ho so" in (decision.text or "")


async def test_several_named_are_all_ended() -> None:
    talk = Talk()
    follows(talk, CODE, OTHER, THIRD)
    decision = await talk.say(f"HUY {CODE} {OTHER} {THIRD}")
    assert len(decision.follows) == 3
    assert "3 ho so" in (decision.text or "")
    assert followed(talk) == []


async def test_a_wish_to_end_is_honoured_while_the_store_cannot_be_read() -> None:
    given_up = await (await pending(Talk(), f"HUY {CODE}")).give_up()
    assert wishes(given_up) == [(FollowWish.UNFOLLOW, CODE)]
    assert "gui lai" in ((await (await pending(Talk(), "HUY")).give_up()).text or "")


async def test_a_wish_to_end_is_honoured_even_when_we_may_not_say_so() -> None:
    talk = Talk(guards=guards(1))
    follows(talk, CODE)
    await talk.say("HELP")
    for _ in range(2):
        assert wishes(await talk.say(f"HUY {CODE}")) == [(FollowWish.UNFOLLOW, CODE)]
    assert followed(talk) == []
    assert wishes(await talk.say("DUNG")) == [(FollowWish.STOP_ALL, "")]


# ---- which ones


async def test_nothing_followed_is_said() -> None:
    assert "khong nhan tin bao ho so nao" in await Talk().told("DS")


async def test_the_list_names_what_is_followed_the_latest_first() -> None:
    talk = Talk()
    follows(talk, OTHER, CODE)
    told = await talk.told("DS")
    assert told.index(OTHER) < told.index(CODE)
    assert talk.lookups.asked == []


@pytest.mark.parametrize("count", [9, 10, 200])
async def test_of_more_than_fit_the_rest_is_counted(count: int) -> None:
    talk = Talk()
    follows(talk, *(f"000.00.18.H51-161220-{serial:05d}" for serial in range(1, count + 1)))
    told = await talk.told("DS")
    named = told.count("000.00.18.H51-161220-")
    assert segments_needed(told)[1] <= 2
    assert named >= 7
    assert f"{count - named} ho so khac" in told


async def test_whoever_stopped_everything_is_told_so_with_the_list() -> None:
    talk = Talk()
    follows(talk, CODE)
    await talk.say("DUNG")
    told = await talk.told("DS")
    assert CODE in told
    assert "nhan lai: BAT" in told


async def test_a_list_that_cannot_be_read_is_not_said_to_be_empty() -> None:
    assert "gui lai" in ((await (await pending(Talk(), "DS")).give_up()).text or "")


# ---- none at all, all again


@pytest.mark.parametrize(("typed", "wish"), [("DUNG", FollowWish.STOP_ALL), ("bật lại", FollowWish.RESUME)])
async def test_stopping_and_coming_back_are_kept_with_their_words(typed: str, wish: FollowWish) -> None:
    decision = await Talk().say(typed)
    assert decision.follows == (FollowChange(wish=wish, words=typed),)


async def test_dung_that_may_mean_right_stops_nothing() -> None:
    talk = Talk()
    await talk.say("h512918 250701 0004")
    assert (await talk.say("dung")).follows == ()
