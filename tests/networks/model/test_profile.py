"""Profiles: two access links against the profile's figures, and the file against damage."""

import csv
import io
import math
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.model.link import Link
from jamlab.networks.model.profile import (
    NetworkProfile,
    ProfileError,
    UnknownProfileError,
    parse_profiles,
    profile_named,
    profile_names,
    profile_replaying,
    replaying_names,
)
from jamlab.networks.model.trace import DelayTrace
from jamlab.resources import data_path
from tests.examples import examples

REAL = ("Wi-Fi, real", "bad Wi-Fi, real", "5G, real", "private 5G, real")
NAMES = ("LAN", "Wi-Fi", "same city", "same country", "4G", "5G", "transatlantic")
TEXT = data_path("network_profiles.csv").read_text(encoding="utf-8")

FIBRE_HOME_MS = 11.55
"""Round trip on Fios in Measuring Broadband America 2016: half of it on either side."""
FIBRE_MS_PER_1000_KM = 5.0
NEW_YORK_TO_PARIS_MS = 78 / 2


def profile(delay_s=0.0, jitter_s=0.0, loss=0.0, burst_packets=1.0, up=1e9, down=1e9):
    return NetworkProfile("test", delay_s, jitter_s, loss, burst_packets, up, down, "-", "-")


def passed(profile, n, every_s, size_bytes, seed=1):
    """Return the delays of packets through two access links, NaN where they are lost."""
    rng = random.Random(seed)
    sender, receiver = Link(profile.access(), rng), Link(profile.access().downwards, rng)
    delays_s = np.full(n, math.nan)
    for k in range(n):
        for between_s in sender.transit(size_bytes, k * every_s):
            for leaves_s in receiver.transit(size_bytes, between_s):
                delays_s[k] = leaves_s - k * every_s
    return delays_s


def chain(access):
    """Return Gilbert's (turn bad, recover) of a link."""
    if access.burst_packets == 1:
        return access.loss, 1 - access.loss
    recover = 1 / access.burst_packets
    return recover * access.loss / (1 - access.loss), recover


def end_to_end(access):
    """Return loss and mean burst of two links in a row, from the joint chain's eigenvector.

    States are (first, second) good or bad, in the order GG, GB, BG, BB; the second link takes a
    step only for what the first let through.
    """
    p, r = chain(access)
    first = np.array([[1 - p, p], [r, 1 - r]])
    seconds = first, np.eye(2)
    joint = np.array([np.kron(first[a], seconds[a][b]) for a in range(2) for b in range(2)])
    equations = np.vstack([joint.T - np.eye(4), np.ones(4)])
    stationary = np.linalg.lstsq(equations, np.array([0, 0, 0, 0, 1.0]), rcond=None)[0]
    loss = 1 - stationary[0]
    bursts_begin = stationary[0] * (1 - joint[0, 0])
    return loss, loss / bursts_begin


def row(**changes):
    """Return a file of one profile with some values changed."""
    values = dict(next(csv.DictReader(io.StringIO(TEXT))), **changes)
    out = io.StringIO()
    writer = csv.DictWriter(out, values)
    writer.writeheader()
    writer.writerow(values)
    return out.getvalue()


def complaint(text):
    """Return what is said about a file, None where every profile in it can be used."""
    try:
        for network in parse_profiles(text):
            network.access()
    except ProfileError as error:
        return str(error)
    return None


