// The answering side of a mesh measurement: as `jamlab.measure.live_mesh`, whose messages these are.
//
// Any participant in the room may ask. The page plays coded clicks in place of its microphone,
// records what it plays, searches it for the others' clicks, and reports when each was heard. Clicks
// begin and end in the Web Audio graph: the sound card's own delay is not in the figures. Not every
// browser lets a page read RTP timestamps, so the report has none, and the asker bounds one way by both
// ways and the floor.

import { SAMPLE_RATE, Metronome, detectionThreshold, inBand, readClick } from "./clicks.js";
import { TokenBucket } from "./pace.js";
import { FrameClock, Recorder } from "./recorder.js";
import { isName } from "./roster.js";

const REQUEST = "mesh request";
const REPORT = "mesh report";
const BUSY = "mesh busy";
const LEAD_S = 1;
const SPREAD_S = 3;
const MAX_LATENCY_S = 1;
const NEAR_S = 0.25;
const PARTS = [4, 7]; // clicks between so many parts of all are searched for until one is found
const GAP_FRAMES = 4800;
const POLL_MS = 20;
const LOOKAHEAD_FRAMES = 312; // of Opus in browsers, whose application is "audio"

/**
 * @typedef {{token: string, bpm: number, clicks: number, voices: Record<string, number>}} Request
 * @typedef {import("./clicks.js").ClickReading} ClickReading
 */

/** Read a request, which comes from another machine; null when it has a fault.
 * @param {any} data
 * @returns {Request | null} */
export function readRequest(data) {
  const { kind, token, bpm, clicks, voices } = data ?? {};
  if (kind !== REQUEST || typeof token !== "string" || !/^[0-9a-zA-Z]{1,128}$/.test(token)) return null;
  const inRange = bpm >= 30 && bpm <= 600 && Number.isInteger(clicks) && clicks >= 3 && clicks <= 200;
  if (!inRange || typeof bpm !== "number" || (clicks * 60) / bpm > 30) return null;
  if (typeof voices !== "object" || voices === null || !Object.keys(voices).every(isName)) return null;
  const numbers = Object.values(voices).sort((a, b) => a - b);
  if (numbers.length < 2 || numbers.length > 32 || !numbers.every((number, n) => number === n)) return null;
  return { token, bpm, clicks, voices };
}

/** A participant's metronome; the participants' beats are spread over an interval.
 * @param {Request} request
 * @param {string} name */
function metronomeOf({ bpm, voices }, name) {
  const laterS = ((voices[name] / Object.keys(voices).length) * 60) / bpm;
  return new Metronome(bpm, voices[name], LEAD_S + laterS);
}

/** Find the clicks of a participant that started at about the same time as we did.
 * @param {Float64Array} band from `SPREAD_S` before our start on, limited to the clicks' band
 * @param {Metronome} metronome
 * @param {number} clicks
 * @param {() => Promise<void>} pause between two clicks
 * @returns {Promise<ClickReading[]>} */
export async function findClicks(band, metronome, clicks, pause) {
  const origin = -SPREAD_S * SAMPLE_RATE;
  /** @param {number[]} indices
   * @param {number} fromS
   * @param {number} toS */
  const read = async (indices, fromS, toS) => {
    const window = { first: Math.round(fromS * SAMPLE_RATE), last: Math.round(toS * SAMPLE_RATE) };
    const threshold = detectionThreshold(window.last - window.first + 1);
    const readings = [];
    for (const index of indices) {
      readings.push(readClick(band, metronome, index, window, origin, threshold));
      await pause();
    }
    return readings;
  };
  /** @type {number[]} */
  let delays = [];
  for (const parts of PARTS) {
    if (delays.length > 0) break;
    const some = Array.from({ length: parts - 1 }, (_, part) => Math.floor(((part + 1) * clicks) / parts));
    const found = await read([...new Set(some)], -SPREAD_S, SPREAD_S + MAX_LATENCY_S);
    delays = found.map(({ delay }) => delay).filter((delay) => !Number.isNaN(delay));
  }
  const all = Array.from({ length: clicks }, (_, index) => index);
  if (delays.length === 0) {
    return all.map((index) => ({ index, onset: metronome.onset(index), delay: NaN, confidence: 0 }));
  }
  const aboutS = median(delays) / SAMPLE_RATE;
  return read(all, aboutS - NEAR_S, aboutS + NEAR_S);
}

