// A room on a Supabase Realtime service: jamlab's hub, or the hosted one. The room is the channel
// `realtime:ROOM`, a signal the broadcast `webrtc-signal`, a participant's name its presence key.

import { OPEN_TIMEOUT_MS, PhoenixSocket } from "./phoenix.js";
import { PresenceState, Roster, isName } from "./roster.js";

const SIGNAL_EVENT = "webrtc-signal";
const TYPES = ["offer", "answer", "ice-candidate", "report"];
const MAX_SIGNAL_BYTES = 64 * 1024;
const GRACE_S = 20; // for a participant that vanished without leaving
const HOLD_S = 2; // for a signal that overtakes its sender's presence
const RETRY_NAME_MS = 500;
const NAME_PATIENCE_MS = 5_000; // the name may be a crashed page's, which the hub pings for 2 s
const LETTER_S = 30; // for which a signal is kept until it can be sent
const MOST_LETTERS = 256;

export class SignalingError extends Error {}
export class NameTakenError extends SignalingError {}

/**
 * @typedef {{type: string, senderPeerId: string, targetPeerId: string, data: any}} Signal
 * @typedef {(
 *   | {event: "joined" | "left", peerId: string}
 *   | {event: "lost" | "restored"}
 *   | {event: "signal", signal: Signal}
 * )} RoomEvent
 */

/** Whether a broadcast's payload is a signal; it comes from other machines.
 * @param {any} payload
 * @returns {payload is Signal} */
export function isSignal(payload) {
  const { type, senderPeerId, targetPeerId, data } = payload ?? {};
  const isWhole = isName(senderPeerId) && isName(targetPeerId) && TYPES.includes(type);
  const isObject = typeof data === "object" && data !== null && !Array.isArray(data);
  return isWhole && isObject && JSON.stringify(payload).length <= MAX_SIGNAL_BYTES;
}

/** A participant's membership of a room. */
export class RoomChannel {
  #url;
  #topic;
  #onEvent;
  #state = new PresenceState();
  #secret = "";
  #joinedAt = 0;
  #transport = "media";
  /** @type {Roster} */
  #roster = new Roster("", null, GRACE_S);
  /** @type {PhoenixSocket | null} */
  #socket = null;
  /** @type {{signal: Signal, untilS: number}[]} */
  #held = [];
  /** @type {{signal: Signal, untilS: number}[]} */
  #letters = [];
  #isSending = false;
  #isLeft = false;
  #ticker = 0;
  #changed = () => {};

  /**
   * @param {{url: string, key: string, room: string, name: string, onEvent: (event: RoomEvent) => void}} options
   *   `url` is that of the service, to which `/websocket` is appended
   */
  constructor({ url, key, room, name, onEvent }) {
    if (!isName(room)) throw new SignalingError("The name of a room has 1 to 128 visible characters: choose another");
    if (!isName(name)) throw new SignalingError("Your name has 1 to 128 visible characters: choose another");
    this.name = name;
    this.#url = `${url}/websocket?${new URLSearchParams({ apikey: key, vsn: "2.0.0" })}`;
    this.#topic = `realtime:${room}`;
    this.#onEvent = onEvent;
  }

  /** Names of the other participants.
   * @returns {Set<string>} */
  get peers() {
    return this.#roster.peers;
  }

  /** The transport that a peer's presence states.
   * @param {string} peerId */
  transportOf(peerId) {
    return this.#roster.transportOf(peerId);
  }

