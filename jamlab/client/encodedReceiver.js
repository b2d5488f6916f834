// Plays the media path through the page's own playout buffer: the browser hands out the Opus frames
// of RTP packets before its jitter buffer (WebRTC Encoded Transform), which always waits for tens of
// milliseconds.
//
//   receiver ──▶ worker: order, decoder ──▶ playout worklet ──▶ mix
//
// Frames that the worker does not take go on to the browser's own buffer, which then plays. So do those
// of a stream that the worker does not keep up with.

import { PlayoutStream, preparePlayout } from "./playoutStream.js";
import { Shortfall } from "./shortfall.js";
import { startWorker } from "./workerUrls.js";

const PATIENCE_MS = 5000; // for the worker to start

/** Whether the browser hands out encoded frames to a worker by the standard's way, an older one, or not.
 * @returns {"transform" | "streams" | null} */
function means() {
  if (!("AudioDecoder" in globalThis) || !("RTCRtpReceiver" in globalThis)) return null;
  if ("RTCRtpScriptTransform" in globalThis && "transform" in RTCRtpReceiver.prototype) return "transform";
  return "createEncodedStreams" in RTCRtpReceiver.prototype ? "streams" : null;
}

export class EncodedReceiver {
  #context;
  #worker;
  #way;
  #onChange;
  /** @type {Map<number, PlayoutStream>} */
  #streams = new Map();
  /** @type {WeakSet<RTCRtpReceiver>} */
  #taken = new WeakSet();

  /** Start it; null where the browser has no means for it.
   * @param {AudioContext} context
   * @param {(peerId: string) => void} onChange called when a peer's frames begin or cease to be played
   * @returns {Promise<EncodedReceiver | null>} */
  static async start(context, onChange) {
    const way = means();
    if (way === null || !context.audioWorklet) return null;
    const worker = startWorker("receiver");
    try {
      const [isReady] = await Promise.all([ready(worker), preparePlayout(context)]);
      if (isReady) return new EncodedReceiver(context, worker, way, onChange);
    } catch (error) {
      console.info("the browser's own jitter buffer plays:", error);
    }
    worker.terminate();
    return null;
  }

  /** @param {AudioContext} context
   * @param {Worker} worker
   * @param {"transform" | "streams"} way
   * @param {(peerId: string) => void} onChange */
  constructor(context, worker, way, onChange) {
    this.#context = context;
    this.#worker = worker;
    this.#way = way;
    this.#onChange = onChange;
    worker.onmessage = ({ data }) => this.#note(data);
  }

  /** Further fields of a connection's configuration.
   * @returns {RTCConfiguration} */
  get configuration() {
    return this.#way === "streams" ? /** @type {any} */ ({ encodedInsertableStreams: true }) : {};
  }

  /** Take the frames of a connection's receiver. It has to be done as soon as the receiver is there:
   * a moment later Chromium decides that its frames go to the browser's own buffer.
   * @param {import("./peerConnection.js").PeerConnection} connection
   * @param {RTCRtpReceiver} receiver */
  take({ peerId, number, sender }, receiver) {
    if (this.#taken.has(receiver)) return;
    this.#taken.add(receiver);
    this.close(number); // of another receiver, which the peer's description made no use of
    const shortfall = new Shortfall();
    const stream = new PlayoutStream(this.#context, peerId, (counters) => {
      if (stream.isOpen && shortfall.note(counters)) this.#worker.postMessage({ kind: "passOn", number });
    });
    stream.isOpen = true;
    this.#streams.set(number, stream);
    const port = stream.source();
    if (this.#way === "transform") {
      const { RTCRtpScriptTransform } = /** @type {any} */ (globalThis);
      /** @type {any} */ (receiver).transform = new RTCRtpScriptTransform(this.#worker, { number, port }, [port]);
      return;
    }
    const sent = /** @type {any} */ (sender).createEncodedStreams();
    sent.readable.pipeTo(sent.writable).catch(() => {}); // at the connection's end
    const { readable, writable } = /** @type {any} */ (receiver).createEncodedStreams();
    this.#worker.postMessage({ kind: "receive", number, port, readable, writable }, [port, readable, writable]);
  }

  /** @param {number} number of a connection */
  close(number) {
    const stream = this.#streams.get(number);
    if (!stream) return;
    stream.close();
    this.#streams.delete(number);
    this.#worker.postMessage({ kind: "leave", number });
  }

  /** The stream of a connection; null where the browser's own buffer plays.
   * @param {number} number */
  stream(number) {
    const stream = this.#streams.get(number);
    return stream?.isOpen ? stream : null;
  }

  end() {
    for (const number of [...this.#streams.keys()]) this.close(number);
    this.#worker.terminate();
  }

  /** @param {{kind: string, number: number}} message */
  #note({ kind, number }) {
    const stream = this.#streams.get(number);
    if (!stream) return;
    stream.isOpen = kind === "open";
    this.#onChange(stream.peerId);
  }
}

/** Whether a worker says that it can do its work.
 * @param {Worker} worker
 * @returns {Promise<boolean>} */
function ready(worker) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("its worker does not start")), PATIENCE_MS);
    worker.onmessage = ({ data }) => {
      clearTimeout(timer);
      resolve(data.kind === "ready");
    };
    worker.onerror = ({ message }) => {
      clearTimeout(timer);
      reject(new Error(message));
    };
  });
}