/** Take part in every measurement that is requested, until the returned function is called.
 * @param {import("./session.js").JamSession} session
 * @returns {() => void} */
export function answerMeasurements(session) {
  let isBusy = false;
  /** @type {Map<string, TokenBucket>} */
  const budgets = new Map();
  let isOver = false;
  const listenNoMore = session.onReport(async (asker, data) => {
    const request = readRequest(data);
    if (!request || ![session.name, asker].every((each) => Object.hasOwn(request.voices, each))) return;
    const { context } = session.service.graph;
    if (isBusy || context.state !== "running" || !context.audioWorklet || isTooMuch(budgets, asker)) {
      return session.report(asker, { kind: BUSY, token: request.token });
    }
    isBusy = true;
    try {
      const report = await perform(session, request, () => isOver);
      if (report) session.report(asker, report);
    } catch (error) {
      console.info(`the measurement of ${asker} was not answered:`, error);
    } finally {
      isBusy = false;
    }
  });
  return () => {
    isOver = true;
    listenNoMore();
  };
}

/** Whether a participant has asked for too many measurements: each takes the microphone's place.
 * @param {Map<string, TokenBucket>} budgets those that are full again are forgotten
 * @param {string} asker */
function isTooMuch(budgets, asker) {
  const nowS = performance.now() / 1000;
  for (const [name, budget] of budgets) if (budget.isFull(nowS)) budgets.delete(name);
  const budget = budgets.get(asker) ?? new TokenBucket(1 / 60, 5);
  budgets.set(asker, budget);
  return budget.take(nowS) > 0;
}

/**
 * @typedef {{
 *   start: number,
 *   clock: FrameClock,
 *   lagsMs: number[],
 *   counted: Record<string, {played: number, concealed: number}>,
 * }} Performance `start` is the context's frame at which it began
 */

/** @param {import("./session.js").JamSession} session
 * @param {Request} request
 * @param {() => boolean} isOver */
async function perform(session, request, isOver) {
  const { service } = session;
  const recorder = await Recorder.start(service.graph.context, service.graph.mix);
  let done;
  try {
    done = await play(session, request, isOver);
  } finally {
    await recorder.stop();
  }
  if (isOver()) return null;
  const band = inBand(recorder.from(done.start - SPREAD_S * SAMPLE_RATE));
  const { frameS } = done.clock.line();
  /** @type {Record<string, any>} */
  const hearings = {};
  for (const other of Object.keys(request.voices).filter((each) => service.playing(each))) {
    const readings = await findClicks(band, metronomeOf(request, other), request.clicks, breath);
    hearings[other] = hearing(readings, frameS, done.counted[other]);
  }
  return report(request, done, service.quality.ptimeMs, hearings);
}

/** Play our clicks in place of the microphone, and wait until those of all others are over.
 * @param {import("./session.js").JamSession} session
 * @param {Request} request
 * @param {() => boolean} isOver
 * @returns {Promise<Performance>} */
async function play(session, request, isOver) {
  const { service, name } = session;
  const { context, stand, standTrack } = service.graph;
  const lastsS = LEAD_S + ((request.clicks + 1) * 60) / request.bpm;
  const buffer = track(metronomeOf(request, name), request.clicks, lastsS);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(stand);
  const clock = new FrameClock();
  /** @type {number[]} */
  const lagsMs = [];
  const before = await counters(session, request);
  const start = Math.round(context.currentTime * SAMPLE_RATE) + GAP_FRAMES;
  let after = before;
  try {
    await service.send(standTrack);
    source.start(start / SAMPLE_RATE);
    await pass(context, clock, lagsMs, start + lastsS * SAMPLE_RATE, isOver);
    after = await counters(session, request);
  } finally {
    source.disconnect();
    if (!isOver()) await service.send(service.graph.track);
  }
  await pass(context, clock, [], start + (lastsS + SPREAD_S + MAX_LATENCY_S) * SAMPLE_RATE, isOver);
  const names = Object.keys(request.voices);
  const counted = Object.fromEntries(names.map((each) => [each, gained(after[each], before[each])]));
  return { start, clock, lagsMs, counted };
}

/** Wait until the context has played up to a frame; note its clock, and the event loop's lag.
 * @param {AudioContext} context
 * @param {FrameClock} clock
 * @param {number[]} lagsMs
 * @param {number} frame
 * @param {() => boolean} isOver */
