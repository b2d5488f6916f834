// A participant in the page of a notebook: the reference client, whose signals go through the kernel.
// `jamlab.widgets.bundle` puts the client's modules and `STYLE`, its style sheet, into this one.

import { dbfs } from "./audioLevelMeter.js";
import { sentence } from "./notices.js";
import { HIGH_QUALITY, LOW_LATENCY } from "./quality.js";
import { JamSession } from "./session.js";
import { SessionView } from "./sessionView.js";
import { SignalingError, isSignal } from "./signaling.js";

const READING_MS = 250;
const PEAK_MS = 40; // the meters' taps have the last 43 ms
const SILENT_DBFS = -120;
const MOST_DBFS = 60;

const INSECURE =
  "browsers give a page the microphone only over https or on their own machine: open this " +
  "notebook at an https address, or through a tunnel at localhost (ssh -L 8888:localhost:8888 …)";
const NO_KERNEL = "The kernel is not there any more: run the cell again";
const WAITING = "Waiting for the kernel…";

/** A room that the kernel has joined, in the form of the client's `RoomChannel`. */
class KernelChannel {
  constructor(tell, onEvent, takeOver) {
    this.tell = tell;
    this.onEvent = onEvent;
    this.takeOver = takeOver;
    this.peers = new Set();
    this.settle = null; // ends `join`
  }

  transportOf() {
    return "media";
  }

  async join() {
    this.tell({ kind: "join", takeOver: this.takeOver });
    const problem = await new Promise((resolve) => (this.settle = resolve));
    if (problem !== null) throw new SignalingError(problem);
  }

  joined(peers) {
    this.peers = new Set(peers);
    this.settle?.(null);
  }

  refused(reason) {
    this.settle?.(reason);
  }

  hear(event) {
    if (event.event === "signal" && !isSignal(event.signal)) return;
    if (event.event === "joined") this.peers.add(event.peerId);
    if (event.event === "left") this.peers.delete(event.peerId);
    this.onEvent(event);
  }

  send(type, target, data) {
    this.tell({ kind: "signal", type, target, data });
  }

  async leave() {
    this.settle?.("left");
    this.tell({ kind: "leave" });
  }
}

/** The highest peak of each tap since the last reading. */
class Peaks {
  constructor() {
    this.highest = new Map();
  }

  note(taps) {
    for (const [name, tap] of taps) {
      this.highest.set(name, Math.max(this.highest.get(name) ?? 0, ...tap.peaks()));
    }
  }

  take(name) {
    const level = dbfs(this.highest.get(name) ?? 0);
    this.highest.delete(name);
    return Math.min(MOST_DBFS, Math.max(SILENT_DBFS, level));
  }
}

/** A figure of `getStats` from 0 to a limit, which the kernel insists on; counters may start again. */
function within(figure, limit) {
  return figure === null || figure === undefined ? null : Math.min(limit, Math.max(0, figure));
}

const OWN = Symbol("the microphone");

/** One stay in the room, from the question for the microphone to leaving. */
class Stay {
  constructor(tell, settings, view, onChange, takeOver) {
    const { name, room, configuration, quality } = settings;
    this.tell = tell;
    this.view = view;
    this.peaks = new Peaks();
    this.isOver = false;
    this.timers = [];
    this.session = new JamSession({
      name,
      room,
      configuration,
      quality: [LOW_LATENCY, HIGH_QUALITY].find((each) => each.name === quality),
      transport: "media",
      openChannel: (onEvent) => (this.channel = new KernelChannel(tell, onEvent, takeOver)),
      onChange,
    });
  }

  /** Ask for the microphone, then join: where it is allowed, the browser shows its addresses. */
  async begin() {
    this.view.open(this.session);
    await this.view.askForMicrophone(false);
    if (this.isOver) return;
    await this.session.join();
    if (this.isOver) return;
    this.tell(this.reading());
    this.timers = [
      setInterval(() => this.peaks.note(this.taps()), PEAK_MS),
      setInterval(() => this.tell(this.reading()), READING_MS),
    ];
  }

  async end() {
    if (this.isOver) return;
    this.isOver = true;
    for (const timer of this.timers) clearInterval(timer);
    this.view.close();
    await this.session.leave();
  }

  taps() {
    const { graph } = this.session.service;
    return [[OWN, graph.local], ...this.session.peers.map((peer) => [peer, graph.peer(peer).tap])];
  }