class TestAccess:
    @pytest.mark.parametrize("name", NAMES)
    def test_two_have_the_delay_and_the_jitter(self, name):
        """Packets so far apart that none waits; the variance of the sum is half of one's."""
        network = profile_named(name)
        access = network.access()
        bits_s = 2 * 8 * 100 / access.rate_bit_s
        delays_s = passed(network, 20_000, 1.0, 100)
        extra_s = delays_s[~np.isnan(delays_s)] - network.delay_s - bits_s
        error_s = network.jitter_s / math.sqrt(2 * len(extra_s))
        assert abs(extra_s.mean() - network.jitter_s) < 5 * error_s
        assert -1e-9 < extra_s.min() < 0.1 * network.jitter_s
        assert extra_s.std() == pytest.approx(network.jitter_s / math.sqrt(2), rel=0.05)

    @pytest.mark.parametrize("name", NAMES)
    def test_two_have_the_loss_and_the_bursts(self, name):
        network = profile_named(name)
        if network.loss == 0:
            assert network.access().loss == 0
            return
        loss, burst_packets = end_to_end(network.access())
        assert loss == pytest.approx(network.loss)
        assert burst_packets == pytest.approx(network.burst_packets)

    @given(st.floats(1e-4, 0.9), st.floats(1.001, 50))
    def test_two_have_any_loss_and_bursts(self, loss, beyond_independent):
        burst_packets = beyond_independent / (1 - loss)
        seen = end_to_end(profile(loss=loss, burst_packets=burst_packets).access())
        assert seen == pytest.approx((loss, burst_packets), rel=1e-6)

    @given(st.floats(1e-17, 1, exclude_max=True))
    def test_two_can_have_the_shortest_bursts(self, loss):
        """Which are a little longer than those of independent losses, on either link."""
        burst_packets = math.nextafter(1 / (1 - loss), math.inf)
        access = profile(loss=loss, burst_packets=burst_packets).access()
        assert 1 <= access.burst_packets <= burst_packets

    @given(st.floats(1e-4, 0.9))
    def test_two_have_independent_losses(self, loss):
        """Whose bursts last 1/(1 - loss)."""
        access = profile(loss=loss).access()
        assert access.burst_packets == 1
        assert end_to_end(access) == pytest.approx((loss, 1 / (1 - loss)))

    def test_the_links_do_what_was_computed(self):
        """The share by the variance of the joint chain, about that of one chain of such bursts."""
        n, loss, burst_packets = 200_000, 0.1, 4.0
        lost = np.isnan(passed(profile(loss=loss, burst_packets=burst_packets), n, 0.01, 100))
        p_plus_r = 1 / burst_packets / (1 - loss)
        error = math.sqrt(loss * (1 - loss) / n * (2 - p_plus_r) / p_plus_r)
        assert abs(lost.mean() - loss) < 5 * error
        bursts = (lost[1:] & ~lost[:-1]).sum()
        assert lost.sum() / bursts == pytest.approx(burst_packets, rel=0.03)

    @pytest.mark.parametrize(("up", "down"), [(1e6, 5e6), (5e6, 1e6)])
    def test_has_the_smaller_rate(self, up, down):
        """1000 bytes at 1 Mbit/s take 8 ms, on each of two links."""
        seen = passed(profile(delay_s=0.05, up=up, down=down), 10, 1.0, 1000)
        assert seen == pytest.approx(0.05 + 2 * 0.008)

    @pytest.mark.parametrize(
        ("values", "wanted"),
        [
            ({"delay_s": -1.0}, "^delay_s of 'test' is -1.0: give seconds, 0 or more"),
            ({"jitter_s": math.nan}, "^jitter_s of 'test' is nan"),
            ({"loss": 1.0}, "^loss of 'test' is 1.0: .*less than 1"),
            ({"up": 0.0}, "^up_bit_s of 'test' is 0.0: .*1 or more"),
            ({"down": math.inf}, "^down_bit_s of 'test' is inf"),
            ({"loss": 0.5, "burst_packets": 1.5}, r"^burst_packets .* 1.5: .*more than 2$"),
            ({"burst_packets": 0.5}, "^burst_packets of 'test' is 0.5"),
        ],
    )
    def test_refuses_what_no_network_is(self, values, wanted):
        with pytest.raises(ProfileError, match=wanted):
            profile(**values)


