"""The route of packets between participants, direct or relayed, and whether it was planned."""

from collections.abc import Iterator, Mapping
from typing import Any

DIRECT, RELAYED = "direct", "relayed"


def taken(routes: Mapping[str, Mapping[str, str]], one: str, other: str) -> str | None:
    """Return the route of two participants' packets; None when neither reported it.

    A reported route is a candidate type as in `jamlab.mesh.figures.PeerFigures.route`. The two ends
    may have selected different paths, so a pair is relayed when either says so.
    """
    said = {routes.get(a, {}).get(b) for a, b in ((one, other), (other, one))} - {None}
    if not said:
        return None
    return RELAYED if "relay" in said else DIRECT


def wrong_routes(provenance: Mapping[str, Any]) -> Iterator[str]:
    """Yield each pair whose packets took another route than planned, as words after "because".

    A record without planned routes yields none.
    """
    asked, routes = provenance.get("route"), provenance.get("routes", {})
    players = sorted(routes) if asked else []
    for place, one in enumerate(players):
        for other in players[place + 1 :]:
            found = taken(routes, one, other)
            if found != asked:
                was = f"were {found}" if found else "had no known route"
                yield f"packets between {one} and {other} {was} instead of {asked}"
