// Recording of what a node of the graph plays, addressed by the context's frames.

import { SAMPLE_RATE } from "./audioGraph.js";

/** @type {WeakMap<AudioContext, Promise<void>>} */
const loaded = new WeakMap();

export class Recorder {
  /** @type {{start: number, samples: Float32Array}[]} */
  #pieces = [];
  #node;
  /** @type {Promise<void>} */
  #ended;

  /** Start to record a node.
   * @param {AudioContext} context
   * @param {AudioNode} source */
  static async start(context, source) {
    if (!loaded.has(context)) loaded.set(context, context.audioWorklet.addModule("worklets/recorder.js"));
    await loaded.get(context);
    return new Recorder(context, source);
  }

  /** @param {AudioContext} context
   * @param {AudioNode} source */
  constructor(context, source) {
    this.#node = new AudioWorkletNode(context, "recorder", { channelCount: 2, channelCountMode: "explicit" });
    this.#ended = new Promise((resolve) => {
      this.#node.port.onmessage = ({ data: { start, samples, last } }) => {
        this.#pieces.push({ start, samples });
        if (last) resolve();
      };
    });
    source.connect(this.#node);
    this.#node.connect(context.destination); // it plays silence; unconnected it would not run
    this.source = source;
  }

  /** End the recording. */
  async stop() {
    if (this.source.context.state === "closed") return;
    this.#node.port.postMessage("stop");
    await this.#ended;
    this.source.disconnect(this.#node);
    this.#node.disconnect();
  }

  /** The sound from a frame on; silence before the recording began.
   * @param {number} first
   * @returns {Float32Array} */
  from(first) {
    const last = this.#pieces.at(-1);
    const end = last ? last.start + last.samples.length : first;
    const sound = new Float32Array(Math.max(0, end - first));
    for (const { start, samples } of this.#pieces) {
      const skipped = Math.max(0, first - start);
      if (skipped < samples.length) sound.set(samples.subarray(skipped), start + skipped - first);
    }
    return sound;
  }
}

/** The times of a context's frames by the page's clock, from readings of both.
 *
 * A reading sees a frame some time after it was rendered, never before, so the quickest reading of
 * each second is the best; a line through those has the times.
 */
export class FrameClock {
  /** @type {Map<number, {frame: number, atS: number}>} */
  #quickest = new Map();

  /** @param {number} frame
   * @param {number} atS */
  note(frame, atS) {
    const second = Math.floor(atS);
    const known = this.#quickest.get(second);
    const lateness = atS - frame / SAMPLE_RATE;
    if (!known || lateness < known.atS - known.frame / SAMPLE_RATE) this.#quickest.set(second, { frame, atS });
  }

  /** The line: the time of frame 0, and the duration of a frame.
   * @returns {{originS: number, frameS: number}} */
  line() {
    const points = [...this.#quickest.values()];
    const nominalS = 1 / SAMPLE_RATE;
    if (points.length < 5) {
      const latest = points.at(-1) ?? { frame: 0, atS: 0 };
      return { originS: latest.atS - latest.frame * nominalS, frameS: nominalS };
    }
    const meanFrame = mean(points.map(({ frame }) => frame));
    const meanS = mean(points.map(({ atS }) => atS));
    const top = mean(points.map(({ frame, atS }) => (frame - meanFrame) * (atS - meanS)));
    const bottom = mean(points.map(({ frame }) => (frame - meanFrame) ** 2));
    const frameS = Math.min(Math.max(top / bottom, 0.999 * nominalS), 1.001 * nominalS);
    return { originS: meanS - meanFrame * frameS, frameS };
  }
}

/** @param {number[]} values */
function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
