// One participant's audio connections: the product's `WebRTCAudioService`.
//
// The service has the microphone, the mix of the peers and up to two connections per peer: the one
// that plays, and one that may replace it once it is connected. It has no rooms or signalling:
// descriptions and candidates are arguments and results, and `session.js` transmits them.

import { AudioGraph, openMicrophone, stopTracks } from "./audioGraph.js";
import { DataTransport } from "./dataTransport.js";
import { PeerConnection } from "./peerConnection.js";
import { LOW_LATENCY } from "./quality.js";

/**
 * @typedef {import("./peerConnection.js").Description} Description
 * @typedef {{peerId: string, stream: MediaStream | null}} RemoteStream null at a stream's end
 * @typedef {{peerId: string, connection: number, state: RTCPeerConnectionState}} StateChange
 * @typedef {{peerId: string, candidate: RTCIceCandidateInit}} LocalCandidate
 */

/** A list of listeners.
 * @template T */
class Listeners {
  /** @type {Set<(event: T) => void>} */
  #listeners = new Set();

  /** @param {(event: T) => void} listener
   * @returns {() => void} a function that removes it */
  add(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @param {T} event */
  emit(event) {
    for (const listener of [...this.#listeners]) listener(event);
  }
}

export class WebRTCAudioService {
  #configuration;
  #quality;
  #lastNumber = 0;
  /** @type {MediaStreamTrack} */
  #track;
  /** @type {DataTransport | null} */
  #data = null;
  /** @type {(peerId: string) => boolean} */
  #hasData = () => false;
  #isMuted = false;
  #isClosed = false;
  /** @type {Map<string, PeerConnection>} */
  #playing = new Map();
  /** @type {Map<string, PeerConnection>} */
  #pending = new Map();
  /** @type {Listeners<RemoteStream>} */
  #streams = new Listeners();
  /** @type {Listeners<StateChange>} */
  #states = new Listeners();
  /** @type {Listeners<LocalCandidate>} */
  #candidates = new Listeners();

  /** @param {{configuration?: RTCConfiguration, quality?: import("./quality.js").Quality}} options */
  constructor({ configuration = { iceServers: [] }, quality = LOW_LATENCY } = {}) {
    this.#configuration = configuration;
    this.#quality = quality;
    this.graph = new AudioGraph(quality);
    this.#track = this.graph.track;
  }

  // The product's methods

  /** Start to capture at 48 kHz in stereo without processing, or end it; the peers get silence then.
   * Rejects with a `MicrophoneError`, and the session goes on without a microphone.
   * @param {{capture?: boolean, deviceId?: string}} options */
  async initializeLocalAudio({ capture = true, deviceId } = {}) {
    const stream = capture ? await openMicrophone(deviceId) : null;
    if (this.#isClosed) return stopTracks(stream); // the user answered after leaving
    this.graph.capture(stream);
    this.muted = this.#isMuted;
    await this.send(this.graph.track);
    this.graph.resume(); // not awaited: it may wait for the user, unless the page captures
  }

  /** Prepare a connection for the next offer from or to a peer; return its number. It replaces the
   * one that plays once it is connected, and an earlier one that is not yet connected at once.
   * @param {string} peerId
   * @returns {number} */
  createPeerConnection(peerId) {
    if (this.#isClosed) throw new Error("the participant has left"); // while an offer was handled
    this.#end(this.#pending.get(peerId));
    this.#lastNumber += 1;
    const made = new PeerConnection(
      peerId,
      this.#lastNumber,
      this.#configuration,
      this.#quality,
      this.#track,
      {
        onState: (connection) => this.#follow(connection),
        onTrack: (connection) => this.#play(connection),
        onCandidate: (_, candidate) => this.#candidates.emit({ peerId, candidate }),
      },
    );
    if (this.#hasData(peerId)) this.#data?.open(made);
    this.#pending.set(peerId, made);
    return made.number;
  }

  /** Return the offer to send to a peer. With `iceRestart` it is one of the connection that plays,
   * which then finds another path.
   * @param {string} peerId
   * @param {{iceRestart?: boolean}} options
   * @returns {Promise<Description>} */
  async createOffer(peerId, { iceRestart = false } = {}) {
    const playing = this.#playing.get(peerId);
    if (iceRestart && playing) return playing.createOffer(true);
    return this.#prepared(peerId).createOffer(false);
  }

  /** Take a peer's offer and return the answer to send to it.
   * @param {string} peerId
   * @param {Description} offer
   * @returns {Promise<Description>} */
  async handleOffer(peerId, offer) {
    const isPrepared = this.#pending.get(peerId)?.isUsed === false;
    const known = isPrepared ? undefined : this.#connections(peerId).find((each) => each.continues(offer));
    return (known ?? this.#prepared(peerId)).acceptOffer(offer);
  }

  /** Take a peer's answer to our offer.
   * @param {string} peerId
   * @param {Description} answer */
  async handleAnswer(peerId, answer) {
    const waiting = this.#connections(peerId).find((each) => each.pc.signalingState === "have-local-offer");
    if (!waiting) throw new Error(`no offer to ${peerId} waits for an answer`);
    await waiting.acceptAnswer(answer);
  }

  /** Add a candidate of a peer.
   * @param {string} peerId
   * @param {RTCIceCandidateInit} candidate */
  async handleIceCandidate(peerId, candidate) {
    const [newest] = this.#connections(peerId);
    if (!newest) throw new Error(`there is no connection to ${peerId}`);
    await newest.addCandidate(candidate);
  }

  /** Add a listener to starts and ends of peers' streams.
   * @param {(event: RemoteStream) => void} listener */
  onRemoteStream(listener) {
    return this.#streams.add(listener);
  }

  /** Add a listener to changes of connections' states.
   * @param {(event: StateChange) => void} listener */
  onConnectionStateChange(listener) {
    return this.#states.add(listener);
  }

  // Beyond the product's

  /** Add a listener to our candidates, which are to be sent to the peer.
   * @param {(event: LocalCandidate) => void} listener */
  onIceCandidate(listener) {
    return this.#candidates.add(listener);
  }

  /** Names of the peers with a connection. */
  get peers() {
    return new Set([...this.#playing.keys(), ...this.#pending.keys()]);
  }

  /** The connection of a peer that plays.
   * @param {string} peerId */
  playing(peerId) {
    return this.#playing.get(peerId);
  }

  /** The number of a peer's connection that may replace the one that plays; null without one.
   * @param {string} peerId */
  pending(peerId) {
    return this.#pending.get(peerId)?.number ?? null;
  }

  get muted() {
    return this.#isMuted;
  }

  /** A muted participant goes on sending packets, of silence. */
  set muted(muted) {
    this.#isMuted = muted;
    for (const track of this.graph.stream?.getAudioTracks() ?? []) track.enabled = !muted;
  }

  get quality() {
    return this.#quality;
  }

  /** Switch the quality of all connections, as far as possible without new ones.
   * @param {import("./quality.js").Quality} quality */
  async switchQuality(quality) {
    this.#quality = quality;
    if (this.#data) this.#data.bitrateBps = quality.bitrateBps;
    const all = [...this.#playing.values(), ...this.#pending.values()];
    await Promise.all(all.map((each) => each.apply(quality)));
  }

  /** Send another track to all peers, at once and without another description.
   * @param {MediaStreamTrack} track */
  async send(track) {
    this.#track = track;
    this.graph.standIn(track === this.graph.standTrack);
    this.#data?.send(this.#microphone);
    const all = [...this.#playing.values(), ...this.#pending.values()];
    await Promise.all(all.map((each) => each.sender.replaceTrack(track)));
  }

  /** Close all connections to a peer, or only the one with a number.
   * @param {string} peerId
   * @param {number} [number] */
  closePeer(peerId, number) {
    for (const connection of this.#connections(peerId)) {
      if (number === undefined || connection.number === number) this.#drop(connection);
    }
  }

  async close() {
    this.#isClosed = true;
    for (const peerId of this.peers) this.closePeer(peerId);
    this.#data?.end();
    await this.graph.close();
  }

  /** Send and play by the data transport where the peer does, too; return whether this browser can.
   * @param {(peerId: string) => boolean} hasData whether a peer has the transport
   * @returns {Promise<boolean>} */
  async useData(hasData) {
    this.#hasData = hasData;
    this.#data = await DataTransport.start(this.graph, this.#quality.bitrateBps, (peerId) => {
      const playing = this.#playing.get(peerId);
      if (playing) this.#play(playing);
    });
    this.#data?.send(this.#microphone);
    return this.#data !== null;
  }

  /** The counters of a peer's playout by the data transport; null when the media path plays.
   * @param {string} peerId */
  dataCounters(peerId) {
    return this.#data?.counters(this.#playing.get(peerId)?.number ?? 0) ?? null;
  }

  /** The counters of all playouts by the data transport, named as in `RTCInboundRtpStreamStats`. */
  counters() {
    return [...this.#playing.values()].flatMap(({ peerId, pc }) => {
      const counters = this.dataCounters(peerId);
      return counters ? [{ connection: pc, ...inboundRtp(counters) }] : [];
    });
  }

  /** Length of the frames that are sent to a peer, in seconds.
   * @param {string} peerId */
  frameS(peerId) {
    if (this.#data && this.dataCounters(peerId)) return this.#data.frameFrames / 48_000;
    return this.#quality.ptimeMs / 1000;
  }

  // Inside

  /** The microphone's track; null when another sound is sent. */
  get #microphone() {
    return this.#track === this.graph.standTrack ? null : this.#track;
  }

  /** @param {string} peerId
   * @returns {PeerConnection[]} the newest first */
  #connections(peerId) {
    return [this.#pending.get(peerId), this.#playing.get(peerId)].filter((each) => each !== undefined);
  }

  /** @param {string} peerId */
  #prepared(peerId) {
    if (this.#pending.get(peerId)?.isUsed !== false) this.createPeerConnection(peerId);
    return /** @type {PeerConnection} */ (this.#pending.get(peerId));
  }

  /** @param {PeerConnection} connection */
  #follow(connection) {
    const { peerId, number, state } = connection;
    const isPending = this.#pending.get(peerId) === connection;
    if (state === "connected" && isPending) this.#promote(connection);
    this.#states.emit({ peerId, connection: number, state });
  }

  /** Let a connection that has connected replace the one that plays.
   * @param {PeerConnection} connection */
  #promote(connection) {
    this.#end(this.#playing.get(connection.peerId));
    this.#pending.delete(connection.peerId);
    this.#playing.set(connection.peerId, connection);
    this.#play(connection);
  }

  /** @param {PeerConnection} connection */
  #play(connection) {
    const { peerId, stream, number } = connection;
    connection.sendMedia(!this.#data?.node(number));
    if (stream === null || this.#playing.get(peerId) !== connection) return;
    const node = this.#data?.node(number);
    if (node) this.graph.peer(peerId).playNode(node);
    else this.graph.peer(peerId).playStream(stream);
    this.#streams.emit({ peerId, stream });
  }

  /** @param {PeerConnection | undefined} connection */
  #end(connection) {
    if (!connection) return;
    this.#data?.close(connection.number);
    connection.close();
  }

  /** @param {PeerConnection} connection */
  #drop(connection) {
    const { peerId, number } = connection;
    this.#end(connection);
    if (this.#pending.get(peerId) === connection) this.#pending.delete(peerId);
    if (this.#playing.get(peerId) === connection) {
      this.#playing.delete(peerId);
      this.graph.forget(peerId);
      this.#streams.emit({ peerId, stream: null });
    }
    this.#states.emit({ peerId, connection: number, state: "closed" });
  }
}

/** @param {import("./dataTransport.js").PlayoutCounters} counters */
function inboundRtp({ blocks, played, concealed, delayS }) {
  return {
    packetsReceived: blocks,
    totalSamplesReceived: played + concealed,
    concealedSamples: concealed,
    jitterBufferDelay: delayS,
    jitterBufferEmittedCount: played + concealed,
  };
}
