"""What is held about a number is handed out whole, and forgotten but for what the law wants kept."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from adapters.store.person_data import StorePersonData
from conversation.ports import Decision, Exchange, FeedbackNote, FollowChange, FollowWish, JournalBatch, Link, Person
from domain.errors import StoreUnavailable
from domain.intake import IntakeDossier
from domain.intake_moves import IntakeAction, IntakeDoing, moved
from domain.message import Address, DeliveryReport, DeliveryStatus, Media, MediaKind, SendStatus
from tests.contract.intaking import PERSON, draft, file, registered, step
from tests.contract.stores import ACCOUNT, CODE, SENDER, SHORT_CODE, START, SqliteKit, Store, StoreKit, segments, sent

STRANGER = Address("sms", "84900000000")
NUMBER = SENDER.value
TABLES = (
    "person",
    "report",
    "subscription",
    "consent",
    "inbox",
    "outbox",
    "feedback",
    "follow_pin",
    "link_pin",
    "next_address",
    "broadcast_row",
    "sms_part",
)


@pytest.fixture
def data(store_kit: StoreKit, store: Store) -> StorePersonData:
    """Beside an open store."""
    return StorePersonData(store_kit.outside())


async def lived(kit: StoreKit, store: Store, address: Address, number: int) -> None:
    """Somebody asked, chose, followed, said something, and is told by another address as well."""
    follows = [FollowChange(wish=FollowWish.FOLLOW, words="DK", code=CODE, source="province")]
    person = Person(address=address, language="en")
    note = FeedbackNote(number=number, text="rat tot")
    message = kit.message(f"GY {number}", sender=address, phone=address.value, media=Media(MediaKind.PICTURE, "face"))
    exchange = kit.decided(message, person=person, follows=follows, feedback=note, handed_over=True)
    await store.commit(JournalBatch(exchanges=[exchange]))
    assert exchange.reply is not None
    await store.commit(
        JournalBatch(results=[sent(exchange.reply, SendStatus.ACCEPTED, segments=segments(f"e{number}"))])
    )
    fallen_back = {"recipient": f"telegram:{number}", "params": json.dumps({"kind": "ready", "for": address.urn})}
    notices = [kit.notice(recipient=address.urn), kit.notice(state="accepted", **fallen_back)]
    await kit.put("outbox", *notices)
    place = {"place": 1, "channel": "telegram", "account": "bot", "sender": "telegram:1", "agreed_at": 1}
    await kit.put("next_address", {"recipient": address.urn, "address": f"telegram:{number}", **place})
    pin = {"token": f"t{number}", "recipient": address.urn, "dossier_code": CODE.reference, "source": "province"}
    of_us = {"channel": "sms", "account": ACCOUNT, "sender": SHORT_CODE.urn, "known": "", "words": "web"}
    await kit.put("follow_pin", {**pin, **of_us, "proved": False, "pin_seal": "seal", "tries": 0, "expires_at": 1})
    listed = {"upload": 1, "broadcast_id": 1, "recipient": address.urn, "cells": json.dumps({"ten": address.value})}
    await kit.put("broadcast_row", {**listed, "position": number})
    await kit.put("sms_part", a_part(kit, address, done_at=2))
    early = DeliveryReport(
        channel="sms",
        account=ACCOUNT,
        external_id=f"early{number}",
        status=DeliveryStatus.DELIVERED,
        received_at=kit.clock.now,
        recipient=SHORT_CODE,
        sender=address,  # swapped
    )
    await store.commit(JournalBatch(reports=[early]))
    asked = {"asker": address.urn, "address": f"zalo:{number}", "words": "LK", "pin_seal": "seal", "tries": 0}
    await kit.put("link_pin", {**asked, "channel": "zalo", "account": "oa", "sender": "zalo:9", "expires_at": 1})


def a_part(kit: StoreKit, address: Address, **changes: Any) -> dict[str, Any]:
    """A row of sms_part that holds their number in its text as well."""
    row = {"set_id": kit.new_id(), "number": 1, "account": ACCOUNT, "sender": address.urn, "recipient": SHORT_CODE.urn}
    told = {"reference": 7, "width": 8, "total": 2, "esm_class": 64, "data_coding": 0, "header": "", "session": "s"}
    return {**row, **told, "body": address.value.encode().hex(), "received_at": 1, "done_at": None, **changes}


async def everything(kit: StoreKit) -> str:
    return json.dumps({table: await kit.rows(table) for table in TABLES}, default=str)


async def test_a_store_that_is_away_says_so_and_forgets_nothing(
    store_kit: StoreKit, store: Store, data: StorePersonData
) -> None:
    await lived(store_kit, store, SENDER, 1)
    if isinstance(store_kit, SqliteKit):
        return  # it would wait ten seconds for its turn at the file
    before = await everything(store_kit)
    with store_kit.locked(), pytest.raises(StoreUnavailable):
        await data.erase(SENDER, START)
    assert await everything(store_kit) == before


async def test_all_that_is_held_is_handed_out_and_nothing_of_anybody_else(
    store_kit: StoreKit, store: Store, data: StorePersonData
) -> None:
    await lived(store_kit, store, SENDER, 1)
    await lived(store_kit, store, STRANGER, 2)
    told: dict[str, Any] = json.loads(json.dumps(await data.export(SENDER)))
    assert told["address"] == SENDER.urn
    assert told["person"]["language"] == "en"
    by_person = ("subscriptions", "consents", "inbox", "outbox", "feedback", "next_address")
    names = (*by_person, "follow_pin", "link_pin", "broadcast_rows", "sms_parts", "reports")
    assert {name: len(told[name]) for name in names} == dict.fromkeys(names, 1) | {"outbox": 3}
    assert [row["submissions"][0]["external_id"] for row in told["outbox"] if row["submissions"]] == ["e1"]
    assert told["subscriptions"][0]["followed_at"] == START.isoformat()
    assert "seal" not in json.dumps(told)
    assert STRANGER.value not in json.dumps(told)


async def test_of_a_stranger_nothing_is_held(data: StorePersonData) -> None:
    told = await data.export(STRANGER)
    assert told.pop("address") == STRANGER.urn
    assert told.pop("exported_at")
    assert not any(told.values())


async def test_who_is_erased_is_nowhere_and_others_stay(
    store_kit: StoreKit, store: Store, data: StorePersonData
) -> None:
    await lived(store_kit, store, SENDER, 1)
    await lived(store_kit, store, STRANGER, 2)
    counts = await data.erase(SENDER, START)
    assert counts == {
        "person": 1,
        "subscriptions": 1,
        "broadcast_rows": 1,
        "sms_parts": 1,
        "reports": 1,
        "follow_pin": 1,
        "link_pin": 1,
        "next_address": 1,
        "consents": 1,
        "feedback": 1,
        "inbox": 1,
        "outbox": 3,
        "intake_drafts": 0,
        "intake_consents": 0,
        "intake_kept": 0,
        "left": 0,
    }
    kept = await everything(store_kit)
    assert NUMBER not in kept
    assert 'telegram:1"' not in kept.replace('"sender": "telegram:1"', "")
    assert STRANGER.value in kept
    consents = [(row["recipient"], row["action"], row["words"]) for row in await store_kit.rows("consent")]
    assert consents == [("erased", "follow", ""), (STRANGER.urn, "follow", "DK"), ("erased", "erased", "")]
    other = Person(address=STRANGER, language="en", linked=(Address("telegram", "2"),))
    assert await store.get([SENDER, STRANGER]) == {STRANGER: other}


async def test_parts_of_a_message_that_is_still_coming_are_told_to_be_left(
    store_kit: StoreKit, store: Store, data: StorePersonData
) -> None:
    del store  # open
    await store_kit.put("sms_part", a_part(store_kit, SENDER), a_part(store_kit, STRANGER, done_at=2))
    counts = await data.erase(SENDER, START)
    assert (counts["sms_parts"], counts["left"]) == (0, 1)
    assert len(await store_kit.rows("sms_part")) == 2


async def test_a_wish_to_be_told_nothing_holds_though_all_else_is_forgotten(
    store_kit: StoreKit, store: Store, data: StorePersonData
) -> None:
    stop = FollowChange(wish=FollowWish.STOP_ALL, words="DUNG")
    person = Person(address=SENDER, language="en", stopped_at=START)
    message = store_kit.message("DUNG", sender=SENDER)
    decision = Decision(inquiry="stop_all", person=person, follows=[stop])
    await store.commit(JournalBatch(exchanges=[Exchange(message=message, decision=decision)]))
    assert (await data.erase(SENDER, START))["person"] == 1
    assert await store.get([SENDER]) == {SENDER: Person(address=SENDER, stopped_at=START)}
    assert (await data.erase(SENDER, START))["person"] == 0


async def test_of_who_only_blocked_a_channel_nothing_is_kept(
    store_kit: StoreKit, store: Store, data: StorePersonData
) -> None:
    exchange = store_kit.exchange(handed_over=True)
    assert exchange.reply is not None
    await store.commit(JournalBatch(exchanges=[exchange]))
    await store.commit(JournalBatch(results=[sent(exchange.reply, SendStatus.STOPPED, reason="403")]))
    assert (await store.get([SENDER]))[SENDER].blocked
    assert (await data.erase(SENDER, START))["person"] == 1
    assert await store.get([SENDER]) == {}


async def test_an_address_others_joined_to_theirs_is_forgotten_there_too(
    store_kit: StoreKit, store: Store, data: StorePersonData
) -> None:
    chat = Address("telegram", "1")
    link = Link(address=SENDER, channel="sms", account=ACCOUNT, sender=SHORT_CODE, words=f"contact {NUMBER}")
    message = store_kit.message("", sender=chat, phone=NUMBER)
    decided = Exchange(message=message, decision=Decision(inquiry="link", links=[link]))
    await store.commit(JournalBatch(exchanges=[decided]))
    of_us = {"channel": "sms", "account": ACCOUNT, "sender": SHORT_CODE.urn, "words": "LK", "pin_seal": "s", "tries": 0}
    await store_kit.put("link_pin", {**of_us, "asker": "zalo:1", "address": SENDER.urn, "expires_at": 1})
    told = await data.export(SENDER)
    assert (len(told["next_address"]), len(told["link_pin"])) == (1, 1)
    counts = await data.erase(SENDER, START)
    assert (counts["next_address"], counts["link_pin"]) == (1, 1)
    assert NUMBER not in await everything(store_kit)
    assert await store.get([chat]) == {}


async def test_what_an_erased_number_opened_is_not_told_to_its_chat_any_more(
    store_kit: StoreKit, store: Store, data: StorePersonData
) -> None:
    chat = Address("telegram", "1")
    link = Link(address=SENDER, channel="sms", account=ACCOUNT, sender=SHORT_CODE, words="contact")
    follow = FollowChange(wish=FollowWish.FOLLOW, words="DK", code=CODE, source="province", proved=True)
    decision = Decision(inquiry="link", links=[link], follows=[follow])
    await store.commit(
        JournalBatch(exchanges=[Exchange(message=store_kit.message("", sender=chat), decision=decision)])
    )
    await data.erase(SENDER, START)
    assert [bool(row["proved"]) for row in await store_kit.rows("subscription")] == [False]


async def test_what_waited_for_the_erased_is_not_sent(store_kit: StoreKit, store: Store, data: StorePersonData) -> None:
    await lived(store_kit, store, SENDER, 1)
    await data.erase(SENDER, START)
    assert await store.claim(ACCOUNT, 10) == []
    assert sorted(row["state"] for row in await store_kit.rows("outbox")) == ["accepted", "accepted", "dropped"]


async def test_erasing_again_does_nothing(store_kit: StoreKit, store: Store, data: StorePersonData) -> None:
    await lived(store_kit, store, SENDER, 1)
    await data.erase(SENDER, START)
    before = await everything(store_kit)
    assert not any((await data.erase(SENDER, START)).values())
    assert await everything(store_kit) == before


async def test_two_who_were_told_the_same_can_both_be_erased(
    store_kit: StoreKit, store: Store, data: StorePersonData
) -> None:
    await lived(store_kit, store, SENDER, 1)
    await lived(store_kit, store, STRANGER, 2)
    for address in (SENDER, STRANGER):
        assert (await data.erase(address, START))["outbox"] == 3


async def test_what_is_worked_on_is_left_for_a_second_time(
    store_kit: StoreKit, store: Store, data: StorePersonData
) -> None:
    message = store_kit.message()
    handed_over = store_kit.exchange("on its way", handed_over=True)
    await store.commit(JournalBatch(exchanges=[Exchange(message=message), handed_over]))
    counts = await data.erase(SENDER, START)
    assert (counts["left"], counts["inbox"], counts["outbox"]) == (2, 1, 0)
    assert handed_over.reply is not None
    await store.commit(
        JournalBatch(closings=[store_kit.decided(message)], results=[sent(handed_over.reply, SendStatus.ACCEPTED)])
    )
    assert (await data.erase(SENDER, START))["left"] == 0
    assert NUMBER not in await everything(store_kit)


# ---- the intake module


async def handed_in(kit: StoreKit, store: Store) -> IntakeDossier:
    """SENDER's, who wants to be told; with a file, and a form that was not sent yet."""
    kept = await registered(kit, store.intake(), notify=True, notify_words="đồng ý nhận tin")
    form = draft(kit, phone=NUMBER, fields={"name": "Nguyễn Thị Bé", "phone": "0912 345 678"})
    await store.intake().save_draft(form)
    for owner in (kept.id, form.id):
        assert await store.intake().add_file(file(kit, owner), most=3, most_bytes=9_000)
    return kept


