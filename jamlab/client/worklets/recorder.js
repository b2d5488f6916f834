// Records the left channel of its input, and posts it in pieces with the frame each begins at.

const PIECE_FRAMES = 4800;

class Recorder extends AudioWorkletProcessor {
  constructor() {
    super();
    this.piece = new Float32Array(PIECE_FRAMES);
    this.filled = 0;
    this.isOver = false;
    this.port.onmessage = () => {
      this.isOver = true;
    };
  }

  process([input]) {
    const [left] = input; // missing while nothing is connected, which is silence
    for (let n = 0; n < 128; n += 1) this.piece[this.filled + n] = left ? left[n] : 0;
    this.filled += 128;
    if (this.filled + 128 > PIECE_FRAMES || this.isOver) {
      const start = currentFrame + 128 - this.filled;
      this.port.postMessage({ start, samples: this.piece.slice(0, this.filled), last: this.isOver });
      this.filled = 0;
    }
    return !this.isOver;
  }
}

registerProcessor("recorder", Recorder);
