// AudioLevelMeter: peak levels in dBFS of a tap, left and right, with a hold and a clip mark.

const FLOOR_DBFS = -60;
const FALL_DB_PER_S = 24;
const HOLD_MS = 1500;
const CLIP = 0.9999; // full scale of 16 bit
/** Time between pictures, less than a tap's samples last. Each takes time from the sound of a busy machine. */
const DRAWN_EVERY_MS = 40;

/** @type {Set<AudioLevelMeter>} */
const meters = new Set();

/** Draw all meters in one picture, again and again while there is any. */
function drawAll() {
  if (!meters.size) return;
  setTimeout(() => requestAnimationFrame(drawAll), DRAWN_EVERY_MS);
  for (const meter of meters) meter.draw(performance.now());
}

/** @param {number} factor of full scale */
export function dbfs(factor) {
  return factor > 0 ? Math.max(-120, 20 * Math.log10(factor)) : -120;
}

/** A level as text.
 * @param {number} level dBFS */
export function spelled(level) {
  return level <= FLOOR_DBFS ? "silent" : `${level.toFixed(1).replace("-", "−")} dBFS`;
}

export class AudioLevelMeter {
  #tap;
  #bars;
  #clip;
  #text;
  #atMs = 0;
  #levels = [FLOOR_DBFS, FLOOR_DBFS];
  #held = { level: -120, untilMs: 0 };

  /** @param {import("./audioGraph.js").Tap} tap
   * @param {string} name what it shows, for screen readers */
  constructor(tap, name) {
    this.#tap = tap;
    this.element = document.createElement("div");
    this.element.className = "meter";
    this.element.setAttribute("role", "meter");
    this.element.setAttribute("aria-label", `${name}, dBFS`);
    this.element.setAttribute("aria-valuemin", String(FLOOR_DBFS));
    this.element.setAttribute("aria-valuemax", "0");
    const scale = part("div", "scale");
    this.#bars = [part("div", "level"), part("div", "level")];
    for (const bar of this.#bars) {
      const track = part("div", "track");
      track.append(bar);
      scale.append(track);
    }
    this.#text = part("output", "peak");
    this.#clip = /** @type {HTMLButtonElement} */ (part("button", "clip"));
    this.#clip.type = "button";
    this.#clip.textContent = "CLIP";
    this.#clip.title = "The signal has reached full scale; click to reset";
    this.#clip.hidden = true;
    this.#clip.addEventListener("click", () => (this.#clip.hidden = true));
    this.element.append(scale, this.#text, this.#clip);
    meters.add(this);
    if (meters.size === 1) requestAnimationFrame(drawAll);
  }

  close() {
    meters.delete(this);
    this.element.remove();
  }

  /** @param {number} ms */
  draw(ms) {
    const peaks = this.#tap.peaks();
    const fallDb = (FALL_DB_PER_S * Math.min(ms - this.#atMs, 1000)) / 1000;
    this.#atMs = ms;
    this.#levels = peaks.map((peak, n) => Math.max(dbfs(peak), this.#levels[n] - fallDb, FLOOR_DBFS));
    this.#levels.forEach((level, n) => {
      this.#bars[n].style.transform = `scaleX(${(1 - level / FLOOR_DBFS).toFixed(3)})`;
    });
    if (Math.max(...peaks) >= CLIP) this.#clip.hidden = false;
    this.#say(dbfs(Math.max(...peaks)), ms);
  }

  /** Write the highest peak of a while: text that changes with every picture cannot be read.
   * @param {number} level
   * @param {number} ms */
  #say(level, ms) {
    if (level <= this.#held.level && ms < this.#held.untilMs) return;
    this.#held = { level, untilMs: ms + HOLD_MS };
    const text = spelled(level);
    if (this.#text.textContent === text) return;
    this.#text.textContent = text;
    this.element.setAttribute("aria-valuenow", Math.max(level, FLOOR_DBFS).toFixed(1));
    this.element.setAttribute("aria-valuetext", text);
  }
}

/** @param {string} tag
 * @param {string} className */
function part(tag, className) {
  const made = document.createElement(tag);
  made.className = className;
  return made;
}
