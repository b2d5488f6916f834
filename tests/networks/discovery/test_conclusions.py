"""Conclusions from answers against RFC 5780's tables and the rule of `networks.model.rule`."""

import json
import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.discovery.conclusions import (
    UNSURE,
    Discovery,
    alternate_addresses,
    conclude_filtering,
    conclude_hairpinning,
    conclude_mapping,
    conclude_preservation,
    conclude_silence,
    meaning,
    useless,
)
from jamlab.networks.model.nat_behaviour import PRESETS, Filtering, Mapping, NatType
from jamlab.networks.model.rule import ALL_TYPES, direct_possible
from jamlab.networks.stun.answer import Answer
from jamlab.networks.turn.fault import Fault, ServerFaultError

PP, AP, PA, AA = ("192.0.2.1", 1), ("192.0.2.2", 1), ("192.0.2.1", 2), ("192.0.2.2", 2)
"""The server's first and alternate host and port."""
ONE, TWO, THREE, FOUR = (("198.51.100.1", port) for port in (1, 2, 3, 4))
LOCAL = "10.0.0.1", 7


def answer(source, **fields):
    return Answer(LOCAL, source, 0.1, **fields)


class TestAlternateAddresses:
    def test_are_the_other_three(self):
        assert alternate_addresses(PP, AA).value == (AP, PA, AA)

    @pytest.mark.parametrize("other", [None, PP, AP, PA])
    def test_need_another_host_and_port(self, other):
        told = alternate_addresses(PP, other)
        assert told.value is None
        assert told.reason


class TestFailure:
    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({}, "has no mapped IPv4 address"),
            ({"error": "500 Server Error"}, "refuses to answer (500 Server Error)"),
            (
                {"error": "300: 192.0.2.9:1", "alternate": "192.0.2.9:1"},
                "elsewhere (300: 192.0.2.9:1): ask that server",
            ),
            ({"error": "300: none", "alternate": ""}, "refuses to answer (300: none)"),
            ({"unusable": "an indication"}, "its answer cannot be used: an indication"),
        ],
    )
    def test_of_an_answer(self, fields, words):
        assert useless(answer(PP, **fields)).endswith(words)

    @pytest.mark.parametrize(
        ("udp", "tcp", "blocked", "words"),
        [
            (None, Fault.SILENT, False, "only now and then"),
            (Fault.SILENT, None, True, "UDP is blocked"),
            (Fault.REFUSED, None, True, "UDP is blocked"),
            (Fault.REFUSED, Fault.REFUSED, None, "nothing listens at this UDP port"),
            (Fault.REFUSED, Fault.SILENT, None, "nothing listens at this UDP port"),
            (Fault.SILENT, Fault.REFUSED, None, "neither over UDP nor over TCP"),
            (Fault.SILENT, Fault.SILENT, None, "neither over UDP nor over TCP"),
            (Fault.SILENT, Fault.NOT_STUN, None, "over TCP something that cannot be used: HTTP"),
            (Fault.SILENT, Fault.UNUSABLE, None, "over TCP something that cannot be used: HTTP"),
        ],
    )
    def test_of_silence(self, udp, tcp, blocked, words):
        faults = (None if each is None else ServerFaultError(each, "HTTP") for each in (udp, tcp))
        found_ = conclude_silence(*faults)
        assert found_.value is blocked
        assert words in found_.reason


