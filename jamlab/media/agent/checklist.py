"""Decisions of an ICE agent: which pair to check, to send on and to nominate, and when.

Theory of operation
-------------------
*Checks.* Every pair is checked, at most one each `TA_S` (RFC 8445 §14.2), first the triggered ones,
then direct and relayed pairs in turn, so that neither kind waits for the other, and of each those
with the fewest checks in vain. A check without an
answer is repeated after 0.5 s, then ever less often, but each second while no pair works. Checks do
not end with a failure: the attempt has a time limit of its own (RFC 8863), and while the selected
pair is relayed, direct pairs are checked on.

*Selection.* Data may go over any valid pair (RFC 8445 §12.1). So the first pair whose check is
answered is selected; a direct pair replaces a relayed one at once, and among pairs of one kind the
selected one stays. For `BOTH_S` after a change data goes over both pairs: what is under way on the
new path is then there before the old one ends, and SRTP drops the second copy.

*Nomination.* The controlling agent nominates the selected pair in each of its checks: a direct one
at once, a relayed one after `HEAD_START_S` (RFC 8305's idea), because some peers send only on a
nominated pair. The controlled agent prefers the pair nominated last among those of one kind.

*Afterwards.* The selected pair and two others, one of each kind, are checked on (RFC 7675). When no
packet comes on the selected pair, it is checked often, and all others as soon as its answer is
overdue. It is dead when it has not answered for `DEAD_S`, and then one that has answered meanwhile
is selected. If none has, all pairs are checked anew. A pair that was dead is preferred again once
it has answered for `STEADY_S`.

There is no I/O here: inputs come with the time, and `Checklist.due_s` is the time for the next
`due`.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from jamlab.media.agent.pair import OFTEN_S, SELECTED_S, SPARE_S, STEADY_S, PairState
from jamlab.media.agent.renewal import PathState

TA_S = 0.02
"""Least interval of the checks of pairs that are not in use, as aioice's."""

RTO_S = 0.5
"""First interval of checks of a pair that does not answer; doubled with every further one."""

LONGEST_RTO_S, SEEKING_RTO_S = 15.0, 1.0
"""Longest interval of these checks, and the longest while no pair works."""

HEAD_START_S = 0.5
"""Time for which a relayed pair is selected before it is nominated."""

BOTH_S = 0.15
"""Time after a change of the selected pair in which data goes over both."""

SILENCE_S = 0.3
"""Time without a packet on the selected pair after which it is checked often."""

CONSENT_S = 30.0
"""Time without any answer after which nothing may be sent (RFC 7675 §5.1)."""

MOST_TRIES = 7
"""Checks of a pair without an answer while another pair is selected and it would not replace it."""


@dataclass(frozen=True, slots=True)
class Check:
    """A connectivity check to send now."""

    pair: PairState
    nominates: bool


