// Connection strategy for one peer: attempts, turns to offer, notices. As `jamlab.mesh.reach`, but
// for what a browser can do and aiortc cannot: restart ICE on a connection, which it does first when
// another browser's connection has become silent.
//
// There is no I/O here: inputs come with the time in seconds, actions go out, and `dueS` is the time
// for the next `tick`.

export const Phase = Object.freeze({
  AWAITING: "awaiting an offer",
  TRYING: "trying",
  CONNECTED: "connected",
  RESTING: "resting",
  PARTING: "parting",
  GONE: "gone",
});

/**
 * @typedef {{sdp: string, type: string, attempt?: unknown}} Description
 * @typedef {(
 *   | {do: "offer", attempt: number, restart: boolean}
 *   | {do: "answer", offer: Description}
 *   | {do: "take answer", answer: Description}
 *   | {do: "give up"}
 *   | {do: "close"}
 *   | {do: "tell", kind: string}
 * )} Action
 */

/** Time limits and waits of the strategy, in seconds; the same as jamlab's. */
export const PATIENCE = Object.freeze({
  offerS: 3,
  answerS: 10,
  checksS: 10,
  candidateS: 5,
  quietS: 5,
  farewellS: 1,
  restS: 0.5,
  longestRestS: 8,
  steadyS: 10,
  longestSilenceS: 300,
});

const DOUBTED = 5; // successive attempts without an answer after which a peer is tried less often

/** Whether a name sorts before another, by code points as in Python.
 * @param {string} one
 * @param {string} other */
export function sortsBefore(one, other) {
  const [a, b] = [[...one], [...other]];
  for (let i = 0; i < Math.min(a.length, b.length); i += 1) {
    const difference = /** @type {number} */ (a[i].codePointAt(0)) - /** @type {number} */ (b[i].codePointAt(0));
    if (difference !== 0) return difference < 0;
  }
  return a.length < b.length;
}

/** The attempt number in a description; null when it has none.
 * @param {Description} description
 * @returns {number | null} */
export function numberOf({ attempt }) {
  return typeof attempt === "number" && Number.isInteger(attempt) ? attempt : null;
}

export class Reach {
  #first;
  #random;
  #patience;
  #ours = false;
  #answered = false;
  #failures = 0;
  #relapses = 0; // connections in a row that replaced a silent one and did not last
  #curedS = -Infinity; // when a connection replaced a silent one
  #unanswered = 0; // attempts of ours since the peer's last signal
  #heardAttempt = 0;
  /** @type {string | null} */
  #lastNotice = null;
  #heard = false; // whether packets come over the connection that plays
  #quietUntilS = -Infinity; // until when the user is not told of a failed attempt

  /**
   * @param {string} own
   * @param {string} peer
   * @param {{random?: () => number, patience?: typeof PATIENCE, attempt?: number}} options `attempt`
   *   is the highest number of ours that the peer may have seen
   */
  constructor(own, peer, { random = Math.random, patience = PATIENCE, attempt = 0 } = {}) {
    /** @type {string} */
    this.phase = Phase.GONE;
    this.dueS = Infinity;
    this.attempt = attempt;
    this.#first = sortsBefore(own, peer);
    this.#random = random;
    this.#patience = patience;
  }

  // Presence in the room

  /** Note that the peer is in the room, and whether it is our turn to offer.
   * @param {boolean} ours
   * @param {number} nowS
   * @returns {Action[]} */
  meet(ours, nowS) {
    if (this.phase === Phase.PARTING) {
      this.phase = Phase.CONNECTED; // it had only lost signalling
      this.#heardAttempt = 0;
      return [];
    }
    if (this.phase !== Phase.GONE) return [];
    this.#failures = 0;
    this.#heardAttempt = 0;
    this.#lastNotice = null;
    this.#relapses = 0;
    this.#curedS = -Infinity;
    this.#quietUntilS = nowS + this.#patience.quietS;
    return ours ? this.#try(nowS) : this.#wait(Phase.AWAITING, this.#patience.offerS, nowS);
  }

