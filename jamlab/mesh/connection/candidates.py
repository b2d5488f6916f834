"""Candidates on the wire, and those of a peer that come before their description.

A signal has one candidate as a browser sends and takes it, an ``RTCIceCandidateInit`` (W3C WebRTC
§4.8.1.1), or several of these: ``{"candidates": […]}``, for peers whose descriptions state
``"candidateLists": true``. Its username fragment ties a candidate to an attempt (RFC 8839 §5.4):
those of earlier attempts are ignored.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from aioice import Candidate

LISTS = "candidateLists"
"""Field of a description whose sender takes several candidates in one signal."""

MOST_EARLY = 100
"""Most candidates kept of one peer."""

_MOST_PEERS = 64

CandidateInit: TypeAlias = Mapping[str, Any]


def candidate_init(
    candidate: Candidate | None, fragment: str, mid: str | None, index: int = 0
) -> CandidateInit:
    """Return one of our candidates for a signal; None stands for their end.

    `mid` and `index` are those of its media section.
    """
    line = f"candidate:{candidate.to_sdp()}" if candidate else ""
    return {
        "candidate": line,
        "sdpMid": mid,
        "sdpMLineIndex": index,
        "usernameFragment": fragment,
    }


def candidates_in(signal: Mapping[str, Any]) -> Iterable[CandidateInit]:
    """Return the candidates in a signal, which are not validated but for being objects."""
    several = signal.get("candidates")
    if not isinstance(several, list):
        return [signal]
    return [each for each in several[:MOST_EARLY] if isinstance(each, dict)]


def fragment_of(candidate: CandidateInit) -> str | None:
    """Return a candidate's username fragment; None when it states none."""
    fragment = candidate.get("usernameFragment")
    return fragment if isinstance(fragment, str) and fragment else None


class EarlyCandidates:
    """Candidates of attempts whose description is not there yet; the latest of few peers."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, deque[CandidateInit]] = OrderedDict()

    def keep(self, peer_id: str, candidate: CandidateInit) -> None:
        """Keep a candidate that states its username fragment."""
        kept = self._kept.setdefault(peer_id, deque(maxlen=MOST_EARLY))
        self._kept.move_to_end(peer_id)
        kept.append(candidate)
        if len(self._kept) > _MOST_PEERS:
            self._kept.popitem(last=False)

    def take(self, peer_id: str, fragment: str | None) -> list[CandidateInit]:
        """Return a peer's candidates of the attempt that is described now."""
        kept = self._kept.pop(peer_id, ())
        for candidate in kept:
            if fragment_of(candidate) != fragment:
                self.keep(peer_id, candidate)
        return [candidate for candidate in kept if fragment_of(candidate) == fragment]
