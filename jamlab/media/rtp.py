"""RTP timestamps (RFC 3550 §5.1), which count sample frames and begin again after 2³² of them."""

RTP_TIMESTAMPS = 1 << 32
"""How many there are."""


def timestamp_difference(timestamp: int, earlier: int) -> int:
    """Return how many frames lie between timestamps that are less than half a turn apart."""
    half = RTP_TIMESTAMPS // 2
    return (timestamp - earlier + half) % RTP_TIMESTAMPS - half