class TestMapping:
    @pytest.mark.parametrize(
        ("seen", "mapping"),
        [
            ((ONE, ONE, ONE, ONE), Mapping.EIM),
            ((ONE, TWO, ONE, TWO), Mapping.ADM),
            ((ONE, TWO, THREE, FOUR), Mapping.APDM),
            ((ONE, ONE, TWO, TWO), Mapping.APDM),  # by port alone: RFC 4787 has no word for it
            ((ONE, TWO, ONE, THREE), Mapping.APDM),
        ],
    )
    def test_of_all_four(self, seen, mapping):
        assert conclude_mapping(dict(zip((PP, AP, PA, AA), seen, strict=True))).value is mapping

    @pytest.mark.parametrize(
        ("seen", "mapping"),
        [
            ({PP: ONE, AP: ONE}, Mapping.EIM),
            ({PP: ONE, AA: ONE}, Mapping.EIM),
            ({PP: ONE, PA: TWO}, Mapping.APDM),
            ({PP: ONE, AP: TWO, AA: TWO}, Mapping.ADM),
            ({PP: ONE, AP: TWO, AA: THREE}, Mapping.APDM),
            ({PP: ONE, PA: ONE, AA: TWO}, Mapping.ADM),
        ],
    )
    def test_of_some(self, seen, mapping):
        assert conclude_mapping(seen).value is mapping

    @pytest.mark.parametrize("seen", [{PP: ONE}, {PP: ONE, PA: ONE}])
    def test_of_one_host_is_not_known(self, seen):
        assert conclude_mapping(seen) == (None, "the server's second host does not answer")

    @pytest.mark.parametrize("other", [AP, AA])
    def test_of_one_port_a_host_may_be_either(self, other):
        told = conclude_mapping({PP: ONE, other: TWO})
        assert told.value is None
        assert "no host of the server answers at both" in told.reason

    @given(
        st.sampled_from(Mapping),
        st.sets(st.sampled_from([AP, PA, AA])),
    )
    def test_is_the_nats_or_not_known(self, mapping, answering):
        """Here a NAT is written down from RFC 4787's definitions."""
        keys = {Mapping.EIM: lambda a: 0, Mapping.ADM: lambda a: a[0], Mapping.APDM: lambda a: a}
        ports = {}
        seen = {
            a: (ONE[0], ports.setdefault(keys[mapping](a), len(ports) + 1))
            for a in (PP, *sorted(answering))
        }
        told = conclude_mapping(seen)
        assert told.value in (mapping, None)
        assert (told.value is None) is bool(told.reason)
        if {AP, PA} <= answering or {AP, AA} <= answering:
            assert told.value is mapping


class TestFiltering:
    def told(self, both=None, port=None, answering=(AP, PA, AA), sure=True):
        return conclude_filtering(PP, answering, both, port, sure=sure)

    def test_by_what_comes_through(self):
        assert self.told(answer(AA), answer(PA)).value is Filtering.EIF
        assert self.told(answer(AA), None).value is Filtering.EIF
        assert self.told(None, answer(PA)).value is Filtering.ADF
        assert self.told(None, None).value is Filtering.APDF

    def test_what_comes_through_needs_no_further_proof(self):
        assert self.told(answer(AA), None, answering=(), sure=False).value is Filtering.EIF

    @pytest.mark.parametrize("port", [None, answer(PA)])
    def test_silence_that_does_not_count(self, port):
        assert self.told(None, port, sure=False) == (None, UNSURE)

    def test_silence_of_who_never_answers(self):
        assert "second port" in self.told(None, None, answering=(AP, AA)).reason
        assert "second host" in self.told(None, answer(PA), answering=(AP, PA)).reason
        assert self.told(None, None, answering=(PA,)).value is Filtering.APDF
        assert self.told(None, answer(PA), answering=(AA,)).value is Filtering.ADF

    @pytest.mark.parametrize(
        ("both", "port"),
        [
            (PP, PA),
            (PP, None),
            (PA, None),
            (AP, None),
            (None, PP),
            (None, AP),
            (None, AA),
            (PP, PP),
        ],
    )
    def test_answers_from_the_wrong_address(self, both, port):
        told = self.told(both and answer(both), port and answer(port))
        assert told.value is None
        assert "ignores CHANGE-REQUEST" in told.reason

    @pytest.mark.parametrize("which", ["both", "port"])
    def test_a_refusal(self, which):
        told = self.told(**{which: answer(PP, error="420 Unknown Attribute")})
        assert told.value is None
        assert "(420 Unknown Attribute)" in told.reason

    @pytest.mark.parametrize("others", [{}, {"both": PP}, {"port": PP}])
    @pytest.mark.parametrize("which", ["both", "port"])
    def test_an_answer_that_cannot_be_used_proves_nothing_at_the_first_address(self, which, others):
        answers = {name: answer(source) for name, source in others.items()}
        told = self.told(**answers | {which: answer(PP, unusable="an indication")})
        assert told.value is None
        assert "CHANGE-REQUEST cannot be used: an indication" in told.reason

    def test_an_answer_that_cannot_be_used_came_through_all_the_same(self):
        assert self.told(answer(AA, unusable="odd"), None).value is Filtering.EIF
        assert self.told(None, answer(PA, unusable="odd")).value is Filtering.ADF


