// Judges whether the page's own playout keeps up with a stream. On a busy machine its worker and its
// decoder get too little time, and much of the sound is concealed; the browser's own buffer, which is
// filled by real-time threads, plays longer behind, but whole.

const WINDOW_FRAMES = 3 * 48_000;
const MOST_SHARE = 0.02; // of a window's frames that may be concealed, beside those of lost packets
const MOST_WINDOWS = 2; // in succession above that share

/** @typedef {Pick<import("./playoutStream.js").PlayoutCounters, "blocks" | "played" | "concealed" | "lost">} Counts */

export class Shortfall {
  /** @type {Counts} */
  #before = { blocks: 0, played: 0, concealed: 0, lost: 0 };
  #windows = 0;

  /** Take the stream's counters so far; return whether its playout falls short for good.
   * @param {Counts} now
   * @returns {boolean} */
  note(now) {
    const played = now.played - this.#before.played;
    const concealed = now.concealed - this.#before.concealed;
    if (played + concealed >= WINDOW_FRAMES) {
      const blocks = now.blocks - this.#before.blocks;
      const lost = (now.lost ?? 0) - (this.#before.lost ?? 0);
      const ofLost = ((played + concealed) * lost) / Math.max(1, blocks + lost);
      const isShort = blocks > 0 && concealed - ofLost > MOST_SHARE * (played + concealed); // without blocks the peer is silent
      this.#windows = isShort ? this.#windows + 1 : 0;
      this.#before = { ...now };
    }
    return this.#windows >= MOST_WINDOWS;
  }
}
