"""Arithmetic of RTP timestamps and sequence numbers (RFC 3550 §5.1), which wrap around."""

RTP_TIMESTAMPS = 1 << 32
"""Number of different timestamps."""

RTP_SEQUENCE_NUMBERS = 1 << 16
"""Number of different sequence numbers."""


def timestamp_difference(timestamp: int, earlier: int) -> int:
    """Return the frames between two timestamps, from -2³¹ to 2³¹ - 1."""
    return _nearest_to_zero(timestamp - earlier, RTP_TIMESTAMPS)


def sequence_difference(sequence: int, earlier: int) -> int:
    """Return the packets between two sequence numbers, from -2¹⁵ to 2¹⁵ - 1."""
    return _nearest_to_zero(sequence - earlier, RTP_SEQUENCE_NUMBERS)


def _nearest_to_zero(difference: int, modulus: int) -> int:
    half = modulus // 2
    return (difference + half) % modulus - half
