// Level meters: draws the levels from `jamlab.widgets.meter`, and requests resets and spectra.
//
// A message has the names and, per name, channel and reading, a 32-bit float. The last message is
// drawn on the next animation frame, so nothing is drawn without messages or in a hidden page. Text
// for screen readers changes at a slower rate.

const FIELDS = 4; // peak, RMS, hold, clip
const CHANNELS = ["left", "right"];
const TICKS_DBFS = [0, -3, -6, -12, -18, -24, -30, -40, -60];
const SILENT_DBFS = -120;
const WARM_DBFS = -18;
const HOT_DBFS = -6;
const SAID_EVERY_MS = 500;
const CALM_MS = 250; // between two frames, where reduced motion is preferred
const SPECTRUM_DB = [-110, -10];
const SPECTRUM_HZ = [20, 20000];
const SPECTRUM_TICKS_HZ = [50, 100, 200, 500, 1000, 2000, 5000, 10000];
const SAMPLE_RATE = 48000;

// Position of a level on the scale, 0 to 1: the deflection of IEC 60268-18, as in many digital
// meters, with a fine scale at the levels of music and a coarse one below.
export function deflection(dbfs) {
  const pieces = [
    [-20, 50, 2.5],
    [-30, 30, 2],
    [-40, 15, 1.5],
    [-50, 7.5, 0.75],
    [-60, 2.5, 0.5],
    [-70, 0, 0.25],
  ];
  for (const [from, at, slope] of pieces) {
    if (dbfs >= from) return Math.min(1, (at + (dbfs - from) * slope) / 100);
  }
  return 0;
}

export function spelled(dbfs) {
  if (!(dbfs > SILENT_DBFS)) return "−∞";
  return (Math.abs(dbfs) < 0.05 ? 0 : dbfs).toFixed(1).replace("-", "−");
}

const STATES = {
  connected: "●",
  connecting: "◐",
  new: "◐",
  disconnected: "○",
  failed: "✕",
  closed: "✕",
  "no connection": "○",
  input: "▸",
  "test signal": "∿",
};
const ROUTES = { host: "direct", prflx: "direct", srflx: "direct, NAT", relay: "relayed" };

function make(tag, className, attributes = {}, ...children) {
  const made = document.createElement(tag);
  made.className = className;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  // JupyterLab checks only the focused element: keys pressed here are not notebook shortcuts.
  if (tag === "button") made.dataset.lmSuppressShortcuts = "true";
  made.append(...children);
  return made;
}

// A canvas with the screen's pixel density, and a callback for changes of its size.
function canvas(className, onResize) {
  const made = make("canvas", className, { "aria-hidden": "true" });
  const observer = new ResizeObserver(([entry]) => {
    const scale = devicePixelRatio || 1;
    made.width = Math.round(entry.contentRect.width * scale);
    made.height = Math.round(entry.contentRect.height * scale);
    onResize();
  });
  observer.observe(made);
  return [made, () => observer.disconnect()];
}

class Row {
  constructor(meters, name) {
    this.meters = meters;
    this.name = name;
    this.levels = new Float32Array(CHANNELS.length * FIELDS).fill(SILENT_DBFS);
    this.levels[3] = this.levels[7] = 0;
    [this.bars, this.disconnect] = canvas("bars", () => meters.due());
    this.detail = make("div", "detail");
    this.channels = CHANNELS.map((channel) => this.channel(channel));
    this.clip = make("button", "clip", { type: "button" }, "CLIP");
    this.clip.onclick = () => meters.ask("reset", name);
    this.analyse = make("button", "analyse", { type: "button" }, "∿");
    this.analyse.onclick = () => meters.toggleSpectrum(name);
    const title = make("div", "name", { title: name }, name);
    const whose = make("div", "whose", {}, title, this.detail);
    const numbers = make("div", "numbers", {}, ...this.channels.map((channel) => channel.line));
    this.element = make(
      "div",
      "row",
      { role: "group", "aria-label": name, tabindex: "0", "data-lm-suppress-shortcuts": "true" },
      whose,
      this.bars,
      numbers,
      this.clip,
      this.analyse,
    );
    this.element.onkeydown = (event) => this.press(event);
  }