async def test_dossiers_and_forms_are_handed_out_whole_but_for_the_receipts_secret(
    store_kit: StoreKit, store: Store, data: StorePersonData
) -> None:
    kept = await handed_in(store_kit, store)
    strangers = await registered(store_kit, store.intake(), person=replace(PERSON, phone="0900 000 000"))
    told: dict[str, Any] = json.loads(json.dumps(await data.export(SENDER)))
    [shown], [form] = told["intake_dossiers"], told["intake_drafts"]
    assert (shown["code"], shown["person"]["name"]) == (kept.code.text, PERSON.name)
    assert shown["received_at"] == START.isoformat()
    assert [(step["action"], step["at"]) for step in shown["steps"]] == [("registered", START.isoformat())]
    assert [each["name"] for each in (*shown["files"], *form["files"])] == ["giấy khai sinh.pdf"] * 2
    assert form["phone"] == "0912 345 678"
    assert kept.secret not in json.dumps(told)
    assert strangers.code.text not in json.dumps(told)


async def test_a_dossier_is_a_record_and_stays_but_nobody_is_told_of_it_any_more(
    store_kit: StoreKit, store: Store, data: StorePersonData
) -> None:
    kept = await handed_in(store_kit, store)
    counts = await data.erase(SENDER, START)
    assert {name: count for name, count in counts.items() if count} == {
        "intake_drafts": 1,
        "intake_consents": 1,
        "intake_kept": 1,
    }
    after = await store.intake().by_id(kept.id)
    assert after == replace(kept, notify=False, notify_words="", version=kept.version + 1)
    assert [step.action for step in await store.intake().steps(kept.id)] == ["registered", "note"]
    assert [row["owner"] for row in await store_kit.rows("intake_file")] == [kept.id]
    assert await store_kit.rows("intake_draft") == []


async def test_who_had_the_dossier_open_cannot_bring_the_consent_back(
    store_kit: StoreKit, store: Store, data: StorePersonData
) -> None:
    before = await handed_in(store_kit, store)
    await data.erase(SENDER, START)
    after = moved(before, IntakeDoing(action=IntakeAction.FINISH, at=START))
    assert isinstance(after, IntakeDossier)
    assert not await store.intake().write(after, step(store_kit, after, "finish"), was=before.version)


async def test_erased_again_a_dossier_is_kept_and_nothing_else_is_done(
    store_kit: StoreKit, store: Store, data: StorePersonData
) -> None:
    await handed_in(store_kit, store)
    await data.erase(SENDER, START)
    before = await store_kit.rows("intake_step")
    counts = await data.erase(SENDER, START)
    assert {name: count for name, count in counts.items() if count} == {"intake_kept": 1}
    assert await store_kit.rows("intake_step") == before


async def test_nothing_of_the_intake_module_belongs_to_an_address_of_a_chat(
    store_kit: StoreKit, store: Store, data: StorePersonData
) -> None:
    await handed_in(store_kit, store)
    assert (await data.erase(Address("telegram", NUMBER), START))["intake_kept"] == 0
