// One stream's playout buffer, in an AudioWorklet that gets decoded blocks through a port.

/**
 * @typedef {{
 *   blocks: number, played: number, concealed: number, late: number, jumps: number, cuts: number,
 *   delayFrames: number, delayS: number, rate: number, lost?: number,
 * }} PlayoutCounters in frames, but for `blocks`, `late`, `lost` and the numbers of jumps and cuts;
 *   `delayS` is the sum of the delays of all frames
 */

/** Prepare a context for streams.
 * @param {AudioContext} context */
export function preparePlayout(context) {
  return context.audioWorklet.addModule("worklets/playout.js");
}

export class PlayoutStream {
  /** @param {AudioContext} context
   * @param {string} peerId
   * @param {(counters: PlayoutCounters) => void} onCounters takes them twice a second */
  constructor(context, peerId, onCounters = () => {}) {
    this.peerId = peerId;
    this.isOpen = false;
    /** @type {PlayoutCounters | null} */
    this.counters = null;
    this.node = new AudioWorkletNode(context, "playout", { numberOfInputs: 0, outputChannelCount: [2] });
    this.node.port.onmessage = ({ data }) => {
      this.counters = data;
      onCounters(data);
    };
  }

  /** The port for its blocks, `{position, channels}` with, where it is known, the packets lost before.
   * @returns {MessagePort} */
  source() {
    const { port1, port2 } = new MessageChannel();
    this.node.port.postMessage({ kind: "source", port: port1 }, [port1]);
    return port2;
  }

  close() {
    this.node.port.postMessage({ kind: "end" });
    this.node.disconnect();
  }
}
