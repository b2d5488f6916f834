// Encodes our sound once for all peers, and decodes theirs, off the page's own thread.
//
// A packet is the position of its first frame (32 bit, wraps) and one Opus frame. Each goes over a
// data channel that neither orders nor repeats: what comes late is no use.
//
// Our sound comes from the microphone's track itself where the browser has a processor of tracks, and
// else in blocks of the capture worklet.

import { FrameCutter } from "../frameCutter.js";

const SAMPLE_RATE = 48_000;
const HEADER_BYTES = 4;
const MOST_BUFFERED_BYTES = 4096; // a channel that does not get rid of more is left out
const WRAP = 2 ** 32;

/** @type {Map<number, {channel: RTCDataChannel, decoder: AudioDecoder | null, newest: number}>} */
const peers = new Map();
/** @type {AudioEncoder | null} */
let encoder = null;
let encoding = { frameFrames: 0, bitrateBps: 0 };
const cutter = new FrameCutter(120, encode);
/** @type {ReadableStreamDefaultReader<AudioData> | null} */
let track = null;

function configure({ frameFrames, bitrateBps }) {
  encoding = { frameFrames, bitrateBps };
  cutter.frameFrames = frameFrames;
  if (encoder === null || encoder.state === "closed") {
    encoder = new AudioEncoder({ output: send, error: (error) => fail("encoder", error) });
  }
  encoder.configure({
    codec: "opus",
    sampleRate: SAMPLE_RATE,
    numberOfChannels: 2,
    bitrate: bitrateBps,
    bitrateMode: "constant",
    opus: { application: "lowdelay", frameDuration: (frameFrames * 1e6) / SAMPLE_RATE, complexity: 5 },
  });
}

/** Take our sound from a track's stream, or with none from the capture worklet. */
async function listen({ readable }) {
  track?.cancel().catch(() => {}); // of a track that has ended
  track = readable?.getReader() ?? null;
  const mine = track;
  while (mine !== null && mine === track) {
    const { done, value } = await mine.read();
    if (done) return;
    if (mine === track) cutter.push(...stereo(value));
    value.close();
  }
}

/** Both channels of sound; the second is the first where there is one alone. */
function stereo(data) {
  return [0, 1].map((n) => {
    const samples = new Float32Array(data.numberOfFrames);
    data.copyTo(samples, { planeIndex: Math.min(n, data.numberOfChannels - 1), format: "f32-planar" });
    return samples;
  });
}

function encode(position, block) {
  if (encoder?.state !== "configured" || peers.size === 0) return;
  const { frameFrames } = encoding;
  const data = new AudioData({
    format: "f32-planar",
    sampleRate: SAMPLE_RATE,
    numberOfFrames: frameFrames,
    numberOfChannels: 2,
    timestamp: Math.round((position * 1e6) / SAMPLE_RATE),
    data: block,
    transfer: [block.buffer],
  });
  encoder.encode(data);
  data.close();
}

function send(chunk) {
  const packet = new ArrayBuffer(HEADER_BYTES + chunk.byteLength);
  const position = Math.round((chunk.timestamp * SAMPLE_RATE) / 1e6);
  new DataView(packet).setUint32(0, position % WRAP);
  chunk.copyTo(new Uint8Array(packet, HEADER_BYTES));
  for (const { channel } of peers.values()) {
    if (channel.readyState === "open" && channel.bufferedAmount < MOST_BUFFERED_BYTES) channel.send(packet);
  }
}

function join({ number, channel, port }) {
  const peer = { channel, decoder: null, newest: 0 };
  peers.set(number, peer);
  channel.binaryType = "arraybuffer";
  const told = () => postMessage({ kind: "open", number });
  if (channel.readyState === "open") told();
  channel.onopen = told;
  channel.onclose = () => postMessage({ kind: "closed", number });
  channel.onmessage = ({ data }) => receive(peer, port, data);
}

function receive(peer, port, packet) {
  if (!(packet instanceof ArrayBuffer) || packet.byteLength <= HEADER_BYTES || packet.byteLength > 1500) return;
  const low = new DataView(packet).getUint32(0);
  const difference = ((low - (peer.newest % WRAP) + 1.5 * WRAP) % WRAP) - WRAP / 2;
  const position = peer.newest + difference;
  peer.newest = Math.max(peer.newest, position);
  if (position < 0) return;
  if (peer.decoder === null || peer.decoder.state === "closed") peer.decoder = decoderFor(peer, port);
  peer.decoder.decode(
    new EncodedAudioChunk({
      type: "key",
      timestamp: Math.round((position * 1e6) / SAMPLE_RATE),
      data: new Uint8Array(packet, HEADER_BYTES),
    }),
  );
}

function decoderFor(peer, port) {
  const decoder = new AudioDecoder({
    output: (data) => {
      const channels = stereo(data);
      const position = Math.round((data.timestamp * SAMPLE_RATE) / 1e6);
      data.close();
      port.postMessage({ position, channels }, channels.map((each) => each.buffer));
    },
    error: (error) => fail("decoder", error), // of a bad packet; the next one makes another decoder
  });
  decoder.configure({ codec: "opus", sampleRate: SAMPLE_RATE, numberOfChannels: 2 });
  return decoder;
}

function leave({ number }) {
  const peer = peers.get(number);
  peers.delete(number);
  if (peer?.decoder && peer.decoder.state !== "closed") peer.decoder.close();
  peer?.channel.close();
}

function fail(what, error) {
  console.info(`the ${what} of the data transport ended:`, error.message);
  if (what === "encoder") configure(encoding);
}

const COMMANDS = {
  configure,
  join,
  leave,
  listen,
  capture: ({ port }) => {
    port.onmessage = ({ data: [left, right] }) => {
      if (track === null) cutter.push(left, right);
    };
  },
};

onmessage = ({ data }) => COMMANDS[data.kind](data);
