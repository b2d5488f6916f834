// One participant's session in a room: signalling, a link per peer, notices and live figures.

import { NoticeBoard } from "./notices.js";
import { PeerLink, offerLimits } from "./peerLink.js";
import { Phase } from "./reach.js";
import { LatencyAlarm, Meter } from "./watch.js";
import { WebRTCAudioService } from "./webrtcAudio.js";

const WATCH_MS = 1000;
const RELAYED_S = 5; // a connection often begins over a relay and is direct a moment later

/**
 * @typedef {import("./watch.js").Figures} Figures
 * @typedef {import("./signaling.js").RoomEvent} RoomEvent
 * @typedef {{
 *   peers: Set<string>,
 *   transportOf: (peerId: string) => string,
 *   join: (transport: "media" | "data") => Promise<void>,
 *   send: (type: string, peerId: string, data: any) => void,
 *   leave: () => Promise<void>,
 * }} Channel a room, as `RoomChannel`
 * @typedef {{
 *   room: string,
 *   name: string,
 *   configuration: RTCConfiguration,
 *   quality: import("./quality.js").Quality,
 *   transport: "media" | "data",
 *   openChannel: (onEvent: (event: RoomEvent) => void) => Channel,
 *   onChange: () => void,
 * }} Options `onChange` is called when anything that is shown has changed
 */

/** What is known of one peer besides its link. */
class Peer {
  /** @param {PeerLink} link */
  constructor(link) {
    this.link = link;
    this.isPresent = true;
    this.meter = new Meter();
    this.measured = 0; // number of the connection that the meter reads
    this.alarm = new LatencyAlarm();
    /** @type {Figures | null} */
    this.figures = null;
    this.relayedSinceS = Infinity;
    this.isRelayed = false; // for long enough that the user was told
  }
}

export class JamSession {
  #channel;
  #onChange;
  #limits = offerLimits();
  #lastAttempt = 0; // of ended links: a peer that returns knows their numbers
  #watching = 0;
  #isLeft = false;
  #transport;
  #hasData = false;
  /** @type {Map<string, Peer>} */
  #peers = new Map();
  /** @type {Set<(peerId: string, data: any) => void>} */
  #reportListeners = new Set();

  /** @param {Options} options */
  constructor({ room, name, configuration, quality, transport, openChannel, onChange }) {
    this.#transport = transport;
    this.name = name;
    this.room = room;
    /** "granted", "listen only", or why not; "prompt" before it is asked. */
    this.microphone = "prompt";
    this.board = new NoticeBoard();
    this.service = new WebRTCAudioService({ configuration, quality });
    this.#onChange = onChange;
    this.#channel = openChannel((event) => this.#sort(event));
    this.service.onConnectionStateChange((change) => {
      this.#peers.get(change.peerId)?.link.follow(change);
      this.#onChange();
    });
    this.service.onIceCandidate(({ peerId, candidate }) => {
      this.#channel.send("ice-candidate", peerId, candidate);
      if (candidate.candidate) this.#peers.get(peerId)?.link.noteCandidate();
    });
  }

