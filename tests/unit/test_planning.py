"""Who is told what, and what is written with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from domain.buttons import Buttons
from domain.calendar import LOCAL_ZONE
from domain.codes import DossierCode
from domain.dossier import DossierStatus
from domain.message import Button
from domain.notices import Known, NoticeKind
from domain.replies import Voice
from notifications.ports import Follower
from notifications.switches import Switch
from tests.unit.planning import (
    ANN,
    BOB,
    CODE,
    CODES,
    MORNING,
    NIGHT,
    SOURCE,
    VALID_FOR,
    Store,
    contact,
    dossier,
    kinds,
    look,
    looked_at,
    make_planner,
    parts,
)

DAY, LATER, STILL_LATER = date(2026, 11, 30), date(2026, 12, 15), date(2026, 12, 20)
N = NoticeKind
S = DossierStatus
K = Known
MINUTE = timedelta(minutes=1)


@pytest.fixture
def store() -> Store:
    """ANN follows a dossier in process that was seen before."""
    made = Store()
    look(make_planner(), made, dossier(4, DAY), baseline=True)
    made.follow(ANN, K(S.IN_PROCESS, DAY), version=1)
    return made


# ---------------------------------------------------------------- nothing changed


def test_a_look_without_a_change_writes_nothing(store: Store) -> None:
    recording = look(make_planner(), store, dossier(4, DAY, changed_at=MORNING))
    assert parts(recording) == set()


def test_a_moment_finer_than_the_store_keeps_is_no_change() -> None:
    store, fine = Store(), MORNING.replace(microsecond=123_456)
    look(make_planner(), store, dossier(4, received_at=fine))
    assert store.seen[SOURCE, CODE].received_at == MORNING.replace(microsecond=123_000)
    assert not look(make_planner(), store, dossier(4, received_at=fine)).sightings


# ---------------------------------------------------------------- a change


def test_who_knows_something_else_is_told_once(store: Store) -> None:
    planner = make_planner()
    recording = look(planner, store, dossier(9, DAY))
    (notice,) = recording.notices
    assert (notice.kind, notice.recipient, notice.version) == (N.READY_EARLY, ANN, 2)
    assert (notice.available_at, notice.reason, notice.expires_at) == (MORNING, "", MORNING + VALID_FOR)
    assert notice.before == K(S.IN_PROCESS, DAY)
    assert [(each.dossier.version, each.expected) for each in recording.sightings] == [(2, 1)]
    assert [(each.known, each.version) for each in recording.told] == [(K(S.DONE, DAY), 2)]
    assert not look(planner, store, dossier(9, DAY)).notices


def test_who_saw_it_before_us_is_not_told(store: Store) -> None:
    store.follow(BOB, K(S.DONE, DAY))
    recording = look(make_planner(), store, dossier(9, DAY))
    assert [each.recipient for each in recording.notices] == [ANN]
    assert {each.address: each.version for each in recording.told} == {ANN: 2, BOB: 2}


def test_who_was_shown_an_old_answer_is_told_though_the_dossier_stands_still(store: Store) -> None:
    """With a version of its own: there may have been a notice of this one to them."""
    store.follow(BOB, K(S.ACCEPTED, DAY))
    recording = look(make_planner(), store, dossier(4, DAY))
    assert [(each.recipient, each.kind, each.version) for each in recording.notices] == [(BOB, N.IN_PROCESS, 2)]
    assert [(each.dossier.version, each.expected) for each in recording.sightings] == [(2, 1)]


def test_a_change_nobody_is_told_of_raises_the_version_all_the_same(store: Store) -> None:
    recording = look(make_planner(), store, dossier(4, DAY, unit="Tư pháp"))
    assert not recording.notices
    assert [(each.dossier.version, each.dossier.unit) for each in recording.sightings] == [(2, "Tư pháp")]
    assert [(each.known, each.version) for each in recording.told] == [(K(S.IN_PROCESS, DAY), 2)]


def test_each_is_told_in_their_language_and_by_what_they_proved(store: Store) -> None:
    store.follow(BOB, K(S.IN_PROCESS, DAY), language="en", proved=True)
    texts = {each.recipient: each.text for each in look(make_planner(), store, dossier(9, DAY), now=NIGHT).notices}
    assert " vi 2026-11-24 False" in texts[ANN]  # as it is when it is read
    assert " en 2026-11-24 True" in texts[BOB]


def test_a_state_no_map_knows_is_kept_and_not_told(store: Store) -> None:
    planner = make_planner()
    recording = look(planner, store, dossier(None, DAY))
    assert not recording.notices
    assert store.seen[SOURCE, CODE].status is None
    assert store.following[ANN, CODE].known == K(S.IN_PROCESS, DAY)
    assert not look(planner, store, dossier(4, DAY)).notices
    assert kinds(look(planner, store, dossier(5, DAY))) == [N.MORE_DOCUMENTS]


# ---------------------------------------------------------------- what waits


def test_the_newest_takes_the_place_of_what_waits(store: Store) -> None:
    planner = make_planner()
    (first,) = look(planner, store, dossier(5, DAY), now=NIGHT).notices
    assert (first.reason, first.available_at) == ("quiet_hours", datetime(2026, 11, 24, 7, tzinfo=LOCAL_ZONE))
    (second,) = look(planner, store, dossier(9, DAY), now=NIGHT + MINUTE).notices
    assert (second.kind, second.replaces, second.before) == (N.READY_EARLY, first.id, K(S.IN_PROCESS, DAY))
    assert [row.state for row in store.outbox] == ["merged", "ready"]


def test_when_things_are_again_as_they_know_nothing_is_sent(store: Store) -> None:
    planner = make_planner()
    (waits,) = look(planner, store, dossier(9, DAY), now=NIGHT).notices
    recording = look(planner, store, dossier(4, DAY), now=NIGHT + MINUTE)
    assert (list(recording.merged), list(recording.notices)) == ([waits.id], [])
    assert store.following[ANN, CODE].known == K(S.IN_PROCESS, DAY)


def test_once_it_left_the_step_back_is_a_correction_and_leaves_despite_the_count(store: Store) -> None:
    planner = make_planner(per_day=1)
    look(planner, store, dossier(9, DAY))
    store.send(MORNING)
    (notice,) = look(planner, store, dossier(4, DAY), now=MORNING + MINUTE).notices
    assert (notice.kind, notice.available_at, notice.replaces) == (N.CORRECTED, MORNING + MINUTE, None)


def test_what_waits_is_left_alone_while_it_is_true(store: Store) -> None:
    planner = make_planner()
    look(planner, store, dossier(9, DAY), now=NIGHT)
    recording = look(planner, store, dossier(9, DAY, unit="Kho"), now=NIGHT + MINUTE)
    assert parts(recording) == {"sightings", "told"}
    assert len(store.waiting(ANN, CODE)) == 1


def test_what_left_between_review_and_record_is_planned_again(store: Store) -> None:
    planner = make_planner()
    look(planner, store, dossier(5, DAY), now=NIGHT)
    late = NIGHT + timedelta(hours=9)
    recording = planner.plan(looked_at(store, dossier(9, DAY), now=late))
    store.send(late)
    assert store.record(recording) == {CODE}
    (notice,) = look(planner, store, dossier(9, DAY), now=late).notices
    assert (notice.replaces, notice.before) == (None, K(S.MORE_DOCUMENTS, DAY))


def test_who_was_shown_it_meanwhile_and_then_sees_it_taken_back_is_told(store: Store) -> None:
    planner = make_planner()
    look(planner, store, dossier(9), now=NIGHT)
    store.follow(ANN, Known(DossierStatus.DONE), version=None)  # they followed it anew, and the answer told the result
    recording = look(planner, store, dossier(4), now=NIGHT + timedelta(minutes=1))
    assert kinds(recording) == [NoticeKind.CORRECTED]
    store.send(NIGHT + timedelta(days=1))
    assert [notice.kind for notice in store.sent(ANN)] == [NoticeKind.CORRECTED]


def test_what_was_shown_meanwhile_is_not_told_as_well(store: Store) -> None:
    planner = make_planner()
    look(planner, store, dossier(9), now=NIGHT)
    store.follow(ANN, Known(DossierStatus.DONE), version=None)
    assert len(look(planner, store, dossier(9), now=NIGHT + timedelta(minutes=1)).merged) == 1


def test_a_source_that_changes_its_mind_at_every_look_does_not_flood_anybody() -> None:
    planner, flickering = make_planner(), Store()
    flickering.follow(ANN, Known(DossierStatus.STOPPED))
    for minute in range(60):  # two rows of one code, say: each step is a correction, which is urgent
        now = MORNING + timedelta(minutes=minute)
        look(planner, flickering, dossier(8 if minute % 2 else 9), now=now)
        flickering.send(now)
    assert len(flickering.sent(ANN)) == 6


def test_the_place_of_what_is_replaced_is_free_again(store: Store) -> None:
    """Else each change would put the notice off by another day."""
    planner = make_planner(per_day=1)
    for minute, status in enumerate((5, 4, 5, 6, 7, 8)):
        look(planner, store, dossier(status, DAY), now=NIGHT + minute * MINUTE)
    (row,) = store.waiting(ANN, CODE)
    assert row.notice.available_at == datetime(2026, 11, 24, 7, tzinfo=LOCAL_ZONE)


def test_notices_of_one_plan_count_for_one_another(store: Store) -> None:
    for code in CODES[1:]:
        look(make_planner(), store, dossier(4, code=code), baseline=True)
        store.follow(ANN, K(S.IN_PROCESS), code)
    recording = look(make_planner(), store, *(dossier(9, code=code) for code in CODES))
    assert [each.reason for each in recording.notices] == ["", "", "", "daily_cap"]
    assert [each.id for each in recording.notices] == sorted(each.id for each in recording.notices)


# ---------------------------------------------------------------- the apology


def test_the_apology_is_said_once(store: Store) -> None:
    planner = make_planner()
    assert kinds(look(planner, store, dossier(4, LATER))) == [N.APPOINTMENT_CHANGED]
    assert store.seen[SOURCE, CODE].apologised
    store.send(MORNING)
    assert kinds(look(planner, store, dossier(4, STILL_LATER), now=MORNING + MINUTE)) == [N.APPOINTMENT_MOVED]


def test_an_apology_that_still_waits_is_not_lost(store: Store) -> None:
    planner = make_planner()
    look(planner, store, dossier(4, LATER), now=NIGHT)
    (notice,) = look(planner, store, dossier(4, STILL_LATER), now=NIGHT + MINUTE).notices
    assert (notice.kind, notice.before) == (N.APPOINTMENT_CHANGED, K(S.IN_PROCESS, DAY))


def test_an_apology_that_nobody_got_is_said_when_it_is_due_again(store: Store) -> None:
    planner = make_planner()
    look(planner, store, dossier(4, LATER), now=NIGHT)
    assert not look(planner, store, dossier(4, DAY), now=NIGHT + MINUTE).notices
    assert not store.seen[SOURCE, CODE].apologised
    assert kinds(look(planner, store, dossier(4, LATER), now=MORNING + timedelta(days=1))) == [N.APPOINTMENT_CHANGED]


# ---------------------------------------------------------------- seen for the first time, gone, back


def test_a_baseline_notifies_nobody_but_who_saw_something_else() -> None:
    store = Store()
    store.follow(ANN, K(S.DONE))
    store.follow(BOB, None)
    recording = look(make_planner(), store, dossier(9), baseline=True)
    assert [(each.dossier.version, each.expected) for each in recording.sightings] == [(1, None)]
    assert not recording.notices
    assert store.following[BOB, CODE].known == K(S.DONE)
    store = Store()
    store.follow(ANN, K(S.IN_PROCESS))
    assert kinds(look(make_planner(), store, dossier(9), baseline=True)) == [N.READY]


def test_a_dossier_that_is_gone_is_marked_and_told_to_nobody(store: Store) -> None:
    planner = make_planner()
    recording = look(planner, store, absent=[CODE, CODES[1]])
    assert [(each.dossier.code, each.dossier.gone, each.dossier.version) for each in recording.sightings] == [
        (CODE, True, 2)
    ]
    assert parts(recording) == {"sightings"}
    assert not look(planner, store, absent=[CODE]).sightings
    back = look(planner, store, dossier(4, DAY))
    assert [(each.dossier.gone, each.dossier.version) for each in back.sightings] == [(False, 3)]
    assert not back.notices


def test_a_dossier_that_could_not_be_read_is_left_alone(store: Store) -> None:
    looked = replace(looked_at(store, dossier(9, DAY)), dossiers={})
    recording = make_planner().plan(looked)
    assert parts(recording) == set()


# ---------------------------------------------------------------- the number on the dossier


@pytest.mark.parametrize(("status", "told"), [(1, [N.NEWLY_REGISTERED]), (2, [N.ACCEPTED]), (4, []), (9, [])])
def test_whom_a_new_dossier_names_follows_it_and_hears_that_it_arrived(status: int, told: list[NoticeKind]) -> None:
    store = Store()
    recording = look(make_planner(), store, dossier(status), contacts={CODE: [contact(ANN), contact(ANN)]})
    assert [(each.address, each.known, each.version, each.words) for each in recording.follows] == [
        (ANN, K(S(status)), 1, "decision 1/QD")
    ]
    assert kinds(recording) == told
    assert not recording.told


@pytest.mark.parametrize(("baseline", "known"), [(True, False), (False, True)])
def test_a_dossier_that_is_not_new_names_nobody(*, baseline: bool, known: bool) -> None:
    store = Store()
    if known:
        look(make_planner(), store, dossier(1))
    recording = look(make_planner(), store, dossier(2), baseline=baseline, contacts={CODE: [contact(ANN)]})
    assert parts(recording) == {"sightings"}


def test_who_follows_already_is_not_made_to_follow() -> None:
    store = Store()
    store.follow(ANN, K(S.NEWLY_REGISTERED))
    recording = look(make_planner(), store, dossier(1), contacts={CODE: [contact(ANN), contact(BOB)]})
    assert [each.address for each in recording.follows] == [BOB]


def test_the_first_news_is_not_lost_when_the_dossier_moves_on_in_the_night() -> None:
    store, planner = Store(), make_planner()
    look(planner, store, dossier(1), now=NIGHT, contacts={CODE: [contact(ANN)]})
    (notice,) = look(planner, store, dossier(4), now=NIGHT + MINUTE).notices
    assert (notice.kind, notice.before) == (N.IN_PROCESS, None)
    assert len(store.waiting(ANN, CODE)) == 1


# ---------------------------------------------------------------- followed in another source


def test_another_source_tells_its_change_and_is_followed_from_then_on(store: Store) -> None:
    store.follow(ANN, K(S.IN_PROCESS, DAY), source="commune")
    planner = make_planner()
    assert not look(planner, store, dossier(4, DAY)).told
    recording = look(planner, store, dossier(9, DAY))
    assert kinds(recording) == [N.READY_EARLY]
    assert [(each.source, each.known) for each in recording.told] == [(SOURCE, K(S.DONE, DAY))]


def test_another_source_that_only_now_says_what_they_know_moves_them_in_silence(store: Store) -> None:
    store.follow(ANN, K(S.DONE, DAY), source="commune")
    recording = look(make_planner(), store, dossier(9, DAY))
    assert not recording.notices
    assert [each.source for each in recording.told] == [SOURCE]


@pytest.mark.parametrize("baseline", [True, False])
def test_another_source_that_differs_without_a_change_says_nothing(*, baseline: bool) -> None:
    store = Store()
    store.follow(ANN, K(S.DONE), source="commune")
    recording = look(make_planner(), store, dossier(2), baseline=baseline)
    assert parts(recording) == {"sightings"}


# ---------------------------------------------------------------- switched off


@pytest.mark.parametrize(
    ("switch", "off"),
    [
        (Switch(), True),
        (Switch(agency="H51"), True),
        (Switch(agency="000.00.18.H51"), True),  # the same levels, the other way round
        (Switch(agency="H51.1"), False),
        (Switch(agency="H51.18.02"), False),
        (Switch(procedure="1.004946"), True),
        (Switch(procedure="1.000000"), False),
        (Switch(kinds=frozenset({N.READY_EARLY})), True),
        (Switch(kinds=frozenset({N.RETURNED})), False),
        (Switch(agency="H51", procedure="1.000000"), False),
    ],
)
def test_what_an_agency_switched_off_is_known_and_not_sent(store: Store, switch: Switch, *, off: bool) -> None:
    recording = look(make_planner(switch), store, dossier(9, DAY))
    assert (not recording.notices) == off
    assert store.following[ANN, CODE].known == K(S.DONE, DAY)


def test_what_waits_does_not_leave_when_it_is_true_no_more_and_its_successor_is_off(store: Store) -> None:
    planner = make_planner(Switch(kinds=frozenset({N.READY_EARLY})))
    (waits,) = look(planner, store, dossier(5, DAY), now=NIGHT).notices
    recording = look(planner, store, dossier(9, DAY), now=NIGHT + MINUTE)
    assert (list(recording.merged), list(recording.notices)) == ([waits.id], [])


# ---------------------------------------------------------------- mass changes


@pytest.mark.parametrize("by_review", [True, False])
def test_what_is_held_waits_and_takes_no_place_in_the_day(store: Store, *, by_review: bool) -> None:
    planner = make_planner(per_day=1)
    store.holding = by_review
    recording = look(planner, store, dossier(5, DAY), holding=not by_review)
    assert [each.held for each in recording.notices] == [True]
    store.holding = True
    again = look(planner, store, dossier(9, DAY), now=MORNING + MINUTE)
    assert [(each.held, each.reason) for each in again.notices] == [(True, "")]
    assert [row.state for row in store.outbox] == ["merged", "held"]


def test_a_mass_change_is_counted_by_what_followers_would_hear(store: Store) -> None:
    planner = make_planner()
    for code in CODES[1:3]:
        look(planner, store, dossier(4, code=code))
    dossiers = [
        dossier(9, DAY),
        dossier(4, code=CODES[1], unit="Kho"),
        dossier(None, code=CODES[2]),
        dossier(1, code=CODES[3]),
    ]
    assert planner.changed(looked_at(store, *dossiers)) == [CODE]
    assert planner.changed(looked_at(store, *dossiers, contacts={CODES[3]: [contact(ANN)]})) == [CODE, CODES[3]]
    assert planner.changed(looked_at(store, *dossiers, baseline=True)) == [CODE]  # who follows it knows otherwise


def test_in_a_baseline_only_what_followers_are_told_counts() -> None:
    store, planner = Store(), make_planner()
    store.follow(ANN, K(S.IN_PROCESS))
    store.follow(BOB, None, CODES[1])
    dossiers = [dossier(9), dossier(1, code=CODES[1]), dossier(1, code=CODES[2])]
    assert planner.changed(looked_at(store, *dossiers, baseline=True)) == [CODE]


# ---------------------------------------------------------------- reminders


def remind(store: Store, now: datetime = MORNING, *off: Switch) -> list[NoticeKind]:
    seen = [store.seen[SOURCE, CODE]]
    recording = make_planner(*off).remind(SOURCE, seen, store.review(now, [CODE]), now)
    assert store.record(recording) == frozenset()
    return kinds(recording)


def test_a_promised_day_is_reminded_of_once(store: Store) -> None:
    assert remind(store) == [N.REMINDER]
    row = store.seen[SOURCE, CODE]
    assert (row.reminded_for, row.version) == (DAY, 2)
    assert store.outbox[0].notice.expires_at == datetime(2026, 12, 1, 0, 0, tzinfo=LOCAL_ZONE)
    assert remind(store) == []


def test_a_reminder_that_could_only_come_too_late_is_not_sent(store: Store) -> None:
    assert remind(store, datetime(2026, 11, 30, 22, 30, tzinfo=LOCAL_ZONE)) == []
    assert store.seen[SOURCE, CODE].reminded_for == DAY


@pytest.mark.parametrize("known", [K(S.ACCEPTED, DAY), K(S.IN_PROCESS, LATER), None])
def test_who_knows_another_state_is_left_to_the_change(store: Store, known: Known | None) -> None:
    store.follow(ANN, known)
    assert remind(store) == []
    assert store.following[ANN, CODE].known == known


def test_no_reminder_beside_a_notice_that_waits(store: Store) -> None:
    store.follow(ANN, K(S.ACCEPTED, DAY))
    look(make_planner(), store, dossier(4, DAY), now=NIGHT)
    assert remind(store, NIGHT) == []


def test_a_reminder_that_waits_gives_way_to_the_news(store: Store) -> None:
    remind(store, NIGHT)
    (notice,) = look(make_planner(), store, dossier(9, DAY), now=NIGHT + MINUTE).notices
    assert (notice.kind, notice.replaces) == (N.READY_EARLY, store.outbox[0].notice.id)


def test_reminders_are_switched_off_as_any_notice(store: Store) -> None:
    assert remind(store, MORNING, Switch(kinds=frozenset({N.REMINDER}))) == []


@pytest.mark.parametrize(("status", "due_on"), [(5, DAY), (9, DAY), (4, None)])
def test_only_a_dossier_that_is_worked_on_is_reminded_of(status: int, due_on: date | None) -> None:
    store = Store()
    look(make_planner(), store, dossier(status, due_on))
    store.follow(ANN, K(S(status), due_on))
    assert remind(store) == []
    assert store.seen[SOURCE, CODE].version == 1


# ---------------------------------------------------------------- buttons


def test_what_can_be_pressed_is_written_with_the_notice_where_the_channel_shows_any(store: Store) -> None:
    store.follow(BOB, K(S.IN_PROCESS, DAY), version=1)

    def for_chats(follower: Follower, code: DossierCode, voice: Voice) -> Buttons:
        return ((Button(voice.language, f"HUY {code}"),),) if follower.address == BOB else ()

    planner = make_planner(buttons=for_chats)
    notices = look(planner, store, dossier(9, DAY)).notices
    assert {notice.recipient: notice.buttons for notice in notices} == {
        ANN: (),
        BOB: ((Button("vi", f"HUY {CODE}"),),),
    }
