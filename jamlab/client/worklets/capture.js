// Cuts its input into Opus frames, and posts each with the position of its first frame to the port
// it is given.

class Capture extends AudioWorkletProcessor {
  constructor({ processorOptions: { frameFrames } }) {
    super();
    this.position = 0;
    this.filled = 0;
    this.isOver = false;
    this.sink = null;
    this.begin(frameFrames);
    this.port.onmessage = ({ data }) => {
      if (data.kind === "sink") this.sink = data.port;
      else if (data.kind === "frames") this.begin(data.frameFrames);
      else this.isOver = true;
    };
  }

  // A change of the frames' length drops less than one frame.
  begin(frameFrames) {
    this.frameFrames = frameFrames;
    this.position += this.filled;
    this.filled = 0;
    this.block = new Float32Array(2 * frameFrames);
  }

  process([input]) {
    const [left, right = left] = input; // missing while nothing is connected, which is silence
    for (let n = 0; n < 128; n += 1) {
      this.block[this.filled] = left ? left[n] : 0;
      this.block[this.frameFrames + this.filled] = right ? right[n] : 0;
      this.filled += 1;
      if (this.filled === this.frameFrames) this.post();
    }
    return !this.isOver;
  }

  post() {
    const { block, frameFrames, position } = this;
    this.sink?.postMessage({ position, frameFrames, block }, [block.buffer]);
    this.position += frameFrames;
    this.filled = 0;
    this.block = new Float32Array(2 * frameFrames);
  }
}

registerProcessor("capture", Capture);
