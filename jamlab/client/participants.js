// The list of participants: a row each with its name, level, gain and state. Names come from other
// machines: they are only ever set as text.

import { AudioLevelMeter } from "./audioLevelMeter.js";

const LEAST_DB = -40;
const MOST_DB = 6;

class Row {
  /** @param {string} name
   * @param {import("./audioGraph.js").Tap} tap
   * @param {HTMLElement[]} controls */
  constructor(name, tap, controls) {
    this.element = document.createElement("li");
    this.tap = tap;
    this.meter = new AudioLevelMeter(tap, `Level of ${name}`);
    this.state = document.createElement("span");
    this.state.className = "state";
    const title = document.createElement("span");
    title.className = "name";
    title.textContent = name;
    title.title = name;
    this.element.append(title, this.meter.element, ...controls, this.state);
  }

  /** @param {string} text */
  say(text) {
    if (this.state.textContent !== text) this.state.textContent = text;
  }

  close() {
    this.meter.close();
    this.element.remove();
  }
}

/** @param {string} name
 * @param {GainNode} gain */
function slider(name, gain) {
  const made = document.createElement("input");
  Object.assign(made, { type: "range", min: LEAST_DB, max: MOST_DB, step: 0.5, value: "0" });
  made.setAttribute("aria-label", `Loudness of ${name}, dB`);
  made.addEventListener("input", () => {
    const db = Number(made.value);
    const factor = db <= LEAST_DB ? 0 : 10 ** (db / 20);
    gain.gain.setTargetAtTime(factor, gain.context.currentTime, 0.01);
  });
  return made;
}

/** @param {import("./session.js").JamSession} session
 * @param {string} name */
function reconnect(session, name) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = "Reconnect";
  made.title = "Look for another path to this participant";
  made.addEventListener("click", () => session.restart(name));
  return made;
}

export class Participants {
  #list;
  /** @type {Map<string, Row>} */
  #rows = new Map();
  /** @type {Row | null} */
  #own = null;

  /** @param {HTMLElement} list */
  constructor(list) {
    this.#list = list;
  }

  /** @param {import("./session.js").JamSession} session */
  show(session) {
    const { graph } = session.service;
    if (this.#own === null) {
      this.#own = new Row(`${session.name} (you)`, graph.local, []);
      this.#list.append(this.#own.element);
    }
    this.#own.say(ownState(session));
    const there = session.peers;
    for (const [name, row] of this.#rows) {
      // a peer that comes again has other nodes in the graph
      if (!there.includes(name) || row.tap !== graph.peer(name).tap) this.#drop(name);
    }
    for (const name of there) {
      const sound = graph.peer(name);
      let row = this.#rows.get(name);
      if (!row) {
        row = new Row(name, sound.tap, [slider(name, sound.gain), reconnect(session, name)]);
        this.#rows.set(name, row);
        this.#list.append(row.element);
      }
      row.say(peerState(session, name));
    }
  }

  clear() {
    for (const name of [...this.#rows.keys()]) this.#drop(name);
    this.#own?.close();
    this.#own = null;
  }

  /** @param {string} name */
  #drop(name) {
    this.#rows.get(name)?.close();
    this.#rows.delete(name);
  }
}

/** @param {import("./session.js").JamSession} session */
function ownState(session) {
  const lacking = session.lacksData ? " · this browser sends no sound by data channels: it uses media" : "";
  return `${microphoneState(session)}${lacking}`;
}

/** @param {import("./session.js").JamSession} session */
function microphoneState({ service }) {
  if (service.graph.stream === null) return "no microphone: you only listen";
  const [track] = service.graph.stream.getAudioTracks();
  const { sampleRate, channelCount } = track.getSettings();
  const channels = channelCount === 2 ? "stereo" : "mono";
  const what = `${track.label || "microphone"} · ${(sampleRate ?? 48_000) / 1000} kHz ${channels}`;
  return service.muted ? `muted · ${what}` : what;
}

/** @param {import("./session.js").JamSession} session
 * @param {string} name */
function peerState(session, name) {
  const { words, figures, isConnected } = session.state(name);
  if (!isConnected || figures === null) return words;
  const parts = [
    words,
    figures.route,
    figures.transport === "data" ? "data channel" : mediaState(session.whyMedia(name)),
    figures.roundTripS !== null && `network there and back ${ms(figures.roundTripS)}`,
    figures.jitterBufferS !== null && `jitter buffer ${ms(figures.jitterBufferS)}`,
    figures.concealedShare !== null && `concealed ${(100 * figures.concealedShare).toFixed(1)} %`,
  ];
  return parts.filter(Boolean).join(" · ");
}

/** @param {string} why a data channel was asked for in vain; empty when it was not */
function mediaState(why) {
  return why ? `media, not the data channel that was asked for: ${why}` : "media";
}

/** @param {number} seconds */
function ms(seconds) {
  return `${(1000 * seconds).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
}
