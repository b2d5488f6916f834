"""The page's playout buffer in virtual time, in Node."""

import pytest

from tests.client.node import run_js

SIMULATE = """
    import { Playout } from "./playout.js";

    // A sine of 440 Hz in blocks, each later than at best by `late(n)` frames; read in bursts of
    // `burst` frames by a card that is faster by `skew`. Returns the counters of each second.
    function simulate({ seconds, burst, skew = 0, late, lost = () => false, frames = 120 }) {
      const playout = new Playout();
      const arrivals = [];
      for (let n = 0; n * frames < seconds * 48000; n += 1) {
        if (!lost(n)) arrivals.push([(n + 1) * frames + late(n), n * frames]);
      }
      arrivals.sort((a, b) => a[0] - b[0]);
      const told = [];
      const [left, right] = [new Float32Array(128), new Float32Array(128)];
      let next = 0;
      let before = { ...playout.counters };
      let worst = 0;
      let jump = 0;
      let last = 0;
      for (let at = 0; at < seconds * 48000; at += burst) {
        const senders = at / (1 + skew);
        while (next < arrivals.length && arrivals[next][0] <= senders) {
          const start = arrivals[next][1];
          const sine = Float32Array.from({ length: frames }, (_, n) =>
            0.5 * Math.sin((2 * Math.PI * 440 * (start + n)) / 48000));
          playout.write(start, [sine, sine.slice()]);
          next += 1;
        }
        for (let n = 0; n < burst; n += 128) {
          playout.pull(left, right);
          for (const sample of left) {
            jump = Math.max(jump, Math.abs(sample - last));
            last = sample;
          }
          worst = Math.max(worst, at + n - playout.read);
        }
        if (Math.floor(at / 48000) > told.length) {
          const { played, concealed, delayFrames, jumps } = playout.counters;
          told.push({
            concealed: concealed - before.concealed,
            played: played - before.played,
            latency: at + burst - playout.read,
            rate: playout.rate,
            jumps,
            jump,
          });
          before = { ...playout.counters };
          jump = 0;
        }
      }
      return told;
    }
    let seed = 1;
    const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
    const [seconds, options] = given;
"""


def simulated(seconds, js_options):
    script = f"{SIMULATE}console.log(JSON.stringify(simulate({{ seconds, {js_options} }})));"
    return run_js(script, [seconds, None])


def test_without_jitter_it_waits_for_little_more_than_a_block_and_a_burst():
    told = simulated(20, "burst: 128, late: () => 0")
    assert all(each["concealed"] == 0 for each in told[1:])
    assert told[-1]["latency"] <= 120 + 2 * 128 + 48
    # a sine of 440 Hz has no larger step between two frames than this
    assert max(each["jump"] for each in told[1:]) <= 0.5 * 2 * 3.1416 * 440 / 48000 * 1.01


@pytest.mark.parametrize("burst", [512, 1024])
def test_a_card_that_reads_in_bursts_costs_the_burst(burst):
    told = simulated(30, f"burst: {burst}, late: () => 0")
    assert all(each["concealed"] == 0 for each in told[5:])
    assert told[-1]["latency"] <= 120 + 2 * burst + 128 + 48


def test_it_grows_with_the_jitter_and_shrinks_after_it():
    late = "late: (n) => (n < 4000 ? 1440 : 48) * random()"
    told = simulated(60, f"burst: 128, {late}")
    during, after = told[8], told[20]
    assert 1440 <= during["latency"] <= 1440 + 600
    assert after["latency"] <= 600
    assert sum(each["concealed"] for each in told[3:]) <= 0.002 * 57 * 48_000
    assert max(each["jump"] for each in told[12:]) < 0.1  # the sine goes on over the cut


@pytest.mark.slow
@pytest.mark.parametrize("ppm", [-300, 300])
def test_it_follows_another_clock(ppm):
    told = simulated(120, f"burst: 128, skew: {ppm}e-6, late: () => 96 * random()")
    assert sum(each["concealed"] for each in told[5:]) <= 0.0005 * 115 * 48_000
    assert abs(told[-1]["latency"] - told[30]["latency"] - ppm * 1e-6 * 89 * 48_000) <= 200


def test_lost_blocks_are_concealed_and_cost_no_delay():
    told = simulated(20, "burst: 128, late: () => 0, lost: (n) => n % 100 === 50")
    share = sum(each["concealed"] for each in told[1:]) / (48_000 * (len(told) - 1))
    assert share == pytest.approx(0.01, abs=0.002)
    assert told[-1]["latency"] <= 120 + 2 * 128 + 48
    assert max(each["jump"] for each in told[1:]) < 0.35


def test_after_an_outage_it_jumps_back_to_the_present():
    late = "late: (n) => (n >= 800 && n < 1000 ? (1000 - n) * 120 : 0)"
    told = simulated(30, f"burst: 128, {late}")
    assert told[-1]["jumps"] <= 1
    assert told[-1]["latency"] <= 120 + 2 * 128 + 48


def test_it_starts_anew_where_the_sender_does():
    script = f"""{SIMULATE}
        const playout = new Playout();
        const block = () => [new Float32Array(128).fill(0.5), new Float32Array(128).fill(0.5)];
        const [left, right] = [new Float32Array(128), new Float32Array(128)];
        for (const origin of [0, 1e9]) {{
          for (let n = 0; n < 20; n += 1) {{
            playout.write(origin + n * 128, block());
            playout.pull(left, right);
          }}
        }}
        console.log(JSON.stringify([left[127], playout.newest - playout.read < 1000]));"""
    assert run_js(script, [0, None]) == [0.5, True]


def test_a_receiver_s_card_that_stood_still_costs_no_delay_for_long():
    # the reader's clock stops for 0.1 s every second: all that comes then is early from then on
    stalls = """
        const playout = new Playout();
        const [left, right] = [new Float32Array(128), new Float32Array(128)];
        const block = () => [new Float32Array(120).fill(0.5), new Float32Array(120).fill(0.5)];
        let sent = 0;
        let worst = 0;
        for (let now = 0; now < 480_000; now += 128) {
          for (; sent + 120 <= now; sent += 120) playout.write(sent, block());
          if (now % 48_000 >= 4800) playout.pull(left, right);
          if (now > 96_000 && now % 48_000 >= 43_200) worst = Math.max(worst, now - playout.read);
        }
        console.log(JSON.stringify([worst, playout.counters]));"""
    worst, counters = run_js(SIMULATE + stalls, [0, None])
    assert worst <= 120 + 2 * 128 + 240
    assert counters["concealed"] <= 0.005 * counters["played"]
