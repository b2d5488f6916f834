// The link to one peer: it feeds events to `Reach` and carries out its decisions. Events and the
// peer's deadlines are handled one after the other, each to its end; links do not wait for each other.

import { TokenBucket } from "./pace.js";
import { Phase, Reach, numberOf } from "./reach.js";

const MOST_SIGNALS = 256; // of the peer, that wait to be handled

/** A session's limits on its own offers, and on those of strangers that it answers: as jamlab's. */
export function offerLimits() {
  return { offers: new TokenBucket(2, 16), strangersOffers: new TokenBucket(4, 32) };
}

export class PeerLink {
  #service;
  #send;
  #tell;
  #offers;
  #strangersOffers;
  #peerOffers = new TokenBucket(0.5, 10);
  #signals = 0; // of the peer, in the chain
  #wasConnected = false;
  #isTold = false; // that some of the peer's signals are ignored
  /** @type {Promise<void>} */
  #chain = Promise.resolve();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {number | null} */
  #underWay = null;
  /** @type {number | null} */
  #playing = null;
  #canRestart = false;
  /** @type {number | null} */
  #restarting = null; // the attempt that restarts ICE and is not answered yet
  #isFlowing = false;
  #isClosed = false;
  #onGone;

  /**
   * @param {{
   *   own: string,
   *   peer: string,
   *   service: import("./webrtcAudio.js").WebRTCAudioService,
   *   send: (type: string, peer: string, data: any) => void,
   *   tell: (kind: string, peer: string) => void,
   *   onGone: (link: PeerLink) => void,
   *   offers: TokenBucket,
   *   strangersOffers: TokenBucket,
   *   attempt: number,
   * }} options `offers` limits the offers of all links together, `strangersOffers` those of all peers
   *   that were never connected; `attempt` is the highest number of ours that the peer may have seen
   */
  constructor({ own, peer, service, send, tell, onGone, offers, strangersOffers, attempt }) {
    this.peer = peer;
    this.reach = new Reach(own, peer, { attempt });
    this.#service = service;
    this.#send = send;
    this.#tell = tell;
    this.#onGone = onGone;
    this.#offers = offers;
    this.#strangersOffers = strangersOffers;
  }

  /** What to show of the link. */
  get phase() {
    return this.reach.phase;
  }

  // Events

