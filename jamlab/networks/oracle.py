"""Who can reach whom directly: the rule, derived from the mechanism and not from any simulation.

Two endpoints, each behind a NAT of its own with one public host. Each learns from a STUN server
where its packets seem to come from, and the two exchange that (RFC 5128 section 3.3, RFC 8445).
Both keep sending checks to every address of the other they know of; an address a check came from
is one of them. A check succeeds when its answer comes back from where it was sent to. Nobody
guesses ports.

Call *a*, *b* the addresses that were exchanged: the outside ends of the mappings made towards the
STUN server. That server is a third host, so only an endpoint-independent NAT (EIM) uses the same
mapping towards the other endpoint; the others (ADM, APDM) make new ones.

Both EIM
    Each sends from the address the other sends to, so every filter has been told of exactly what
    comes: direct.

One EIM (A), one not (B)
    B's checks come from a new address b' on b's host. A's filter was opened for b by what A sent
    there. A filter that looks at hosts only, or at nothing, lets b' in, too: A learns b' and
    answers from a, which is where B sent to, so B lets it in: direct. An APDF filter drops b', and
    A has no other way to learn of it: what A sends to b gets in if B is EIF, but B's answers come
    from b' as well. So A's filter alone decides: direct unless it is APDF.

Neither EIM
    A sends to b from a', B sends to a from b', and nobody knows a' or b'. Mapping b was used for
    the STUN server only, so what A sends to it gets in only if B is EIF; one side at least has to
    be. Say B is, and learns a'. It answers and checks a' from an address b" that A never heard of,
    on a host A has sent to: A lets it in unless A is APDF. So now A knows b". Does A send to b"
    from the a' that B sends to? If A is ADM it does, for the host is the same: direct. If A is
    APDM, it sends from a new a", which B, being EIF, lets in and answers: from b" if B is ADM, so
    this is direct, too, but from yet another address if B is APDM, and so on for ever. In short:
    direct when one is EIF, the other is not APDF, and at least one is ADM.

An endpoint without NAT has an address that never changes and keeps nobody out: EIM and EIF.
"""

from jamlab.networks.behaviour import Filtering, Mapping, NatType

ALL_TYPES: tuple[NatType | None, ...] = (
    None,
    *(NatType(mapping, filtering) for mapping in Mapping for filtering in Filtering),
)
"""No NAT, then the nine pairs of mapping and filtering, mapping by mapping."""


def direct_possible(a: NatType | None, b: NatType | None) -> bool:
    """Return whether two endpoints can reach each other with STUN alone.

    Parameters
    ----------
    a, b : NatType or None
        Each endpoint's NAT, with one public host, or None for an endpoint without. Only mapping and
        filtering count; the two are different NATs.
    """
    (mapping_a, filtering_a), (mapping_b, filtering_b) = _rules(a), _rules(b)
    if mapping_a is Mapping.EIM and mapping_b is Mapping.EIM:
        return True
    if mapping_a is Mapping.EIM:
        return filtering_a is not Filtering.APDF
    if mapping_b is Mapping.EIM:
        return filtering_b is not Filtering.APDF
    filterings = {filtering_a, filtering_b}
    lets_in = Filtering.EIF in filterings and Filtering.APDF not in filterings
    return lets_in and Mapping.ADM in {mapping_a, mapping_b}


def _rules(nat: NatType | None) -> tuple[Mapping, Filtering]:
    return (nat.mapping, nat.filtering) if nat else (Mapping.EIM, Filtering.EIF)