  /** Join the room; rejects with a `SignalingError`, whose message says what to do.
   * @param {"media" | "data"} transport stated in our presence */
  async join(transport = "media") {
    this.#transport = transport;
    this.#secret = hex(crypto.getRandomValues(new Uint8Array(16)));
    this.#roster = new Roster(this.name, await digest(this.#secret), GRACE_S);
    this.#joinedAt = Date.now() / 1000;
    this.#ticker = setInterval(() => this.#advance(), 500);
    const deadlineMs = performance.now() + NAME_PATIENCE_MS;
    for (;;) {
      try {
        return await this.#connect();
      } catch (error) {
        const mayRetry = error instanceof NameTakenError && performance.now() < deadlineMs;
        if (!mayRetry || this.#isLeft) {
          clearInterval(this.#ticker);
          throw error;
        }
      }
      await pause(RETRY_NAME_MS);
    }
  }

  /** Send a signal to a peer now, or within 30 s when it can be sent.
   * @param {string} type
   * @param {string} targetPeerId
   * @param {any} data */
  send(type, targetPeerId, data) {
    const signal = { type, senderPeerId: this.name, targetPeerId, data };
    this.#letters.push({ signal, untilS: nowS() + LETTER_S });
    if (this.#letters.length > MOST_LETTERS) this.#letters.shift();
    this.#sendLetters();
  }

  /** Leave the room: the others are told. Leaving twice is harmless. */
  async leave() {
    if (this.#isLeft) return;
    this.#isLeft = true;
    clearInterval(this.#ticker);
    const socket = this.#socket;
    if (socket === null) return;
    if (this.#roster.isMember) {
      const told = this.#track(socket, true).then(() => socket.ask("phx_leave", {}));
      await Promise.race([told, pause(1000)]);
    }
    this.#socket = null;
    socket.close();
  }

  // The connection

  async #connect() {
    this.#state.reset({});
    const socket = new PhoenixSocket(
      this.#url,
      this.#topic,
      (event, payload) => this.#hear(event, payload),
      () => this.#lose(socket),
    );
    this.#socket = socket;
    try {
      await this.#enter(socket);
    } catch (error) {
      this.#socket = null;
      socket.close();
      throw error;
    }
  }

  /** @param {PhoenixSocket} socket */
  async #enter(socket) {
    if (!(await socket.opened)) {
      throw new SignalingError("The session service cannot be reached, or refuses the key: check both");
    }
    const secret = this.#roster.instance === null ? undefined : this.#secret;
    const presence = { key: this.name, enabled: true, secret };
    const config = { broadcast: { ack: true, self: false }, presence, private: false };
    this.#state.isKnown = false;
    checkReply(await socket.ask("phx_join", { config }));
    await this.#until(() => this.#state.isKnown);
    checkReply(await this.#track(socket, false));
    await this.#until(() => this.#roster.isMember || this.#roster.isTaken);
    if (this.#roster.isTaken) throw new NameTakenError(TAKEN);
  }

  /** @param {PhoenixSocket} socket
   * @param {boolean} leaving */
  #track(socket, leaving) {
    const instance = this.#roster.instance ?? undefined;
    const transport = this.#transport === "data" ? { transport: "data" } : {};
    const said = { instance, joined_at: this.#joinedAt, ...transport, ...(leaving ? { leaving } : {}) };
    return socket.ask("presence", { type: "presence", event: "track", payload: said });
  }

  /** @param {() => boolean} condition
   * @returns {Promise<void>} */
  async #until(condition) {
    const deadlineMs = performance.now() + OPEN_TIMEOUT_MS;
    while (!condition()) {
      if (this.#socket === null) throw new SignalingError("The session service closed the connection: try again");
      const changed = new Promise((resolve) => (this.#changed = () => resolve(undefined)));
      await Promise.race([changed, pause(OPEN_TIMEOUT_MS)]);
      if (performance.now() >= deadlineMs) throw new SignalingError("The session service does not answer: try again");
    }
  }

  /** @param {PhoenixSocket} socket */
  #lose(socket) {
    this.#changed();
    if (this.#socket !== socket || this.#isLeft) return;
    this.#socket = null;
    const wasMember = this.#roster.isMember;
    this.#emit(this.#roster.lose());
    if (wasMember) this.#reconnect();
  }

  async #reconnect() {
    for (let attempt = 0; !this.#isLeft && this.#socket === null; attempt += 1) {
      await pause(Math.min(500 * 2 ** attempt, 10_000) * (0.5 + 0.5 * Math.random()));
      if (this.#isLeft) return;
      try {
        await this.#connect();
      } catch (error) {
        console.info("not back in the room:", /** @type {Error} */ (error).message);
      }
    }
    this.#sendLetters();
  }

  // Messages

  /** @param {string} event
   * @param {any} payload */
  #hear(event, payload) {
    if (event === "presence_state") this.#state.reset(payload);
    else if (event === "presence_diff") this.#state.apply(payload);
    else if (event === "broadcast" && payload?.event === SIGNAL_EVENT) return this.#receive(payload.payload);
    else return;
    this.#emit(this.#roster.update(this.#state.holders(), nowS()));
    this.#release();
    this.#changed();
  }

  /** @param {any} payload */
  #receive(payload) {
    if (!isSignal(payload) || payload.targetPeerId !== this.name || payload.senderPeerId === this.name) return;
    if (this.#held.length >= 64) this.#held.shift();
    this.#held.push({ signal: payload, untilS: nowS() + HOLD_S });
    this.#release();
  }

  /** Deliver the signals whose senders are in the room. */
  #release() {
    const now = nowS();
    const { peers } = this.#roster;
    const heard = this.#held.filter(({ signal }) => peers.has(signal.senderPeerId));
    this.#held = this.#held.filter(
      ({ signal, untilS }) => untilS > now && !peers.has(signal.senderPeerId),
    );
    for (const { signal } of heard) this.#onEvent({ event: "signal", signal });
  }

  #advance() {
    this.#emit(this.#roster.advance(nowS()));
    this.#release();
    this.#sendLetters();
  }

  /** @param {import("./roster.js").RosterEvent[]} events */
  #emit(events) {
    for (const event of events) this.#onEvent(event);
  }

  /** Send what waits, in order; a signal that the service refuses for its rate is sent again. */
  async #sendLetters() {
    if (this.#isSending) return;
    this.#isSending = true;
    while (this.#letters.length && this.#socket !== null && this.#roster.isMember && !this.#isLeft) {
      const [{ signal, untilS }] = this.#letters;
      const isInVain = untilS < nowS() || !this.#roster.peers.has(signal.targetPeerId);
      if (!isInVain) {
        const push = this.#socket.ask("broadcast", { type: "broadcast", event: SIGNAL_EVENT, payload: signal });
        const reply = await push;
        if (reply === null) break; // the socket is lost: it is sent on the next one
        if (reply.status !== "ok") {
          await pause(500);
          continue;
        }
      }
      this.#letters.shift();
    }
    this.#isSending = false;
  }
}

const TAKEN = "This name is taken: another participant in the room has it. Choose another";

/** @param {{status: string, response: any} | null} reply */
function checkReply(reply) {
  if (reply === null) throw new SignalingError("The session service closed the connection: try again");
  if (reply.status === "ok") return;
  const reason = String(reply.response?.reason ?? "no reason given").slice(0, 200);
  if (reason.toLowerCase().includes("taken")) throw new NameTakenError(TAKEN);
  throw new SignalingError(`The session service refuses: ${reason}`);
}

/** The public digest of a secret; null where a page may not compute one (no secure context).
 * @param {string} secret */
async function digest(secret) {
  if (!globalThis.crypto?.subtle) return null;
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(secret))));
}

/** @param {Uint8Array} bytes */
function hex(bytes) {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function nowS() {
  return performance.now() / 1000;
}

/** @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
