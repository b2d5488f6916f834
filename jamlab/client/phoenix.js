// One WebSocket to a service with Phoenix channels, for one channel. A frame of version 2 of the
// protocol is [join_ref, ref, topic, event, payload] as JSON text.

export const OPEN_TIMEOUT_MS = 10_000;
const HEARTBEAT_MS = 10_000;

/** @typedef {{status: string, response: any}} Reply */

/** Requests with replies, and the messages of one channel. */
export class PhoenixSocket {
  #socket;
  #topic;
  #joinRef = "1";
  #lastRef = 0;
  /** @type {Map<string, (reply: Reply | null) => void>} */
  #awaited = new Map();
  #heartbeat = 0;
  #heartbeatPending = false;
  #isOver = false;

  /**
   * @param {string} url
   * @param {string} topic
   * @param {(event: string, payload: any) => void} onMessage
   * @param {() => void} onLost called once
   */
  constructor(url, topic, onMessage, onLost) {
    this.#topic = topic;
    this.onMessage = onMessage;
    this.onLost = onLost;
    this.#socket = new WebSocket(url);
    this.#socket.onmessage = ({ data }) => this.#hear(data);
    this.#socket.onclose = () => this.#lose();
    this.opened = new Promise((resolve) => {
      this.#socket.onopen = () => resolve(true);
      this.#socket.addEventListener("close", () => resolve(false));
      setTimeout(() => resolve(false), OPEN_TIMEOUT_MS);
    });
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS);
  }

  /** Send a request and wait for its reply; null when the socket is lost first.
   * @param {string} event
   * @param {any} payload
   * @param {string} topic
   * @returns {Promise<Reply | null>} */
  ask(event, payload, topic = this.#topic) {
    if (this.#socket.readyState !== WebSocket.OPEN) return Promise.resolve(null);
    this.#lastRef += 1;
    const ref = String(this.#lastRef);
    if (event === "phx_join") this.#joinRef = ref;
    const joinRef = topic === this.#topic ? this.#joinRef : null;
    this.#socket.send(JSON.stringify([joinRef, ref, topic, event, payload]));
    return new Promise((resolve) => this.#awaited.set(ref, resolve));
  }

  close() {
    this.#lose();
    this.#socket.close(1000);
  }

  /** @param {any} text */
  #hear(text) {
    if (this.#isOver || typeof text !== "string") return;
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return; // not of the protocol
    }
    if (!Array.isArray(message)) return;
    const [, ref, topic, event, payload] = message;
    if (event === "phx_reply") {
      const resolve = this.#awaited.get(ref);
      this.#awaited.delete(ref);
      resolve?.(payload);
    } else if (topic === this.#topic && (event === "phx_close" || event === "phx_error")) {
      this.close();
    } else if (topic === this.#topic) {
      this.onMessage(event, payload);
    }
  }

  async #beat() {
    if (this.#heartbeatPending) return this.close(); // the last one has no reply yet
    this.#heartbeatPending = true;
    await this.ask("heartbeat", {}, "phoenix");
    this.#heartbeatPending = false;
  }

  #lose() {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#heartbeat);
    for (const resolve of this.#awaited.values()) resolve(null);
    this.onLost();
  }
}