  reading() {
    const { session } = this;
    const { board, service } = session;
    return {
      kind: "reading",
      permission: session.microphone,
      isPlaying: service.graph.context.state === "running",
      levelDbfs: this.peaks.take(OWN),
      peers: Object.fromEntries(session.peers.map((peer) => [peer, this.peer(peer)])),
      warnings: board.warnings.map((notice) => sentence(notice)),
      news: board.news === null ? "" : sentence(board.news),
    };
  }

  peer(name) {
    const { phase, figures } = this.session.state(name);
    const { route, roundTripS, jitterBufferS, concealedShare } = figures ?? {};
    return {
      state: phase,
      levelDbfs: this.peaks.take(name),
      route,
      roundTripS: within(roundTripS, Infinity),
      jitterBufferS: within(jitterBufferS, Infinity),
      concealedShare: within(concealedShare, 1),
    };
  }
}

/** The widget in one output: what it says, a button, and the session while the page takes part. */
class Output {
  constructor(model, el) {
    this.model = model;
    this.page = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    this.settings = null;
    this.stay = null;
    this.build(el);
    this.listeners = [
      ["msg:custom", (content) => content.page === this.page && this.hear(content)],
      ["change:muted", () => this.setMuted()],
      ["change:hint", () => this.showHint()],
      ["comm_live_update", () => this.lose()],
      ["comm:close", () => this.lose()],
    ];
    for (const [name, listener] of this.listeners) model.on(name, listener);
    this.leaveNow = () => this.stay?.end();
    addEventListener("pagehide", this.leaveNow);
    this.say(WAITING, false);
    this.tell({ kind: "hello" });
  }

  build(el) {
    this.host = document.createElement("div");
    this.host.className = "jamlab-peer";
    this.host.dataset.lmSuppressShortcuts = "true"; // keys pressed here are not the notebook's
    const root = this.host.attachShadow({ mode: "open" });
    const style = document.createElement("style");
    style.textContent = STYLE;
    this.status = document.createElement("p");
    this.status.setAttribute("role", "status");
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.className = "primary";
    this.button.textContent = "Take part";
    this.button.addEventListener("click", () => this.begin(true));
    this.hint = document.createElement("p");
    this.hint.className = "problem";
    root.append(style, this.status, this.button);
    this.view = new SessionView({
      parent: root,
      insecure: INSECURE,
      onLeave: () => this.end("You have left the room"),
      onMute: (on) => this.tell({ kind: "mute", on }),
    });
    root.append(this.hint);
    this.showHint();
    el.append(this.host);
    this.host.peer = this; // for tools and tests
  }

  close() {
    this.end("");
    removeEventListener("pagehide", this.leaveNow);
    for (const [name, listener] of this.listeners) this.model.off(name, listener);
    this.host.remove();
  }

  tell(content) {
    try {
      this.model.send({ ...content, page: this.page });
    } catch (error) {
      console.info("the kernel is not told:", error.message);
    }
  }

  hear({ kind, ...content }) {
    if (kind === "settings") return this.prepare(content);
    const { channel } = this.stay ?? {};
    if (kind === "joined") channel?.joined(content.peers);
    else if (kind === "refused") channel?.refused(content.reason);
    else if (kind === "event") channel?.hear(content.event);
    else if (kind === "ended") this.end(content.reason);
  }

  prepare(settings) {
    this.settings = settings;
    if (settings.first) this.begin(false);
    else this.say(`${settings.name} does not take part from this page`, true);
  }

  async begin(takeOver) {
    if (this.stay !== null) return;
    const stay = new Stay((content) => this.tell(content), this.settings, this.view, () => this.view.show(), takeOver);
    this.stay = stay;
    this.say("Joining…", false);
    this.setMuted();
    try {
      await stay.begin();
      if (this.stay !== stay) return;
      this.view.element.hidden = false;
      this.say("", false);
    } catch (error) {
      if (this.stay === stay) this.end(error.message);
    }
  }

  /** End the stay, if there is one, and say why. */
  end(reason) {
    const { stay } = this;
    this.stay = null;
    stay?.end();
    if (stay) this.say(reason && reason[0].toUpperCase() + reason.slice(1), true);
  }

  /** End with the kernel, through which nothing can be told any more. */
  lose() {
    this.end("");
    this.say(NO_KERNEL, false);
  }

  setMuted() {
    if (this.stay === null) return;
    this.stay.session.service.muted = this.model.get("muted");
    this.view.show();
  }

  showHint() {
    this.hint.textContent = this.model.get("hint");
    this.hint.hidden = !this.hint.textContent;
  }

  say(text, canTakePart) {
    this.status.textContent = text;
    this.status.hidden = !text;
    this.button.hidden = !canTakePart;
  }
}

export default {
  render({ model, el }) {
    const output = new Output(model, el);
    return () => output.close();
  },
};
