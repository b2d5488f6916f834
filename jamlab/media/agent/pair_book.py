"""The candidate pairs of aioice beside their states, and by the source of what comes on them."""

from heapq import nlargest

from aioice.ice import CandidatePair, StunProtocol, candidate_pair_priority

from jamlab.media.agent.pair import PairState
from jamlab.media.agent.sockets import Address


class PairBook:
    """The pairs of one agent, each with its state."""

    def __init__(self) -> None:
        self._states: dict[CandidatePair, PairState] = {}
        self._pairs: dict[PairState, CandidatePair] = {}
        self._sources: dict[tuple[StunProtocol, Address], PairState] = {}

    def pair(self, state: PairState) -> CandidatePair:
        """Return the pair of a state."""
        return self._pairs[state]

    def state(self, pair: CandidatePair) -> PairState | None:
        """Return the state of a pair; None for one that was removed."""
        return self._states.get(pair)

    def of_source(self, protocol: StunProtocol, source: Address) -> PairState | None:
        """Return the pair on which a datagram came."""
        return self._sources.get((protocol, source))

    def note(self, pair: CandidatePair, is_controlling: bool) -> PairState | None:
        """Note a pair's kind and priority, which may change; return its state when it is new."""
        local, remote = pair.local_candidate, pair.remote_candidate
        relayed = "relay" in (local.type, remote.type)
        priority = candidate_pair_priority(local, remote, is_controlling)
        known = self._states.get(pair)
        if known is not None:
            known.is_relayed, known.priority = relayed, priority
            return None
        state = PairState(relayed, priority)
        self._states[pair], self._pairs[state] = state, pair
        self._sources[pair.protocol, pair.remote_addr] = state
        return state

    def remove(self, pair: CandidatePair) -> PairState:
        """Remove a pair, and return its state."""
        state = self._states.pop(pair)
        del self._pairs[state], self._sources[pair.protocol, pair.remote_addr]
        return state

    def worst(self, count: int) -> list[CandidatePair]:
        """Return the pairs of which a full checklist loses least, among those that never worked.

        With many servers most pairs are of two relays, and few calls need one; least of all one of
        two servers. Next, it is those that are checked in vain most often, and of these the ones
        ranked last.
        """
        vain = [(pair, state) for state, pair in self._pairs.items() if not state.is_valid]
        return [pair for pair, _ in nlargest(count, vain, key=lambda each: _uselessness(*each))]


def _uselessness(pair: CandidatePair, state: PairState) -> tuple[int, int, int]:
    local, remote = pair.local_candidate, pair.remote_candidate
    two_relays = local.type == remote.type == "relay"
    two_servers = two_relays and local.host != remote.host
    return two_relays + two_servers, state.tries, -state.priority
