// Encodes our sound once for all peers, and decodes theirs, off the page's own thread.
//
// A packet is the position of its first frame (32 bit, wraps) and one Opus frame. Each goes over a
// data channel that neither orders nor repeats: what comes late is no use.
//
// Our sound comes from the microphone's track itself where the browser has a processor of tracks, and
// else in blocks of the capture worklet.

import { FrameCutter } from "../frameCutter.js";
import { OpusStream, stereo, unwrapped } from "../opusStream.js";

const SAMPLE_RATE = 48_000;
const HEADER_BYTES = 4;
const MOST_BUFFERED_BYTES = 4096; // a channel that does not get rid of more is left out
const WRAP = 2 ** 32;

/** @type {Map<number, {channel: RTCDataChannel, opus: OpusStream, newest: number}>} */
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
    encoder = new AudioEncoder({ output: send, error: fail });
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
  const emit = (position, channels) => {
    port.postMessage({ position, channels }, channels.map((each) => each.buffer));
  };
  let isTold = false;
  const onError = (error) => {
    if (!isTold) console.info("a packet cannot be decoded:", error.message);
    isTold = true;
  };
  const opus = new OpusStream({ emit, onError });
  const peer = { channel, opus, newest: 0 };
  peers.set(number, peer);
  channel.binaryType = "arraybuffer";
  const told = () => postMessage({ kind: "open", number });
  if (channel.readyState === "open") told();
  channel.onopen = told;
  channel.onclose = () => postMessage({ kind: "closed", number });
  channel.onmessage = ({ data }) => receive(peer, data);
}

function receive(peer, packet) {
  if (!(packet instanceof ArrayBuffer) || packet.byteLength <= HEADER_BYTES || packet.byteLength > 1500) return;
  const position = unwrapped(new DataView(packet).getUint32(0), peer.newest);
  peer.newest = Math.max(peer.newest, position);
  if (position >= 0) peer.opus.decode(position, new Uint8Array(packet, HEADER_BYTES));
}

function leave({ number }) {
  const peer = peers.get(number);
  peers.delete(number);
  peer?.opus.close();
  peer?.channel.close();
}

function fail(error) {
  console.info("the encoder of the data transport ended:", error.message);
  configure(encoding);
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