  /** Join the room; rejects with a `SignalingError`. */
  async join() {
    await this.service.usePlayout();
    const wantsData = this.#transport === "data";
    this.#hasData = wantsData && (await this.service.useData((peer) => this.#channel.transportOf(peer) === "data"));
    await this.#channel.join(this.#hasData ? "data" : "media");
    for (const peerId of this.#channel.peers) this.#peer(peerId).link.meet(false);
    this.#watching = setInterval(() => this.#watch(), WATCH_MS);
    this.#onChange();
  }

  /** Leave the room and close everything. Leaving twice is harmless. */
  async leave() {
    if (this.#isLeft) return;
    this.#isLeft = true;
    clearInterval(this.#watching);
    for (const { link } of this.#peers.values()) link.close();
    await this.#channel.leave();
    await this.service.close();
    this.#peers.clear();
  }

  /** Names of the peers that are in the room or heard, in order. */
  get peers() {
    return [...this.#peers.keys()].sort();
  }

  /** Names of the peers in the room. */
  get members() {
    return this.#channel.peers;
  }

  /** A peer's state in words, and its figures.
   * @param {string} peerId */
  state(peerId) {
    const peer = this.#peers.get(peerId);
    if (!peer) return { phase: Phase.GONE, words: "gone", figures: null, isConnected: false };
    const isConnected = [Phase.CONNECTED, Phase.PARTING].includes(/** @type {any} */ (peer.link.phase));
    const { phase } = peer.link;
    return { phase, words: WORDS[phase] ?? phase, figures: peer.figures, isConnected };
  }

  /** Whether the data transport was asked for and this browser lacks it. */
  get lacksData() {
    return this.#transport === "data" && !this.#hasData;
  }

  /** Why a peer's sound comes by media although the data transport was asked for; "" if nobody asked.
   * @param {string} peerId */
  whyMedia(peerId) {
    if (this.#transport !== "data") return "";
    if (this.lacksData) return "this browser cannot do it";
    return this.#channel.transportOf(peerId) === "data" ? "its channel is not open" : "the other end does not use it";
  }

  /** Look for another path to a peer that is heard badly, by an ICE restart.
   * @param {string} peerId */
  restart(peerId) {
    this.#peers.get(peerId)?.link.restart();
  }

  /** Take the microphone, or listen only; a problem with it becomes a notice.
   * @param {{capture: boolean, deviceId?: string}} wish
   * @returns {Promise<string>} why nothing is captured; empty when the microphone is */
  async useMicrophone(wish) {
    if (!wish.capture) {
      await this.listenOnly("listen only", "listening only was chosen");
      return "";
    }
    try {
      await this.service.initializeLocalAudio(wish);
      this.microphone = "granted";
      this.board.end("microphone");
      this.#onChange();
      return "";
    } catch (error) {
      const { kind = "failed", message } = /** @type {any} */ (error);
      await this.listenOnly(kind, message);
      return message;
    }
  }

  /** Capture nothing, and say why.
   * @param {string} kind as `microphone`
   * @param {string} reason */
  async listenOnly(kind, reason) {
    await this.service.initializeLocalAudio({ capture: false });
    this.microphone = kind;
    this.board.end("microphone");
    this.tell("microphone", "", reason);
  }

  /** Show a notice.
   * @param {string} kind
   * @param {string} peerId
   * @param {string} reason */
  tell(kind, peerId = "", reason = "") {
    this.board.note({ kind, peerId, reason });
    this.#onChange();
  }

  /** Add a listener to reports from peers; return a function to remove it.
   * @param {(peerId: string, data: any) => void} listener */
  onReport(listener) {
    this.#reportListeners.add(listener);
    return () => this.#reportListeners.delete(listener);
  }

  /** Send a report to a peer.
   * @param {string} peerId
   * @param {any} data */
  report(peerId, data) {
    this.#channel.send("report", peerId, data);
  }

  // Inside

  /** @param {RoomEvent} event */
  #sort(event) {
    if (event.event === "signal") return this.#hear(event.signal);
    if (event.event === "joined") {
      this.tell("joined", event.peerId);
      this.#peer(event.peerId).link.meet(true);
    } else if (event.event === "left") {
      const peer = this.#peers.get(event.peerId);
      if (peer) peer.isPresent = false;
      peer?.link.leave();
    } else if (event.event === "lost") {
      this.tell("signaling lost");
    } else {
      this.tell("signaling restored");
      for (const { link } of this.#peers.values()) link.restore();
    }
    this.#onChange();
  }

  /** @param {import("./signaling.js").Signal} signal */
  #hear(signal) {
    const { type, senderPeerId, data } = signal;
    if (type !== "report") {
      const { link } = this.#peer(senderPeerId);
      if (link.phase === Phase.GONE) link.meet(false); // it was quicker than our own arrival
      return link.hear(signal);
    }
    for (const listener of [...this.#reportListeners]) listener(senderPeerId, data);
  }

  /** @param {string} peerId
   * @returns {Peer} */
  #peer(peerId) {
    let peer = this.#peers.get(peerId);
    if (!peer) {
      peer = new Peer(
        new PeerLink({
          own: this.name,
          peer: peerId,
          service: this.service,
          send: (type, to, data) => this.#channel.send(type, to, data),
          tell: (kind, about) => this.tell(kind, about),
          onGone: (link) => this.#forget(link),
          ...this.#limits,
          attempt: this.#lastAttempt,
        }),
      );
      this.#peers.set(peerId, peer);
    }
    peer.isPresent = true;
    return peer;
  }

  /** Forget a peer that has left and is silent.
   * @param {PeerLink} link */
  #forget(link) {
    const peer = this.#peers.get(link.peer);
    if (peer?.link !== link || peer.isPresent) return;
    this.#lastAttempt = Math.max(this.#lastAttempt, link.reach.attempt);
    this.#peers.delete(link.peer);
    this.board.forget(link.peer);
    this.#onChange();
  }

  async #watch() {
    await Promise.all([...this.#peers].map(([peerId, peer]) => this.#read(peerId, peer)));
    this.#onChange();
  }

  /** @param {string} peerId
   * @param {Peer} peer */
  async #read(peerId, peer) {
    const connection = this.service.playing(peerId);
    if (!connection) {
      peer.figures = null;
      return;
    }
    if (peer.measured !== connection.number) {
      peer.measured = connection.number;
      peer.meter = new Meter();
    }
    const report = await connection.pc.getStats();
    const nowS = performance.now() / 1000;
    const { outputLatency = 0 } = this.service.graph.context;
    const knownS = this.service.frameS(peerId) + outputLatency;
    const playout = this.service.playout(peerId);
    peer.figures = peer.meter.read(peerId, report.values(), knownS, nowS, playout);
    peer.link.flow(peer.figures.isFlowing);
    this.#notice(peerId, peer, nowS);
  }

  /** @param {string} peerId
   * @param {Peer} peer
   * @param {number} nowS */
  #notice(peerId, peer, nowS) {
    const { route, oneWayS } = /** @type {Figures} */ (peer.figures);
    const kind = peer.alarm.observe(oneWayS, nowS);
    if (kind) this.tell(kind, peerId);
    if (route === null) return;
    if (route !== "relay") peer.relayedSinceS = Infinity;
    else peer.relayedSinceS = Math.min(peer.relayedSinceS, nowS);
    const isRelayed = nowS - peer.relayedSinceS >= RELAYED_S;
    if (isRelayed === peer.isRelayed) return;
    peer.isRelayed = isRelayed;
    this.tell(isRelayed ? "relaying" : "restored", peerId);
  }
}

/** @type {Record<string, string>} */
const WORDS = {
  [Phase.AWAITING]: "connecting…",
  [Phase.TRYING]: "connecting…",
  [Phase.CONNECTED]: "connected",
  [Phase.RESTING]: "trying again…",
  [Phase.PARTING]: "has left the room",
  [Phase.GONE]: "gone",
};
