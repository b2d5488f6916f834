// The two qualities of the product, and their parameters in a session description (RFC 7587 §6.1).

/**
 * @typedef {{
 *   name: string,
 *   bitrateBps: number,
 *   ptimeMs: number,
 *   jitterBufferTargetMs: number | null,
 *   latencyHint: AudioContextLatencyCategory | number,
 * }} Quality
 */

/** @type {Quality} */
export const LOW_LATENCY = Object.freeze({
  name: "low latency",
  bitrateBps: 128_000,
  ptimeMs: 10, // the shortest that browsers send
  jitterBufferTargetMs: 0,
  latencyHint: 0,
});

/** @type {Quality} */
export const HIGH_QUALITY = Object.freeze({
  name: "high quality",
  bitrateBps: 256_000,
  ptimeMs: 20,
  jitterBufferTargetMs: null,
  latencyHint: "interactive",
});

export const QUALITIES = [LOW_LATENCY, HIGH_QUALITY];

const MOST_BPS = Math.max(...QUALITIES.map((quality) => quality.bitrateBps));

/** Return a description of stereo Opus with a quality's frame length.
 *
 * In our own description the parameters ask the peer to send so; in a peer's they make this browser
 * send so. `maxaveragebitrate` is the highest of all qualities: the sender's parameters limit it.
 * @param {string} sdp
 * @param {Quality} quality */
export function withOpusParameters(sdp, quality) {
  return sdp
    .split(/^(?=m=)/m)
    .map((section) => (section.startsWith("m=audio") ? described(section, quality) : section))
    .join("");
}

/** The session id in a description's `o=` line, which is that of one RTCPeerConnection.
 * @param {string} sdp */
export function sessionIdOf(sdp) {
  return /^o=\S+ (\d+) /m.exec(sdp)?.[1] ?? null;
}

/** @param {string} section
 * @param {Quality} quality */
function described(section, quality) {
  const payload = /^a=rtpmap:(\d+) opus\/48000\/2/im.exec(section)?.[1];
  if (!payload) return section;
  const line = new RegExp(`^a=fmtp:${payload} ([^\r\n]*)`, "m");
  const given = line.exec(section)?.[1] ?? "";
  const parameters = new Map(given.split(";").filter(Boolean).map((each) => pair(each)));
  const wanted = { minptime: 10, stereo: 1, "sprop-stereo": 1, maxaveragebitrate: MOST_BPS, useinbandfec: 0, usedtx: 0 };
  for (const [name, value] of Object.entries(wanted)) parameters.set(name, String(value));
  const fmtp = `a=fmtp:${payload} ${[...parameters].map(([name, value]) => `${name}=${value}`).join(";")}`;
  const bare = section.replace(/^a=(?:max)?ptime:.*\r?\n/gm, "");
  // by functions, as `$` in the peer's parameters would stand for text around it
  const placed = given
    ? bare.replace(line, () => fmtp)
    : bare.replace(new RegExp(`^(a=rtpmap:${payload} [^\r\n]*)`, "m"), (rtpmap) => `${rtpmap}\r\n${fmtp}`);
  return `${placed.trimEnd()}\r\na=ptime:${quality.ptimeMs}\r\na=maxptime:${quality.ptimeMs}\r\n`;
}

/** @param {string} text
 * @returns {[string, string]} */
function pair(text) {
  const [name, ...value] = text.trim().split("=");
  return [name, value.join("=")];
}