  channel(channel) {
    const peak = make("span", "peak");
    const rms = make("span", "rms");
    const line = make(
      "div",
      "channel",
      {
        role: "meter",
        "aria-label": `${this.name}, ${channel}, dBFS`,
        "aria-valuemin": "-70",
        "aria-valuemax": "0",
      },
      make("span", "side", { "aria-hidden": "true" }, channel[0].toUpperCase()),
      peak,
      rms,
    );
    return { line, peak, rms };
  }

  press(event) {
    if (event.target !== this.element || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "r" || event.key === "R") this.meters.ask("reset", this.name);
    else if (event.key === "s" || event.key === "S") this.meters.toggleSpectrum(this.name);
    else if (event.key === "ArrowDown") this.element.nextElementSibling?.focus();
    else if (event.key === "ArrowUp") this.element.previousElementSibling?.focus();
    else return;
    event.preventDefault();
  }

  tell(row) {
    const parts = [`${STATES[row.state] ?? "·"} ${row.state}`];
    if (row.route) parts.push(ROUTES[row.route] ?? row.route);
    if (row.latency_ms !== null) parts.push(`${row.latency_ms} ms`);
    this.detail.textContent = parts.join(" · ");
    this.element.dataset.state = row.state;
  }

  // Numbers and labels change slowly, because people cannot read thirty per second
  say() {
    CHANNELS.forEach((_, number) => {
      const [peak, rms, hold] = this.levels.subarray(number * FIELDS);
      const { line, ...shown } = this.channels[number];
      shown.peak.textContent = spelled(hold);
      shown.rms.textContent = spelled(rms);
      const now = Math.max(-70, Math.min(0, peak)).toFixed(1);
      line.setAttribute("aria-valuenow", String(Number(now)));
      const clip = this.levels[number * FIELDS + 3] ? ", clipped" : "";
      const silent = hold > SILENT_DBFS ? "" : "silent";
      const words = `peak ${spelled(hold)} dBFS, RMS ${spelled(rms)} dBFS`;
      line.setAttribute("aria-valuetext", (silent || words) + clip);
    });
    const clipped = CHANNELS.filter((_, number) => this.levels[number * FIELDS + 3]);
    if (this.clip.dataset.clipped !== clipped.join()) {
      this.clip.dataset.clipped = clipped.join();
      const words = clipped.length ? `clipped (${clipped.join(" and ")})` : "no clip";
      this.clip.setAttribute("aria-label", `${this.name}: ${words}; reset`);
      this.clip.title = `${words}: ${clipped.length ? "press to reset" : "nothing to reset"}`;
    }
  }

  draw(colours) {
    const { width, height } = this.bars;
    const context = this.bars.getContext("2d");
    context.clearRect(0, 0, width, height);
    const gap = Math.max(1, Math.round(height * 0.08));
    const tall = Math.floor((height - gap) / CHANNELS.length);
    CHANNELS.forEach((_, number) => {
      const [peak, rms, hold, clip] = this.levels.subarray(number * FIELDS);
      bar(context, colours, number * (tall + gap), width, tall, { peak, rms, hold, clip });
    });
    context.fillStyle = colours.grid;
    for (const dbfs of TICKS_DBFS.slice(1)) {
      context.fillRect(Math.round(deflection(dbfs) * width), 0, 1, height);
    }
  }
}

// One channel: peak as a pale bar, RMS as a solid one in its middle, the held peak as a line.
function bar(context, colours, top, width, tall, { peak, rms, hold, clip }) {
  const inset = Math.round(tall * 0.22);
  const at = (dbfs) => Math.round(deflection(dbfs) * width);
  const zones = [
    [-Infinity, WARM_DBFS, colours.low],
    [WARM_DBFS, HOT_DBFS, colours.warm],
    [HOT_DBFS, Infinity, colours.hot],
  ];
  context.fillStyle = colours.track;
  context.fillRect(0, top, width, tall);
  for (const [from, to, colour] of zones) {
    const begin = from === -Infinity ? 0 : at(from);
    const fill = (dbfs, inside) => {
      const end = Math.min(at(dbfs), to === Infinity ? width : at(to));
      if (end > begin) context.fillRect(begin, top + inside, end - begin, tall - 2 * inside);
    };
    context.fillStyle = colour;
    context.globalAlpha = colours.pale;
    fill(peak, 0);
    context.globalAlpha = 1;
    fill(rms, inset);
  }
  if (deflection(hold) > 0) {
    const wide = Math.max(2, Math.round(tall * 0.2));
    context.fillStyle = colours.hold;
    context.fillRect(Math.max(0, Math.min(width, at(hold)) - wide), top, wide, tall);
  }
  if (clip) hatched(context, colours, width, top, tall);
}

