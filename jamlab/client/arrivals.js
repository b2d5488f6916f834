// How late the blocks of a stream come, and so how long a playout buffer has to wait.
//
// The *transit* of a block is the receiver's clock at its arrival minus its position: how many frames
// a reader at the receiver's clock has to stay behind, so that the block is there when it is due. The
// transits of the last seconds are counted in a histogram, which is a circle: a drift between two
// clocks moves them slowly and without end. No memory is allocated after the beginning.

const BIN_FRAMES = 16;
const BINS = 1 << 12; // 1.4 s
const KEPT = 1 << 12; // blocks
const KEPT_FRAMES = 384_000; // 8 s

export class Arrivals {
  #counts = new Uint16Array(BINS);
  #bins = new Float64Array(KEPT);
  #clocks = new Float64Array(KEPT);
  #first = 0; // number of the oldest block that is kept
  #next = 0;
  #top = -Infinity; // no bin above it has a block

  /** Number of blocks that are kept. */
  get size() {
    return this.#next - this.#first;
  }

  forget() {
    this.#counts.fill(0);
    this.#first = this.#next;
    this.#top = -Infinity;
  }

  /** Count a block.
   * @param {number} clock the receiver's, in frames
   * @param {number} position of the block */
  note(clock, position) {
    this.#expire(clock);
    const bin = Math.ceil((clock - position) / BIN_FRAMES);
    this.#bins[this.#next % KEPT] = bin;
    this.#clocks[this.#next % KEPT] = clock;
    this.#next += 1;
    this.#counts[modulo(bin)] += 1;
    this.#top = Math.max(this.#top, bin);
  }

  /** The transit that no more than a share of the blocks exceeds, to a bin above.
   * @param {number} share */
  transit(share) {
    let bin = this.#settledTop();
    let spare = Math.floor(share * this.size);
    for (let passed = 0; passed < BINS; passed += 1) {
      spare -= this.#counts[modulo(bin)];
      if (spare < 0) return bin * BIN_FRAMES;
      bin -= 1;
    }
    return NaN;
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

/** @param {number} bin */
function modulo(bin) {
  return ((bin % BINS) + BINS) % BINS;
}
