/**
 * Gives the page a microphone that plays coded clicks, instead of the device.
 *
 * Every stream that getUserMedia returns has a track of its own, from one audio context at 48 kHz.
 */
function replaceMicrophone() {
  const asked = [];
  const devices = navigator.mediaDevices && Object.getPrototypeOf(navigator.mediaDevices);
  if (!devices) return { asked, play: () => null, clock: () => [] };
  const original = devices.getUserMedia;
  const Context = window.AudioContext; // a lever may change the page's
  let context, voice, clock;

  function opened() {
    if (context) return;
    context = new Context({ sampleRate: 48000, latencyHint: "interactive" });
    voice = new GainNode(context);
    clock = watchClock(context);
  }

  /** Returns whether a header of the page, or a frame without `allow`, gives no user's page a microphone. */
  function isForbidden() {
    const policy = document.permissionsPolicy ?? document.featurePolicy;
    return policy ? !policy.allowsFeature("microphone") : false;
  }

  function channelCount(constraints) {
    const count = constraints?.channelCount;
    return Number(count?.exact ?? count?.ideal ?? count) === 2 ? 2 : 1;
  }

  devices.getUserMedia = async function (constraints) {
    if (!constraints?.audio) return original.call(this, constraints);
    if (isForbidden()) {
      window.reportError(new Error("the permissions policy of the page or of its frame forbids the microphone"));
      return original.call(this, constraints); // rejects, as for a user
    }
    asked.push(plain(constraints.audio));
    opened();
    await context.resume();
    const output = new MediaStreamAudioDestinationNode(context, {
      channelCount: channelCount(constraints.audio),
    });
    voice.connect(output);
    if (!constraints.video) return output.stream;
    const stream = await original.call(this, { video: constraints.video });
    output.stream.getAudioTracks().forEach((track) => stream.addTrack(track));
    return stream;
  };

  /** Plays a track at 48 kHz, soon, once or again and again; returns the frame of the context at which it begins. */
  function play(track, loop) {
    if (!context) return null;
    const buffer = new AudioBuffer({ length: track.length, sampleRate: 48000 });
    buffer.copyToChannel(track, 0);
    const source = new AudioBufferSourceNode(context, { buffer, loop });
    source.connect(voice);
    const frame = Math.ceil((context.currentTime + 0.1) * 48000);
    source.start(frame / 48000);
    return frame;
  }
  return { asked, play, clock: () => clock?.take() ?? [] };
}

/**
 * Notes with which constraints the page asks for a microphone.
 *
 * With a label, the page gets the device of that label: Firefox opens the system's default device,
 * which is the same for all players.
 */
function watchMicrophone(label) {
  const asked = [];
  const devices = navigator.mediaDevices && Object.getPrototypeOf(navigator.mediaDevices);
  if (!devices) return { asked };
  const original = devices.getUserMedia;

  async function labelled(constraints) {
    const opened = await original.call(this, constraints); // only then have devices labels
    const known = await this.enumerateDevices();
    const device = known.find((each) => each.kind === "audioinput" && each.label.includes(label));
    if (!device || opened.getAudioTracks()[0].label.includes(label)) return opened;
    opened.getTracks().forEach((track) => track.stop());
    const audio = constraints.audio === true ? {} : constraints.audio;
    return original.call(this, {
      ...constraints,
      audio: { ...audio, deviceId: { exact: device.deviceId } },
    });
  }

  devices.getUserMedia = function (constraints) {
    if (!constraints?.audio) return original.call(this, constraints);
    asked.push(plain(constraints.audio));
    return (label ? labelled : original).call(this, constraints);
  };
  return { asked };
}
