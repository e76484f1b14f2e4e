"""Which one-stop systems are asked for which code, and in which order."""

from __future__ import annotations

import pytest

from domain.codes import CodeFamily, DossierCode
from domain.errors import SettingsError
from lookup.routing import RoutedSource, Router
from tests.unit.looking_up import FakeSource

ROUTES = [
    ("H51", "province"),
    ("H51.18", "department"),
    ("H51.18.03", "department"),
    ("H51.180", "province"),
    ("000.00.18.H51", "department"),
    ("000.00.00.H51", "province"),
    ("000.18.29.H51", "province"),
    ("H5", "rest"),
    ("H13", "rest"),
    ("", "rest"),
]


@pytest.mark.parametrize(("agency", "expected"), ROUTES)
def test_longest_declared_agency_prefix_decides(agency: str, expected: str) -> None:
    router = Router(
        [
            RoutedSource(source=FakeSource("province"), prefixes=("H51",)),
            RoutedSource(source=FakeSource("department"), prefixes=("000.00.18.H51",)),
            RoutedSource(source=FakeSource("rest"), default=True),
        ]
    )
    route = router.route(DossierCode(text="x", family=CodeFamily.NEW, agency=agency))
    assert [source.name for source in route.sources] == [expected]


def test_router_refuses_what_cannot_work() -> None:
    with pytest.raises(SettingsError, match="no one-stop system"):
        Router([])
    with pytest.raises(SettingsError, match="same name"):
        Router([RoutedSource(source=FakeSource(), default=True)] * 2)
    with pytest.raises(SettingsError, match="nothing would be asked of h51"):
        Router([RoutedSource(source=FakeSource())])


def source(
    name: str,
    *prefixes: str,
    patterns: tuple[str, ...] = (),
    families: tuple[CodeFamily, ...] = (),
    passes_to: tuple[str, ...] = (),
    default: bool = False,
) -> RoutedSource:
    return RoutedSource(
        source=FakeSource(name),
        prefixes=prefixes,
        patterns=patterns,
        families=families,
        passes_to=passes_to,
        default=default,
    )


def tiers(router: Router, text: str, family: CodeFamily = CodeFamily.NEW, *, everyone: bool = False) -> list[str]:
    """The names, those of a tier joined by a plus sign."""
    route = router.route(
        DossierCode(text=text, family=family, agency=text.split("-", maxsplit=1)[0]), everyone=everyone
    )
    return ["+".join(each.name for each in tier) for tier in route.tiers]


OLD, NEW, LEGACY = CodeFamily.OLD, CodeFamily.NEW, CodeFamily.LEGACY
BY_FAMILY = [
    ("H51.18-210817-0005", NEW, ["new", "any"]),
    ("000.00.18.H51-161220-0001", OLD, ["old", "any"]),
    ("H51.18-00123", LEGACY, ["papers"]),
    ("H51.19-00123", LEGACY, ["any"]),
    ("G09-20260609-1", NEW, ["rest"]),
    ("G09-20260609-1", OLD, []),
]


@pytest.mark.parametrize(("text", "family", "expected"), BY_FAMILY)
def test_family_is_more_specific_than_none_and_a_source_is_asked_for_its_families_only(
    text: str, family: CodeFamily, expected: list[str]
) -> None:
    router = Router(
        [
            source("any", "H51"),
            source("old", "H51", families=(OLD,)),
            source("new", "H51", families=(NEW,)),
            source("papers", "H51.18", families=(LEGACY,)),
            source("rest", default=True, families=(NEW,)),
        ]
    )
    assert tiers(router, text, family) == expected


def test_receipt_numbers_from_before_go_by_their_agency() -> None:
    router = Router([source("province", "H51"), source("department", "000.00.18.H51"), source("rest", default=True)])
    for agency, expected in (("H51.18", "department"), ("H51.20", "province"), ("H13", "rest")):
        route = router.route(DossierCode(text="00123/2015/00004", family=LEGACY, agency=agency))
        assert [each.name for each in route.sources] == [expected]


