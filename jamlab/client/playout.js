// Playout buffer of one stream: it waits only as long as the arrivals demand.
//
// Blocks are written at their positions and read by the sound card's clock, which counts the frames
// that were read or concealed. The *lag* of the reading is the clock minus the position that is read. It
// has to be as large as the transit of nearly all blocks (`arrivals.js`), and follows that: a
// difference of a few milliseconds by the reading rate, which also follows the drift between two sound
// cards; a larger excess is cut out at once, where the sound before and after the cut is most alike;
// and where sound is missing and the lag too small, the reading waits. Missing sound is concealed by the
// sound before it, faded out.
//
// The few blocks that may come too late are what keeps one pause of the machine from making the
// delay longer for seconds.
//
// There is no I/O here, and no allocation while it plays.

import { Arrivals } from "./arrivals.js";

const SAMPLE_RATE = 48_000;
const RING = 1 << 15; // frames, 0.68 s
const LATE_SHARE = 0.003; // of blocks, that may come too late
const SAFETY_FRAMES = 24; // arrivals get later than those of the last seconds
const AIM_FRAMES = 2400; // between two readings of the arrivals
const FOLLOW_FRAMES = 48_000; // time constant of the rate
const MOST_RATE = 0.004;
const MOST_APART = 9600; // from the lag that is wanted, and from the newest frame; beyond it the reading jumps
const MOST_EXCESS = 240; // of lag, that is left to the rate; more is cut out
const FEW = 40; // blocks, before which nothing is cut
const CUT = 240; // frames of the fade over a cut
const LEAST_CUT = 96;
const LIKENESS = 240; // frames by which a cut may be shorter, where the sound is more alike
const REPEAT = 480; // frames of the sound before a gap that are repeated in it
const FADE = 0.9985; // per frame, -25 dB in 40 ms

export class Playout {
  constructor() {
    this.ring = [new Float32Array(RING), new Float32Array(RING)];
    this.written = new Uint8Array(RING);
    this.newest = 0; // position after the last frame written
    this.read = 0; // position of the next frame to read, with its fraction
    this.started = false;
    this.rate = 1;
    this.clock = 0; // frames that were read or concealed
    this.arrivals = new Arrivals();
    this.lag = 0; // that is wanted
    this.unaimed = 0; // frames since the arrivals were read
    this.history = [new Float32Array(REPEAT), new Float32Array(REPEAT)];
    this.historyAt = 0;
    this.gap = 0; // frames since the last sound
    this.level = 1;
    this.cut = { frames: 0, done: 0 }; // the one under way
    this.counters = { blocks: 0, played: 0, concealed: 0, late: 0, jumps: 0, cuts: 0, delayFrames: 0, delayS: 0 };
  }

  /** Write a block.
   * @param {number} position
   * @param {Float32Array[]} channels */
  write(position, channels) {
    const { length } = channels[0];
    const isLost = Math.abs(position - this.newest) > RING / 2 || this.read - position > MOST_APART;
    if (!this.started || isLost) this.#restart(position);
    this.arrivals.note(this.clock, position);
    this.counters.blocks += 1;
    if (this.arrivals.size <= FEW) this.#aim();
    if (position + length <= this.read) {
      this.counters.late += 1;
      return;
    }
    this.#forget(position + length);
    for (let n = 0; n < length; n += 1) {
      const at = (position + n) & (RING - 1);
      this.ring[0][at] = channels[0][n];
      this.ring[1][at] = channels[1][n];
      this.written[at] = 1;
    }
    this.newest = Math.max(this.newest, position + length);
  }

  /** Read the next frames into two channels.
   * @param {Float32Array} left
   * @param {Float32Array} right */
  pull(left, right) {
    const frames = left.length;
    if (!this.started) {
      left.fill(0);
      right.fill(0);
      return;
    }
    for (let n = 0; n < frames; n += 1) {
      this.#take(left, right, n);
      this.clock += 1;
    }
    this.#follow(frames);
  }

