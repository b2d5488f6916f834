// Cuts stereo sound that comes in blocks of any length into frames of one length.

export class FrameCutter {
  #emit;
  #position = 0; // of the next frame to emit
  #filled = 0;
  #frameFrames;
  #block;

  /** @param {number} frameFrames
   * @param {(position: number, block: Float32Array) => void} emit takes the position of a frame's
   *   first sample, and both channels one after the other, to keep */
  constructor(frameFrames, emit) {
    this.#emit = emit;
    this.#frameFrames = frameFrames;
    this.#block = new Float32Array(2 * frameFrames);
  }

  get frameFrames() {
    return this.#frameFrames;
  }

  /** Emit frames of another length; less than one frame is dropped. */
  set frameFrames(/** @type {number} */ frameFrames) {
    if (frameFrames === this.#frameFrames) return;
    this.#position += this.#filled;
    this.#filled = 0;
    this.#frameFrames = frameFrames;
    this.#block = new Float32Array(2 * frameFrames);
  }

  /** Take a block, and emit the frames that it completes.
   * @param {Float32Array} left
   * @param {Float32Array} right */
  push(left, right) {
    let taken = 0;
    while (taken < left.length) {
      const count = Math.min(left.length - taken, this.#frameFrames - this.#filled);
      this.#block.set(left.subarray(taken, taken + count), this.#filled);
      this.#block.set(right.subarray(taken, taken + count), this.#frameFrames + this.#filled);
      this.#filled += count;
      taken += count;
      if (this.#filled === this.#frameFrames) this.#complete();
    }
  }

  #complete() {
    const [position, block] = [this.#position, this.#block];
    this.#position += this.#frameFrames;
    this.#filled = 0;
    this.#block = new Float32Array(2 * this.#frameFrames);
    this.#emit(position, block);
  }
}