BY_PATTERN = [
    ("H51.18-190101-0001", ["archive", "province"]),
    ("H51.18-210101-0001", ["province"]),
    ("H13-190101-0001", ["archive"]),
    ("H13-190101-00010", ["rest"]),
]


@pytest.mark.parametrize(("text", "expected"), BY_PATTERN)
def test_pattern_over_the_whole_code_comes_before_the_agency(text: str, expected: list[str]) -> None:
    router = Router(
        [source("province", "H51"), source("archive", patterns=(r".+-19\d{4}-\d{4}",)), source("rest", default=True)]
    )
    assert tiers(router, text) == expected


def test_pattern_counts_for_the_families_of_its_source_only() -> None:
    router = Router([source("papers", patterns=(".*",), families=(LEGACY,)), source("rest", default=True)])
    assert tiers(router, "H51-1", LEGACY) == ["papers"]
    assert tiers(router, "H51-1", NEW) == ["rest"]


def test_sources_that_declare_the_same_are_asked_in_the_order_of_declaration() -> None:
    router = Router([source("one", "H51"), source("two", "H51"), source("three", "H51", patterns=("H51-9",))])
    assert tiers(router, "H51-1") == ["one", "two", "three"]
    assert tiers(router, "H51-9") == ["three", "one", "two"]


def test_systems_a_dossier_may_pass_to_are_of_its_tier_and_asked_once() -> None:
    router = Router(
        [
            source("commune", "H51.18", passes_to=("district",)),
            source("district", passes_to=("province", "commune")),
            source("province", "H51", "H51.18", passes_to=("district",)),
        ]
    )
    assert tiers(router, "H51.18-1") == ["commune+district+province"]
    assert tiers(router, "H51-1") == ["province+district+commune"]


def test_everyone_is_the_same_sources_in_one_tier() -> None:
    router = Router([source("one", "H51", passes_to=("four",)), source("two", "H51"), source("four")])
    assert tiers(router, "H51-1") == ["one+four", "two"]
    assert tiers(router, "H51-1", everyone=True) == ["one+four+two"]
    assert tiers(router, "H13-1", everyone=True) == []


def test_same_sources_are_the_same_route_so_that_their_askers_share_reads() -> None:
    router = Router([source("one", "H51", "H13"), source("two", patterns=(".*-9",))])

    def route(text: str, *, everyone: bool = False) -> object:
        return router.route(DossierCode(text=text, agency=text.split("-", maxsplit=1)[0]), everyone=everyone)

    assert route("H51-1") is route("H13.18-2")
    assert route("H51-9") is route("H51.20-9")
    assert route("H51-1", everyone=True) is route("H51-2", everyone=True)
    assert route("H51-1", everyone=True) is not route("H51-1")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"patterns": ("H51(",)}, "is not a regular expression"),
        ({"patterns": ("a{99999999999999999999}",)}, "is not a regular expression"),
        ({"patterns": ("H" * 201,)}, "has 201 characters, at most 200"),
        ({"passes_to": ("nowhere",)}, "cannot pass to 'nowhere'"),
        ({"passes_to": ("h51",)}, "cannot pass to 'h51'"),
    ],
)
def test_router_says_which_source_is_wrong_and_why(wrong: dict[str, tuple[str, ...]], says: str) -> None:
    with pytest.raises(SettingsError, match="h51: ") as refused:
        Router([source("h51", default=True, **wrong), source("other", default=True)])  # type: ignore[arg-type]
    assert says in str(refused.value)


def test_router_refuses_sources_that_only_pass_to_each_other() -> None:
    with pytest.raises(SettingsError, match="nothing would be asked of one, two"):
        Router([source("one", passes_to=("two",)), source("two", passes_to=("one",)), source("rest", default=True)])