class Checklist:
    """The pairs of one agent, and its decisions; `is_controlling` may be changed at any time."""

    def __init__(self, is_controlling: bool) -> None:
        self.is_controlling = is_controlling
        self.selected: PairState | None = None
        """The pair to send on."""
        self.pairs: list[PairState] = []
        self.heard_s = -math.inf
        """Time of the last packet or answer of the peer on any pair."""
        self._earlier: PairState | None = None
        self._changed_s = -math.inf
        self._paced_s = -math.inf  # time of the last paced check
        self._relayed_next = False  # whose turn it is among pairs that wait
        self._checked_anew = False
        self._consent_s = math.inf  # time at which the consent to send expires

    # Inputs

    def add(self, pair: PairState) -> None:
        """Add a pair, which is to be checked."""
        self.pairs.append(pair)

    def remove(self, pair: PairState, now_s: float) -> None:
        """Remove a pair; if it is the selected one, another takes its place."""
        self.pairs.remove(pair)
        if pair is self._earlier:
            self._earlier = None
        if pair is self.selected:
            self.selected = None
            self._choose(now_s)
            if self.selected is None:
                self._check_anew()

    def trigger(self, pair: PairState, now_s: float) -> None:
        """Note a check of the peer, which triggers one of ours unless the pair is in use."""
        pair.triggered = not pair.is_alive(now_s)

    def answer(self, check: Check, round_trip_s: float, now_s: float) -> None:
        """Note the answer to a check of ours."""
        pair = check.pair
        if pair.was_dead:
            pair.was_dead, pair.mended_s = False, now_s
        pair.answered_s, pair.round_trip_s = now_s, round_trip_s
        self.heard_s = now_s
        self._consent_s = now_s + CONSENT_S
        pair.tries, pair.asked_s, pair.triggered = 0, math.inf, False
        pair.is_named = pair.is_named or (check.nominates and pair is self.selected)
        self._choose(now_s)

    def repeat(self, pair: PairState) -> None:
        """Check a pair at once, because our role has changed."""
        pair.triggered = True

    def nominate(self, pair: PairState, now_s: float) -> None:
        """Note that the peer nominates a pair."""
        pair.nominated_s = now_s
        self._choose(now_s)

    def hear(self, pair: PairState, now_s: float) -> None:
        """Note a packet that came on a pair."""
        pair.heard_s = self.heard_s = now_s

    # Decisions

    def is_doubtful(self, now_s: float) -> bool:
        """Return whether an answer on the selected pair is overdue."""
        return self.selected is not None and self.selected.is_doubtful(now_s)

    def path(self, now_s: float) -> PathState:
        """Return the state of the selected pair."""
        if self._is_seeking:
            return PathState.LOST
        assert self.selected is not None
        if self.is_doubtful(now_s) or now_s >= self.selected.heard_s + SILENCE_S:
            return PathState.QUIET
        return PathState.RELAYED if self.selected.is_relayed else PathState.DIRECT

    def sent_on(self, now_s: float) -> Iterator[PairState]:
        """Yield the pairs that data goes over: the selected one, and for a while an earlier one."""
        if self.selected is not None:
            yield self.selected
            if self._earlier is not None and now_s < self._changed_s + BOTH_S:
                yield self._earlier

    def is_lost(self, now_s: float) -> bool:
        """Return whether the consent to send has expired on all pairs."""
        return now_s >= self._consent_s

    def due(self, now_s: float) -> list[Check]:
        """Return the checks to send now; they count as sent."""
        self._choose(now_s)
        used = self._used(now_s)
        checks = [self._check(p, now_s) for p in used if self._next_use_s(p, now_s) <= now_s]
        if now_s >= self._paced_s + TA_S:
            waiting = [p for p in self._others(used, now_s) if self._next_try_s(p, now_s) <= now_s]
            if waiting:
                self._paced_s = now_s
                checks.append(self._check(self._first(waiting), now_s))
        return checks

    def due_s(self, now_s: float) -> float:
        """Return the time of the next `due` if nothing else happens; infinity for none."""
        used = self._used(now_s)
        uses_s = (self._next_use_s(pair, now_s) for pair in used)
        tries_s = (self._next_try_s(pair, now_s) for pair in self._others(used, now_s))
        paced_s = max(self._paced_s + TA_S, min(tries_s, default=math.inf))
        return min(paced_s, min(uses_s, default=math.inf), self._change_s(now_s))

    # Inside: selection

    def _choose(self, now_s: float) -> None:
        """Select the best pair; stay on a dead one while no other has answered since."""
        selected = self.selected
        dead = selected is not None and not selected.is_alive(now_s)
        for pair in self.pairs:
            pair.was_dead = pair.was_dead or (pair.is_valid and not pair.is_alive(now_s))
        since_s = selected.asked_s if selected is not None and dead else -math.inf
        able = [p for p in self.pairs if p.is_alive(now_s) and p.answered_s > since_s]
        best = max(able, key=lambda pair: self._rank(pair, now_s), default=None)
        if best is not None and best is not selected:
            self._earlier, self._changed_s, self.selected = selected, now_s, best
            best.named_s, best.is_named = -math.inf, False
        if dead and best is None and not self._checked_anew:
            self._check_anew()
        self._checked_anew = dead and best is None

    def _check_anew(self) -> None:
        for pair in self.pairs:
            pair.tries, pair.sent_s = 0, -math.inf

    def _rank(self, pair: PairState, now_s: float) -> tuple[bool, float, bool, int]:
        direct = not pair.is_relayed and (pair.is_steady(now_s) or pair is self.selected)
        nominated_s = -math.inf if self.is_controlling else pair.nominated_s
        return direct, nominated_s, pair is self.selected, pair.priority

    def _nominates(self, pair: PairState, now_s: float) -> bool:
        return self.is_controlling and pair is self.selected and now_s >= self._nominable_s

    @property
    def _nominable_s(self) -> float:
        """Time from which the selected pair is nominated."""
        assert self.selected is not None
        return self._changed_s + (HEAD_START_S if self.selected.is_relayed else 0.0)

    def _change_s(self, now_s: float) -> float:
        """Return when time alone next changes the selection: by a death or a recovery."""
        changes_s = [self._consent_s, *(pair.mended_s + STEADY_S for pair in self.pairs)]
        if self.selected is not None:
            changes_s.append(self.selected.dies_s)
        return min((at_s for at_s in changes_s if at_s > now_s), default=math.inf)

    # Inside: times of checks

    def _used(self, now_s: float) -> list[PairState]:
        """Return the selected pair, and the best spare pair of each kind."""
        if self.selected is None:
            return []
        used = [self.selected]
        for relayed in (False, True):
            spare = [
                pair
                for pair in self.pairs
                if pair.is_relayed is relayed and pair is not self.selected and pair.is_alive(now_s)
            ]
            used += sorted(spare, key=lambda pair: pair.priority)[-1:]
        return used

    def _others(self, used: list[PairState], now_s: float) -> Iterable[PairState]:
        """Return the pairs not in use that are worth a check."""
        selected = self.selected
        seeking = self._seeks_another(now_s)
        for pair in self.pairs:
            better = selected is not None and selected.is_relayed and not pair.is_relayed
            spare = len(used) < 2 and pair.tries < MOST_TRIES
            if pair not in used and (seeking or better or spare or pair.triggered):
                yield pair

    @property
    def _is_seeking(self) -> bool:
        """Whether no pair works."""
        return self.selected is None or self._checked_anew

    def _seeks_another(self, now_s: float) -> bool:
        """Return whether no pair works, or the selected one may not: all are then checked."""
        return self._is_seeking or self.is_doubtful(now_s)

    def _next_use_s(self, pair: PairState, now_s: float) -> float:
        selected = self.selected
        assert selected is not None
        if pair.triggered:
            return -math.inf
        if pair is selected:
            silent_s = pair.heard_s + SILENCE_S if math.isinf(pair.asked_s) else -math.inf
            often_s = max(silent_s, pair.sent_s + OFTEN_S)
            return min(often_s, pair.sent_s + SELECTED_S, self._nomination_s(pair))
        often = selected.is_doubtful(now_s) or not pair.is_steady(now_s)
        return pair.sent_s + (OFTEN_S if often else SPARE_S)

    def _nomination_s(self, pair: PairState) -> float:
        """Return when the selected pair is to be nominated next; infinity when it was."""
        if pair.is_named or not self.is_controlling:
            return math.inf
        return max(self._nominable_s, pair.named_s + OFTEN_S)

    def _next_try_s(self, pair: PairState, now_s: float) -> float:
        if pair.triggered:
            return -math.inf
        longest_s = SEEKING_RTO_S if self._seeks_another(now_s) else LONGEST_RTO_S
        return pair.sent_s + min(math.ldexp(RTO_S, max(pair.tries - 1, 0)), longest_s)

    def _first(self, waiting: list[PairState]) -> PairState:
        """Return which of the waiting pairs is checked: triggered ones, then each kind in turn.

        Of one kind, the pair with the fewest checks in vain is first: the repeated checks of many
        pairs would otherwise leave no time for those of lower priority.
        """
        relayed, self._relayed_next = self._relayed_next, not self._relayed_next
        return max(
            waiting, key=lambda p: (p.triggered, p.is_relayed is relayed, -p.tries, p.priority)
        )

    def _check(self, pair: PairState, now_s: float) -> Check:
        pair.sent_s, pair.triggered = now_s, False
        pair.tries += 1
        pair.asked_s = min(pair.asked_s, now_s)
        nominates = self._nominates(pair, now_s)
        if nominates:
            pair.named_s = now_s
        return Check(pair, nominates)
