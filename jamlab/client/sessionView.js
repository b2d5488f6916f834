// A session as its user sees it: a bar of controls, warnings, news and the participants, and the
// question for the microphone. Names and reasons come from other machines: they are only ever set as text.

import { AudioPermissionModal, microphonePermission } from "./audioPermissionModal.js";
import { answerMeasurements } from "./meshMeasurement.js";
import { sentence } from "./notices.js";
import { Participants } from "./participants.js";
import { QUALITIES } from "./quality.js";

const GESTURES = ["pointerdown", "keydown"];

/** @typedef {import("./session.js").JamSession} JamSession */

export class SessionView {
  #insecure;
  #onMute;
  #modal;
  #participants;
  #listenNoMore = () => {};
  /** @type {JamSession | null} */
  #session = null;

  /** @param {{
   *   parent: Node,
   *   insecure: string,
   *   onLeave: () => void,
   *   onMute: (muted: boolean) => void,
   * }} options `insecure` says what to do where the browser gives the page no microphone at all */
  constructor({ parent, insecure, onLeave, onMute }) {
    this.#insecure = insecure;
    this.#onMute = onMute;
    this.title = part("h2", "room");
    this.sound = button("sound", "Start the sound", () => this.#session?.service.graph.resume());
    this.sound.className = "primary";
    this.mute = button("mute", "Mute", () => this.#onMute(!this.#session?.service.muted));
    this.quality = /** @type {HTMLSelectElement} */ (part("select", "quality"));
    for (const { name } of QUALITIES) this.quality.append(new Option(name));
    this.quality.addEventListener("change", () => this.#switchQuality());
    const label = part("label", "", "Quality ");
    label.append(this.quality);
    const bar = part("div", "");
    bar.className = "bar";
    const microphone = button("microphone", "Microphone…", () => this.askForMicrophone(true));
    bar.append(this.title, this.sound, microphone, this.mute, label, button("leave", "Leave", onLeave));
    this.warnings = part("ul", "warnings");
    this.warnings.setAttribute("aria-live", "polite");
    this.warnings.setAttribute("aria-label", "Warnings");
    this.news = part("p", "news");
    this.news.setAttribute("role", "status");
    const participants = part("ul", "participants");
    participants.setAttribute("aria-label", "Participants");
    this.#participants = new Participants(participants);
    this.element = part("section", "session");
    this.element.setAttribute("aria-label", "Session");
    this.element.hidden = true;
    this.element.append(bar, this.warnings, this.news, participants);
    parent.appendChild(this.element);
    this.#modal = new AudioPermissionModal(parent);
  }

  /** Take a session, whose changes are then to be shown by `show`, and answer measurements in it.
   * @param {JamSession} session */
  open(session) {
    this.#session = session;
    this.title.textContent = `Room ${session.room}`;
    this.quality.value = session.service.quality.name;
    const { graph } = session.service;
    const resume = () => graph.resume();
    const show = () => this.show();
    const measureNoMore = answerMeasurements(session);
    graph.context.addEventListener("statechange", show);
    for (const gesture of GESTURES) document.addEventListener(gesture, resume);
    this.#listenNoMore = () => {
      measureNoMore();
      graph.context.removeEventListener("statechange", show);
      for (const gesture of GESTURES) document.removeEventListener(gesture, resume);
    };
    this.show();
  }

  /** Show no session any more, and take a question back. */
  close() {
    this.#listenNoMore();
    this.#listenNoMore = () => {};
    this.#session = null;
    this.#modal.takeBack();
    this.#participants.clear();
    this.element.hidden = true;
  }

  /** Ask until the microphone is there or the user only listens.
   * @param {boolean} again whether the user wants to be asked */
  async askForMicrophone(again) {
    const session = this.#session;
    if (session === null) return;
    if (!navigator.mediaDevices?.getUserMedia) return session.listenOnly("insecure", this.#insecure);
    const state = await microphonePermission();
    let answer = { capture: true };
    if ((again || state === "prompt") && this.#session === session) answer = await this.#modal.ask();
    while (this.#session === session) {
      const problem = await session.useMicrophone(answer);
      if (!problem || this.#session !== session) return;
      answer = await this.#modal.ask(problem);
    }
  }

  show() {
    if (this.#session === null) return;
    const { board, service } = this.#session;
    this.#participants.show(this.#session);
    list(this.warnings, board.warnings.map((notice) => `⚠ ${sentence(notice)}`));
    this.news.textContent = board.news ? `✓ ${sentence(board.news)}` : "";
    this.news.hidden = board.news === null;
    this.sound.hidden = service.graph.context.state === "running";
    this.mute.textContent = service.muted ? "Muted" : "Mute";
    this.mute.setAttribute("aria-pressed", String(service.muted));
  }

  #switchQuality() {
    const quality = QUALITIES.find(({ name }) => name === this.quality.value);
    if (quality) this.#session?.service.switchQuality(quality);
  }
}

/** Show lines of text; those that stay are not read again to those who listen.
 * @param {HTMLElement} items
 * @param {string[]} wanted */
function list(items, wanted) {
  for (const item of [...items.children]) {
    if (!wanted.includes(item.textContent ?? "")) item.remove();
  }
  const there = [...items.children].map((item) => item.textContent);
  for (const text of wanted.filter((each) => !there.includes(each))) items.append(part("li", "", text));
  items.hidden = wanted.length === 0;
}

/** @param {string} tag
 * @param {string} id
 * @param {string} text */
function part(tag, id, text = "") {
  const made = document.createElement(tag);
  if (id) made.id = id;
  made.textContent = text;
  return made;
}

/** @param {string} id
 * @param {string} text
 * @param {() => void} act */
function button(id, text, act) {
  const made = /** @type {HTMLButtonElement} */ (part("button", id, text));
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}
