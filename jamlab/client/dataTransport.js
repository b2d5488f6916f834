// The second transport: Opus by WebCodecs over unordered data channels without repeats, played by a
// buffer of our own in an AudioWorklet. The media path of browsers sends no frame below 10 ms and
// plays no sooner than its own buffer likes; this one sends frames of 2.5 ms.
//
//   microphone's track ──────┬▶ worker: encoder ──▶ data channel of each peer
//   bus ──▶ capture worklet ─┘
//   mix ◀── playout worklet ◀── worker: decoder ◀── data channel
//
// The track goes to the worker directly where the browser can: Web Audio hands it on by the clock of
// the output, through a queue that never gets shorter again once the output has been late.
//
// Nothing of it runs on the page's thread. The media path stays beside it: it carries the sound of
// peers without this transport, and of all while no channel is open.

import { SAMPLE_RATE } from "./audioGraph.js";
import { PlayoutStream, preparePlayout } from "./playoutStream.js";
import { startWorker } from "./workerUrls.js";

const CHANNEL = Object.freeze({ negotiated: true, id: 1, ordered: false, maxRetransmits: 0 });
const FRAME_LENGTHS = [120, 240, 480];
const PACKETS_PER_SECOND = 600; // to all peers together, as jamlab's own participants
const CAPTURE = "worklets/capture.js";

export class DataTransport {
  #worker;
  #capture;
  #graph;
  #onChange;
  #bitrateBps = 0;
  #frameFrames = 0;
  #shortest;
  /** @type {Map<number, PlayoutStream>} */
  #streams = new Map();

  /** Start the transport; null where the browser has no means for it.
   * @param {import("./audioGraph.js").AudioGraph} graph
   * @param {number} bitrateBps
   * @param {(peerId: string) => void} onChange called when a peer's stream opens or closes
   * @returns {Promise<DataTransport | null>} */
  static async start(graph, bitrateBps, onChange) {
    const shortest = await shortestFrame(bitrateBps);
    if (shortest === null || !graph.context.audioWorklet) return null;
    await Promise.all([graph.context.audioWorklet.addModule(CAPTURE), preparePlayout(graph.context)]);
    return new DataTransport(graph, bitrateBps, shortest, onChange);
  }

  /** @param {import("./audioGraph.js").AudioGraph} graph
   * @param {number} bitrateBps
   * @param {number} shortest
   * @param {(peerId: string) => void} onChange */
  constructor(graph, bitrateBps, shortest, onChange) {
    this.#graph = graph;
    this.#bitrateBps = bitrateBps;
    this.#shortest = shortest;
    this.#frameFrames = shortest;
    this.#onChange = onChange;
    this.#worker = startWorker("sound");
    this.#worker.onmessage = ({ data }) => this.#note(data);
    this.#capture = new AudioWorkletNode(graph.context, "capture", {
      numberOfOutputs: 1,
      channelCount: 2,
      channelCountMode: "explicit",
    });
    const { port1, port2 } = new MessageChannel();
    this.#capture.port.postMessage({ kind: "sink", port: port1 }, [port1]);
    this.#worker.postMessage({ kind: "capture", port: port2 }, [port2]);
    graph.bus.connect(this.#capture);
    this.#capture.connect(graph.context.destination); // silence; unconnected it would not run
    this.#configure();
  }

  /** Send a track's sound, or with none that of the bus.
   * @param {MediaStreamTrack | null} track */
  send(track) {
    const readable = track && streamOf(track);
    this.#worker.postMessage({ kind: "listen", readable }, readable ? [/** @type {any} */ (readable)] : []);
    this.#capture.port.postMessage({ kind: "switch", isOn: readable === null });
  }

  /** Open a connection's channel, before its first description.
   * @param {import("./peerConnection.js").PeerConnection} connection */
  open({ pc, peerId, number }) {
    const channel = pc.createDataChannel("sound", CHANNEL);
    const stream = new PlayoutStream(this.#graph.context, peerId);
    const port = stream.source();
    const transferred = /** @type {Transferable} */ (/** @type {unknown} */ (channel));
    this.#worker.postMessage({ kind: "join", number, channel, port }, [transferred, port]);
    this.#streams.set(number, stream);
    this.#fit();
  }

  /** @param {number} number of a connection */
  close(number) {
    const stream = this.#streams.get(number);
    if (!stream) return;
    this.#streams.delete(number);
    this.#worker.postMessage({ kind: "leave", number });
    stream.close();
    this.#fit();
  }

  /** The stream of a connection; null while its channel is not open.
   * @param {number} number */
  stream(number) {
    const stream = this.#streams.get(number);
    return stream?.isOpen ? stream : null;
  }

  get frameFrames() {
    return this.#frameFrames;
  }

  set bitrateBps(/** @type {number} */ bitrateBps) {
    this.#bitrateBps = bitrateBps;
    this.#configure();
  }

  end() {
    for (const number of [...this.#streams.keys()]) this.close(number);
    this.#graph.bus.disconnect(this.#capture);
    this.#capture.port.postMessage({ kind: "end" });
    this.#capture.disconnect();
    this.#worker.terminate();
  }

  /** Send longer frames to more peers. */
  #fit() {
    const peers = Math.max(1, this.#streams.size);
    const fits = FRAME_LENGTHS.filter((frames) => peers * SAMPLE_RATE <= PACKETS_PER_SECOND * frames);
    const wanted = Math.max(this.#shortest, fits[0] ?? 480);
    if (wanted === this.#frameFrames) return;
    this.#frameFrames = wanted;
    this.#configure();
  }

  #configure() {
    const [frameFrames, bitrateBps] = [this.#frameFrames, this.#bitrateBps];
    this.#worker.postMessage({ kind: "configure", frameFrames, bitrateBps });
  }

  /** @param {{kind: "open" | "closed", number: number}} message */
  #note({ kind, number }) {
    const stream = this.#streams.get(number);
    if (!stream) return;
    stream.isOpen = kind === "open";
    this.#onChange(stream.peerId);
  }
}

/** A track's sound; null where the browser cannot give it, or at another sample rate.
 * @param {MediaStreamTrack} track
 * @returns {ReadableStream | null} */
function streamOf(track) {
  const { MediaStreamTrackProcessor } = /** @type {any} */ (globalThis);
  if (!MediaStreamTrackProcessor || track.getSettings().sampleRate !== SAMPLE_RATE) return null;
  return new MediaStreamTrackProcessor({ track }).readable;
}

/** The shortest Opus frame that the browser encodes; null without WebCodecs.
 * @param {number} bitrate
 * @returns {Promise<number | null>} */
async function shortestFrame(bitrate) {
  if (!("AudioEncoder" in globalThis)) return null;
  for (const frames of FRAME_LENGTHS) {
    const opus = { application: "lowdelay", frameDuration: (frames * 1e6) / SAMPLE_RATE };
    const config = { codec: "opus", sampleRate: SAMPLE_RATE, numberOfChannels: 2, bitrate, opus };
    const { supported } = await AudioEncoder.isConfigSupported(/** @type {any} */ (config));
    if (supported) return frames;
  }
  return null;
}