class TestHairpinning:
    @given(st.sampled_from([None, *Mapping]), st.sampled_from([None, *Filtering]), st.booleans())
    def test_what_was_heard_was_turned_back(self, mapping, filtering, sure):
        assert conclude_hairpinning(True, mapping, filtering, sure=sure).value is True

    @given(st.sampled_from([None, *Mapping]), st.sampled_from([None, *Filtering]))
    def test_silence(self, mapping, filtering):
        """It is an answer where nothing would have been filtered."""
        told = conclude_hairpinning(False, mapping, filtering, sure=True)
        visible = mapping is Mapping.EIM or filtering is Filtering.EIF
        assert told.value is (False if visible else None)
        assert conclude_hairpinning(False, mapping, filtering, sure=False) == (None, UNSURE)


class TestPreservation:
    @given(st.lists(st.booleans(), min_size=1))
    def test_all_none_or_some(self, same):
        pairs = [((LOCAL[0], 7), (ONE[0], 7 if kept else 8)) for kept in same]
        told = conclude_preservation(pairs)
        assert told.value is (None if len(set(same)) > 1 else same[0])
        if told.value is None:
            assert told.reason == f"only {sum(same)} of {len(same)} ports were preserved"


def found(nat, **fields):
    known = {"udp_blocked": False, "nat": nat is not None, "mapped": ONE}
    kind = nat or NatType(Mapping.EIM, Filtering.EIF)
    known |= {"mapping": kind.mapping, "filtering": kind.filtering}
    return Discovery(PP, LOCAL, **known | fields)


class TestMeaning:
    @pytest.mark.parametrize("nat", ALL_TYPES, ids=lambda nat: nat.name if nat else "none")
    def test_is_the_oracles(self, nat):
        said = meaning(found(nat))
        peers = {"no NAT": None, **PRESETS}
        reached = {name for name, peer in peers.items() if direct_possible(nat, peer)}
        if len(reached) == len(peers):
            assert said.endswith("direct to every peer that has UDP.")
            return
        direct, _, relayed = said.partition(": direct to peers with ")[2].partition("; to ")
        assert set(direct.split(", ")) == reached
        assert set(relayed.removesuffix(" only over TURN.").split(", ")) == set(peers) - reached

    @pytest.mark.parametrize(
        ("nat", "start"),
        [
            (None, "No NAT: "),
            (PRESETS["symmetric"], "Symmetric NAT: direct to peers with no NAT, full cone, "),
            (PRESETS["port restricted"], "Port restricted NAT: "),
            (NatType(Mapping.ADM, Filtering.EIF), "ADM/EIF NAT: "),
        ],
    )
    def test_names_the_type(self, nat, start):
        assert meaning(found(nat)).startswith(start)

    def test_of_a_firewall(self):
        said = meaning(found(None, filtering=Filtering.APDF))
        assert said.startswith("A firewall and no NAT: direct to peers with no NAT")
        assert said.endswith("to symmetric only over TURN.")

    def test_of_blocked_udp(self):
        assert "only through a TURN server over TCP" in meaning(found(None, udp_blocked=True))

    @pytest.mark.parametrize("name", ["mapping", "filtering"])
    def test_of_what_is_not_known(self, name):
        nat = PRESETS["full cone"]
        said = meaning(found(nat, **{name: None}, reasons={name: "it rained"}))
        assert said == "It is unknown which peers this host reaches directly: it rained."


class TestDiscovery:
    def test_is_json(self):
        kept = found(PRESETS["full cone"], lifetime_s=(30.0, math.inf), reasons={"nat": "why"})
        read = json.loads(json.dumps(kept.to_dict(), allow_nan=False))
        assert read["mapping"] == "EIM"
        assert read["server"] == [*PP]
        assert read["lifetime_s"] == [30, None]
        assert read["hairpinning"] is None
        assert read["reasons"] == {"nat": "why"}

    def test_cannot_be_changed(self):
        with pytest.raises(AttributeError):
            found(None).nat = True


def test_every_pair_of_types_is_told_apart():
    """Nine types give nine different sets of observations: none is taken for another."""
    observed = set()
    for mapping, filtering in product(Mapping, Filtering):
        seen = {
            Mapping.EIM: {PP: ONE, AP: ONE, PA: ONE, AA: ONE},
            Mapping.ADM: {PP: ONE, AP: TWO, PA: ONE, AA: TWO},
            Mapping.APDM: {PP: ONE, AP: TWO, PA: THREE, AA: FOUR},
        }[mapping]
        both = answer(AA) if filtering is Filtering.EIF else None
        port = None if filtering is Filtering.APDF else answer(PA)
        told = conclude_filtering(PP, seen.keys() - {PP}, both, port, sure=True)
        observed.add((conclude_mapping(seen).value, told.value))
    assert observed == set(product(Mapping, Filtering))
