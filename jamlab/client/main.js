// The page: a form to join a room, and the session. The address has what the form asks for:
// ?room=…&name=…&quality=…&transport=data&ice=stun:… and, so that it is never sent or logged, #key=…

import { AudioPermissionModal, microphonePermission } from "./audioPermissionModal.js";
import { answerMeasurements } from "./meshMeasurement.js";
import { sentence } from "./notices.js";
import { Participants } from "./participants.js";
import { LOW_LATENCY, QUALITIES } from "./quality.js";
import { JamSession } from "./session.js";
import { SignalingError } from "./signaling.js";

/** @param {string} id
 * @returns {any} */
const byId = (id) => document.getElementById(id);
const entry = /** @type {HTMLFormElement} */ (byId("entry"));
const modal = new AudioPermissionModal(document.body);
const participants = new Participants(byId("participants"));
const asked = new URLSearchParams(location.search);

/** @type {JamSession | null} */
let session = null;
let measureNoMore = () => {};

/** @param {string} name */
function field(name) {
  return /** @type {HTMLInputElement} */ (entry.elements.namedItem(name));
}

/** @param {string | null} name */
function qualityNamed(name) {
  const plain = (name ?? "").replaceAll("-", " ");
  return QUALITIES.find((quality) => quality.name === plain) ?? LOW_LATENCY;
}

/** The W3C `RTCConfiguration` that the hub gives with the key, and servers of the address.
 * @param {string} key
 * @returns {Promise<RTCConfiguration>} */
async function configurationFor(key) {
  const answer = await fetch("configuration.json", { headers: { apikey: key } }).catch(() => null);
  if (answer === null) throw new SignalingError("The hub cannot be reached: does jamlab serve still run?");
  if (answer.status === 401) throw new SignalingError("The key is wrong: take the one that jamlab serve prints");
  if (!answer.ok) throw new SignalingError((await answer.json()).error);
  const given = await answer.json();
  const servers = asked.getAll("ice").map((urls) => ({ urls }));
  return { ...given, iceServers: [...(given.iceServers ?? []), ...servers] };
}

/** @param {string} text */
function complain(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = !text;
}

async function join() {
  const [room, name, key] = ["room", "name", "key"].map((each) => field(each).value);
  const quality = qualityNamed(field("quality").value);
  const submit = /** @type {HTMLButtonElement} */ (entry.querySelector("button"));
  submit.disabled = true;
  complain("");
  /** @type {JamSession | null} */
  let made = null;
  try {
    const configuration = await configurationFor(key);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const url = `${scheme}://${location.host}/socket`;
    const transport = asked.get("transport") === "data" ? "data" : "media";
    made = new JamSession({ url, key, room, name, configuration, quality, transport, onChange: show });
    await made.join();
    enter(made);
  } catch (error) {
    await made?.leave();
    complain(/** @type {Error} */ (error).message);
  } finally {
    submit.disabled = false;
  }
}

/** @param {JamSession} joined */
function enter(joined) {
  session = joined;
  measureNoMore = answerMeasurements(session);
  Object.assign(document.body, { jamSession: session }); // for tools and tests
  byId("room").textContent = `Room ${session.room}`;
  byId("quality").value = session.service.quality.name;
  entry.hidden = true;
  byId("session").hidden = false;
  session.service.graph.context.addEventListener("statechange", show);
  show();
  askForMicrophone(false);
}

/** Ask until the microphone is there or the user only listens.
 * @param {boolean} again whether the user wants to be asked */
async function askForMicrophone(again) {
  const asking = session;
  if (asking === null) return;
  const state = await microphonePermission();
  let answer = { capture: true };
  if (again || state === "prompt") answer = await modal.ask();
  while (session === asking) {
    const problem = await asking.useMicrophone(answer);
    if (!problem || session !== asking) return;
    answer = await modal.ask(problem);
  }
}

async function leave() {
  const left = session;
  session = null;
  measureNoMore();
  participants.clear();
  byId("session").hidden = true;
  entry.hidden = false;
  await left?.leave();
}

function show() {
  if (session === null) return;
  const { board, service } = session;
  participants.show(session);
  list(byId("warnings"), board.warnings.map((notice) => `⚠ ${sentence(notice)}`));
  byId("news").textContent = board.news ? `✓ ${sentence(board.news)}` : "";
  byId("news").hidden = board.news === null;
  byId("sound").hidden = service.graph.context.state === "running";
  byId("mute").textContent = service.muted ? "Muted" : "Mute";
  byId("mute").setAttribute("aria-pressed", String(service.muted));
}

/** Show lines of text; those that stay are not read again to those who listen.
 * @param {HTMLElement} items
 * @param {string[]} wanted */
function list(items, wanted) {
  for (const item of [...items.children]) {
    if (!wanted.includes(item.textContent ?? "")) item.remove();
  }
  const there = [...items.children].map((item) => item.textContent);
  for (const text of wanted.filter((each) => !there.includes(each))) {
    const item = document.createElement("li");
    item.textContent = text;
    items.append(item);
  }
  items.hidden = wanted.length === 0;
}

function prepare() {
  for (const select of [field("quality"), byId("quality")]) {
    for (const { name } of QUALITIES) select.append(new Option(name));
  }
  field("room").value = asked.get("room") ?? "";
  field("name").value = asked.get("name") ?? "";
  field("key").value = new URLSearchParams(location.hash.slice(1)).get("key") ?? "";
  field("quality").value = qualityNamed(asked.get("quality")).name;
  entry.addEventListener("submit", (event) => {
    event.preventDefault();
    join();
  });
  byId("leave").addEventListener("click", leave);
  byId("microphone").addEventListener("click", () => askForMicrophone(true));
  byId("mute").addEventListener("click", () => {
    if (session) session.service.muted = !session.service.muted;
    show();
  });
  byId("quality").addEventListener("change", () => session?.service.switchQuality(qualityNamed(byId("quality").value)));
  for (const gesture of ["pointerdown", "keydown"]) {
    document.addEventListener(gesture, () => session?.service.graph.resume());
  }
  addEventListener("pagehide", () => session?.leave());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  if (entry.checkValidity()) join();
}

prepare();