class TestReplaying:
    @pytest.mark.parametrize("name", REAL)
    def test_paths_have_the_traces_delays(self, name):
        """Over one round of the trace: least and mean, by the links themselves."""
        network = profile_named(name)
        every_s, around = 0.01, network.stationary
        delays_s = passed(network, int(network.replayed().duration_s / every_s), every_s, 100)
        assert delays_s.min() == pytest.approx(around.delay_s, abs=0.002)
        assert delays_s.mean() == pytest.approx(around.delay_s + around.jitter_s, rel=0.35)
        assert (around.loss, np.isnan(delays_s).any()) == (0, False)

    def test_5g_has_half_of_each_participants_round_trip(self):
        """The file's own figures, in milliseconds: least 12, median 17."""
        delays_s = passed(profile_named("5G, real"), 8000, 0.01, 100)
        assert delays_s.min() * 1000 == pytest.approx(12, abs=2)
        assert np.median(delays_s) * 1000 == pytest.approx(17, abs=2)

    def test_wifi_stalls(self):
        """A hundredth of the time and more, for a quarter of a second."""
        delays_s = passed(profile_named("Wi-Fi, real"), 30_000, 0.01, 100)
        assert 0.2 < np.quantile(delays_s, 0.99) < 0.3

    def test_a_given_trace_is_passed_once(self):
        sent_s = np.arange(1000) / 100
        trace = DelayTrace("home.csv.gz", sent_s, 0.01 + 0.001 * (np.arange(1000) % 7))
        network = profile_replaying(trace)
        assert (network.name, network.source) == ("trace home", "home.csv.gz")
        delays_s = passed(network, 1000, 0.01, 100)
        assert delays_s.mean() == pytest.approx(trace.delay_s.mean(), abs=1e-3)
        around = network.stationary
        assert (around.delay_s, around.jitter_s) == pytest.approx((0.01, 0.003), abs=1e-4)

    def test_losses_of_a_trace_add_up(self):
        delay_s = np.where(np.arange(1000) % 10 == 0, np.nan, 0.01)
        trace = DelayTrace("lossy", np.arange(1000) / 100, delay_s)
        network = replace(profile(loss=0.5), trace=trace)
        assert network.stationary.loss == pytest.approx(1 - 0.5 * 0.9**2, abs=1e-3)
        assert replace(network, trace_once=True).stationary.loss == pytest.approx(
            1 - 0.5 * 0.9, abs=1e-3
        )

    def test_has_no_jitter_besides(self):
        with pytest.raises(ProfileError, match=r"jitter_s of 'test' is 0\.1: give 0 with a trace"):
            replace(profile(jitter_s=0.1), replays="stalls Wi-Fi")

    @pytest.mark.parametrize(
        ("replays", "on", "words"),
        [
            ("file x", "path", "column replays is 'file x'"),
            ("stalls", "path", "column replays is 'stalls'"),
            ("stalls Wi-Fi", "", "column replayed_on is empty"),
            ("stalls Wi-Fi", "both", "column replayed_on is 'both': give path or each link"),
            ("stalls Wi-Fi", "path", "column jitter_ms: .*give 0 with a trace"),
        ],
    )
    def test_says_what_is_wrong_in_a_file(self, replays, on, words):
        with pytest.raises(ProfileError, match=f"^row 2, {words}"):
            parse_profiles(row(replays=replays, replayed_on=on))


class TestFile:
    def test_has_the_profiles(self):
        assert profile_names() == NAMES
        assert replaying_names() == REAL
        assert [profile_named(name).name for name in (*NAMES, *REAL)] == [*NAMES, *REAL]

    def test_says_which_there_are(self):
        with pytest.raises(UnknownProfileError, match=r"'Mars': choose LAN, .*, private 5G, real$"):
            profile_named("Mars")
        assert issubclass(UnknownProfileError, ValueError)

    @pytest.mark.parametrize("name", [*NAMES, *REAL])
    def test_names_sources_and_assumptions(self, name):
        """A source has a year or a figure in it, an assumption is a sentence."""
        network = profile_named(name)
        assert any(sign.isdigit() for sign in network.source)
        assert network.assumed.endswith(".")

    @pytest.mark.parametrize(
        ("name", "mean_ms"),
        [
            ("same city", FIBRE_HOME_MS),
            ("same country", FIBRE_HOME_MS + FIBRE_MS_PER_1000_KM),
            ("transatlantic", FIBRE_HOME_MS + NEW_YORK_TO_PARIS_MS),
            ("4G", (18.3 + 23.7) / 2),
            ("5G", (16.3 + 21.4) / 2),
        ],
    )
    def test_has_the_sources_delays(self, name, mean_ms):
        """Least delay and mean jitter add up to what was published, rounded to milliseconds."""
        network = profile_named(name)
        assert 1000 * (network.delay_s + network.jitter_s) == pytest.approx(mean_ms, abs=0.5)

    def test_has_wifi_between_its_sources_quantiles(self):
        """A hop one way is half a round trip, of 3 ms in the median and 20 ms at 90 %."""
        hop = profile_named("Wi-Fi").access()
        fits_median_s = (0.0015 - hop.delay_s) / math.log(2)
        fits_tail_s = (0.010 - hop.delay_s) / math.log(10)
        assert fits_median_s < hop.jitter_s < fits_tail_s
        assert (2000 * fits_median_s, 2000 * fits_tail_s) == pytest.approx((2.9, 8.3), abs=0.05)

    def test_is_slower_the_farther_away(self):
        delays_s = [profile_named(name).delay_s for name in NAMES]
        near, far = delays_s[0], delays_s[-1]
        assert near == min(delays_s)
        assert far == max(delays_s)


