"""Model of one direction of a network link: delay, jitter, loss, reordering, rate and queue.

::

             queue, rate        trace, if any     loss      delay, jitter, order      duplication
    in ──▶ tail drop ──▶ serialise ──▶ replay ──▶ Gilbert ──▶ first in, first out ──▶ copies ──▶ out

*Queue.* The link sends packets one after another, each in ``8 size / rate``. A packet that would
wait for longer than `LinkConfig.queue_s` is dropped (tail drop).

*Trace.* Instead of jitter, a link may replay what a real network did to its packets: the delays and
losses of a `DelayTrace`, or the opportunities of a `DeliveryTrace`. Each replay begins at a random
time of the trace, so links and directions differ. The order of packets is the trace's own.

*Loss* is independent, or follows Gilbert's chain of a good and a bad state, with one step a packet;
all packets in the bad state are lost (E. N. Gilbert, "Capacity of a burst-noise channel", Bell
System Technical Journal 39, 1960; the model of E. O. Elliott, 1963, with error rates 0 and 1). With
p the probability to turn bad and r to recover, bursts last 1/r packets on average and p/(p + r) of
all packets are lost, so loss rate and mean burst length determine the chain.

*Jitter* is packet delay variation as in RFC 5481 §4.2: the delay beyond the minimum. It is
exponential, like the tail of waiting times in a simple queue (M/M/1); of all distributions with
that mean it is the one with the largest entropy. A queue does not reorder, so no packet leaves
before an earlier one, and a late packet delays the packets close behind it: of packets sent every
T, each leaves the largest of X₀, X₁ - T, X₂ - 2T, … after the minimum delay. The mean of that is
`jitter_s` where T is much longer than `jitter_s`, and larger where it is not.

*Reordering* happens only by `LinkConfig.reordering`: a packet is held back, and the packets behind
it do not wait for it.
"""

import math
import random
import sys
from dataclasses import dataclass, replace
from typing import Protocol

HOLD_BACK_S = 0.025
"""How long a reordered packet is held back: in a stream of 20 ms packets the next overtakes it."""
LEAST_RATE_BIT_S = 1.0
"""The lowest rate of a link: below it, sending times could overflow a float."""


class Replay(Protocol):
    """Replay of a trace on one direction of a link, packet by packet."""

    @property
    def queues(self) -> bool:
        """Whether a packet that does not leave was dropped by a queue, and not lost on the way."""

    def leaves_s(self, size_bytes: int, now_s: float, spared: bool = False) -> float | None:
        """Return when a packet sent now leaves; None for one that does not."""


class Replayable(Protocol):
    """A trace that links can replay: `jamlab.networks.model.packet_trace` has both kinds."""

    def replay(self, rng: random.Random) -> Replay:
        """Return a replay that begins at a random time of the trace."""


@dataclass(frozen=True, slots=True)
class LinkConfig:
    """Impairments of a link, by default none; raises ValueError if a value is out of its range."""

    delay_s: float = 0.0
    """Minimum one-way delay."""
    jitter_s: float = 0.0
    """Mean of the delay beyond the minimum."""
    loss: float = 0.0
    """Share of packets lost, 0 to 1, besides those that the queue drops."""
    burst_packets: float = 1.0
    """Mean length of a burst of losses; 1 means independent losses."""
    reordering: float = 0.0
    """Share of packets held back, so that the next packet can overtake them."""
    duplication: float = 0.0
    """Share of packets delivered twice."""
    rate_bit_s: float | None = None
    """Bits a second; None means no limit."""
    queue_s: float = 0.2
    """With a rate, the longest time a packet waits in the queue before it is dropped."""
    trace: Replayable | None = None
    """Trace to replay, with the delay added to its own; not together with jitter."""
    trace_once: bool = False
    """Whether it is replayed only on the way up, to the network outside, and not on the way down:
    a path between two hosts with such links then has the trace once."""

    def __post_init__(self) -> None:
        for name, (low, high, wanted) in _RANGES.items():
            value = getattr(self, name)
            number = isinstance(value, (int, float)) and value is not True and value is not False
            if not (number and low <= value <= high):
                if name == "rate_bit_s" and value is None:
                    continue
                raise ValueError(f"{name} of a link is {value!r}: give {wanted}")
        if self.trace is not None and self.jitter_s:
            raise ValueError(
                f"jitter_s of a link is {self.jitter_s!r} and it replays a trace, which has jitter "
                "of its own: give one of the two"
            )
        least = self.loss / (1 - self.loss) if self.loss < 1 else math.inf
        if 1 < self.burst_packets < least * (1 - _ROUNDING):
            wanted = f"1, or {least:g} or more" if self.loss < 1 else "1"
            raise ValueError(
                f"burst_packets of a link is {self.burst_packets!r} and loss {self.loss!r}: give "
                f"{wanted}, because at least one packet arrives between two bursts"
            )

    @property
    def downwards(self) -> "LinkConfig":
        """The properties of the way down, from the network outside to the member inside."""
        return replace(self, trace=None) if self.trace_once else self


