// Splits the payloads of redundant audio (RED, RFC 2198): beside its own Opus frame, a packet has those
// of the packets before it, so that a single loss costs no sound.

const MOST_FRAMES = 32; // as browsers read
const FURTHER = 0x80; // F: another header follows

/** The Opus frames of a payload, the oldest first and the packet's own last; null of a malformed one.
 *
 * `offset` is how much older a frame is than the packet's timestamp, in frames at 48 kHz. Frames of another
 * format than the packet's own, and empty ones, are left out.
 * @param {Uint8Array} payload
 * @returns {{offset: number, data: Uint8Array}[] | null} */
export function framesOf(payload) {
  const headers = [];
  let at = 0;
  while (payload[at] & FURTHER) {
    if (headers.length === MOST_FRAMES || at + 4 >= payload.length) return null;
    const fields = (payload[at + 1] << 16) | (payload[at + 2] << 8) | payload[at + 3];
    headers.push({ type: payload[at] & 0x7f, offset: fields >> 10, length: fields & 0x3ff });
    at += 4;
  }
  if (at >= payload.length) return null;
  const own = payload[at];
  at += 1;
  const frames = [];
  for (const { type, offset, length } of headers) {
    if (type === own && offset > 0 && length > 0) frames.push({ offset, data: payload.subarray(at, at + length) });
    at += length;
  }
  return at <= payload.length ? [...frames, { offset: 0, data: payload.subarray(at) }] : null;
}