  /** Note that the peer is in the room, and whether it is our turn to offer.
   * @param {boolean} ours */
  meet(ours) {
    this.#take((now) => {
      const mayOffer = ours && this.reach.phase === Phase.GONE && this.#offers.take(now) === 0;
      return this.reach.meet(mayOffer, now);
    });
  }

  leave() {
    this.#take((now) => this.reach.leave(now));
  }

  /** Note that our signals reach the room again. */
  restore() {
    this.#take((now) => this.reach.restored(now));
  }

  /** Take a signal of the peer, which is not validated further than its form.
   * @param {import("./signaling.js").Signal} signal */
  hear(signal) {
    if (this.#signals >= MOST_SIGNALS) return this.#refuse("too many of its signals wait");
    this.#signals += 1;
    this.#hear(signal);
    this.#queue(async () => {
      this.#signals -= 1;
    });
  }

  /** @param {import("./signaling.js").Signal} signal */
  #hear({ type, data }) {
    if (type === "ice-candidate") {
      this.#take((now) => this.reach.hearCandidate(now));
      this.#queue(() => this.#service.handleIceCandidate(this.peer, data));
    } else if (typeof data.sdp === "string" && data.type === type) {
      this.#take((now) => (type === "offer" ? this.#hearOffer(data, now) : this.#hearAnswer(data, now)));
    }
  }

  /** Note a candidate of ours for the peer. */
  noteCandidate() {
    this.#take((now) => this.reach.hearCandidate(now));
  }

  /** Restart ICE now, although the connection may be heard. */
  restart() {
    this.#take((now) => this.reach.restart(now));
  }

  /** Take a state change of a connection to the peer.
   * @param {import("./webrtcAudio.js").StateChange} change */
  follow(change) {
    this.#take((now) => this.#follow(change, now));
  }

  /** Note whether packets of the peer came in the last seconds, over the connection that plays.
   * @param {boolean} isFlowing */
  flow(isFlowing) {
    if (isFlowing === this.#isFlowing) return;
    this.#isFlowing = isFlowing;
    this.#take((now) => (isFlowing ? this.reach.resumed(now) : this.reach.silent(now)));
  }

  /** Do nothing any more. */
  close() {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  // Handling

  /** @param {(nowS: number) => import("./reach.js").Action[]} step */
  #take(step) {
    this.#queue(async () => {
      const actions = step(nowS());
      while (actions.length) {
        const action = /** @type {import("./reach.js").Action} */ (actions.shift());
        actions.push(...(await this.#tryToDo(action)));
      }
    });
  }

  /** @param {() => Promise<void>} work */
  #queue(work) {
    this.#chain = this.#chain
      .then(() => (this.#isClosed ? undefined : work()))
      .catch((error) => console.info(`about ${this.peer}:`, error))
      .then(() => this.#settle());
  }

  /** Set the timer for what is due next; end when the peer is gone. */
  #settle() {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    if (this.reach.phase === Phase.GONE) return this.#onGone(this);
    if (this.reach.dueS === Infinity) return;
    const waitMs = Math.max(0, (this.reach.dueS - nowS()) * 1000);
    this.#timer = setTimeout(() => this.#take((now) => this.#tick(now)), waitMs);
  }

  /** Do what is due, but put an offer off while it would exceed the limit on offers.
   * @param {number} now */
  #tick(now) {
    const willOffer = [Phase.AWAITING, Phase.RESTING].includes(/** @type {any} */ (this.reach.phase));
    if (now < this.reach.dueS) return [];
    const waitS = willOffer ? this.#offers.take(now) : 0;
    if (waitS > 0) {
      this.reach.dueS = now + waitS;
      return [];
    }
    return this.reach.tick(now);
  }

  /** Take an offer, unless the peer has made too many: each may cost a connection.
   * @param {import("./reach.js").Description} offer
   * @param {number} now */
  #hearOffer(offer, now) {
    const mayAnswer = this.#peerOffers.take(now) === 0 && (this.#wasConnected || this.#strangersOffers.take(now) === 0);
    if (mayAnswer) return this.reach.hearOffer(offer, now);
    this.#refuse("too many offers");
    return [];
  }

  /** Say once why a signal of the peer is ignored.
   * @param {string} reason */
  #refuse(reason) {
    if (!this.#isTold) console.info(`about ${this.peer}: ${reason}: further ones are ignored`);
    this.#isTold = true;
  }

  /** The answer to a restart counts even if packets came again before it.
   * @param {import("./reach.js").Description} answer
   * @param {number} now
   * @returns {import("./reach.js").Action[]} */
  #hearAnswer(answer, now) {
    const actions = this.reach.hearAnswer(answer, now);
    if (actions.length || numberOf(answer) !== this.#restarting || this.#restarting === null) return actions;
    return [{ do: "take answer", answer }];
  }

  /** @param {import("./webrtcAudio.js").StateChange} change
   * @param {number} now */
  #follow({ connection, state }, now) {
    if (connection === this.#underWay) {
      if (state === "connected") {
        [this.#playing, this.#underWay, this.#isFlowing] = [connection, null, true];
        this.#wasConnected = true;
        return this.reach.connected(now);
      }
      return state === "failed" || state === "closed" ? this.reach.failed(now) : [];
    }
    if (connection !== this.#playing) return [];
    if (state === "connected") return this.reach.resumed(now);
    if (state === "disconnected" || state === "failed") {
      this.#isFlowing = false;
      return this.reach.silent(now);
    }
    return state === "closed" ? this.reach.closed(now) : [];
  }

  /** Carry out an action; if it fails, the attempt it belongs to has failed.
   * @param {import("./reach.js").Action} action
   * @returns {Promise<import("./reach.js").Action[]>} */
  async #tryToDo(action) {
    try {
      return await this.#do(action);
    } catch (error) {
      console.info(`about ${this.peer}:`, error);
      return this.reach.failed(nowS());
    }
  }

  /** @param {import("./reach.js").Action} action
   * @returns {Promise<import("./reach.js").Action[]>} */
  async #do(action) {
    switch (action.do) {
      case "offer":
        await this.#offer(action.attempt, action.restart);
        return [];
      case "answer":
        return this.#answer(action.offer);
      case "take answer":
        this.#restarting = null;
        await this.#service.handleAnswer(this.peer, /** @type {any} */ (action.answer));
        this.#canRestart = !("capture" in action.answer);
        return [];
      case "give up":
        if (this.#underWay !== null) this.#closeUnderWay();
        return [];
      case "close":
        this.#underWay = this.#playing = null;
        this.#service.closePeer(this.peer);
        return [];
      case "tell":
        this.#tell(action.kind, this.peer);
        return [];
    }
  }

  #closeUnderWay() {
    const number = /** @type {number} */ (this.#underWay);
    this.#underWay = null;
    this.#service.closePeer(this.peer, number);
  }

  /** @param {number} attempt
   * @param {boolean} restart */
  async #offer(attempt, restart) {
    const iceRestart = restart && this.#canRestart && this.#service.playing(this.peer) !== undefined;
    // a restart has no connection of its own: when it succeeds, packets come again
    this.#underWay = iceRestart ? null : this.#service.createPeerConnection(this.peer);
    this.#restarting = iceRestart ? attempt : null;
    if (iceRestart) this.#isFlowing = false;
    const offer = await this.#service.createOffer(this.peer, { iceRestart });
    this.#send("offer", this.peer, { ...offer, attempt, candidateLists: true });
  }

  /** @param {import("./reach.js").Description} offer
   * @returns {Promise<import("./reach.js").Action[]>} */
  async #answer(offer) {
    // jamlab's participants, which state their capture, make a new connection for every attempt
    this.#canRestart = !("capture" in offer);
    if (!this.#canRestart) this.#service.createPeerConnection(this.peer);
    this.#underWay = null;
    const answering = this.#service.handleOffer(this.peer, /** @type {any} */ (offer));
    this.#underWay = this.#service.pending(this.peer);
    const answer = await answering;
    const about = "attempt" in offer ? { attempt: offer.attempt } : {};
    this.#send("answer", this.peer, { ...answer, ...about, candidateLists: true });
    const isRestart = this.#underWay === null;
    return isRestart && this.#isFlowing ? this.reach.resumed(nowS()) : [];
  }
}

function nowS() {
  return performance.now() / 1000;
}
