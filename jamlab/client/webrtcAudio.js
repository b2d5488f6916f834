// One participant's audio connections: the product's `WebRTCAudioService`.
//
// The service has the microphone, the mix of the peers and up to two connections per peer: the one
// that plays, and one that may replace it once it is connected. It has no rooms or signalling:
// descriptions and candidates are arguments and results, and `session.js` transmits them.

import { AudioGraph, openMicrophone, stopTracks } from "./audioGraph.js";
import { Listeners } from "./listeners.js";
import { OwnPlayout, inboundRtp } from "./ownPlayout.js";
import { PeerConnection, candidatesIn } from "./peerConnection.js";
import { LOW_LATENCY } from "./quality.js";

/**
 * @typedef {import("./peerConnection.js").Description} Description
 * @typedef {{peerId: string, stream: MediaStream | null}} RemoteStream null at a stream's end
 * @typedef {{peerId: string, connection: number, state: RTCPeerConnectionState}} StateChange
 * @typedef {{peerId: string, candidate: RTCIceCandidateInit}} LocalCandidate
 */

export class WebRTCAudioService {
  #configuration;
  #quality;
  #lastNumber = 0;
  /** @type {MediaStreamTrack} */
  #track;
  #own;
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
    this.#own = new OwnPlayout(this.graph, (peerId) => {
      const playing = this.#playing.get(peerId);
      if (playing) this.#play(playing);
    });
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
      { ...this.#configuration, ...this.#own.configuration },
      this.#quality,
      this.#track,
      {
        onState: (connection) => this.#follow(connection),
        onTrack: (connection, receiver) => {
          this.#own.take(connection, receiver);
          this.#play(connection);
        },
        onCandidate: (_, candidate) => this.#candidates.emit({ peerId, candidate }),
      },
    );
    this.#own.open(made);
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

  /** Add a candidate of a peer, or several, to the connection whose description they belong to.
   * @param {string} peerId
   * @param {RTCIceCandidateInit & {candidates?: RTCIceCandidateInit[]}} signal */
  async handleIceCandidate(peerId, signal) {
    for (const candidate of candidatesIn(signal)) {
      const connections = this.#connections(peerId);
      const its = connections.find((each) => each.knows(candidate)) ?? connections[0];
      if (!its) throw new Error(`there is no connection to ${peerId}`);
      await its.addCandidate(candidate).catch((error) => console.info(`about ${peerId}:`, error));
    }
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
    this.#own.bitrateBps = quality.bitrateBps;
    const all = [...this.#playing.values(), ...this.#pending.values()];
    await Promise.all(all.map((each) => each.apply(quality)));
  }

  /** Send another track to all peers, at once and without another description.
   * @param {MediaStreamTrack} track */
  async send(track) {
    this.#track = track;
    this.graph.standIn(track === this.graph.standTrack);
    this.#own.send(this.#microphone);
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
    this.#own.end();
    await this.graph.close();
  }

  /** Play the media path by the page's own playout buffer, where the browser can. */
  usePlayout() {
    return this.#own.receiveEncoded();
  }

  /** Send and play by the data transport where the peer does, too; return whether this browser can.
   * @param {(peerId: string) => boolean} hasData whether a peer has the transport
   * @returns {Promise<boolean>} */
  async useData(hasData) {
    const can = await this.#own.startData(hasData, this.#quality.bitrateBps);
    this.#own.send(this.#microphone);
    return can;
  }

  /** The page's own playout of a peer; null when the browser's buffer plays.
   * @param {string} peerId */
  playout(peerId) {
    return this.#own.reading(this.#playing.get(peerId)?.number ?? 0);
  }

  /** The counters of all playouts of the page's own, named as in `RTCInboundRtpStreamStats`. */
  counters() {
    return [...this.#playing.values()].flatMap(({ number, pc }) => {
      const reading = this.#own.reading(number);
      return reading ? [{ connection: pc, ...inboundRtp(reading.counters) }] : [];
    });
  }

  /** Length of the frames that are sent to a peer, in seconds.
   * @param {string} peerId */
  frameS(peerId) {
    return this.#own.sentFrameS(this.#playing.get(peerId)?.number ?? 0) ?? this.#quality.ptimeMs / 1000;
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
    connection.sendMedia(!this.#own.isData(number));
    if (stream === null || this.#playing.get(peerId) !== connection) return;
    const node = this.#own.node(number);
    if (node) this.graph.peer(peerId).playNode(node);
    else this.graph.peer(peerId).playStream(stream);
    this.#streams.emit({ peerId, stream });
  }

  /** @param {PeerConnection | undefined} connection */
  #end(connection) {
    if (!connection) return;
    this.#own.close(connection.number);
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
