// Notices of a session to its user, in the product's wording: as `jamlab.mesh.notices`.

/** @typedef {{kind: string, peerId: string, reason: string}} Notice */

/** @type {Record<string, string>} */
export const TEXTS = {
  "joined": "A participant joined the session",
  "retrying": "Direct audio connection failed, retrying…",
  "relaying": "Direct audio connection failed, using relay mode",
  "no audio": "No audio connection: the session goes on without it, and tries again",
  "restored": "Audio connection restored",
  "microphone": "Microphone access is required for jamming",
  "signaling lost": "Connection to the session service lost: audio plays on",
  "signaling restored": "Connection to the session service restored",
  "high latency": "High latency detected, audio may be delayed",
  "normal latency": "Latency is back to normal",
};

/** @type {Record<string, string>} */
export const HINTS = {
  "high latency": "use a wired network, or move nearer to the Wi-Fi access point",
};

/** Warnings that end with a piece of good news.
 * @type {Record<string, string[]>} */
const ENDS = {
  "restored": ["retrying", "relaying", "no audio"],
  "signaling restored": ["signaling lost"],
  "normal latency": ["high latency"],
};

const NEWS = new Set(["joined", ...Object.keys(ENDS)]);

/** The sentence to show, with the name of the peer and the hint.
 * @param {Notice} notice */
export function sentence({ kind, peerId, reason }) {
  const hint = reason || HINTS[kind] || "";
  let text = TEXTS[kind];
  if (peerId) text = kind === "joined" ? `${peerId} joined the session` : `${peerId}: ${text}`;
  return hint ? `${text}: ${hint}` : text;
}

/** The notices that still apply: each warning until good news ends it, and the latest news. */
export class NoticeBoard {
  constructor() {
    /** @type {Notice | null} */
    this.news = null;
    /** @type {Notice[]} */
    this.warnings = [];
  }

  /** Add a notice, and drop the ones it ends or replaces.
   * @param {Notice} notice */
  note(notice) {
    const isNews = NEWS.has(notice.kind);
    const alike = Object.values(ENDS).find((kinds) => kinds.includes(notice.kind));
    const over = isNews ? (ENDS[notice.kind] ?? []) : (alike ?? [notice.kind]);
    this.#drop(over, notice.peerId);
    this.news = isNews ? notice : null;
    if (!isNews) this.warnings.push(notice);
  }

  /** Drop a warning about the whole session without any news.
   * @param {string} kind */
  end(kind) {
    this.#drop([kind], "");
  }

  /** Drop everything about a peer that has left.
   * @param {string} peerId */
  forget(peerId) {
    this.#drop(Object.keys(TEXTS), peerId);
    if (this.news?.peerId === peerId) this.news = null;
  }

  /** @param {string[]} kinds
   * @param {string} peerId */
  #drop(kinds, peerId) {
    this.warnings = this.warnings.filter((n) => n.peerId !== peerId || !kinds.includes(n.kind));
  }
}
