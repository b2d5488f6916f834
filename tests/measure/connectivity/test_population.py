"""Populations compared with their studies, the connectivity rule and Dirichlet's moments."""

import csv
import math
import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jamlab.measure.connectivity import population as population_module
from jamlab.measure.connectivity.population import (
    POPULATIONS_FILE,
    ROUNDING_PERCENT,
    Features,
    Population,
    PopulationError,
    known_features,
    load_population,
    parse_population,
    population_names,
    with_features,
)
from jamlab.networks.model.ipv6_firewall import Ipv6Firewall
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.place_names import place_named
from jamlab.networks.model.rule import direct_possible
from jamlab.networks.model.topology import HostConfig, Topology
from jamlab.resources import data_path

UNLIKELY = 1e-4
NAMES = population_names()
BLOCKED = "UDP blocked"
SMALL = """place,percent,source
open,25,"Somebody, 2020"
APDM/APDF/random,25,same
CGN APDM/APDF + EIM/APDF,40,same
UDP blocked,10,same
"""


def parsed(text, sample_size=50):
    return parse_population(text, "mine", sample_size, "made up")


def fault(text, sample_size=50):
    with pytest.raises(PopulationError) as caught:
        parsed(text, sample_size)
    return str(caught.value)


def table(name):
    with data_path(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def study(author, metric):
    (value,) = {
        float(row["value"])
        for row in table("traversal_studies.csv")
        if author in row["study"] and metric in row["metric"]
    }
    return value


def shares(name):
    population = load_population(name)
    return {p.name: w for p, w in zip(population.places, population.weights, strict=True)}


def direct_share(name):
    """Weigh the rule for every pair of places; whoever blocks UDP reaches nobody directly."""
    population = load_population(name)
    total = 0.0
    for one, of_one in zip(population.places, population.weights, strict=True):
        for other, of_other in zip(population.places, population.weights, strict=True):
            if BLOCKED not in (one.name, other.name):
                nats = [place.layers[0][0] for place in (one, other)]
                total += of_one * of_other * direct_possible(*nats)
    return total


class TestWhatComesWithJamlab:
    @pytest.mark.parametrize("name", NAMES)
    def test_is_a_distribution_of_distinct_places(self, name):
        population = load_population(name)
        assert population.name == name
        assert population.weights.shape == (len(population.places),)
        assert math.fsum(population.weights) == pytest.approx(1, abs=1e-12)
        assert (population.weights > 0).all()
        assert len({place.name for place in population.places}) == len(population.places)
        assert len(set(population.places)) == len(population.places)

    @pytest.mark.parametrize("name", NAMES)
    def test_says_where_it_is_from_and_what_it_is_worth(self, name):
        population = load_population(name)
        assert len(population.source) > 20
        assert population.sample_size >= 1
        assert all(row["source"] for row in table(f"{name}.csv"))

    @pytest.mark.parametrize("name", NAMES)
    def test_can_be_sent_to_a_worker(self, name):
        population = load_population(name)
        assert pickle.loads(pickle.dumps(population)) == population

    @pytest.mark.parametrize("name", NAMES)
    def test_can_be_built(self, name):
        for number, place in enumerate(load_population(name).places):
            member = place.member(f"host-{number}", LinkConfig(0.01))
            assert Topology((member, HostConfig("server"))).members[0].link.delay_s == 0.01

    def test_is_all_that_is_listed(self):
        assert tuple(row["population"] for row in table(POPULATIONS_FILE)) == NAMES

    def test_a_name_nobody_has(self):
        with pytest.raises(PopulationError) as caught:
            load_population("martians")
        assert str(caught.value) == (
            f"there is no population 'martians': choose {', '.join(NAMES)}"
        )


class TestDerivations:
    """Each population worked out again from the study it is said to be from."""

    def test_the_published_one_is_as_published(self):
        found = shares("nat_population")
        for row in table("nat_population.csv"):
            name = f"{row['mapping']}/{row['filtering']}/{row['port_allocation']}"
            assert found.pop(name) == pytest.approx(float(row["percent"]) / 100)
        assert found == {}

    def test_home(self):
        symmetric = study("Richter", "home routers")
        independent = {k: v for k, v in shares("nat_population").items() if k.startswith("EIM/")}
        total = sum(independent.values())
        wanted = {k: (1 - symmetric) * v / total for k, v in independent.items()}
        assert shares("home") == pytest.approx(wanted | {"APDM/APDF/random": symmetric}, abs=1e-4)

    @pytest.mark.parametrize(
        ("name", "metric", "symmetric", "other"),
        [
            ("fixed_cgn", "fixed-line", "CGN APDM/APDF + EIM/APDF", "CGN EIM/APDF + EIM/APDF"),
            ("mobile", "cellular", "APDM/APDF/random", "EIM/APDF/preserve"),
        ],
    )
    def test_carriers(self, name, metric, symmetric, other):
        share = study("Richter", metric)
        assert shares(name) == pytest.approx({symmetric: share, other: 1 - share}, abs=1e-4)

    def test_offices_call_as_callstats_saw(self):
        """Without a relay as many calls as the rule lets through; over TCP those of who must."""
        over_tcp = study("callstats", "TURN/TCP") + study("callstats", "TURN/TLS")
        assert 1 - (1 - shares("corporate")[BLOCKED]) ** 2 == pytest.approx(over_tcp, abs=2e-4)
        without = study("callstats", "without a relay")
        assert direct_share("corporate") == pytest.approx(without, abs=2e-4)

    def test_mixed(self):
        wanted = Counter()
        for name, share in {"home": 0.7, "mobile": 0.2, "corporate": 0.1}.items():
            wanted.update({place: share * weight for place, weight in shares(name).items()})
        assert shares("mixed") == pytest.approx(dict(wanted), abs=1e-4)


class TestPlaces:
    def test_are_the_same_in_every_population(self):
        """Places that behave alike have one name, so that what was tried in one holds in others."""
        places = {place for name in NAMES for place in load_population(name).places}
        assert len({place.layers for place in places}) == len({place.name for place in places})
        assert len(places) == len({place.name for place in places})


class TestDraws:
    def test_are_as_common_as_the_weights_say(self):
        population = load_population("nat_population")
        rng, count = np.random.default_rng(11), 20_000
        drawn = Counter(population.draw(rng).name for _ in range(count))
        found = [drawn[place.name] for place in population.places]
        assert stats.chisquare(found, count * population.weights).pvalue > UNLIKELY

    def test_are_the_same_for_the_same_seed(self):
        population = parsed(SMALL)
        one, other = (
            [population.draw(rng) for _ in range(50)]
            for rng in (np.random.default_rng(3), np.random.default_rng(3))
        )
        assert one == other

    @pytest.mark.parametrize("sample_size", [5, 100, 4000])
    def test_of_weights_scatter_as_counts_of_that_many_do(self, sample_size):
        """Dirichlet: the mean is the weight w, the variance w (1 − w) / (n + 1)."""
        population, n = parsed(SMALL, sample_size), 40_000
        weights = population.resampled_weights(np.random.default_rng(5), n)
        assert weights.shape == (n, 4)
        np.testing.assert_allclose(weights.sum(axis=1), 1)
        variance = population.weights * (1 - population.weights) / (sample_size + 1)
        error = stats.norm.isf(UNLIKELY / 8) * np.sqrt(variance / n)
        assert (np.abs(weights.mean(axis=0) - population.weights) < error).all()
        np.testing.assert_allclose(weights.var(axis=0), variance, rtol=0.06)

    def test_of_one_weight_are_beta_distributed(self):
        weights = parsed(SMALL, 40).resampled_weights(np.random.default_rng(6), 5000)
        assert stats.kstest(weights[:, 3], "beta", args=(4, 36)).pvalue > UNLIKELY


class TestFile:
    def test_is_read(self):
        population = parsed(SMALL)
        assert isinstance(population, Population)
        assert [place.name for place in population.places] == [
            "open",
            "APDM/APDF/random",
            "CGN APDM/APDF + EIM/APDF",
            BLOCKED,
        ]
        np.testing.assert_allclose(population.weights, [0.25, 0.25, 0.4, 0.1])
        assert (population.name, population.sample_size, population.source) == (
            "mine",
            50,
            "made up",
        )

    def test_columns_may_name_the_nat(self):
        (place,) = parsed("mapping,port_allocation,filtering,percent\nADM,random,EIF,100").places
        assert place == place_named("ADM/EIF/random")

    @pytest.mark.parametrize("off", [-1.01, -0.99, 0.99, 1.01])
    def test_rounded_shares_are_normalised_and_others_refused(self, off):
        percent = 60 + off * ROUNDING_PERCENT
        text = f"place,percent\nopen,40\nEIM/APDF,{percent}"
        if abs(off) > 1:
            assert fault(text) == (
                f"mine sums to {40 + percent:g} %: make the shares add up to 100 %"
            )
        else:
            np.testing.assert_allclose(
                parsed(text).weights, [40 / (40 + percent), percent / (40 + percent)]
            )

    @pytest.mark.parametrize(
        ("right", "wrong", "message"),
        [
            ("open", "", "mine, row 2 has no place: name one"),
            ("open", "Mars", "mine, row 2: there is no NAT type 'Mars'"),
            ("open,25", "open", "mine, row 2: percent is 'Somebody, 2020'"),
            (",40,", ",0,", "mine, row 4: percent is '0': give more than 0, up to 100"),
            (",40,", ",-40,", "mine, row 4: percent is '-40'"),
            (",40,", ",nan,", "mine, row 4: percent is 'nan'"),
            (",40,", ",101,", "mine, row 4: percent is '101'"),
            (",40,", ",many,", "mine, row 4: percent is 'many'"),
            (",40,", ",41,", "mine sums to 101 %: make the shares add up to 100 %"),
            (BLOCKED, "open", "mine has a place twice: add the shares up"),
            ("percent", "share", "mine, row 2: percent is None"),
            ('"Somebody, 2020"', '"Somebody, 2020', "mine is not a CSV file: "),
        ],
    )
    def test_faults_name_their_row_and_say_what_to_do(self, right, wrong, message):
        assert message in fault(SMALL.replace(right, wrong, 1))

    @pytest.mark.parametrize("text", ["", "place,percent,source\n"])
    def test_without_places(self, text):
        assert fault(text) == "mine is empty: give it a row per place"

    def test_the_same_place_in_other_words_is_there_twice(self):
        assert "a place twice" in fault("place,percent\nEIM/APDF,50\neim/apdf/preserve,50")

    def test_shares_are_worth_one_endpoint_at_least(self):
        assert fault(SMALL, 0) == "mine has sample_size 0: give 1 or more"

    @given(
        st.lists(
            st.tuples(
                st.integers(0, len(SMALL)),
                st.integers(0, 12),
                st.text(max_size=6) | st.sampled_from([",", '"', "\n", "25", "\x00", "\r", "1e9"]),
            ),
            min_size=1,
            max_size=4,
        )
    )
    def test_a_damaged_file_is_read_or_refused(self, edits):
        text = SMALL
        for at, length, put in edits:
            text = text[:at] + put + text[at + length :]
        try:
            population = parsed(text)
        except PopulationError:
            return
        assert math.fsum(population.weights) == pytest.approx(1)

    @given(st.text(max_size=60))
    def test_any_text_is_refused(self, text):
        fault(text)


@pytest.mark.parametrize("written", ["", "some", "0", "-3", "1.5"])
def test_without_a_number_of_endpoints_there_is_no_population(monkeypatch, written):
    """Its shares would be taken for certain, and its verdicts be surer than its figures."""
    about = {"home": {"endpoints": written, "derivation": "made up"}}
    monkeypatch.setattr(population_module, "_about", lambda: about)
    with pytest.raises(PopulationError, match=r"give (the number|1 or more)"):
        load_population("home")


PERCENT = st.floats(0, 100)


@st.composite
def features(draw):
    closed = draw(PERCENT)
    return Features(draw(PERCENT), draw(st.floats(0, 100 - closed)), closed, draw(PERCENT))


class TestFeatures:
    @given(st.sampled_from(NAMES), features())
    def test_make_a_distribution_of_distinct_places(self, name, asked):
        population = with_features(load_population(name), asked)
        assert math.fsum(population.shares) == pytest.approx(1, abs=1e-9)
        assert all(share > 0 for share in population.shares)
        assert len({place.name for place in population.places}) == len(population.places)

    @given(features())
    def test_are_as_common_as_asked(self, asked):
        population = with_features(parsed(SMALL), asked)

        def of(chosen):
            pairs = zip(population.places, population.shares, strict=True)
            return sum(share for place, share in pairs if chosen(place))

        ipv6, none, closed = asked.ipv6 / 100, asked.none / 100, asked.closed / 100
        assert of(lambda place: place.ipv6 is not None) == pytest.approx(ipv6)
        without_udp = 0.1
        wanted = ipv6 * (without_udp + (1 - without_udp) * closed)
        assert of(lambda place: place.ipv6 is Ipv6Firewall.CLOSED) == pytest.approx(wanted)
        wanted = ipv6 * (1 - without_udp) * none
        assert of(lambda place: place.ipv6 is Ipv6Firewall.NONE) == pytest.approx(wanted)
        behind_a_router = 0.65  # neither open nor without UDP
        mapping = behind_a_router * asked.mapping / 100
        assert of(lambda place: place.maps_ports) == pytest.approx(mapping)

    @given(features(), st.floats(0, 0.999))
    def test_leave_everybody_behind_the_same_nats(self, asked, quantile):
        """The same draw, so that campaigns with and without are compared call by call."""
        plain = parsed(SMALL)
        edges = np.cumsum(plain.shares)
        if np.abs(edges - quantile).min() < 1e-9:
            return
        drawn = with_features(plain, asked).place_at(quantile)
        assert drawn.name.split(", ")[0] == plain.place_at(quantile).name

    @pytest.mark.parametrize("name", NAMES)
    def test_by_default_there_are_none(self, name):
        plain = load_population(name)
        assert all(place.ipv6 is None and not place.maps_ports for place in plain.places)
        assert with_features(plain, Features()) == plain

    @pytest.mark.parametrize("name", NAMES)
    def test_of_every_population_are_known_with_their_source(self, name):
        known = known_features(load_population(name))
        population = load_population(f"{name}+ipv6+none+closed+mapping")
        assert population.name == name + known.suffix
        assert "28 March 2026" in population.source
        assert "ssumed" in population.source
        assert known.ipv6 == 50.1

    def test_stand_in_the_name_which_loads_them_again(self):
        population = load_population("mixed+mapping=12.5+ipv6=60+closed=10")
        assert population.name == "mixed+ipv6=60+closed=10+mapping=12.5"
        assert load_population(population.name) == population
        assert "With ipv6=60 closed=10 mapping=12.5 (%)" in population.source

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("home+", "has '' after the population: give each of ipv6, none, closed, mapping"),
            ("home+ipv5", "has 'ipv5' after the population"),
            ("home+ipv6+ipv6=3", "once at most"),
            ("home+ipv6=", "ipv6 of 'home+ipv6=' is '': give a number of percent"),
            ("home+ipv6=much", "is 'much': give a number"),
            ("home+ipv6=101", "ipv6 is 101 %: give 0 to 100"),
            ("home+ipv6=nan", "ipv6 is nan %: give 0 to 100"),
            ("home+mapping=-1", "mapping is -1 %"),
            ("home+ipv6+none=60+closed=60", "none and closed are 120 % of the IPv6 firewalls"),
            ("martians+ipv6", "there is no population 'martians'"),
        ],
    )
    def test_that_cannot_be(self, name, words):
        with pytest.raises(PopulationError) as caught:
            load_population(name)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)
