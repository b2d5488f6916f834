/**
 * Changes the page's calls as an engineer could change the application: a lever each.
 *
 * @param {{ptimeMs?: number, stereo?: boolean, bitrate?: number, jitterBufferTargetMs?: number,
 *          latencyHint?: number, processing?: boolean, redundancy?: boolean}} levers
 */
function pullLevers(levers) {
  const connection = window.RTCPeerConnection?.prototype;
  const inAudio = (sdp, change) =>
    sdp.split(/(?=^m=)/m).map((part) => (part.startsWith("m=audio") ? change(part) : part)).join("");
  const payload = (part, codec) =>
    new RegExp(`^a=rtpmap:(\\d+) ${codec}/48000`, "mi").exec(part)?.[1];

  function withFormat(part, settings) {
    const opus = payload(part, "opus");
    const line = new RegExp(`^a=fmtp:${opus} (.*)$`, "m");
    return line.test(part) ? part.replace(line, (all) => `${all};${settings}`) : part;
  }

  /** Returns a remote description that asks the local encoder for something else. */
  function changed(part) {
    if (levers.ptimeMs)
      part = part.replace(/^a=(max)?ptime:.*\r\n/gm, "") + `a=ptime:${levers.ptimeMs}\r\na=maxptime:${levers.ptimeMs}\r\n`;
    if (levers.stereo) part = withFormat(part, "stereo=1;sprop-stereo=1");
    if (levers.bitrate) part = withFormat(part, `maxaveragebitrate=${levers.bitrate}`);
    const red = payload(part, "red");
    if (levers.redundancy && red)
      part = part.replace(/^(m=audio \d+ \S+)(.*)$/m, (_, head, list) =>
        `${head} ${red}${list.split(" ").filter((each) => each !== red).join(" ")}`);
    return part;
  }

  if (connection && (levers.ptimeMs || levers.stereo || levers.bitrate || levers.redundancy)) {
    const set = connection.setRemoteDescription;
    connection.setRemoteDescription = function (description, ...rest) {
      const { type, sdp } = description;
      return set.call(this, { type, sdp: sdp && inAudio(sdp, changed) }, ...rest);
    };
  }

  if (connection && levers.jitterBufferTargetMs !== undefined) {
    const set = connection.setRemoteDescription;
    connection.setRemoteDescription = async function (...given) {
      const done = await set.apply(this, given);
      for (const receiver of this.getReceivers())
        if (receiver.track?.kind === "audio") receiver.jitterBufferTarget = levers.jitterBufferTargetMs;
      return done;
    };
  }

  if (levers.latencyHint !== undefined)
    window.AudioContext = new Proxy(window.AudioContext, {
      construct: (target, [options], made) =>
        Reflect.construct(target, [{ ...options, latencyHint: levers.latencyHint }], made),
    });

  const devices = navigator.mediaDevices && Object.getPrototypeOf(navigator.mediaDevices);
  if (devices && levers.processing !== undefined) {
    const get = devices.getUserMedia;
    const processing = { echoCancellation: levers.processing, noiseSuppression: levers.processing,
                         autoGainControl: levers.processing };
    devices.getUserMedia = function (constraints) {
      if (!constraints?.audio) return get.call(this, constraints);
      const audio = { ...(constraints.audio === true ? {} : constraints.audio), ...processing };
      return get.call(this, { ...constraints, audio });
    };
  }
}
