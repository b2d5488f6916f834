"""Arithmetic of RTP timestamps (RFC 3550 §5.1), which count frames modulo 2³²."""

RTP_TIMESTAMPS = 1 << 32
"""Number of different timestamps."""


def timestamp_difference(timestamp: int, earlier: int) -> int:
    """Return the frames between two timestamps, from -2³¹ to 2³¹ - 1."""
    half = RTP_TIMESTAMPS // 2
    return (timestamp - earlier + half) % RTP_TIMESTAMPS - half