  /** Note that the peer is no longer in the room.
   * @param {number} nowS
   * @returns {Action[]} */
  leave(nowS) {
    if (this.phase === Phase.CONNECTED) return this.#wait(Phase.PARTING, Infinity, nowS);
    return this.#part(nowS);
  }

  // Signals of the peer

  /** @param {Description} offer
   * @param {number} nowS
   * @returns {Action[]} */
  hearOffer(offer, nowS) {
    const attempt = numberOf(offer);
    const stale = attempt !== null && attempt <= this.#heardAttempt;
    const oursStands = this.phase === Phase.TRYING && this.#ours && this.#first;
    if (this.phase === Phase.GONE || stale || oursStands) return [];
    this.#heardAttempt = attempt || this.#heardAttempt;
    this.#unanswered = 0;
    const notices = attempt === null ? [] : this.#giveUpTheirs(nowS);
    this.#ours = false;
    this.#wait(Phase.TRYING, this.#patience.answerS + this.#patience.checksS, nowS);
    return [...notices, { do: "answer", offer }];
  }

  /** @param {Description} answer
   * @param {number} nowS
   * @returns {Action[]} */
  hearAnswer(answer, nowS) {
    const expected = this.phase === Phase.TRYING && this.#ours && !this.#answered;
    if (!expected || ![null, this.attempt].includes(numberOf(answer))) return [];
    this.#answered = true;
    this.#unanswered = 0;
    this.#wait(Phase.TRYING, this.#patience.checksS, nowS);
    return [{ do: "take answer", answer }];
  }

