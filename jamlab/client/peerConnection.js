// One RTCPeerConnection to a peer, with what the product asks of it: stereo Opus in a quality.

import { sessionIdOf, withOpusParameters } from "./quality.js";

/**
 * @typedef {{type: RTCSdpType, sdp: string}} Description
 * @typedef {{
 *   onState: (connection: PeerConnection) => void,
 *   onTrack: (connection: PeerConnection, receiver: RTCRtpReceiver) => void,
 *   onCandidate: (connection: PeerConnection, candidate: RTCIceCandidateInit) => void,
 * }} Listeners
 */

/** Most candidates of one description of the peer: each is checked from each of our addresses (RFC 8445
 * §6.1.2.5). */
const MOST_CANDIDATES = 100;

/** The candidates in a signal, which are not validated but for being objects.
 * @param {RTCIceCandidateInit & {candidates?: RTCIceCandidateInit[]}} signal */
export function candidatesIn(signal) {
  if (!Array.isArray(signal.candidates)) return [signal];
  return signal.candidates.slice(0, MOST_CANDIDATES).filter((each) => typeof each === "object" && each !== null);
}

export class PeerConnection {
  /** @type {RTCIceCandidateInit[]} */
  #early = []; // candidates that came before the description they belong to
  #candidates = new Set(); // taken for the peer's description
  /** @type {RTCRtpReceiver | null} */
  #receiver = null;
  #isClosed = false;

  /**
   * @param {string} peerId
   * @param {number} number
   * @param {RTCConfiguration} configuration
   * @param {import("./quality.js").Quality} quality
   * @param {MediaStreamTrack} track
   * @param {Listeners} listeners
   */
  constructor(peerId, number, configuration, quality, track, listeners) {
    this.peerId = peerId;
    this.number = number;
    this.quality = quality;
    /** Whether the connection has had an offer, so that the next one needs another connection. */
    this.isUsed = false;
    /** @type {MediaStream | null} */
    this.stream = null;
    this.isSending = true;
    this.pc = new RTCPeerConnection(configuration);
    this.sender = this.pc.addTrack(track, new MediaStream([track]));
    this.pc.onconnectionstatechange = () => listeners.onState(this);
    this.pc.ontrack = ({ track: theirs, receiver }) => {
      this.#receiver ??= theirs.kind === "audio" ? receiver : null;
      if (receiver !== this.#receiver) return;
      this.#bound(receiver);
      this.stream = new MediaStream([theirs]);
      listeners.onTrack(this, receiver);
    };
    this.pc.onicecandidate = ({ candidate }) => {
      // an empty one is the end of candidates, which aioice waits for
      const said = candidate?.toJSON() ?? { candidate: "", sdpMid: "0", sdpMLineIndex: 0 };
      if (candidate === null || candidate.candidate) listeners.onCandidate(this, said);
    };
  }

  /** @returns {RTCPeerConnectionState} */
  get state() {
    return this.#isClosed ? "closed" : this.pc.connectionState;
  }

  /** Whether a description is of the same connection at the peer's, as in an ICE restart.
   * @param {Description} description */
  continues({ sdp }) {
    const known = this.pc.remoteDescription?.sdp;
    return !this.#isClosed && known !== undefined && sessionIdOf(known) === sessionIdOf(sdp);
  }

  /** @param {boolean} iceRestart
   * @returns {Promise<Description>} */
  async createOffer(iceRestart) {
    this.isUsed = true;
    return this.#describe(await this.pc.createOffer({ iceRestart }));
  }

  /** @param {Description} offer
   * @returns {Promise<Description>} */
  async acceptOffer(offer) {
    this.isUsed = true;
    await this.#hear(offer);
    for (const each of this.pc.getTransceivers()) {
      if (each.receiver.track.kind !== "audio") each.stop(); // so that the peer sends none
    }
    const answer = await this.#describe(await this.pc.createAnswer());
    await this.apply(this.quality);
    return answer;
  }

  /** @param {Description} answer */
  async acceptAnswer(answer) {
    await this.#hear(answer);
    await this.apply(this.quality);
  }

  /** Whether a candidate states the username fragment of the peer's description.
   * @param {RTCIceCandidateInit} candidate */
  knows({ usernameFragment }) {
    const known = this.pc.remoteDescription?.sdp ?? "";
    return Boolean(usernameFragment) && known.includes(`\na=ice-ufrag:${usernameFragment}\r`);
  }

  /** Add a candidate of the peer; before the remote description it is kept.
   * @param {RTCIceCandidateInit} candidate */
  async addCandidate(candidate) {
    const said = `${candidate.usernameFragment} ${candidate.candidate}`;
    if (this.#candidates.has(said) || this.#candidates.size >= MOST_CANDIDATES) return;
    this.#candidates.add(said);
    if (this.pc.remoteDescription === null) this.#early.push(candidate);
    else await this.pc.addIceCandidate(candidate);
  }

  /** Take a quality, as far as a connection can without another description: not its frame length.
   * @param {import("./quality.js").Quality} quality */
  async apply(quality) {
    this.quality = quality;
    for (const receiver of this.pc.getReceivers()) this.#bound(receiver);
    const parameters = this.sender.getParameters();
    for (const encoding of parameters.encodings ?? []) {
      encoding.active = this.isSending;
      encoding.maxBitrate = quality.bitrateBps;
      encoding.priority = "high";
      encoding.networkPriority = "high";
    }
    try {
      await this.sender.setParameters(parameters);
    } catch (error) {
      console.info("the sender stays as it is:", /** @type {Error} */ (error).message);
    }
  }

  /** Send media, or none while another transport has the sound.
   * @param {boolean} isSending */
  async sendMedia(isSending) {
    if (isSending === this.isSending) return;
    this.isSending = isSending;
    await this.apply(this.quality);
  }

  close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.pc.onicecandidate = this.pc.ontrack = this.pc.onconnectionstatechange = null;
    this.pc.close();
  }

  /** @param {RTCRtpReceiver} receiver */
  #bound(receiver) {
    if ("jitterBufferTarget" in receiver) {
      receiver.jitterBufferTarget = this.quality.jitterBufferTargetMs;
    }
  }

  /** Set our description.
   * @param {RTCSessionDescriptionInit} description
   * @returns {Promise<Description>} */
  async #describe({ type, sdp }) {
    const description = { type, sdp: withOpusParameters(sdp ?? "", this.quality) };
    await this.pc.setLocalDescription(description);
    return description;
  }

  /** Set the peer's description, and add the candidates that came before it.
   * @param {Description} description */
  async #hear({ type, sdp }) {
    const isAnother = this.pc.remoteDescription !== null; // as in an ICE restart
    await this.pc.setRemoteDescription({ type, sdp: withOpusParameters(sdp, this.quality) });
    if (isAnother) this.#candidates.clear();
    for (const candidate of this.#early.splice(0)) {
      await this.pc.addIceCandidate(candidate).catch(() => {}); // of an earlier offer
    }
  }
}