  /** Begin with a block, which waits as if it had come at the latest time.
   * @param {number} position */
  #restart(position) {
    this.started = true;
    this.written.fill(0);
    this.newest = position;
    this.read = position - SAFETY_FRAMES;
    this.arrivals.forget();
    this.unaimed = 0;
    this.cut.frames = 0;
    this.rate = 1;
  }

  /** Mark the frames up to a new end as missing, until they are written.
   * @param {number} end */
  #forget(end) {
    for (let at = this.newest; at < end; at += 1) this.written[at & (RING - 1)] = 0;
  }

  /** @param {Float32Array} left
   * @param {Float32Array} right
   * @param {number} n */
  #take(left, right, n) {
    const at = Math.floor(this.read);
    const fraction = this.read - at;
    if (!(this.#has(at) && this.#has(at + 1))) {
      if (this.clock - this.read >= this.lag) this.read += 1; // else it waits
      this.#conceal(left, right, n);
      return;
    }
    this.read += this.rate;
    const rise = this.gap > 0 ? Math.min(1, 0.02 + (1 - this.level)) : 1;
    left[n] = this.#between(0, at, fraction);
    right[n] = this.#between(1, at, fraction);
    if (this.cut.frames > 0) this.#fadeOver(left, right, n, at, fraction);
    if (this.gap > 0) this.#blend(left, right, n, rise);
    this.#remember(left[n], right[n]);
    this.counters.played += 1;
  }

  /** Fade over the cut that is under way.
   * @param {Float32Array} left
   * @param {Float32Array} right
   * @param {number} n
   * @param {number} at
   * @param {number} fraction */
  #fadeOver(left, right, n, at, fraction) {
    this.cut.done += 1;
    const share = this.cut.done / CUT;
    left[n] += share * (this.#between(0, at + this.cut.frames, fraction) - left[n]);
    right[n] += share * (this.#between(1, at + this.cut.frames, fraction) - right[n]);
    if (this.cut.done < CUT) return;
    this.read += this.cut.frames;
    this.cut.frames = 0;
  }

  /** Begin a cut of up to some frames, where the sound is most alike.
   * @param {number} most */
  #beginCut(most) {
    const at = Math.floor(this.read);
    let best = -Infinity;
    for (let frames = most; frames > most - LIKENESS && frames > 0; frames -= 2) {
      let product = 0;
      let energy = 1e-9;
      for (let n = 0; n < CUT; n += 2) {
        const later = this.ring[0][(at + n + frames) & (RING - 1)];
        product += this.ring[0][(at + n) & (RING - 1)] * later;
        energy += later * later;
      }
      if (product / Math.sqrt(energy) > best) {
        best = product / Math.sqrt(energy);
        this.cut.frames = frames;
      }
    }
    this.cut.done = 0;
    this.counters.cuts += 1;
  }

  /** After a gap, fade from its concealment into the sound.
   * @param {Float32Array} left
   * @param {Float32Array} right
   * @param {number} n
   * @param {number} rise */
  #blend(left, right, n, rise) {
    const at = (this.historyAt + this.gap) % REPEAT;
    left[n] = rise * left[n] + (1 - rise) * this.history[0][at];
    right[n] = rise * right[n] + (1 - rise) * this.history[1][at];
    this.level -= 0.02;
    this.gap += 1;
    if (this.level <= 0) {
      this.gap = 0;
      this.level = 1;
    }
  }

  /** @param {Float32Array} left
   * @param {Float32Array} right
   * @param {number} n */
  #conceal(left, right, n) {
    const at = (this.historyAt + this.gap) % REPEAT;
    this.history[0][at] *= FADE ** REPEAT;
    this.history[1][at] *= FADE ** REPEAT;
    left[n] = this.history[0][at];
    right[n] = this.history[1][at];
    this.level = 1;
    this.gap += 1;
    this.counters.concealed += 1;
  }

  /** @param {number} left
   * @param {number} right */
  #remember(left, right) {
    if (this.gap > 0) return;
    this.history[0][this.historyAt] = left;
    this.history[1][this.historyAt] = right;
    this.historyAt = (this.historyAt + 1) % REPEAT;
  }

  /** @param {number} position */
  #has(position) {
    return position >= 0 && position < this.newest && this.written[position & (RING - 1)] === 1;
  }

  /** A sample between two frames, by a cubic through four (Catmull and Rom).
   * @param {number} channel
   * @param {number} at
   * @param {number} fraction */
  #between(channel, at, fraction) {
    const ring = this.ring[channel];
    const b = ring[at & (RING - 1)];
    if (fraction === 0) return b;
    const c = ring[(at + 1) & (RING - 1)];
    const a = this.#has(at - 1) ? ring[(at - 1) & (RING - 1)] : b;
    const d = this.#has(at + 2) ? ring[(at + 2) & (RING - 1)] : c;
    const x = fraction;
    return b + 0.5 * x * (c - a + x * (2 * a - 5 * b + 4 * c - d + x * (3 * (b - c) + d - a)));
  }

  #aim() {
    this.lag = this.arrivals.transit(LATE_SHARE) + SAFETY_FRAMES;
  }

  /** Let the reading follow the arrivals.
   * @param {number} frames */
  #follow(frames) {
    this.counters.delayFrames = Math.max(0, this.newest - this.read + frames);
    this.counters.delayS += (frames * this.counters.delayFrames) / SAMPLE_RATE;
    this.unaimed += frames;
    if (this.unaimed >= AIM_FRAMES) {
      this.unaimed = 0;
      this.#aim();
    }
    const excess = this.clock - this.read - this.lag;
    this.rate = 1 + Math.max(-MOST_RATE, Math.min(MOST_RATE, excess / FOLLOW_FRAMES));
    if (this.cut.frames > 0 || this.arrivals.size < FEW) return;
    if (excess > MOST_APART || this.newest - this.read > RING / 2) {
      this.read = Math.max(this.read + excess, this.newest - MOST_APART);
      this.counters.jumps += 1;
      return;
    }
    const most = Math.min(excess, this.newest - this.read - CUT); // of which both sides are known
    if (excess > MOST_EXCESS && most > LEAST_CUT) this.#beginCut(Math.floor(most));
  }
}
