// Takes the Opus frames of peers' RTP packets before the browser's own jitter buffer gets them, and
// decodes them for the page's playout, off the page's own thread.
//
// A frame that is not ours to decode, such as one of another codec, goes on its way through the browser.

import { InOrder } from "../inOrder.js";
import { OpusStream, unwrapped } from "../opusStream.js";
import { framesOf } from "../redundancy.js";

const MOST_UNHEARD = 400; // packets in succession that gave no sound, after which the browser gets them
const FAULT = 20; // such packets, for which one that cannot be decoded counts

/** @type {Map<number, Received>} */
const streams = new Map();

class Received {
  constructor(number, port) {
    this.number = number;
    this.port = port;
    this.isOurs = true;
    this.isPassedOn = false; // for good, because our playout does not keep up
    this.isTold = false; // that a packet cannot be decoded
    this.unheard = 0;
    this.newest = 2 ** 32; // position, as if the timestamps had wrapped once: none is negative
    this.packets = new InOrder((packet) => this.decode(packet));
    this.opus = new OpusStream({
      emit: (position, channels) => this.emit(position, channels),
      onError: (error) => this.fail(error),
    });
  }

  /** Take a frame; return whether it is ours. */
  take(frame) {
    const { mimeType = "audio/opus", synchronizationSource, sequenceNumber, rtpTimestamp } = frame.getMetadata();
    const timestamp = rtpTimestamp ?? frame.timestamp;
    const isKnown = Number.isInteger(sequenceNumber) && Number.isInteger(timestamp);
    const frames = isKnown ? opusFrames(mimeType.toLowerCase(), new Uint8Array(frame.data)) : null;
    this.turn(frames !== null && !this.isPassedOn && this.unheard < MOST_UNHEARD);
    if (frames === null || !this.isOurs) return false;
    for (const [n, { offset, data }] of frames.entries()) {
      const number = sequenceNumber - (frames.length - 1 - n);
      this.packets.push(synchronizationSource, number, { timestamp: timestamp - offset, data }, performance.now());
    }
    return true;
  }

  decode({ timestamp, data }) {
    if (data.length === 0) return; // as some of Chromium's packets, which have no payload
    const position = unwrapped(timestamp, this.newest);
    this.newest = Math.max(this.newest, position);
    this.unheard += 1;
    this.opus.decode(position, data);
  }

  emit(position, channels) {
    this.unheard = 0;
    const { lost } = this.packets;
    this.port.postMessage({ position, channels, lost }, channels.map((each) => each.buffer));
  }

  fail(error) {
    this.unheard += FAULT;
    if (!this.isTold) console.info("a packet cannot be decoded:", error.message);
    this.isTold = true;
  }

  /** Tell the page when the frames begin or cease to be ours. */
  turn(isOurs) {
    if (isOurs !== this.isOurs) postMessage({ kind: isOurs ? "open" : "closed", number: this.number });
    this.isOurs = isOurs;
  }
}

/** The Opus frames of a packet, those of earlier packets first; null of another codec, or a malformed one. */
function opusFrames(mimeType, payload) {
  if (mimeType === "audio/opus") return [{ offset: 0, data: payload }];
  return mimeType === "audio/red" ? framesOf(payload) : null;
}

async function receive({ number, port, readable, writable }) {
  const stream = new Received(number, port);
  streams.set(number, stream);
  const writer = writable.getWriter();
  const take = (frame) => {
    if (!stream.take(frame)) return writer.write(frame);
  };
  // it ends with the connection, and then perhaps by an error
  await readable.pipeTo(new WritableStream({ write: take })).catch(() => {});
  leave({ number });
}

function leave({ number }) {
  streams.get(number)?.opus.close();
  streams.delete(number);
}

function passOn({ number }) {
  const stream = streams.get(number);
  if (stream) stream.isPassedOn = true;
}

const COMMANDS = { receive, leave, passOn };

onmessage = ({ data }) => COMMANDS[data.kind](data);
globalThis.onrtctransform = ({ transformer: { options, readable, writable } }) =>
  receive({ ...options, readable, writable });

const { supported } = await AudioDecoder.isConfigSupported({ codec: "opus", sampleRate: 48_000, numberOfChannels: 2 });
postMessage({ kind: supported ? "ready" : "unable" });