  /** Note a candidate, ours or the peer's: it may be the one that connects.
   * @param {number} nowS
   * @returns {Action[]} */
  hearCandidate(nowS) {
    if (this.phase === Phase.TRYING && (this.#answered || !this.#ours)) {
      this.dueS = Math.max(this.dueS, nowS + this.#patience.candidateS);
    }
    return [];
  }

  // States of the connections

  /** Note that the attempt under way has connected.
   * @param {number} nowS
   * @returns {Action[]} */
  connected(nowS) {
    return this.phase === Phase.GONE ? [] : this.#arrive(nowS);
  }

  /** Note that packets come again over the connection that was silent.
   * @param {number} nowS
   * @returns {Action[]} */
  resumed(nowS) {
    if ([Phase.GONE, Phase.CONNECTED, Phase.PARTING].includes(/** @type {any} */ (this.phase))) return [];
    /** @type {Action[]} */
    const underWay = this.phase === Phase.TRYING ? [{ do: "give up" }] : [];
    return [...underWay, ...this.#arrive(nowS)];
  }

  /** Note that the connection that plays has become silent.
   * @param {number} nowS
   * @returns {Action[]} */
  silent(nowS) {
    this.#heard = false;
    if (this.phase === Phase.PARTING) return this.#part(nowS);
    if (this.phase !== Phase.CONNECTED) return [];
    const relapsed = nowS < this.#curedS + this.#patience.steadyS;
    this.#relapses = relapsed ? this.#relapses + 1 : 0;
    this.#failures = 1 + this.#relapses;
    return this.#rest(relapsed ? this.#restS() : 0, nowS);
  }

  /** Note that the connection that plays was closed: the peer may be about to leave.
   * @param {number} nowS
   * @returns {Action[]} */
  closed(nowS) {
    this.#heard = false;
    if (this.phase === Phase.PARTING) return this.#part(nowS);
    if (this.phase === Phase.CONNECTED) {
      this.#wait(Phase.RESTING, this.#patience.farewellS + this.#headStartS, nowS);
    }
    return [];
  }

  /** Note that the attempt under way has failed.
   * @param {number} nowS
   * @returns {Action[]} */
  failed(nowS) {
    if (this.phase !== Phase.TRYING) return [];
    if (this.#heard) return [{ do: "give up" }, ...this.#arrive(nowS)];
    this.#failures += 1;
    if (this.#ours && !this.#answered) this.#unanswered += 1;
    return [{ do: "give up" }, ...this.#rest(this.#restS(), nowS)];
  }

  /** Note that our signals reach the room again, so that an answer can come.
   * @param {number} nowS
   * @returns {Action[]} */
  restored(nowS) {
    this.#unanswered = 0;
    if (this.phase === Phase.RESTING) {
      this.dueS = Math.min(this.dueS, nowS + this.#patience.longestRestS);
    }
    return [];
  }

  /** Make another attempt at once, because the user wants it.
   * @param {number} nowS
   * @returns {Action[]} */
  restart(nowS) {
    if (this.phase !== Phase.CONNECTED) return [];
    this.#failures = 1;
    return this.#try(nowS);
  }

  /** Do what is due at a time, if anything.
   * @param {number} nowS
   * @returns {Action[]} */
  tick(nowS) {
    if (nowS < this.dueS) return [];
    if (this.phase === Phase.CONNECTED) {
      this.#wait(Phase.CONNECTED, Infinity, nowS);
      return this.#tellCure();
    }
    return this.phase === Phase.TRYING ? this.failed(nowS) : this.#try(nowS);
  }

  // Inside

  /** Our delay of an offer after the peer's turn. */
  get #headStartS() {
    return this.#first ? 0 : this.#patience.offerS;
  }

  /** @param {number} nowS
   * @returns {Action[]} */
  #try(nowS) {
    this.attempt += 1;
    this.#ours = true;
    this.#answered = false;
    this.#wait(Phase.TRYING, this.#patience.answerS, nowS);
    return [{ do: "offer", attempt: this.attempt, restart: this.#failures === 1 }];
  }

  /** Count the peer's earlier attempt as failed, because the peer has made another.
   * @param {number} nowS
   * @returns {Action[]} */
  #giveUpTheirs(nowS) {
    if (this.phase !== Phase.TRYING || this.#ours) return [];
    this.#failures += 1;
    return this.#tellTrouble(nowS);
  }

  /** @param {number} restS
   * @param {number} nowS
   * @returns {Action[]} */
  #rest(restS, nowS) {
    this.#wait(Phase.RESTING, restS + this.#headStartS, nowS);
    return this.#tellTrouble(nowS);
  }

  #restS() {
    const doubted = this.#unanswered >= DOUBTED;
    const count = doubted ? this.#unanswered : this.#failures;
    const longestS = doubted ? this.#patience.longestSilenceS : this.#patience.longestRestS;
    const doubledS = this.#patience.restS * 2 ** Math.min(count - 1, 16);
    return Math.min(doubledS, longestS) * (0.5 + 0.5 * this.#random());
  }

  /** Show a notice about the failures so far, but not in the first seconds.
   * @param {number} nowS
   * @returns {Action[]} */
  #tellTrouble(nowS) {
    if (nowS < this.#quietUntilS) return [];
    const isFirst = this.#failures === 1 || this.#lastNotice === null;
    return this.#tell(isFirst ? "retrying" : "no audio");
  }

  /** @param {number} nowS
   * @returns {Action[]} */
  #arrive(nowS) {
    if (this.#quietUntilS === -Infinity) this.#curedS = nowS; // there was a connection before
    this.#failures = 0;
    this.#heard = true;
    this.#quietUntilS = -Infinity;
    this.#wait(Phase.CONNECTED, this.#relapses ? this.#patience.steadyS : Infinity, nowS);
    return this.#relapses ? [] : this.#tellCure();
  }

  /** @returns {Action[]} */
  #tellCure() {
    return this.#lastNotice ? this.#tell("restored") : [];
  }

  /** @param {number} nowS
   * @returns {Action[]} */
  #part(nowS) {
    this.#heard = false;
    this.#wait(Phase.GONE, Infinity, nowS);
    return [{ do: "close" }];
  }

  /** Show a notice, unless it is the same as the last.
   * @param {string} kind
   * @returns {Action[]} */
  #tell(kind) {
    if (kind === this.#lastNotice) return [];
    this.#lastNotice = kind === "restored" ? null : kind;
    return [{ do: "tell", kind }];
  }

  /** @param {string} phase
   * @param {number} forS
   * @param {number} nowS
   * @returns {Action[]} */
  #wait(phase, forS, nowS) {
    this.phase = phase;
    this.dueS = nowS + forS;
    return [];
  }
}
