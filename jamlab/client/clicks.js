// Coded clicks, and their detection in a recording: as `jamlab.audio.metronome` and
// `jamlab.measure.latency.clicks`, which have the theory. A test compares the two.

import { convolve, correlate } from "./fastConvolution.js";

export const SAMPLE_RATE = 48_000;
export const IDENTITIES = 229; // clicks of a voice before an identity returns; chips in a click
const CHIP_FRAMES = 8;
const GUARD_CHIPS = 4;
export const CLICK_FRAMES = (IDENTITIES + 2 * GUARD_CHIPS) * CHIP_FRAMES;
const IDENTITY_STEP = 89;
const CARRIER_HZ = 4800;
const ROLL_OFF = 0.25;
const FADE_FRAMES = 96;
const BAND_HZ = [1050 - 150, 8550 + 150];
const FILTER_TAPS = 401;
const LEVEL = 10 ** (-12 / 20);

const FALSE_ALARM = 1e-6;
const FREEDOM = 2 * IDENTITIES;
const SAME_ARRIVAL = SAMPLE_RATE / 2000;
const MARGIN = 64; // lags beyond the window, to tell a peak in it from the flank of one outside
const SILENCE = CLICK_FRAMES * 10 ** (-100 / 10);

/**
 * @typedef {{index: number, onset: number, delay: number, confidence: number}} ClickReading
 *   `delay` in frames from emission to arrival, NaN when the click was not heard
 * @typedef {{first: number, last: number}} Window range of delays in frames, both ends included
 */

/** One participant's track of clicks, numbered from 0. */
export class Metronome {
  /** @type {Map<number, Float32Array>} */
  #clicks = new Map();

  /** @param {number} bpm
   * @param {number} voice
   * @param {number} firstS */
  constructor(bpm, voice, firstS) {
    this.voice = voice;
    this.beat = (60 * SAMPLE_RATE) / bpm; // frames
    this.first = roundHalfToEven(firstS * SAMPLE_RATE);
  }

  /** The frame at which a click begins.
   * @param {number} index */
  onset(index) {
    return this.first + Math.floor(index * this.beat + 0.5);
  }

  /** The samples of a click, mono.
   * @param {number} index */
  click(index) {
    const identity = index % IDENTITIES;
    let samples = this.#clicks.get(identity);
    if (!samples) {
      samples = waveform(this.voice, identity);
      this.#clicks.set(identity, samples);
    }
    return samples;
  }
}