_ROUNDING = 1e-9
_MOST = sys.float_info.max
_SECONDS = 0, _MOST, "seconds, 0 or more"
_SHARE = 0, 1, "a share from 0 to 1"
_RANGES = {
    "delay_s": _SECONDS,
    "jitter_s": _SECONDS,
    "loss": _SHARE,
    "burst_packets": (1, _MOST, "packets, 1 or more"),
    "reordering": _SHARE,
    "duplication": _SHARE,
    "rate_bit_s": (LEAST_RATE_BIT_S, _MOST, "bits a second, 1 or more, or None"),
    "queue_s": _SECONDS,
}
"""Range of each field; infinity, NaN and truth values are refused."""


class Link:
    """One direction of a link, without timers: returns when each packet arrives."""

    def __init__(self, config: LinkConfig, rng: random.Random) -> None:
        self.config = config
        self.memoryless = config.rate_bit_s is None and not any(
            (config.jitter_s, config.loss, config.reordering, config.duplication, config.trace)
        )
        """Whether the link only adds a constant delay; `delayed` is then enough."""
        self.sent = 0
        self.lost = 0
        self.dropped = 0
        """Packets dropped by a queue; `lost` counts those lost on the way."""
        self.duplicated = 0
        self.reordered = 0
        self._rng = rng
        self._delay_s = config.delay_s
        self._idle_from_s = -math.inf
        self._latest_s = -math.inf
        self._fade, self._recovery = _transitions(config)
        self._bad = config.loss > 0 and rng.random() < config.loss
        self._replay = None if config.trace is None else config.trace.replay(rng)

    def delayed(self, now_s: float) -> float:
        """Send a packet into a `memoryless` link; return when it leaves the far end."""
        self.sent += 1
        return now_s + self._delay_s

    def transit(self, size_bytes: int, now_s: float, spared: bool = False) -> tuple[float, ...]:
        """Send a packet into the link; return when it leaves the far end.

        The result is empty for a lost packet, and has two times for a duplicated one. The size
        includes headers, and `now_s` must not decrease. A `spared` packet is exempt from loss and
        from the queue's limit.
        """
        self.sent += 1
        on_wire_s = self._serialise(size_bytes, now_s, spared)
        if on_wire_s is None:
            self.dropped += 1
            return ()
        if self._replay is not None:
            on_wire_s = self._replay.leaves_s(size_bytes, on_wire_s, spared)
        if on_wire_s is None:
            self._count_unreplayed()
            return ()
        if self._loses() and not spared:
            self.lost += 1
            return ()
        leaves_s = self._leave(on_wire_s)
        if not self._happens(self.config.duplication):
            return (leaves_s,)
        self.duplicated += 1
        return (leaves_s, leaves_s)

    def _count_unreplayed(self) -> None:
        """Count a packet that did not arrive in the trace."""
        if self._replay is not None and self._replay.queues:
            self.dropped += 1
        else:
            self.lost += 1

    def _serialise(self, size_bytes: int, now_s: float, spared: bool) -> float | None:
        """Return when the last bit is sent, or None when the queue is full."""
        if self.config.rate_bit_s is None:
            return now_s
        start_s = max(now_s, self._idle_from_s)
        if start_s - now_s > self.config.queue_s and not spared:
            return None
        self._idle_from_s = start_s + 8 * size_bytes / self.config.rate_bit_s
        return self._idle_from_s

    def _loses(self) -> bool:
        """Return whether the chain is in the bad state, and step it."""
        lost = self._bad
        if self.config.loss > 0:
            stays_or_turns_bad = 1 - self._recovery if lost else self._fade
            self._bad = self._rng.random() < stays_or_turns_bad
        return lost

    def _leave(self, on_wire_s: float) -> float:
        """Return when a packet leaves the far end, in order unless it is held back."""
        jitter_s = self.config.jitter_s
        extra_s = jitter_s * self._rng.expovariate(1.0) if jitter_s else 0.0
        leaves_s = on_wire_s + self._delay_s + extra_s
        if self._replay is None:  # a trace has an order of its own
            leaves_s = max(leaves_s, self._latest_s)
        if self._happens(self.config.reordering):
            self.reordered += 1
            return leaves_s + HOLD_BACK_S
        self._latest_s = leaves_s
        return leaves_s

    def _happens(self, share: float) -> bool:
        return share > 0 and self._rng.random() < share


def _transitions(config: LinkConfig) -> tuple[float, float]:
    """Return the chain's probabilities to turn bad and to recover, per packet."""
    if config.burst_packets == 1:
        return config.loss, 1 - config.loss
    recovery = 1 / config.burst_packets
    return min(1.0, recovery * config.loss / (1 - config.loss)), recovery
