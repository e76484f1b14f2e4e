"""Septets as the SMSCs write them that pack: nothing of ours sends them so."""

from __future__ import annotations


def pack_septets(data: bytes, fill_bits: int = 0) -> bytes:
    """Septets into octets, the lowest bits first (TS 23.038 §6.1.2.1), after `fill_bits` zero bits (0-6)."""
    packed = 0
    for position, septet in enumerate(data):
        packed |= septet << (7 * position + fill_bits)
    return packed.to_bytes((7 * len(data) + fill_bits + 7) // 8, "little")
