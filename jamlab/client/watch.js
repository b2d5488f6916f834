// Live figures of the peers from `getStats`, once a second, and the alarm for a high latency.

const HIGH_LATENCY_S = 0.1;

/**
 * @typedef {{
 *   peerId: string,
 *   isFlowing: boolean,
 *   route: "direct" | "relay" | null,
 *   transport: "media" | "data",
 *   roundTripS: number | null,
 *   jitterBufferS: number | null,
 *   concealedShare: number | null,
 *   oneWayS: number | null,
 * }} Figures `roundTripS` is of the network; `oneWayS` an estimate, half of it and the known delays
 */

/** Alarm with separate thresholds and times to raise and to clear it: as `jamlab.mesh.alarm`. */
export class LatencyAlarm {
  #raised = false;
  /** @type {number | null} */
  #sinceS = null;

  /** Take a sample; return the notice it causes, if any.
   * @param {number | null} oneWayS
   * @param {number} nowS
   * @returns {"high latency" | "normal latency" | null} */
  observe(oneWayS, nowS) {
    const differs = oneWayS !== null && (this.#raised ? oneWayS < 0.9 * HIGH_LATENCY_S : oneWayS > HIGH_LATENCY_S);
    if (!differs) {
      this.#sinceS = null;
      return null;
    }
    this.#sinceS ??= nowS;
    if (nowS - this.#sinceS < (this.#raised ? 5 : 2)) return null;
    this.#raised = !this.#raised;
    this.#sinceS = null;
    return this.#raised ? "high latency" : "normal latency";
  }
}

/** The figures of one connection, as differences between two readings. */
export class Meter {
  /** @type {any} */
  #before = null;
  /** @type {import("./ownPlayout.js").Reading | null} */
  #playoutBefore = null;
  #flowedS = 0;

  /**
   * @param {string} peerId
   * @param {Iterable<any>} report the values of a `RTCStatsReport`
   * @param {number} knownS delays that this browser states: a frame and its output
   * @param {number} nowS
   * @param {import("./ownPlayout.js").Reading | null} playout of the page's own, which then is what
   *   is heard
   * @returns {Figures} */
  read(peerId, report, knownS, nowS, playout = null) {
    const stats = [...report];
    const inbound = stats.find((each) => each.type === "inbound-rtp" && each.kind === "audio") ?? {};
    const pair = selectedPair(stats);
    const gained = this.#gained(inbound);
    const isFirst = this.#before === null;
    if (playout?.transport !== this.#playoutBefore?.transport) this.#playoutBefore = null; // others count
    if (isFirst || gained("packetsReceived") > 0 || this.#blocksCame(playout)) this.#flowedS = nowS;
    const roundTripS = pair?.currentRoundTripTime ?? null;
    const media = {
      jitterBufferS: ratio(gained("jitterBufferDelay"), gained("jitterBufferEmittedCount")),
      concealedShare: ratio(gained("concealedSamples"), gained("totalSamplesReceived")),
    };
    const { jitterBufferS, concealedShare } = playout ? this.#ofPlayout(playout) : media;
    this.#before = inbound;
    const isKnown = roundTripS !== null && jitterBufferS !== null;
    return {
      peerId,
      isFlowing: nowS - this.#flowedS < 2,
      route: pair ? routeOf(pair, stats) : null,
      transport: playout?.transport ?? "media",
      roundTripS,
      jitterBufferS,
      concealedShare,
      oneWayS: isKnown ? roundTripS / 2 + jitterBufferS + knownS : null,
    };
  }

  /** @param {import("./ownPlayout.js").Reading | null} playout */
  #blocksCame(playout) {
    return playout !== null && playout.counters.blocks > (this.#playoutBefore?.counters.blocks ?? 0);
  }

  /** @param {import("./ownPlayout.js").Reading} playout */
  #ofPlayout(playout) {
    const { counters } = playout;
    const before = this.#playoutBefore?.counters ?? { played: 0, concealed: 0 };
    this.#playoutBefore = playout;
    const concealed = counters.concealed - before.concealed;
    const all = counters.played - before.played + concealed;
    return { jitterBufferS: counters.delayFrames / 48_000, concealedShare: ratio(concealed, all) };
  }

  /** @param {any} inbound
   * @returns {(name: string) => number} */
  #gained(inbound) {
    const before = this.#before ?? {};
    return (name) => (inbound[name] ?? 0) - (before[name] ?? 0);
  }
}

/** @param {number} part
 * @param {number} whole */
function ratio(part, whole) {
  return whole > 0 ? part / whole : null;
}

/** @param {any[]} stats */
function selectedPair(stats) {
  const transport = stats.find((each) => each.type === "transport");
  const chosen = stats.find((each) => each.id === transport?.selectedCandidatePairId);
  return chosen ?? stats.find((each) => each.type === "candidate-pair" && each.nominated && each.state === "succeeded");
}

/** Relayed when either end's candidate is.
 * @param {any} pair
 * @param {any[]} stats */
function routeOf(pair, stats) {
  const ends = stats.filter(({ id }) => id === pair.localCandidateId || id === pair.remoteCandidateId);
  return ends.some((each) => each.candidateType === "relay") ? "relay" : "direct";
}
