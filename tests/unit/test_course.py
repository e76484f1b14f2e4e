"""Walks over an audience that part where an account takes no more: everybody is come to, and by one walk."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import pytest

from notifications.course import Course, Room

ACCOUNTS = ("north", "south", "west")
AHEAD, PAGE = 20, 8
PEOPLE = 300
Route = Callable[[int], str]  # by which account somebody is reached now; empty: by none


def go_on(course: Course, room: Room, route: Route, met: Counter[int], due: Counter[str]) -> tuple[Course, bool] | None:
    """One stretch of people, who are numbered; None: nothing may be written. Who was met has a message."""
    step = room.step(course)
    if step is None:
        return None
    assert 0 < step.most <= PAGE
    begins = int(step.at or 0)
    stretch = range(begins, min(begins + step.most, PEOPLE))
    for person in stretch:
        account = route(person)
        if not step.course.passes(step.walk, account) and not (step.course.again and met[person]):
            met[person] += 1
            due[account] += account != ""
    # The end is known from a stretch that is not full, as with a list.
    return step.course.after(step.walk, str(stretch.stop), end=len(stretch) < step.most)


def walked(chance: random.Random, route: Route, met: Counter[int]) -> Iterator[Mapping[str, int]]:
    """Until the end; any of the accounts may be away for a while. Gives what waits for each."""
    due, text = Counter[str](), ""
    away: set[str] = set()
    for turn in range(10_000):
        if turn % 25 == 0:
            away = {account for account in ACCOUNTS if chance.random() < 0.4}
        for account in ACCOUNTS:
            due[account] -= 0 if account in away else min(due[account], chance.randrange(AHEAD))
        room = Room(due={name: many for name, many in due.items() if many}, ahead=AHEAD, page=PAGE, accounts=ACCOUNTS)
        after = go_on(Course.read(text), room, route, met, due)
        yield due
        if after is not None:
            course, end = after
            text = course.text  # as another process would go on
            if end:
                return
    pytest.fail("it never ends")


@pytest.mark.parametrize("seed", range(30))
def test_everybody_is_come_to_once_and_no_account_has_more_than_its_share(seed: int) -> None:
    chance = random.Random(seed)
    routes = [chance.choice(("", *ACCOUNTS)) for _ in range(PEOPLE)]
    met = Counter[int]()
    for due in walked(chance, routes.__getitem__, met):
        assert max(due.values()) <= AHEAD
    assert met == Counter(range(PEOPLE))


@pytest.mark.parametrize("seed", range(30))
def test_nobody_is_passed_over_however_often_their_account_changes(seed: int) -> None:
    chance = random.Random(seed)
    met = Counter[int]()
    assert list(walked(chance, lambda _: chance.choice(ACCOUNTS), met))
    assert set(met) == set(range(PEOPLE))


def test_who_is_reached_otherwise_does_not_wait_for_an_account_that_never_comes_back() -> None:
    course, met, due = Course(), Counter[int](), Counter[str]()
    for _ in range(PEOPLE):
        due["south"] = 0
        room = Room(due={name: many for name, many in due.items() if many}, ahead=AHEAD, page=PAGE, accounts=ACCOUNTS)
        after = go_on(course, room, lambda person: ("north", "south")[person % 2], met, due)
        if after is None:
            break
        course, _ = after
    assert set(met) >= set(range(1, PEOPLE, 2))
    assert due["north"] == AHEAD


def test_one_account_is_walked_for_alone() -> None:
    full = Room(due={"north": AHEAD}, ahead=AHEAD, page=PAGE, accounts=("north",))
    assert full.step(Course(at="7")) is None


def test_accounts_that_keep_up_with_one_another_do_not_part() -> None:
    due = {"north": AHEAD, "south": AHEAD - 1, "west": AHEAD - 1}
    assert Room(due=due, ahead=AHEAD, page=PAGE, accounts=ACCOUNTS).step(Course(at="7")) is None


def test_a_course_that_never_parted_is_kept_as_the_position_alone() -> None:
    assert Course.read("").text == ""
    assert Course.read('["H51.18",4,"","",""]').text == '["H51.18",4,"","",""]'


def test_a_course_that_parted_at_the_beginning_is_read_as_it_was_kept() -> None:
    course = Course().part(["north"])
    assert (Course.read(course.text), course.position("north")) == (course, "")
