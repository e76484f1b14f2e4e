"""A text leaves as segments that any telephone joins again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms import commands as c
from channels.sms.decoding import decode_text, split_header
from channels.sms.segments import (
    ConcatReferences,
    DefaultAlphabet,
    Form,
    Segment,
    in_payload,
    plan,
    segments,
    with_headers,
    with_parameters,
)
from domain import gsm

PERSON = "84912345678"


def test_more_than_255_parts_are_refused() -> None:
    with pytest.raises(ValueError, match="255"):
        segments("a" * 153 * 256, PERSON, ConcatReferences())


def test_one_segment_has_no_header_and_takes_no_reference() -> None:
    references = ConcatReferences(start=7)
    (only,) = segments("Da nhan", PERSON, references)
    assert (only.data_coding, only.esm_class, only.short_message) == (0, 0, b"Da nhan")
    assert references.take(PERSON) == 7


def test_several_segments_carry_the_8_bit_header() -> None:
    first, second = segments("a" * 200, PERSON, ConcatReferences(start=9))
    assert first.short_message[:6] == bytes.fromhex("050003090201")
    assert second.short_message[:6] == bytes.fromhex("050003090202")
    assert first.esm_class == second.esm_class == c.ESM_UDHI


def test_accented_vietnamese_leaves_as_ucs2() -> None:
    (only,) = segments("Đã trả kết quả", PERSON, ConcatReferences())
    assert only.data_coding == c.CODING_UCS2
    assert only.short_message.decode("utf-16-be") == "Đã trả kết quả"


@given(st.text(max_size=600))
def test_no_short_message_exceeds_140_octets_on_the_air(text: str) -> None:
    for segment in segments(text, PERSON, ConcatReferences()):
        header = 6 if segment.esm_class else 0
        body = len(segment.short_message) - header
        on_air = header + (body if segment.data_coding else (7 * body + 7) // 8)
        assert on_air <= 140


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=600))
def test_what_leaves_reads_as_what_was_meant(text: str) -> None:
    sent = segments(text, PERSON, ConcatReferences())
    payloads = [split_header(segment.short_message) for segment in sent] if len(sent) > 1 else []
    if len(sent) == 1:
        body = sent[0].short_message
        assert (gsm.decode_gsm7(body) if sent[0].data_coding == 0 else body.decode("utf-16-be")) == text
        return
    numbers = [payload.concatenation.number for payload in payloads if payload.concatenation]
    assert numbers == list(range(1, len(sent) + 1))
    assert not decode_text(payloads, sent[0].data_coding).damaged


@given(st.text(max_size=400))
def test_the_plan_counts_what_is_sent(text: str) -> None:
    assert len(plan(text).parts) == len(segments(text, PERSON, ConcatReferences())) == gsm.segments_needed(text)[1]


@pytest.mark.parametrize(
    ("alphabet", "text", "coding", "body"),
    [
        (DefaultAlphabet.GSM, "@ à", 0, b"\x00 \x7f"),
        (DefaultAlphabet.LATIN1, "@ à", 0, b"@ \xe0"),
        (DefaultAlphabet.ASCII, "@_$", 0, b"@_$"),
        (DefaultAlphabet.ASCII, "à", 8, b"\x00\xe0"),
        (DefaultAlphabet.LATIN1, "€", 8, b"\x20\xac"),
    ],
)
def test_data_coding_0_is_written_as_this_smsc_reads_it(
    alphabet: DefaultAlphabet, text: str, coding: int, body: bytes
) -> None:
    (only,) = segments(text, PERSON, ConcatReferences(), alphabet)
    assert (only.data_coding, only.short_message) == (coding, body)


def test_references_to_one_person_differ_256_times() -> None:
    references = ConcatReferences(start=250)
    taken = [references.take(PERSON) for _ in range(257)]
    assert len(set(taken)) == 256
    assert taken[0] == taken[256] == 250
    assert all(0 <= reference <= 255 for reference in taken)


def test_references_are_counted_for_each_person() -> None:
    references = ConcatReferences()
    assert [references.take("a"), references.take("b"), references.take("a"), references.take("b")] == [0, 1, 1, 2]


def test_references_forget_the_oldest_person_beyond_their_limit() -> None:
    references = ConcatReferences(limit=100)
    for person in range(1_000):
        references.take(str(person))
    assert len(references._next) == 100
    assert "999" in references._next


# The three ways operators take long messages.

FORMS = [with_headers, with_parameters, in_payload]


def bodies(sent: list[Segment]) -> list[bytes]:
    """What the telephone shows of each, in octets."""
    if sent[0].esm_class & c.ESM_UDHI:
        return [segment.short_message[6:] for segment in sent]
    return [segment.tlvs.get(c.MESSAGE_PAYLOAD, segment.short_message) for segment in sent]


@pytest.mark.parametrize("form", FORMS)
def test_a_message_of_one_part_is_a_plain_short_message_in_every_form(form: Form) -> None:
    references = ConcatReferences(start=7)
    assert segments("Da nhan", PERSON, references, form=form) == [Segment(0, 0, b"Da nhan")]
    assert references.take(PERSON) == 7


def test_parameters_number_the_parts_and_leave_the_text_alone() -> None:
    first, second = segments("a" * 200, PERSON, ConcatReferences(start=0x1234, count=65_536), form=with_parameters)
    assert first.esm_class == second.esm_class == 0
    assert (first.short_message, second.short_message) == (b"a" * 153, b"a" * 47)
    assert [(part.tlvs[c.SAR_MSG_REF_NUM], part.tlvs[c.SAR_TOTAL_SEGMENTS]) for part in (first, second)] == [
        (b"\x12\x34", b"\2")
    ] * 2
    assert [part.tlvs[c.SAR_SEGMENT_SEQNUM] for part in (first, second)] == [b"\1", b"\2"]


def test_payload_holds_all_of_it_beside_an_empty_short_message() -> None:
    references = ConcatReferences(start=7)
    (only,) = segments("đ" * 200, PERSON, references, form=in_payload)
    assert (only.data_coding, only.esm_class, only.short_message) == (c.CODING_UCS2, 0, b"")
    assert only.tlvs == {c.MESSAGE_PAYLOAD: ("đ" * 200).encode("utf-16-be")}
    assert references.take(PERSON) == 7


@pytest.mark.parametrize("form", FORMS)
def test_more_than_255_parts_are_refused_in_every_form(form: Form) -> None:
    with pytest.raises(ValueError, match="255"):
        segments("a" * 153 * 256, PERSON, ConcatReferences(), form=form)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=600), st.sampled_from(FORMS))
def test_every_form_carries_the_same_text_in_the_same_parts(text: str, form: Form) -> None:
    sent, planned = segments(text, PERSON, ConcatReferences(count=65_536), form=form), plan(text)
    assert len(sent) == (1 if form is in_payload else len(planned.parts))
    assert b"".join(bodies(sent)) == b"".join(bodies(segments(text, PERSON, ConcatReferences())))
    read = gsm.decode_gsm7 if planned.encoding == "gsm" else lambda body: body.decode("utf-16-be")
    assert "".join(map(read, bodies(sent))) == text  # no pair is cut: each reads by itself


@given(
    st.lists(
        st.sampled_from(["€", "{", "a", "\U0001f600", "e\u0301", "ก\u0e49", "\U0001f1fb\U0001f1f3", "क\u094d"]),
        min_size=60,
        max_size=200,
    ),
    st.sampled_from([with_headers, with_parameters]),
)
def test_no_cut_falls_inside_what_is_one_sign_to_a_reader(signs: list[str], form: Form) -> None:
    parts = bodies(segments("".join(signs), PERSON, ConcatReferences(), form=form))
    if plan("".join(signs)).encoding == "ucs2":
        texts = [part.decode("utf-16-be") for part in parts]
    else:
        texts = [gsm.decode_gsm7(part) for part in parts]
    ends, signs_end = 0, {len("".join(signs[:count])) for count in range(len(signs) + 1)}
    for text in texts:
        ends += len(text)
        assert ends in signs_end


def test_references_of_16_bits_come_round_after_65536() -> None:
    references = ConcatReferences(start=65_535, count=65_536)
    assert [references.take(PERSON) for _ in range(2)] == [65_535, 0]
