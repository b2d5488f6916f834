/**
 * Records everything the page plays: media elements and what reaches an audio context's destination.
 *
 * A tap records the mono sum of one context, in frames of that context.
 */
function watchEars() {
  const RECORDER = `registerProcessor("jamlab-recorder", class extends AudioWorkletProcessor {
    constructor() {
      super();
      Object.assign(this, { recording: false, piece: new Float32Array(4800), filled: 0 });
      this.port.onmessage = ({ data }) => {
        this.post();
        this.recording = data;
        if (!data) this.port.postMessage({ over: true });
      };
    }
    process([[channel]], [[{ length }]]) { // of a block, which a page may choose
      if (this.recording) this.keep(channel, length);
      return true;
    }
    keep(channel, length) { // in pieces: a message a block takes a page's time, and so disturbs it
      if (this.filled + length > this.piece.length) this.post();
      if (length > this.piece.length) this.piece = new Float32Array(length);
      if (channel) this.piece.set(channel, this.filled);
      else this.piece.fill(0, this.filled, this.filled + length);
      this.first = this.filled ? this.first : currentFrame;
      this.filled += length;
    }
    post() {
      if (this.filled) this.port.postMessage({ frame: this.first, samples: this.piece.slice(0, this.filled) });
      this.filled = 0;
    }
  });`;
  const LAST_PIECE_MS = 500; // of a context that has just been closed it does not come
  const Context = window.AudioContext; // a lever may change the page's
  const connect = AudioNode.prototype.connect;
  const disconnect = AudioNode.prototype.disconnect;
  const addModule = (context) =>
    context.audioWorklet.addModule(URL.createObjectURL(new Blob([RECORDER], { type: "text/javascript" })));
  const taps = [];

  class Tap {
    constructor(context, kind) {
      Object.assign(this, { context, kind, first: null, blocks: [], clock: watchClock(context) });
      this.input = new GainNode(context, { channelCount: 1, channelCountMode: "explicit" });
      this.ready = addModule(context).then(() => this.attach()).catch(() => {}); // a closed context has no sound
      taps.push(this);
    }

    attach() {
      this.recorder = new AudioWorkletNode(this.context, "jamlab-recorder");
      connect.call(this.input, this.recorder);
      connect.call(this.recorder, this.context.destination); // silent, but keeps it running
      this.recorder.port.onmessage = ({ data: { frame, samples, over } }) => {
        if (over) return this.over?.();
        this.first ??= frame;
        this.blocks.push(samples);
      };
    }

    /** Begins, or ends and waits for the last piece. */
    record(on) {
      if (on) Object.assign(this, { first: null, blocks: [] });
      this.recorder?.port.postMessage(on);
      if (on || !this.recorder) return;
      return new Promise((resolve) => {
        this.over = resolve;
        setTimeout(resolve, LAST_PIECE_MS);
      });
    }

    async taken() {
      const samples = new Float32Array(this.blocks.reduce((frames, { length }) => frames + length, 0));
      let frames = 0;
      for (const block of this.blocks) {
        samples.set(block, frames);
        frames += block.length;
      }
      return {
        kind: this.kind,
        state: this.context.state,
        rate: this.context.sampleRate,
        first: this.context.sinkId?.type === "none" ? null : this.first, // nobody hears that sink
        readings: this.clock.take(),
        samples: await base64(samples),
      };
    }
  }

  const ofContext = new WeakMap();
  function tapOf(context) {
    if (!ofContext.has(context)) ofContext.set(context, new Tap(context, "AudioContext"));
    return ofContext.get(context);
  }
  const isOutput = (node) =>
    node instanceof AudioDestinationNode && node.context instanceof Context;

  AudioNode.prototype.connect = function (target, ...rest) {
    const made = connect.call(this, target, ...rest);
    if (isOutput(target)) connect.call(this, tapOf(target.context).input, ...rest.slice(0, 1));
    return made;
  };
  AudioNode.prototype.disconnect = function (...given) {
    disconnect.apply(this, given);
    const tap = this.context instanceof Context && ofContext.get(this.context);
    if (tap && isOutput(given[0])) disconnect.call(this, tap.input, ...given.slice(1, 2));
  };

  let elements; // the tap of all media elements
  const sources = new WeakMap();

  /** Makes the tap hear a media element as loud as the user would. */
  function listen(element) {
    const stream = element.srcObject;
    const track = stream instanceof MediaStream ? stream.getAudioTracks()[0] : null;
    const earlier = sources.get(element);
    if (earlier?.track === track) return;
    if (earlier) disconnect.call(earlier.gain);
    sources.delete(element);
    if (!track) return;
    elements ??= new Tap(new Context({ sampleRate: 48000 }), "media element");
    const gain = new GainNode(elements.context);
    connect.call(elements.context.createMediaStreamSource(new MediaStream([track])), gain);
    connect.call(gain, elements.input);
    sources.set(element, { track, gain });
    setGain(element);
  }

  function setGain(element) {
    const source = sources.get(element);
    if (source) source.gain.gain.value = element.muted || element.paused ? 0 : element.volume;
  }

  /** Taps the tracks that a page adds to a stream by script, which fires no event. */
  const CHANGED = "jamlab-tracks";
  for (const name of ["addTrack", "removeTrack"]) {
    const change = MediaStream.prototype[name];
    MediaStream.prototype[name] = function (track) {
      change.call(this, track);
      this.dispatchEvent(new Event(CHANGED));
    };
  }

  const watched = new WeakSet();
  function watch(element) {
    if (!watched.has(element)) {
      watched.add(element);
      for (const event of ["playing", "pause", "volumechange", "emptied"])
        element.addEventListener(event, () => { listen(element); setGain(element); });
    }
    const stream = element.srcObject;
    for (const event of ["addtrack", "removetrack", CHANGED])
      stream?.addEventListener?.(event, () => listen(element));
    listen(element);
  }

  const media = HTMLMediaElement.prototype;
  const { get, set } = Object.getOwnPropertyDescriptor(media, "srcObject");
  Object.defineProperty(media, "srcObject", {
    configurable: true,
    enumerable: true,
    get,
    set(stream) { set.call(this, stream); watch(this); },
  });
  const play = media.play;
  media.play = function () { if (this.srcObject) watch(this); return play.call(this); };

  return {
    record: async (on) => {
      const open = taps.filter((tap) => tap.context.state !== "closed");
      await Promise.all(open.map((tap) => tap.ready));
      await Promise.all(taps.map((tap) => tap.record(on)));
      return taps.map((tap) => ({ kind: tap.kind, state: tap.context.state }));
    },
    taken: () => Promise.all(taps.map((tap) => tap.taken())),
  };
}
