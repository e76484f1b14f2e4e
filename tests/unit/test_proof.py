"""Who may know more: numbers and secrets are compared by their seals, whatever form they were written in."""

from __future__ import annotations

import pytest

from domain.codes import CodeFamily, DossierCode, parse_canonical
from domain.phones import significant_number
from domain.proof import Proof, ProofKind, Sealer

KEY = b"a key of the installation"
NUMBER, LAST_FOUR, SECRET = ProofKind.NUMBER, ProofKind.LAST_FOUR, ProofKind.SECRET


def code(text: str = "H51.18-210817-0005") -> DossierCode:
    read = parse_canonical(text)
    assert read is not None
    return read


@pytest.mark.parametrize(
    ("kept", "number"),
    [
        ("0912345678", "912345678"),
        (912345678, "912345678"),  # an INT column lost the zero
        ("+84 912 345 678", "912345678"),
        ("84912345678", "912345678"),
        ("0084.912.345.678", "912345678"),
        ("02993 822 822", "2993822822"),
        ("0168 345 6789", "383456789"),  # of before 2018
        (1683456789, "383456789"),
        ("841683456789", "383456789"),
        ("912345678.0", "912345678"),  # a number that went through a spreadsheet
        (912345678.0, "912345678"),
        ("0912345678.00", "912345678"),
        ("0912,345,678", "912345678"),
        ("0842345678", "842345678"),  # 084 is a prefix of its own, not the country
    ],
)
def test_a_number_is_the_same_number_however_it_is_kept(kept: object, number: str) -> None:
    assert significant_number(kept) == number


@pytest.mark.parametrize(
    "kept",
    [
        "0912345678; 0987654321",
        "0912345678/0987654321",
        "0912 345 678, 0987.654.321",
        "84912345678\n0987654321",
        "0912345678|x|0987654321",
    ],
)
def test_every_number_of_a_column_shows_it(kept: str) -> None:
    sealer = Sealer(KEY)
    seals = sealer.seals_of(code(), numbers=[kept])
    for number in ("84912345678", "84987654321"):
        assert sealer.seal(code(), Proof(NUMBER, number)) in seals
        assert sealer.seal(code(), Proof(LAST_FOUR, number[-4:])) in seals


@pytest.mark.parametrize("sender", ["376312345", "8412345678", "1234567890", "8100", "TraCuu", ""])
def test_a_sender_from_abroad_is_nobody_here(sender: str) -> None:
    """376312345 is a number of Andorra; 0376312345 is one of ours."""
    sealer = Sealer(KEY)
    kept = ["0376312345", "8412345678", "01234567890", "1234567890"]
    assert sealer.seal(code(), Proof(NUMBER, sender)) not in sealer.seals_of(code(), numbers=kept)


@pytest.mark.parametrize("sender", ["84376312345", "+84376312345", "0376312345"])
def test_a_sender_of_ours_is_known_with_the_country_or_the_national_zero(sender: str) -> None:
    sealer = Sealer(KEY)
    assert sealer.seal(code(), Proof(NUMBER, sender)) in sealer.seals_of(code(), numbers=[376312345])


@pytest.mark.parametrize(
    "kept", [None, "", "0", 0, "0000000000", "không có", "12345", "012345678901234", "00000000000"]
)
def test_a_placeholder_is_nobodys_number(kept: object) -> None:
    assert significant_number(kept) == ""


def test_whoever_is_on_the_dossier_can_show_it_in_three_ways() -> None:
    sealer = Sealer(KEY)
    seals = sealer.seals_of(code(), numbers=[912345678], secret="7k3m-9q")
    for proof in (
        Proof(NUMBER, "84912345678"),
        Proof(LAST_FOUR, "5678"),
        Proof(LAST_FOUR, "56 78"),
        Proof(SECRET, "7K3M9Q"),
        Proof(SECRET, "7k3 m9q"),
    ):
        assert sealer.seal(code(), proof) in seals


@pytest.mark.parametrize(
    "proof",
    [
        Proof(NUMBER, "84912345679"),
        Proof(NUMBER, "5678"),  # a part of a number is no number
        Proof(LAST_FOUR, "345678"),
        Proof(LAST_FOUR, "8"),
        Proof(LAST_FOUR, ""),
        Proof(SECRET, ""),
        Proof(SECRET, "5678"),  # one kind does not stand for another
        Proof(LAST_FOUR, "7K3M9Q"),
    ],
)
def test_nothing_else_shows_it(proof: Proof) -> None:
    sealer = Sealer(KEY)
    assert sealer.seal(code(), proof) not in sealer.seals_of(code(), numbers=["0912345678"], secret="7K3M9Q")


def test_a_dossier_without_number_and_secret_opens_to_nobody() -> None:
    assert Sealer(KEY).seals_of(code(), numbers=["0000000000", None, ""], secret=None) == frozenset()


def test_a_seal_opens_one_dossier_of_one_installation() -> None:
    sealer, proof = Sealer(KEY), Proof(LAST_FOUR, "5678")
    other_agency = DossierCode(text="123/45", family=CodeFamily.LEGACY, agency="H51.18")
    same_number = DossierCode(text="123/45", family=CodeFamily.LEGACY, agency="H51.19")
    assert sealer.seal(code(), proof) != sealer.seal(code("H51.18-210817-0006"), proof)
    assert sealer.seal(other_agency, proof) != sealer.seal(same_number, proof)
    assert sealer.seal(code(), proof) != Sealer(b"another installation").seal(code(), proof)


def test_a_seal_tells_nothing_of_what_is_sealed() -> None:
    (number, last_four) = Sealer(KEY).seals_of(code(), numbers=["0912345678"])
    assert "5678" not in number + last_four
    assert {len(number), len(last_four)} == {32}


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16"):
        Sealer(b"short")