// Clipping indicator: stripes at the end of the bar, a shape as well as a colour.
function hatched(context, colours, width, top, tall) {
  const wide = Math.round(tall * 1.2);
  context.save();
  context.beginPath();
  context.rect(width - wide, top, wide, tall);
  context.clip();
  context.fillStyle = colours.clip;
  context.fillRect(width - wide, top, wide, tall);
  context.strokeStyle = colours.clipInk;
  context.lineWidth = Math.max(1, tall * 0.16);
  for (let x = width - wide - tall; x < width + tall; x += tall * 0.5) {
    context.beginPath();
    context.moveTo(x, top + tall);
    context.lineTo(x + tall, top);
    context.stroke();
  }
  context.restore();
}

class Meters {
  constructor(model, el) {
    this.model = model;
    this.rows = new Map();
    this.drawn = 0; // frames drawn so far
    this.frame = 0;
    this.lastMs = this.saidMs = -Infinity;
    this.motion = matchMedia("(prefers-reduced-motion: reduce)");
    this.list = make("div", "rows");
    this.scale = make("div", "scale", { "aria-hidden": "true" });
    for (const dbfs of TICKS_DBFS) {
      const tick = make("span", "tick", { "data-dbfs": dbfs }, dbfs ? `−${-dbfs}` : "0");
      tick.style.left = `${100 * deflection(dbfs)}%`;
      if (dbfs === WARM_DBFS) tick.classList.add("alignment");
      this.scale.append(tick);
    }
    const resetAll = make("button", "reset", { type: "button" }, "Reset");
    resetAll.title = "Forget all held peaks and clips";
    resetAll.onclick = () => this.ask("reset", "");
    const titles = make("div", "titles", { "aria-hidden": "true" });
    titles.append(make("span", "peak", {}, "peak"), make("span", "rms", {}, "RMS"));
    const unit = make("div", "unit", { "aria-hidden": "true" }, "dBFS");
    this.head = make("div", "head", {}, unit, this.scale, titles, resetAll);
    [this.spectrum, this.disconnect] = canvas("spectrum", () => this.due());
    this.spectrumBox = make("figure", "spectrum-box", {});
    this.caption = make("figcaption", "caption");
    this.spectrumBox.append(this.caption, this.spectrum);
    const foot = make("div", "foot", {}, model.get("ballistics"));
    this.element = make("div", "jamlab-meters", { role: "region", "aria-label": "Level meters" });
    this.element.append(this.head, this.list, this.spectrumBox, foot);
    this.element.meters = this;
    el.append(this.element);
    this.listen();
  }

  listen() {
    const hear = (content, buffers) => this.hear(content, buffers);
    const tell = () => this.tell();
    const restyle = () => this.due();
    this.model.on("msg:custom", hear);
    this.model.on("change:rows", tell);
    this.model.on("change:spectrum", tell);
    this.motion.addEventListener("change", restyle);
    const theme = new MutationObserver(restyle);
    theme.observe(document.body, { attributes: true });
    this.close = () => {
      this.model.off("msg:custom", hear);
      this.model.off("change:rows", tell);
      this.model.off("change:spectrum", tell);
      this.motion.removeEventListener("change", restyle);
      theme.disconnect();
      this.disconnect();
      for (const row of this.rows.values()) row.disconnect();
      cancelAnimationFrame(this.frame);
      clearTimeout(this.later);
    };
    this.tell();
    this.model.send({ kind: "ready" });
  }

  ask(kind, name) {
    this.model.send({ kind, name });
  }

  toggleSpectrum(name) {
    this.ask("spectrum", this.model.get("spectrum") === name ? "" : name);
  }

  // Rows
  tell() {
    const told = this.model.get("rows");
    const names = told.map((row) => row.name);
    for (const [name, row] of this.rows) {
      if (names.includes(name)) continue;
      row.disconnect();
      row.element.remove();
      this.rows.delete(name);
    }
    const spectrum = this.model.get("spectrum");
    told.forEach((entry, place) => {
      const row = this.rows.get(entry.name) ?? new Row(this, entry.name);
      this.rows.set(entry.name, row);
      if (this.list.children[place] !== row.element) {
        this.list.insertBefore(row.element, this.list.children[place] ?? null);
      }
      row.tell(entry);
      const pressed = entry.name === spectrum;
      row.analyse.setAttribute("aria-pressed", String(pressed));
      row.analyse.setAttribute("aria-label", `Spectrum of ${entry.name}`);
    });
    const shown = this.rows.has(spectrum);
    this.spectrumBox.hidden = !shown;
    this.caption.textContent = shown ? `Spectrum of ${spectrum} (dB)` : "";
    if (!shown) this.bins = null;
    this.due();
  }

