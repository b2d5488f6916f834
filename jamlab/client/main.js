// The page: a form to join a room, and the session. The address has what the form asks for:
// ?room=…&name=…&quality=…&transport=data&ice=stun:… and, so that it is never sent or logged, #key=…

import { LOW_LATENCY, QUALITIES } from "./quality.js";
import { JamSession } from "./session.js";
import { SessionView } from "./sessionView.js";
import { RoomChannel, SignalingError } from "./signaling.js";

/** @param {string} id
 * @returns {any} */
const byId = (id) => document.getElementById(id);
const entry = /** @type {HTMLFormElement} */ (byId("entry"));
const asked = new URLSearchParams(location.search);

/** @type {JamSession | null} */
let session = null;

const view = new SessionView({
  parent: /** @type {HTMLElement} */ (document.querySelector("main")),
  insecure: "browsers give a page the microphone only over https or on this machine: open the hub with jamlab serve --tls",
  onLeave: leave,
  onMute: (muted) => {
    if (session) session.service.muted = muted;
    view.show();
  },
});

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
  const apikey = String.fromCharCode(...new TextEncoder().encode(key)); // a header has bytes
  const answer = await fetch("configuration.json", { headers: { apikey } }).catch(() => null);
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
    /** @param {(event: import("./signaling.js").RoomEvent) => void} onEvent */
    const openChannel = (onEvent) => new RoomChannel({ url, key, room, name, onEvent });
    const onChange = () => view.show();
    made = new JamSession({ room, name, configuration, quality, transport, openChannel, onChange });
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
  Object.assign(document.body, { jamSession: session }); // for tools and tests
  Object.assign(globalThis, { jamlabCounters: () => joined.service.counters() }); // for `jamlab browser`
  entry.hidden = true;
  view.open(session);
  view.element.hidden = false;
  view.askForMicrophone(false);
}

async function leave() {
  const left = session;
  session = null;
  view.close();
  entry.hidden = false;
  await left?.leave();
}

function prepare() {
  for (const { name } of QUALITIES) field("quality").append(new Option(name));
  field("room").value = asked.get("room") ?? "";
  field("name").value = asked.get("name") ?? "";
  field("key").value = new URLSearchParams(location.hash.slice(1)).get("key") ?? "";
  field("quality").value = qualityNamed(asked.get("quality")).name;
  entry.addEventListener("submit", (event) => {
    event.preventDefault();
    join();
  });
  addEventListener("pagehide", () => session?.leave());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  if (entry.checkValidity()) join();
}

prepare();
