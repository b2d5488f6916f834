// The page's own playout of its connections: of the data transport where both ends have it, and else
// of the media path's frames where the browser hands them out. Each connection has its own buffers.

import { SAMPLE_RATE } from "./audioGraph.js";
import { DataTransport } from "./dataTransport.js";
import { EncodedReceiver } from "./encodedReceiver.js";

/**
 * @typedef {{transport: "media" | "data", counters: import("./playoutStream.js").PlayoutCounters}} Reading
 *   of one connection's playout
 */

export class OwnPlayout {
  #graph;
  #onChange;
  /** @type {DataTransport | null} */
  #data = null;
  /** @type {(peerId: string) => boolean} */
  #hasData = () => false;
  /** @type {EncodedReceiver | null} */
  #encoded = null;
  #isEnded = false;

  /** @param {import("./audioGraph.js").AudioGraph} graph
   * @param {(peerId: string) => void} onChange called when another node has a peer's sound */
  constructor(graph, onChange) {
    this.#graph = graph;
    this.#onChange = onChange;
  }

  /** Play the media path of connections that are made from now on, where the browser can. */
  async receiveEncoded() {
    const encoded = await EncodedReceiver.start(this.#graph.context, this.#onChange);
    if (this.#isEnded) encoded?.end();
    else this.#encoded = encoded;
  }

  /** Start the data transport; return whether this browser can.
   * @param {(peerId: string) => boolean} hasData whether a peer has the transport
   * @param {number} bitrateBps
   * @returns {Promise<boolean>} */
  async startData(hasData, bitrateBps) {
    this.#hasData = hasData;
    this.#data = await DataTransport.start(this.#graph, bitrateBps, this.#onChange);
    return this.#data !== null;
  }

  /** Further fields of a connection's configuration. */
  get configuration() {
    return this.#encoded?.configuration ?? {};
  }

  /** Open a new connection's data channel, where the peer has one, too, and take its receiver.
   * @param {import("./peerConnection.js").PeerConnection} connection */
  open(connection) {
    if (this.#hasData(connection.peerId)) this.#data?.open(connection);
    for (const receiver of connection.pc.getReceivers()) this.take(connection, receiver);
  }

  /** Take the frames of a connection's receiver.
   * @param {import("./peerConnection.js").PeerConnection} connection
   * @param {RTCRtpReceiver} receiver */
  take(connection, receiver) {
    this.#encoded?.take(connection, receiver);
  }

  /** Send a track's sound by the data transport, or with none that of the bus.
   * @param {MediaStreamTrack | null} track */
  send(track) {
    this.#data?.send(track);
  }

  set bitrateBps(/** @type {number} */ bitrateBps) {
    if (this.#data) this.#data.bitrateBps = bitrateBps;
  }

  /** Whether the data transport has a connection's sound.
   * @param {number} number */
  isData(number) {
    return Boolean(this.#data?.stream(number));
  }

  /** The node with a connection's sound; null when the browser's own buffer plays.
   * @param {number} number */
  node(number) {
    return this.#stream(number)?.node ?? null;
  }

  /** The counters of what plays a connection; null when the browser's own buffer does, or none are known.
   * @param {number} number
   * @returns {Reading | null} */
  reading(number) {
    const counters = this.#stream(number)?.counters;
    return counters ? { transport: this.isData(number) ? "data" : "media", counters } : null;
  }

  /** Length of the frames that the data transport sends, in seconds; null where it does not.
   * @param {number} number */
  sentFrameS(number) {
    return this.#data?.stream(number) ? this.#data.frameFrames / SAMPLE_RATE : null;
  }

  /** @param {number} number of a connection */
  close(number) {
    this.#data?.close(number);
    this.#encoded?.close(number);
  }

  end() {
    this.#isEnded = true;
    this.#data?.end();
    this.#encoded?.end();
  }

  /** @param {number} number */
  #stream(number) {
    return this.#data?.stream(number) ?? this.#encoded?.stream(number) ?? null;
  }
}

/** Counters as in `RTCInboundRtpStreamStats`.
 * @param {import("./playoutStream.js").PlayoutCounters} counters */
export function inboundRtp({ blocks, played, concealed, delayS, lost }) {
  return {
    packetsReceived: blocks,
    ...(lost === undefined ? {} : { packetsLost: lost }),
    totalSamplesReceived: played + concealed,
    concealedSamples: concealed,
    jitterBufferDelay: delayS,
    jitterBufferEmittedCount: played + concealed,
  };
}
