"""What guessing the ports of symmetric NATs could add to the direct share, at most.

``python -m bench.port_prediction`` prints the share of direct calls by the rule, and with guesses,
for each population. A guess is right at best for the first destination of a fresh socket: a NAT
that preserves ports gives it its own number, one that counts the next number after the last.
Towards that destination the NAT is then like one that maps independently of it. So two ends meet
if each either sends from the address that it states, or guesses it. This leaves out all that makes
a guess wrong: ports in use, other packets in between, and a check of another address first.
"""

from jamlab.measure.connectivity.population import Population, load_population, population_names
from jamlab.networks.model.nat_behaviour import Mapping, NatType, PortAllocation
from jamlab.networks.model.place import Place
from jamlab.networks.model.rule import as_one_nat, expected

_RANDOM = PortAllocation.RANDOM


def sends_from_stated(place: Place) -> bool:
    """Return whether an end sends from an address that it knows beforehand, perhaps by a guess."""
    return all(
        not isinstance(box, NatType)
        or box.mapping is Mapping.EIM
        or box.port_allocation is not _RANDOM
        for layer in place.layers
        for box in layer
    )


def is_direct(a: Place, b: Place, *, guesses: bool) -> bool:
    """Return whether two ends connect directly with STUN, and with guesses if wanted."""
    if expected(a, b, stun=True).direct:
        return True
    # Without a box that blocks UDP, a known pair of addresses opens every filter, as of two EIM.
    reached = all(expected(end, end, stun=True, relay="udp").relayed for end in (a, b))
    return guesses and reached and sends_from_stated(a) and sends_from_stated(b)


def direct_share(population: Population, *, guesses: bool) -> float:
    """Return the share of calls between two ends of a population that are direct."""
    ends = _ends(population)
    return sum(v * w for a, v in ends for b, w in ends if is_direct(a, b, guesses=guesses))


def symmetric_share(population: Population) -> float:
    """Return the share of ends whose mapping depends on the destination."""
    ones = ((as_one_nat(place), share) for place, share in _ends(population))
    return sum(share for one, share in ones if one and one.mapping is not Mapping.EIM)


def guessed_share(population: Population) -> float:
    """Return the share of ends whose mapping depends on the destination and may be guessed."""
    ends = _ends(population)
    return symmetric_share(population) - sum(
        share for place, share in ends if not sends_from_stated(place)
    )


def _ends(population: Population) -> list[tuple[Place, float]]:
    return list(zip(population.places, population.shares, strict=True))


def main() -> None:
    """Print a line for each population."""
    print("population       symmetric  guessed  direct  with guesses")
    for name in population_names():
        population = load_population(name)
        plain, guessed = (direct_share(population, guesses=guesses) for guesses in (False, True))
        print(
            f"{name:16} {symmetric_share(population):8.1%} {guessed_share(population):8.1%} "
            f"{plain:7.1%}   {guessed:7.1%} (+{100 * (guessed - plain):.1f} points)"
        )


if __name__ == "__main__":
    main()