async function pass(context, clock, lagsMs, frame, isOver) {
  while (context.currentTime * SAMPLE_RATE < frame && !isOver()) {
    const beganMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    lagsMs.push(Math.max(0, performance.now() - beganMs - POLL_MS));
    clock.note(context.currentTime * SAMPLE_RATE, performance.now() / 1000);
  }
}

/** @param {Metronome} metronome
 * @param {number} clicks
 * @param {number} lastsS */
function track(metronome, clicks, lastsS) {
  const buffer = new AudioBuffer({ length: Math.ceil(lastsS * SAMPLE_RATE), sampleRate: SAMPLE_RATE });
  const samples = buffer.getChannelData(0);
  for (let index = 0; index < clicks; index += 1) samples.set(metronome.click(index), metronome.onset(index));
  return buffer;
}

/** @param {ClickReading[]} readings
 * @param {number} frameS
 * @param {{played: number, concealed: number}} counted */
function hearing(readings, frameS, counted) {
  return {
    heard: readings.map(({ onset, delay }) => (Number.isNaN(delay) ? null : round((onset + delay) * frameS, 7))),
    confidences: readings.map(({ confidence }) => round(confidence, 3)),
    arrivals: [],
    origin: null,
    played_frames: counted.played,
    concealed_frames: counted.concealed,
  };
}

/** @param {Request} request
 * @param {Performance} done
 * @param {number} ptimeMs
 * @param {Record<string, any>} hearings */
function report(request, { start, clock, lagsMs }, ptimeMs, hearings) {
  const { originS, frameS } = clock.line();
  const { aheadS, errorS } = wallClock();
  const packetFrames = (ptimeMs * SAMPLE_RATE) / 1000;
  const sorted = lagsMs.toSorted((a, b) => a - b);
  return {
    kind: REPORT,
    token: request.token,
    began_s: originS + start * frameS + aheadS,
    frame_s: frameS,
    clock_error_s: errorS,
    packet_frames: packetFrames,
    sending_frames: packetFrames + LOOKAHEAD_FRAMES,
    playing_frames: 0,
    card_blocks: 0, // a page does not see its sound card's blocks
    card_underruns: 0,
    lag_p99_ms: sorted[Math.floor(0.99 * sorted.length)] ?? 0,
    hearings,
  };
}

/** The lead of the wall clock over the page's, seen as the former moves on by a millisecond. */
function wallClock() {
  const before = Date.now();
  let atMs = performance.now();
  for (let n = 0; n < 1e6 && Date.now() === before; n += 1) atMs = performance.now();
  const afterMs = performance.now();
  const aheadS = (before + 1) / 1000 - (atMs + afterMs) / 2000;
  return { aheadS, errorS: Math.min(1, (afterMs - atMs) / 2000 + 1e-4) };
}

/** The frames played of each peer so far, and those concealed among them.
 * @param {import("./session.js").JamSession} session
 * @param {Request} request */
async function counters({ service }, { voices }) {
  /** @type {Record<string, {played: number, concealed: number}>} */
  const counts = {};
  for (const name of Object.keys(voices)) {
    const own = service.playout(name)?.counters;
    if (own) {
      counts[name] = { played: own.played, concealed: own.concealed };
      continue;
    }
    const stats = [...((await service.playing(name)?.pc.getStats()) ?? new Map()).values()];
    const inbound = stats.find((each) => each.type === "inbound-rtp") ?? {};
    const concealed = inbound.concealedSamples ?? 0;
    counts[name] = { played: (inbound.totalSamplesReceived ?? 0) - concealed, concealed };
  }
  return counts;
}

/** The increase of counters; those of a connection that was replaced began at 0.
 * @param {{played: number, concealed: number}} after
 * @param {{played: number, concealed: number}} before */
function gained(after, before) {
  const gain = { played: after.played - before.played, concealed: after.concealed - before.concealed };
  return Math.min(gain.played, gain.concealed) < 0 ? after : gain;
}

/** Let the page do other things. */
function breath() {
  return new Promise((/** @type {(value?: any) => void} */ resolve) => setTimeout(resolve, 0));
}

/** @param {number[]} values */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** @param {number} value
 * @param {number} digits */
function round(value, digits) {
  return Number(value.toFixed(digits));
}
