// Puts the packets of an RTP stream in order, as a decoder needs them.
//
// It waits for a missing packet only as long as such ones have been late in the last seconds, so not
// at all where the network keeps their order: waiting for what is lost would make all others late. What
// comes after that is dropped, as it would disturb a decoder that has gone on.
//
// There is no I/O and no timer here: each packet comes with the time in milliseconds.

const MOST_WAIT_MS = 40;
const WINDOW_MS = 5000; // latenesses of this one and the one before it count
const MOST_DROPOUT = 3000; // packets (RFC 3550 appendix A.1); beyond it the stream begins anew
const KEPT = 1 << 12; // more than MOST_DROPOUT
const WRAP = 2 ** 16;

/** @template T */
export class InOrder {
  #emit;
  /** @type {number | null} */
  #source = null;
  #next = 0; // number of the packet to emit next
  #first = 0;
  #newest = 0;
  #lostBefore = 0; // in earlier streams
  #received = 0;
  /** @type {Map<number, T>} */
  #held = new Map();
  #missingSince = new Float64Array(KEPT); // by number modulo KEPT, when a newer packet came; NaN of no missing one
  #lateMs = [0, 0]; // the longest in this window and in the last one
  #windowMs = 0;

  /** @param {(packet: T) => void} emit takes the packets in their order */
  constructor(emit) {
    this.#emit = emit;
  }

  /** Number of packets that have not come (RFC 3550 §6.4.1). */
  get lost() {
    return this.#source === null ? 0 : this.#lostBefore + this.#newest - this.#first + 1 - this.#received;
  }

  /** Take a packet.
   * @param {number} source the stream's SSRC
   * @param {number} sequence the packet's number of 16 bits
   * @param {T} packet
   * @param {number} nowMs */
  push(source, sequence, packet, nowMs) {
    let ahead = ((((sequence - this.#newest) % WRAP) + 1.5 * WRAP) % WRAP) - WRAP / 2;
    if (source !== this.#source || Math.abs(ahead) > MOST_DROPOUT) {
      this.#begin(source, sequence);
      ahead = 1;
    }
    const number = this.#newest + ahead;
    this.#note(number, nowMs);
    if (number >= this.#next && !this.#held.has(number)) this.#held.set(number, packet);
    this.#release(nowMs);
  }

  /** @param {number} source
   * @param {number} sequence */
  #begin(source, sequence) {
    this.#lostBefore = this.lost;
    this.#source = source;
    this.#received = 0;
    this.#first = this.#next = sequence;
    this.#newest = sequence - 1;
    this.#held.clear();
    this.#missingSince.fill(NaN);
  }

  /** Note which packets a packet shows to be missing, or how late it is itself.
   * @param {number} number
   * @param {number} nowMs */
  #note(number, nowMs) {
    if (nowMs - this.#windowMs > WINDOW_MS) {
      this.#lateMs = [0, nowMs - this.#windowMs > 2 * WINDOW_MS ? 0 : this.#lateMs[0]];
      this.#windowMs = nowMs;
    }
    for (let each = this.#newest + 1; each < number; each += 1) this.#missingSince[each & (KEPT - 1)] = nowMs;
    const at = number & (KEPT - 1);
    const sinceMs = this.#missingSince[at];
    this.#missingSince[at] = NaN;
    if (number > this.#newest) {
      this.#newest = number;
      this.#received += 1;
      return;
    }
    if (Number.isNaN(sinceMs)) return; // it has come before, or is older than anything known
    this.#received += 1;
    if (nowMs - sinceMs <= WINDOW_MS) this.#lateMs[0] = Math.max(this.#lateMs[0], nowMs - sinceMs);
  }

  /** Emit the packets that are next, and those whose wait for a missing one is over.
   * @param {number} nowMs */
  #release(nowMs) {
    const waitMs = Math.min(MOST_WAIT_MS, Math.max(...this.#lateMs));
    while (this.#next <= this.#newest) {
      const packet = this.#held.get(this.#next);
      const isKnown = this.#next > this.#newest - MOST_DROPOUT;
      if (packet === undefined && isKnown && nowMs - this.#missingSince[this.#next & (KEPT - 1)] < waitMs) return;
      this.#held.delete(this.#next);
      this.#next += 1;
      if (packet !== undefined) this.#emit(packet);
    }
  }
}
