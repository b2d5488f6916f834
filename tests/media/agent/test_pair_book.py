"""Pairs beside their states."""

from aioice import Candidate, Connection
from aioice.ice import CandidatePair, StunProtocol, candidate_pair_priority

from jamlab.media.agent.pair_book import PairBook


def candidate(kind, port):
    return Candidate.from_sdp(f"1 1 udp {port} 192.0.2.1 {port} typ {kind}")


async def pair(kind="host", port=5000):
    protocol = StunProtocol(Connection(ice_controlling=True))
    protocol.local_candidate = candidate("host", 1)
    return CandidatePair(protocol, candidate(kind, port))


async def test_a_pair_is_new_once_and_found_by_its_source():
    book, one = PairBook(), await pair()
    state = book.note(one, True)
    assert book.note(one, True) is None
    assert (book.pair(state), book.state(one)) == (one, state)
    assert book.of_source(one.protocol, ("192.0.2.1", 5000)) is state
    assert book.of_source(one.protocol, ("192.0.2.1", 5001)) is None
    assert book.remove(one) is state
    assert book.state(one) is book.of_source(one.protocol, ("192.0.2.1", 5000)) is None


async def test_a_candidate_that_turns_out_to_be_relayed_changes_its_pair():
    """Learned by a check, and signalled later (RFC 8445 section 7.3.1.3)."""
    book, one = PairBook(), await pair("prflx")
    state = book.note(one, True)
    assert not state.is_relayed
    one.remote_candidate.type, one.remote_candidate.priority = "relay", 7
    book.note(one, False)
    assert state.is_relayed
    wanted = candidate_pair_priority(one.local_candidate, one.remote_candidate, False)
    assert state.priority == wanted


async def test_the_worst_is_checked_in_vain_most_often():
    book = PairBook()
    assert book.worst(1) == []
    pairs = [await pair(port=port) for port in (5001, 5002, 5003)]
    states = [book.note(one, True) for one in pairs]
    states[0].tries, states[1].tries, states[2].tries = 2, 2, 9
    states[2].answered_s = 1.0
    assert book.worst(1) == [pairs[0]]
    assert book.worst(0) == book.worst(-5) == []
    states[1].tries = 3
    assert book.worst(1) == [pairs[1]]
    assert book.worst(9) == [pairs[1], pairs[0]]


async def test_of_a_full_checklist_pairs_of_two_relays_go_first():
    book = PairBook()
    of_one, of_two, of_two_servers = [await pair(port=port) for port in (5001, 5002, 5003)]
    for each, local, remote in (
        (of_one, "relay", "host"),
        (of_two, "relay", "relay"),
        (of_two_servers, "relay", "relay"),
    ):
        each.local_candidate.type, each.remote_candidate.type = local, remote
        each.local_candidate.host = each.remote_candidate.host
    of_two_servers.local_candidate.host = "192.0.2.99"
    for each in (of_one, of_two, of_two_servers):
        book.note(each, True)
    book.state(of_one).tries = 9
    assert book.worst(1) == [of_two_servers]
    book.remove(of_two_servers)
    assert book.worst(1) == [of_two]
