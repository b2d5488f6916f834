// Decodes the Opus packets of one stream by WebCodecs; each keeps the position of its sound.
//
// The positions stand in a queue of their own: browsers state as the time of decoded sound the sum of
// all that was decoded before, as if no packet were ever missing.

const SAMPLE_RATE = 48_000;
const LONGEST = 5760; // frames, 120 ms (RFC 6716 §3.2.5)
const WRAP = 2 ** 32;
const MOST_WAITING = 256; // packets; a peer that sends faster than they are decoded is not waited for

const SILK = [480, 960, 1920, 2880];
const CELT = [120, 240, 480, 960];

/** The length of a packet's sound in frames at 48 kHz (RFC 6716 §3.1); 0 of an invalid packet.
 * @param {Uint8Array} packet */
export function lengthOf(packet) {
  if (packet.length === 0) return 0;
  const [toc, count] = packet;
  const configuration = toc >> 3;
  let each = CELT[configuration & 3];
  if (configuration < 12) each = SILK[configuration & 3];
  else if (configuration < 16) each = SILK[configuration & 1];
  const frames = [1, 2, 2, (count ?? 0) & 63][toc & 3] * each;
  return frames <= LONGEST ? frames : 0;
}

/** The 32-bit position nearest to a position, with the wraps so far.
 * @param {number} low
 * @param {number} near */
export function unwrapped(low, near) {
  const turned = (((low - near) % WRAP) + WRAP) % WRAP;
  return near + turned - (turned >= WRAP / 2 ? WRAP : 0);
}

/** Both channels of sound; the second is the first where there is one alone.
 * @param {AudioData} data
 * @returns {Float32Array[]} */
export function stereo(data) {
  return [0, 1].map((n) => {
    const samples = new Float32Array(data.numberOfFrames);
    data.copyTo(samples, { planeIndex: Math.min(n, data.numberOfChannels - 1), format: "f32-planar" });
    return samples;
  });
}

export class OpusStream {
  #emit;
  #onError;
  #makeDecoder;
  /** @type {AudioDecoder | null} */
  #decoder = null;
  /** @type {{position: number, frames: number}[]} */
  #waiting = [];
  #isClosed = false;

  /**
   * @param {{
   *   emit: (position: number, channels: Float32Array[]) => void,
   *   onError: (error: Error) => void,
   *   makeDecoder?: (init: AudioDecoderInit) => AudioDecoder,
   * }} options `onError` is told of a packet that cannot be decoded; the next one begins anew if need be
   */
  constructor({ emit, onError, makeDecoder = (init) => new AudioDecoder(init) }) {
    this.#emit = emit;
    this.#onError = onError;
    this.#makeDecoder = makeDecoder;
  }

  /** Decode a packet.
   * @param {number} position of its first frame of sound
   * @param {Uint8Array} packet */
  decode(position, packet) {
    if (this.#isClosed) return;
    const frames = lengthOf(packet);
    if (frames === 0) {
      this.#onError(new Error("it is no Opus packet (RFC 6716 §3.4)"));
      return;
    }
    if (this.#decoder === null || this.#decoder.state === "closed") this.#begin();
    if ((this.#decoder?.decodeQueueSize ?? 0) >= MOST_WAITING) return;
    this.#waiting.push({ position, frames });
    if (this.#waiting.length > 2 * MOST_WAITING) this.#waiting.shift(); // the oldest gave no sound
    const timestamp = Math.round((position * 1e6) / SAMPLE_RATE);
    this.#decoder?.decode(new EncodedAudioChunk({ type: "key", timestamp, data: packet }));
  }

  close() {
    this.#isClosed = true;
    if (this.#decoder && this.#decoder.state !== "closed") this.#decoder.close();
  }

  #begin() {
    this.#waiting = [];
    this.#decoder = this.#makeDecoder({ output: (data) => this.#take(data), error: this.#onError });
    this.#decoder.configure({ codec: "opus", sampleRate: SAMPLE_RATE, numberOfChannels: 2 });
  }

  /** @param {AudioData} data */
  #take(data) {
    const { numberOfFrames } = data;
    let next = this.#waiting.shift();
    while (next && next.frames !== numberOfFrames) next = this.#waiting.shift(); // it gave no sound
    const channels = next && !this.#isClosed ? stereo(data) : null;
    data.close();
    if (next && channels) this.#emit(next.position, channels);
  }
}