  // Levels
  hear(content, buffers) {
    if (content.kind !== "levels") return;
    const floats = (view) => new Float32Array(view.buffer, view.byteOffset, view.byteLength / 4);
    const levels = floats(buffers[0]);
    const each = CHANNELS.length * FIELDS;
    content.names.forEach((name, place) => {
      this.rows.get(name)?.levels.set(levels.subarray(place * each, (place + 1) * each));
    });
    this.bins = buffers.length > 1 ? floats(buffers[1]) : null;
    this.due();
  }

  due() {
    this.frame ||= requestAnimationFrame((now) => {
      this.frame = 0;
      if (this.motion.matches && now - this.lastMs < CALM_MS) return this.due();
      this.lastMs = now;
      this.draw(now);
    });
  }

  draw(now) {
    const colours = this.colours();
    for (const row of this.rows.values()) row.draw(colours);
    if (!this.spectrumBox.hidden) this.drawSpectrum(colours);
    this.drawn += 1;
    if (now - this.saidMs >= SAID_EVERY_MS) this.say(now);
    else this.later ||= setTimeout(() => this.say(performance.now()), SAID_EVERY_MS);
  }

  say(now) {
    clearTimeout(this.later);
    this.later = 0;
    this.saidMs = now;
    for (const row of this.rows.values()) row.say();
  }

  colours() {
    const style = getComputedStyle(this.element);
    const value = (name) => style.getPropertyValue(`--meter-${name}`).trim();
    return {
      low: value("low"),
      warm: value("warm"),
      hot: value("hot"),
      track: value("track"),
      grid: value("grid"),
      hold: value("hold"),
      clip: value("clip"),
      clipInk: value("clip-ink"),
      ink: value("ink"),
      pale: Number(value("pale")),
    };
  }

  drawSpectrum(colours) {
    const { width, height } = this.spectrum;
    const context = this.spectrum.getContext("2d");
    const scale = devicePixelRatio || 1;
    const [lowDb, highDb] = SPECTRUM_DB;
    const octaves = Math.log(SPECTRUM_HZ[1] / SPECTRUM_HZ[0]);
    const x = (hz) => (width * Math.log(hz / SPECTRUM_HZ[0])) / octaves;
    const y = (db) => height * (1 - Math.max(0, Math.min(1, (db - lowDb) / (highDb - lowDb))));
    context.fillStyle = colours.track;
    context.fillRect(0, 0, width, height);
    if (this.bins) this.drawCurve(context, colours, x, y);
    context.font = `${10 * scale}px ${getComputedStyle(this.element).fontFamily}`;
    for (const hz of SPECTRUM_TICKS_HZ) {
      context.fillStyle = colours.grid;
      context.fillRect(Math.round(x(hz)), 0, 1, height);
      context.fillStyle = colours.ink;
      context.fillText(hz < 1000 ? `${hz}` : `${hz / 1000}k`, x(hz) + 3 * scale, height - 4 * scale);
    }
    for (let db = highDb - 20; db > lowDb; db -= 20) {
      context.fillStyle = colours.grid;
      context.fillRect(0, Math.round(y(db)), width, 1);
      context.fillStyle = colours.ink;
      context.fillText(`−${-db}`, 3 * scale, y(db) - 2 * scale);
    }
  }

  drawCurve(context, colours, x, y) {
    const { width, height } = this.spectrum;
    const hz = (bin) => (bin * SAMPLE_RATE) / (2 * this.bins.length);
    context.beginPath();
    context.moveTo(x(hz(1)), height);
    this.bins.forEach((db, bin) => bin && context.lineTo(x(hz(bin)), y(db)));
    context.lineTo(width, height);
    context.globalAlpha = colours.pale;
    context.fillStyle = colours.low;
    context.fill();
    context.globalAlpha = 1;
    context.strokeStyle = colours.low;
    context.lineWidth = 1.25 * (devicePixelRatio || 1);
    context.stroke();
  }
}

export default {
  render({ model, el }) {
    const meters = new Meters(model, el);
    return () => meters.close();
  },
};
