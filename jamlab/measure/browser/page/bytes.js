/** Returns 32-bit samples as base64, little-endian as on every machine that runs a browser. */
function base64(samples) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.split(",")[1] ?? "");
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(new Blob([samples]));
  });
}

/** Returns constraints as a record can hold them, as they are now. */
function plain(constraints) {
  try {
    return JSON.parse(JSON.stringify(constraints)) ?? true;
  } catch {
    return String(constraints); // they refer to themselves
  }
}

/** Returns the samples of a base64 text. */
function samplesOf(text) {
  const bytes = Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

/** Returns a track: sounds of equal length, which follow each other in the samples, in turn, each at its onset. */
function trackOf({ samples, count, onsets, length }) {
  const all = samplesOf(samples);
  const size = all.length / count;
  const track = new Float32Array(length);
  onsets.forEach((onset, turn) => {
    const from = (turn % count) * size;
    track.set(all.subarray(from, from + size), onset);
  });
  return track;
}
