// The session panel's controls: shows the state of `jamlab.widgets.controls`, and sends user actions.

const STEP_DB = 0.5;
const SEND_EVERY_MS = 50; // while a slider is dragged

function make(tag, className, attributes = {}, ...children) {
  const made = document.createElement(tag);
  made.className = className;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  // JupyterLab checks only the focused element: keys pressed here are not notebook shortcuts.
  if (["button", "input", "select"].includes(tag)) made.dataset.lmSuppressShortcuts = "true";
  made.append(...children);
  return made;
}

// A gain as text; null is silence.
export function spelled(gainDb) {
  if (gainDb === null) return "silent";
  const sign = gainDb > 0 ? "+" : gainDb < 0 ? "−" : "";
  return `${sign}${Math.abs(gainDb).toFixed(1)} dB`;
}

// Call `act` with the newest value at once, and then once per interval while values come.
function paced(act) {
  let timer = null;
  let waiting = null;
  const tick = () => {
    timer = waiting === null ? null : setTimeout(tick, SEND_EVERY_MS);
    if (waiting !== null) act(waiting.value);
    waiting = null;
  };
  return (value) => {
    waiting = { value };
    if (timer === null) tick();
  };
}

let panels = 0;

function render({ model, el }) {
  const get = (name) => model.get(name);
  const [least, most] = get("range_db");
  const silent = least - STEP_DB; // one step below the range
  const id = `jamlab-panel-${++panels}`;
  const rows = new Map();

  const title = make("h3", "title", { id });
  const stage = make("span", "stage", { role: "status" });
  const join = make("button", "join primary", { type: "button" });
  join.addEventListener("click", () => model.send({ kind: get("stage") === "out" ? "join" : "leave" }));
  const mute = make("button", "mute", { type: "button" });
  mute.addEventListener("click", () => model.send({ kind: "mute", on: !get("muted") }));
  const quality = make("select", "quality");
  for (const name of get("qualities")) quality.append(make("option", "", { value: name }, name));
  quality.addEventListener("change", () => model.send({ kind: "quality", name: quality.value }));
  const qualityLabel = make("label", "", {}, "Quality ", quality);
  const problem = make("p", "problem", { role: "alert" });
  const notices = make("ul", "notices", { "aria-live": "polite", "aria-label": "Warnings" });
  const news = make("p", "news", { role: "status" });
  const peers = make("div", "peers", { role: "group", "aria-label": "Loudness of each peer" });
  const root = make(
    "section",
    "jamlab-controls",
    { "aria-labelledby": id },
    make("div", "bar", {}, title, stage, qualityLabel, mute, join),
    problem,
    notices,
    news,
    peers,
  );
  el.append(root);

  function peerRow(name) {
    const slider = make("input", "gain", {
      type: "range",
      min: silent,
      max: most,
      step: STEP_DB,
      "aria-label": `Gain of ${name}`,
    });
    const value = make("output", "value");
    const reset = make(
      "button",
      "zero",
      { type: "button", "aria-label": `Gain of ${name} to 0 dB`, title: "to 0 dB" },
      "0 dB",
    );
    const send = paced((db) => model.send({ kind: "gain", peer: name, db }));
    const set = (db) => {
      shown(db);
      send(db);
    };
    const shown = (db) => {
      slider.value = db === null ? silent : db;
      value.textContent = spelled(db);
      slider.setAttribute("aria-valuetext", spelled(db));
      reset.disabled = db === 0;
    };
    slider.addEventListener("input", () => {
      const db = Number(slider.value);
      set(db < least ? null : db);
    });
    reset.addEventListener("click", () => set(0));
    const row = make("div", "peer", {}, make("span", "name", { title: name }, name), slider, value, reset);
    return { row, shown, slider };
  }

  function showPeers() {
    const there = new Map(get("peers").map((peer) => [peer.name, peer.gain_db]));
    for (const [name, { row }] of rows) {
      if (!there.has(name)) {
        row.remove();
        rows.delete(name);
      }
    }
    for (const [name, gainDb] of there) {
      if (!rows.has(name)) rows.set(name, peerRow(name));
      const { row, shown, slider } = rows.get(name);
      if (!slider.matches(":active")) shown(gainDb); // not under the user's finger
      if (!row.isConnected) peers.append(row);
    }
    peers.hidden = there.size === 0;
  }

  function showNotices() {
    const wanted = get("warnings").map(({ text, hint }) => (hint ? `${text}: ${hint}` : text));
    for (const item of [...notices.children]) {
      if (!wanted.includes(item.dataset.said)) item.remove();
    }
    const there = [...notices.children].map((item) => item.dataset.said);
    for (const said of wanted) {
      if (there.includes(said)) continue; // a screen reader must not read an old notice again
      const item = make("li", "", {}, make("span", "", { "aria-hidden": "true" }, "⚠ "), said);
      item.dataset.said = said;
      notices.append(item);
    }
    notices.hidden = wanted.length === 0;
    news.textContent = get("news") ? `✓ ${get("news")}` : "";
    news.hidden = !get("news");
  }

  function show() {
    const now = get("stage");
    title.textContent = get("title");
    stage.textContent = { out: "", joining: "joining…", in: "", leaving: "leaving…" }[now];
    join.textContent = { out: "Join", joining: "Cancel", in: "Leave", leaving: "Leaving…" }[now];
    join.disabled = now === "leaving";
    join.classList.toggle("primary", now === "out");
    mute.textContent = get("muted") ? "Muted" : "Mute";
    mute.setAttribute("aria-pressed", String(get("muted")));
    quality.value = get("quality");
    qualityLabel.hidden = !get("quality"); // unknown before the first session
    problem.textContent = get("problem");
    problem.hidden = !get("problem");
    root.dataset.stage = now;
  }

  const listeners = [
    ...["title", "stage", "muted", "quality", "problem"].map((name) => [`change:${name}`, show]),
    ...["warnings", "news"].map((name) => [`change:${name}`, showNotices]),
    ["change:peers", showPeers],
  ];
  for (const [name, listener] of listeners) model.on(name, listener);
  show();
  showNotices();
  showPeers();
  return () => listeners.forEach(([name, listener]) => model.off(name, listener));
}

export default { render };
