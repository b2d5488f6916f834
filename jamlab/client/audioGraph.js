// The Web Audio graph of a participant: microphone, mix of the peers, and taps for the meters.
//
//   microphone ──┬────────────▶ sent track (not through the graph, which would add its blocks)
//                ├▶ meter tap
//                └▶ bus ──▶ the data transport, where there is one
//   peer ──▶ gain ──┬──▶ mix ──▶ loudspeaker
//                   └▶ meter tap

const CAPTURE = Object.freeze({
  sampleRate: 48_000,
  channelCount: { ideal: 2 },
  echoCancellation: false,
  noiseSuppression: false,
  autoGainControl: false,
  latency: { ideal: 0 },
});

export const SAMPLE_RATE = 48_000;

/** Why nothing is captured; the message is a sentence for the user. */
export class MicrophoneError extends Error {
  /** @param {"denied" | "missing" | "insecure" | "failed"} kind
   * @param {string} message */
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

/** Ask the browser for the microphone, as it is: 48 kHz stereo, without processing.
 * @param {string} [deviceId]
 * @returns {Promise<MediaStream>} */
export async function openMicrophone(deviceId) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new MicrophoneError(
      "insecure",
      "browsers give a page the microphone only over https or on this machine: open the hub with jamlab serve --tls",
    );
  }
  const audio = deviceId ? { ...CAPTURE, deviceId: { exact: deviceId } } : CAPTURE;
  try {
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    throw microphoneError(/** @type {DOMException} */ (error));
  }
}

/** Release a microphone.
 * @param {MediaStream | null} stream */
export function stopTracks(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** @param {DOMException} error */
function microphoneError({ name, message }) {
  if (name === "NotAllowedError" || name === "SecurityError") {
    return new MicrophoneError("denied", "it was denied: allow it in the browser's address bar, and try again");
  }
  if (name === "NotFoundError" || name === "OverconstrainedError") {
    return new MicrophoneError("missing", "there is none: connect one, and try again");
  }
  return new MicrophoneError("failed", `it cannot be opened (${message || name}): does another program use it?`);
}

/** A place in the graph whose level a meter reads. */
export class Tap {
  /** @param {AudioContext} context */
  constructor(context) {
    this.input = new ChannelSplitterNode(context, { numberOfOutputs: 2 });
    this.analysers = [0, 1].map((channel) => {
      const analyser = new AnalyserNode(context, { fftSize: 4096, smoothingTimeConstant: 0 });
      this.input.connect(analyser, channel);
      return analyser;
    });
    this.samples = new Float32Array(4096);
  }

  /** The peak of each channel in the last 85 ms, as a factor of full scale. */
  peaks() {
    return this.analysers.map((analyser) => {
      analyser.getFloatTimeDomainData(this.samples);
      let peak = 0;
      for (const sample of this.samples) peak = Math.max(peak, Math.abs(sample));
      return peak;
    });
  }
}

/** One peer's sound in the mix. */
class PeerSound {
  /** @param {AudioContext} context
   * @param {AudioNode} mix */
  constructor(context, mix) {
    this.gain = new GainNode(context, { channelCount: 2, channelCountMode: "explicit" });
    this.tap = new Tap(context);
    this.gain.connect(mix);
    this.gain.connect(this.tap.input);
    /** @type {AudioNode | null} */
    this.source = null;
    /** @type {HTMLAudioElement | null} */
    this.element = null;
  }

  /** @param {MediaStream} stream */
  playStream(stream) {
    this.stop();
    // Chromium decodes a remote stream only while a media element has it (crbug.com/41154105)
    this.element = new Audio();
    this.element.muted = true;
    this.element.srcObject = stream;
    this.element.play().catch(() => {}); // where it may not play before a click, it plays then
    this.#from(new MediaStreamAudioSourceNode(/** @type {AudioContext} */ (this.gain.context), { mediaStream: stream }));
  }

  /** Play a node's sound, and the stream's no more.
   * @param {AudioNode} node */
  playNode(node) {
    this.stop();
    this.#from(node);
  }

  /** @param {AudioNode} node */
  #from(node) {
    this.source = node;
    node.connect(this.gain);
  }

  stop() {
    this.source?.disconnect();
    this.source = null;
    if (this.element) this.element.srcObject = null;
    this.element = null;
  }

  close() {
    this.stop();
    this.gain.disconnect();
  }
}

export class AudioGraph {
  /** @type {Map<string, PeerSound>} */
  #peers = new Map();
  /** @type {MediaStreamAudioSourceNode | null} */
  #microphone = null;
  #silence;

  /** @param {import("./quality.js").Quality} quality */
  constructor(quality) {
    this.context = new AudioContext({ sampleRate: SAMPLE_RATE, latencyHint: quality.latencyHint });
    this.mix = new GainNode(this.context, { channelCount: 2, channelCountMode: "explicit" });
    this.mix.connect(this.context.destination);
    this.local = new Tap(this.context);
    /** Sound of this participant that is sent in place of the microphone: silence, or clicks. */
    this.stand = new GainNode(this.context, { channelCount: 2, channelCountMode: "explicit" });
    this.#silence = new MediaStreamAudioDestinationNode(this.context, { channelCount: 2 });
    this.stand.connect(this.#silence);
    /** The sound that the data transport sends: the microphone's, or `stand`. */
    this.bus = new GainNode(this.context, { channelCount: 2, channelCountMode: "explicit" });
    this.stand.connect(this.bus);
    this.isStandingIn = false;
    /** @type {MediaStream | null} */
    this.stream = null;
  }

  /** The track to send: the microphone's, or silence. */
  get track() {
    return this.stream?.getAudioTracks()[0] ?? this.standTrack;
  }

  /** The track of `stand`. */
  get standTrack() {
    return this.#silence.stream.getAudioTracks()[0];
  }

  /** Take a microphone's stream, or none; an earlier one is closed.
   * @param {MediaStream | null} stream */
  capture(stream) {
    this.#microphone?.disconnect();
    stopTracks(this.stream);
    this.stream = stream;
    this.#microphone = stream && new MediaStreamAudioSourceNode(this.context, { mediaStream: stream });
    this.standIn(this.isStandingIn);
  }

  /** Let `stand` be sent in place of the microphone on the bus, or no more.
   * @param {boolean} isStandingIn */
  standIn(isStandingIn) {
    this.isStandingIn = isStandingIn;
    if (this.#microphone === null) return;
    this.#microphone.disconnect();
    this.#microphone.connect(this.local.input);
    if (!isStandingIn) this.#microphone.connect(this.bus);
  }

  /** Start the sound where the browser waits for the user; call it on a click.
   * @returns {Promise<void>} */
  async resume() {
    if (this.context.state === "suspended") await this.context.resume();
    for (const { element } of this.#peers.values()) element?.play().catch(() => {});
  }

  /** @param {string} peerId */
  peer(peerId) {
    let sound = this.#peers.get(peerId);
    if (!sound) {
      sound = new PeerSound(this.context, this.mix);
      this.#peers.set(peerId, sound);
    }
    return sound;
  }

  /** @param {string} peerId */
  forget(peerId) {
    this.#peers.get(peerId)?.close();
    this.#peers.delete(peerId);
  }

  async close() {
    this.capture(null);
    for (const peerId of [...this.#peers.keys()]) this.forget(peerId);
    if (this.context.state !== "closed") await this.context.close();
  }
}
