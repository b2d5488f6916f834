"""Which way packets went between players, and whether that is the way a run is about."""

from collections.abc import Iterator, Mapping
from typing import Any

DIRECT, RELAYED = "direct", "relayed"


def taken(routes: Mapping[str, Mapping[str, str]], one: str, other: str) -> str | None:
    """Return which way two players' packets went, None when neither said.

    Parameters
    ----------
    routes : mapping
        What each player said of its path to each other: a type of candidate, as
        `jamlab.mesh.figures.PeerFigures.route`. The two ends may have selected different paths, so
        a pair is relayed when either says so.
    one, other : str
        The two.
    """
    said = {routes.get(a, {}).get(b) for a, b in ((one, other), (other, one))} - {None}
    if not said:
        return None
    return RELAYED if "relay" in said else DIRECT


def wrong_routes(provenance: Mapping[str, Any]) -> Iterator[str]:
    """Yield, in words that follow "because", each pair whose packets went another way than asked.

    A record that is about no route has none that are wrong.
    """
    asked, routes = provenance.get("route"), provenance.get("routes", {})
    players = sorted(routes)
    for place, one in enumerate(players):
        for other in players[place + 1 :]:
            found = taken(routes, one, other)
            if found != asked:
                was = f"went {found}" if found else "told nothing of their way"
                yield f"packets of {one} and {other} {was}, which were to go {asked}"
