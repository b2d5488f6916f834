// List of the participants in a room, from snapshots of its presence state: as
// `jamlab.signaling.supabase.roster`, which has the reasons. No participant's arrival is missed, and
// one that vanished without leaving stays for `graceS`: it may have lost only its socket.

const MAX_NAME = 128;

/**
 * @typedef {{joinedAt: number, instance: string, leaving: boolean, transport: string}} Occupant
 * @typedef {{event: "joined" | "left", peerId: string} | {event: "lost" | "restored"}} RosterEvent
 */

// as `jamlab.signaling.looks`: what would change the text around a name, and what is blank
const FORBIDDEN = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202A-\u202E\u2066-\u2069]/u;
const BLANK = /^[\p{Z}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]*$/u;

/** Whether a value may be the name of a participant.
 * @param {unknown} value
 * @returns {value is string} */
export function isName(value) {
  if (typeof value !== "string" || FORBIDDEN.test(value)) return false;
  return !BLANK.test(value) && [...value].length <= MAX_NAME;
}

/** Presence state kept up to date from the service's messages, in Phoenix's form. */
export class PresenceState {
  constructor() {
    /** @type {Map<string, any[]>} */
    this.metas = new Map();
    this.isKnown = false;
  }

  /** Take the whole state.
   * @param {any} state */
  reset(state) {
    this.metas = new Map(Object.entries(state ?? {}).map(([name, entry]) => [name, metasOf(entry)]));
    this.isKnown = true;
  }

  /** Take a change.
   * @param {any} diff */
  apply(diff) {
    for (const [name, entry] of Object.entries(diff?.joins ?? {})) {
      const joined = metasOf(entry);
      const refs = new Set(joined.flatMap((meta) => [meta.phx_ref, meta.phx_ref_prev]));
      const kept = (this.metas.get(name) ?? []).filter((meta) => !refs.has(meta.phx_ref));
      this.metas.set(name, [...kept, ...joined]);
    }
    for (const [name, entry] of Object.entries(diff?.leaves ?? {})) {
      const refs = new Set(metasOf(entry).map((meta) => meta.phx_ref));
      const kept = (this.metas.get(name) ?? []).filter((meta) => !refs.has(meta.phx_ref));
      if (kept.length) this.metas.set(name, kept);
      else this.metas.delete(name);
    }
  }

  /** The holder of each name: of several occupants the one that joined first.
   * @returns {Map<string, Occupant>} */
  holders() {
    const holders = new Map();
    for (const [name, metas] of this.metas) {
      const occupants = metas.map(occupantOf).filter((each) => each !== null);
      if (!isName(name) || occupants.length === 0) continue;
      const holder = occupants.reduce((a, b) => (isEarlier(b, a) ? b : a));
      const leaving = occupants.some((each) => each.instance === holder.instance && each.leaving);
      holders.set(name, { ...holder, leaving });
    }
    return holders;
  }
}

/** @param {any} entry
 * @returns {any[]} */
function metasOf(entry) {
  const metas = entry?.metas;
  return Array.isArray(metas) ? metas.filter((meta) => meta && typeof meta === "object") : [];
}

/** @param {any} meta
 * @returns {Occupant | null} */
function occupantOf(meta) {
  const instance = meta.instance || meta.phx_ref;
  if (typeof instance !== "string" || !instance) return null;
  const at = meta.joined_at;
  const joinedAt = typeof at === "number" && Math.abs(at) < 1e15 ? at : Infinity;
  const transport = meta.transport === "data" ? "data" : "media";
  return { joinedAt, instance, leaving: meta.leaving === true, transport };
}

/** @param {Occupant} a
 * @param {Occupant} b */
function isEarlier(a, b) {
  return a.joinedAt === b.joinedAt ? a.instance < b.instance : a.joinedAt < b.joinedAt;
}

/** One participant's view of its room. */
export class Roster {
  #graceS;
  #wasMember = false;
  /** @type {Map<string, Occupant>} */
  #seen = new Map();
  /** @type {Map<string, string>} */
  #peers = new Map();
  /** @type {Map<string, number>} */
  #absentUntilS = new Map();

  /** @param {string} name
   * @param {string | null} instance null without a secret: then any occupant of our name is us
   * @param {number} graceS */
  constructor(name, instance, graceS) {
    this.name = name;
    this.instance = instance;
    this.isMember = false;
    this.isTaken = false;
    this.#graceS = graceS;
  }

  /** Other participants that are in the room, or absent within the grace. */
  get peers() {
    return new Set(this.#peers.keys());
  }

  /** The transport that a peer's presence states.
   * @param {string} peerId */
  transportOf(peerId) {
    return this.#seen.get(peerId)?.transport ?? "media";
  }

  /** Take a snapshot of the presence state; return its events.
   * @param {Map<string, Occupant>} holders
   * @param {number} nowS
   * @returns {RosterEvent[]} */
  update(holders, nowS) {
    const own = holders.get(this.name);
    const others = new Map([...holders].filter(([name]) => name !== this.name));
    this.isTaken = own !== undefined && this.instance !== null && own.instance !== this.instance;
    const before = this.#seen;
    this.#seen = others;
    if (own === undefined || this.isTaken) return this.lose();
    return [...this.#enter(before), ...this.#compare(nowS)];
  }

  /** Note the loss of signalling; until the next snapshot no absence is counted.
   * @returns {RosterEvent[]} */
  lose() {
    this.#absentUntilS.clear();
    if (!this.isMember) return [];
    this.isMember = false;
    return [{ event: "lost" }];
  }

  /** Return the departures of peers that have been absent for too long.
   * @param {number} nowS
   * @returns {RosterEvent[]} */
  advance(nowS) {
    const late = [...this.#absentUntilS].filter(([, untilS]) => untilS <= nowS);
    return late.map(([name]) => this.#drop(name));
  }

  /** @param {Map<string, Occupant>} before
   * @returns {RosterEvent[]} */
  #enter(before) {
    if (this.isMember) return [];
    this.isMember = true;
    if (this.#wasMember) return [{ event: "restored" }];
    this.#wasMember = true;
    for (const [name, { instance }] of this.#here()) {
      if (before.get(name)?.instance === instance) this.#peers.set(name, instance);
    }
    return [];
  }

  #here() {
    return new Map([...this.#seen].filter(([, occupant]) => !occupant.leaving));
  }

  /** @param {number} nowS
   * @returns {RosterEvent[]} */
  #compare(nowS) {
    const here = this.#here();
    const left = [...this.#peers].filter(([name, instance]) => this.#isGone(name, instance));
    /** @type {RosterEvent[]} */
    const events = left.map(([name]) => this.#drop(name));
    for (const name of this.#peers.keys()) {
      if (here.has(name)) this.#absentUntilS.delete(name);
      else if (!this.#absentUntilS.has(name)) this.#absentUntilS.set(name, nowS + this.#graceS);
    }
    for (const [name, { instance }] of here) {
      if (this.#peers.has(name)) continue;
      this.#peers.set(name, instance);
      events.push({ event: "joined", peerId: name });
    }
    return events;
  }

  /** @param {string} name
   * @param {string} instance */
  #isGone(name, instance) {
    const occupant = this.#seen.get(name);
    return occupant !== undefined && (occupant.leaving || occupant.instance !== instance);
  }

  /** @param {string} name
   * @returns {RosterEvent} */
  #drop(name) {
    this.#peers.delete(name);
    this.#absentUntilS.delete(name);
    return { event: "left", peerId: name };
  }
}
