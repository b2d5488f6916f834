// How late the blocks of a stream come, and so how long a playout buffer has to wait.
//
// The *transit* of a block is the receiver's clock at its arrival minus its position: how many frames
// a reader at the receiver's clock has to stay behind, so that the block is there when it is due. Its
// *lateness* is what it exceeds the base of the last moments by: of each moment the least transit, and
// of these the largest, as a card that is late for once and makes up for it is no news. When the
// receiver's card has stood still for good, all transits are shorter from then on: the base and the usual
// lateness say so within moments. When the sender's has, all are longer, and the transits say so.
//
// No memory is allocated after the beginning.

const BIN_FRAMES = 16;
const BINS = 1 << 12; // 1.4 s
const KEPT = 1 << 12; // values
const KEPT_FRAMES = 384_000; // 8 s

const MOMENT_FRAMES = 2400;
const MOMENTS = 6; // of which the last one is not over

/** A histogram of the last seconds' values. It is a circle, as values may move without end. */
class Recent {
  #counts = new Uint16Array(BINS);
  #bins = new Float64Array(KEPT);
  #clocks = new Float64Array(KEPT);
  #first = 0; // number of the oldest block that is kept
  #next = 0;
  #top = -Infinity; // no bin above it has a block

  /** Number of values that are kept. */
  get size() {
    return this.#next - this.#first;
  }

  forget() {
    this.#counts.fill(0);
    this.#first = this.#next;
    this.#top = -Infinity;
  }

  /** Count a value.
   * @param {number} clock
   * @param {number} value */
  note(clock, value) {
    this.#expire(clock);
    const bin = Math.ceil(value / BIN_FRAMES);
    this.#bins[this.#next % KEPT] = bin;
    this.#clocks[this.#next % KEPT] = clock;
    this.#next += 1;
    this.#counts[modulo(bin)] += 1;
    this.#top = Math.max(this.#top, bin);
  }

  /** The value that no more than a share of them exceeds, to a bin above.
   * @param {number} share */
  exceededBy(share) {
    if (this.size === 0) return Infinity;
    let bin = this.#settledTop();
    let spare = Math.floor(share * this.size);
    for (let passed = 0; passed < BINS; passed += 1) {
      spare -= this.#counts[modulo(bin)];
      if (spare < 0) return bin * BIN_FRAMES;
      bin -= 1;
    }
    return Infinity;
  }

  #settledTop() {
    for (let passed = 0; passed < BINS && this.#counts[modulo(this.#top)] === 0; passed += 1) this.#top -= 1;
    return this.#top;
  }

  /** @param {number} clock */
  #expire(clock) {
    while (this.size > 0) {
      const oldest = this.#first % KEPT;
      if (this.size < KEPT && clock - this.#clocks[oldest] <= KEPT_FRAMES) return;
      this.#counts[modulo(this.#bins[oldest])] -= 1;
      this.#first += 1;
    }
  }
}

export class Arrivals {
  #transits = new Recent();
  #latenesses = new Recent();
  #least = new Float64Array(MOMENTS).fill(Infinity); // transits, by moment
  #moment = -1;

  /** Number of blocks that are known. */
  get size() {
    return this.#transits.size;
  }

  forget() {
    this.#transits.forget();
    this.#latenesses.forget();
    this.#least.fill(Infinity);
  }

  /** Count a block.
   * @param {number} clock the receiver's, in frames
   * @param {number} position of the block */
  note(clock, position) {
    const transit = clock - position;
    this.#pass(Math.floor(clock / MOMENT_FRAMES));
    const now = this.#moment % MOMENTS;
    this.#least[now] = Math.min(this.#least[now], transit);
    this.#transits.note(clock, transit);
    const base = this.#base();
    if (base > -Infinity) this.#latenesses.note(clock, transit - base);
  }

  /** The transit that no more than a share of the blocks will exceed.
   * @param {number} share */
  transit(share) {
    const usual = this.#latenesses.size > 0 ? this.#base() + this.#latenesses.exceededBy(share) : Infinity;
    return Math.min(usual, this.#transits.exceededBy(share));
  }

  /** Forget moments that are over.
   * @param {number} moment */
  #pass(moment) {
    if (moment - this.#moment > MOMENTS) this.#moment = moment - MOMENTS;
    while (this.#moment < moment) {
      this.#moment += 1;
      this.#least[this.#moment % MOMENTS] = Infinity;
    }
  }

  /** The largest of the least transits of the moments that are over; -Infinity without one. */
  #base() {
    let base = -Infinity;
    for (let each = 0; each < MOMENTS; each += 1) {
      const least = this.#least[each];
      if (each !== this.#moment % MOMENTS && least < Infinity && least > base) base = least;
    }
    return base;
  }
}

/** @param {number} bin */
function modulo(bin) {
  return ((bin % BINS) + BINS) % BINS;
}