/** @param {number} value */
function roundHalfToEven(value) {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

/** @type {Float64Array | null} */
let knownPulse = null;

/** Root-raised-cosine pulse of one chip, on one click's circle of frames. */
function pulse() {
  knownPulse ??= makePulse();
  return knownPulse;
}

function makePulse() {
  const edgeHz = ((1 - ROLL_OFF) * SAMPLE_RATE) / CHIP_FRAMES / 2;
  /** @type {number[]} */
  const spectrum = [];
  for (let bin = 0; bin <= CLICK_FRAMES / 2; bin += 1) {
    const hz = (bin * SAMPLE_RATE) / CLICK_FRAMES;
    const descent = Math.min(Math.max((hz - edgeHz) / ((ROLL_OFF * SAMPLE_RATE) / CHIP_FRAMES), 0), 1);
    spectrum.push(Math.cos((Math.PI / 2) * descent));
  }
  const bins = spectrum.filter((weight) => weight > 1e-16).length;
  return Float64Array.from({ length: CLICK_FRAMES }, (_, frame) => {
    let sum = spectrum[0];
    for (let bin = 1; bin < bins; bin += 1) {
      sum += 2 * spectrum[bin] * Math.cos((2 * Math.PI * bin * frame) / CLICK_FRAMES);
    }
    return sum / CLICK_FRAMES;
  });
}

/** @param {number} voice
 * @param {number} identity */
function waveform(voice, identity) {
  const real = new Float64Array(CLICK_FRAMES);
  const imaginary = new Float64Array(CLICK_FRAMES);
  const shape = pulse();
  for (let chip = 0; chip < IDENTITIES; chip += 1) {
    const turns = (((voice + 1) * chip ** 3 + IDENTITY_STEP * identity * chip) % IDENTITIES) / IDENTITIES;
    const [cos, sin] = [Math.cos(2 * Math.PI * turns), Math.sin(2 * Math.PI * turns)];
    const at = (GUARD_CHIPS + chip) * CHIP_FRAMES;
    for (let frame = 0; frame < CLICK_FRAMES; frame += 1) {
      const weight = shape[(frame - at + CLICK_FRAMES) % CLICK_FRAMES];
      real[frame] += cos * weight;
      imaginary[frame] += sin * weight;
    }
  }
  let peak = 0;
  for (let frame = 0; frame < CLICK_FRAMES; frame += 1) {
    const turn = (2 * Math.PI * CARRIER_HZ * frame) / SAMPLE_RATE;
    real[frame] = fade(frame) * (real[frame] * Math.cos(turn) - imaginary[frame] * Math.sin(turn));
    peak = Math.max(peak, Math.abs(real[frame]));
  }
  return Float32Array.from(real, (sample) => (LEVEL * sample) / peak);
}

/** @param {number} frame */
function fade(frame) {
  const fromEnd = Math.min(frame, CLICK_FRAMES - 1 - frame);
  return fromEnd >= FADE_FRAMES ? 1 : Math.sin(((Math.PI / 2) * (fromEnd + 0.5)) / FADE_FRAMES) ** 2;
}

/** Limit a recording to the clicks' band: a linear-phase filter whose delay is taken off.
 * @param {Float32Array} recording */
export function inBand(recording) {
  const half = (FILTER_TAPS - 1) / 2;
  const [low, high] = BAND_HZ.map((hz) => hz / SAMPLE_RATE);
  const taps = Float64Array.from({ length: FILTER_TAPS }, (_, tap) => {
    const hamming = 0.54 - 0.46 * Math.cos((2 * Math.PI * tap) / (FILTER_TAPS - 1));
    return hamming * (2 * high * sinc(2 * high * (tap - half)) - 2 * low * sinc(2 * low * (tap - half)));
  });
  const centre = (low + high) / 2;
  const gain = taps.reduce((sum, each, tap) => sum + each * Math.cos(2 * Math.PI * centre * (tap - half)), 0);
  return convolve(recording, taps.map((each) => each / gain)).subarray(half, half + recording.length);
}

/** @param {number} x */
function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** The correlation coefficient that noise exceeds with a probability of 1e-6 in so many lags: where
 * the tail of the density (1 - r²)^((D - 3) / 2) is that.
 * @param {number} lags */
export function detectionThreshold(lags) {
  const steps = 20_000;
  /** @param {number} r */
  const density = (r) => (1 - r * r) ** ((FREEDOM - 3) / 2);
  let whole = 0;
  for (let n = 0; n < steps; n += 1) whole += density((n + 0.5) / steps);
  let tail = 0;
  for (let n = steps - 1; n > 0; n -= 1) {
    tail += density((n + 0.5) / steps);
    if (tail / whole >= FALSE_ALARM / lags) return n / steps;
  }
  return 0;
}

/** Read the delay of one click in a recording that is limited to the band.
 * @param {Float64Array} band its frame 0 is the metronome's frame `origin`
 * @param {Metronome} metronome
 * @param {number} index
 * @param {Window} window
 * @param {number} origin
 * @param {number} threshold
 * @returns {ClickReading} */
export function readClick(band, metronome, index, window, origin, threshold) {
  const onset = metronome.onset(index);
  const lags = window.last - window.first + 1;
  const begin = onset - origin + window.first - MARGIN;
  const excerpt = new Float64Array(lags + 2 * MARGIN + CLICK_FRAMES - 1);
  const [first, last] = [Math.max(begin, 0), Math.min(begin + excerpt.length, band.length)];
  if (first < last) excerpt.set(band.subarray(first, last), first - begin);
  const { correlation, confidence } = correlateClick(excerpt, metronome.click(index));
  const peak = firstArrival(correlation, confidence, threshold);
  if (peak === null || peak < MARGIN || peak >= MARGIN + lags) {
    return { index, onset, delay: NaN, confidence: confidence.reduce((a, b) => Math.max(a, b), 0) };
  }
  const delay = window.first - MARGIN + peak + peakOffset(correlation, peak);
  return { index, onset, delay, confidence: confidence[peak] };
}

/** @param {Float64Array} excerpt
 * @param {Float32Array} click */
function correlateClick(excerpt, click) {
  const norm = Math.sqrt(click.reduce((sum, sample) => sum + sample * sample, 0));
  const correlation = correlate(excerpt, Float64Array.from(click, (sample) => sample / norm));
  const running = new Float64Array(excerpt.length + 1);
  excerpt.forEach((sample, frame) => (running[frame + 1] = running[frame] + sample * sample));
  const confidence = correlation.map((value, lag) => {
    const energy = Math.max(running[lag + CLICK_FRAMES] - running[lag], SILENCE);
    return Math.min(Math.abs(value) / Math.sqrt(energy), 1);
  });
  return { correlation, confidence };
}

/** The lag of the first peak that may be the click itself: at least half as strong as the strongest.
 * @param {Float64Array} correlation
 * @param {Float64Array} confidence
 * @param {number} threshold */
function firstArrival(correlation, confidence, threshold) {
  const candidates = [];
  for (let lag = 1; lag < confidence.length - 1; lag += 1) {
    const isPeak = confidence[lag] > confidence[lag - 1] && confidence[lag] >= confidence[lag + 1];
    if (isPeak && confidence[lag] >= threshold) candidates.push(lag);
  }
  candidates.sort((a, b) => confidence[b] - confidence[a]);
  /** @type {number[]} */
  const peaks = [];
  for (const lag of candidates) {
    if (peaks.every((peak) => Math.abs(peak - lag) >= SAME_ARRIVAL)) peaks.push(lag);
  }
  const strongest = Math.max(...peaks.map((lag) => Math.abs(correlation[lag])));
  const arrivals = peaks.filter((lag) => Math.abs(correlation[lag]) >= 0.5 * strongest);
  return arrivals.length ? Math.min(...arrivals) : null;
}

/** The distance of the band-limited peak from its largest sample, in frames.
 * @param {Float64Array} correlation
 * @param {number} peak */
function peakOffset(correlation, peak) {
  const sign = Math.sign(correlation[peak]);
  /** @param {number} offset */
  const at = (offset) => {
    let sum = 0;
    for (let n = -32; n <= 32; n += 1) {
      const window = 0.5 + 0.5 * Math.cos((Math.PI * (n - offset)) / 34);
      sum += sign * (correlation[peak + n] ?? 0) * sinc(offset - n) * window;
    }
    return sum;
  };
  const step = 1 / 16;
  let top = 0;
  for (let n = -32; n <= 32; n += 1) if (at(n * step) > at(top)) top = n * step;
  const [before, here, after] = [at(top - step), at(top), at(top + step)];
  return top + (0.5 * step * (before - after)) / (before - 2 * here + after);
}