class TestParse:
    def test_reads_units(self):
        text = row(
            delay_ms="30", jitter_ms="2", loss_percent="1.5", burst_packets="3", up_mbit_s="4"
        )
        (network,) = parse_profiles(text)
        assert (network.delay_s, network.jitter_s) == pytest.approx((0.03, 0.002))
        assert (network.loss, network.burst_packets) == pytest.approx((0.015, 3))
        assert (network.up_bit_s, network.down_bit_s) == pytest.approx((4e6, 1e9))

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("profile", " "),
            ("delay_ms", "-1"),
            ("delay_ms", "ten"),
            ("jitter_ms", "nan"),
            ("jitter_ms", ""),
            ("loss_percent", "100"),
            ("loss_percent", "1%"),
            ("burst_packets", "0.5"),
            ("burst_packets", "inf"),
            ("up_mbit_s", "0"),
            ("up_mbit_s", "5e-324"),
            ("down_mbit_s", "1e305"),
            ("source", ""),
            ("assumed", ""),
        ],
    )
    def test_names_row_and_column(self, column, value):
        with pytest.raises(ProfileError, match=f"^row 2, column {column}"):
            parse_profiles(row(**{column: value}))

    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("", "have no column profile"),
            (TEXT.splitlines()[0], "are empty"),
            (TEXT.replace("jitter_ms", "jitter"), "have no column jitter_ms: add it"),
            (row() + row().splitlines()[1], "row 3, column profile: 'LAN' appears twice"),
            (row().rstrip() + ",more", "row 2 has more values than there are columns"),
            (row() + '"', "are not valid CSV"),
        ],
    )
    def test_says_what_is_wrong_with_the_whole(self, text, wanted):
        with pytest.raises(ProfileError, match=wanted):
            parse_profiles(text)

    @pytest.mark.parametrize(
        ("replays", "shipped"),
        [("trace lift.csv.gz", "5g_public_car.csv.gz"), ("stalls lift", "Wi-Fi")],
    )
    def test_names_what_can_be_replayed(self, replays, shipped):
        with pytest.raises(ProfileError, match=f"^row 2, column replays is '{replays}'.*{shipped}"):
            parse_profiles(row(replays=replays, replayed_on="path"))

    @examples(300)
    @given(
        st.lists(
            st.tuples(
                st.integers(0, len(TEXT)),
                st.integers(0, 4),
                st.text('0123456789.,"-+eEinfa%\n\r\0 x', max_size=4) | st.text(max_size=3),
            ),
            min_size=1,
            max_size=6,
        )
    )
    def test_reads_a_damaged_file_or_says_so(self, cuts):
        text = TEXT
        for at, length, new in cuts:
            text = text[:at] + new + text[at + length :]
        said = complaint(text)
        assert said is None or "network profiles" in said or said.startswith("row ")

    @examples(300)
    @given(
        st.sampled_from(
            ["delay_ms", "jitter_ms", "loss_percent", "burst_packets", "up_mbit_s", "down_mbit_s"]
        ),
        st.floats().map(str) | st.text(max_size=5),
        st.sampled_from(["0", "1", "99.99999999999999"]),
        st.sampled_from(["1", "2", "1e300"]),
    )
    def test_takes_a_value_or_names_its_column(self, column, value, loss, burst_packets):
        others = {"loss_percent": loss, "burst_packets": burst_packets}
        said = complaint(row(**{**others, column: value}))
        assert said is None or said.startswith("row 2, column")
