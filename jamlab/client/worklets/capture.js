// Posts its input to the port it is given, block by block, while it is on.

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.isOn = false;
    this.isOver = false;
    this.sink = null;
    this.port.onmessage = ({ data }) => {
      if (data.kind === "sink") this.sink = data.port;
      else if (data.kind === "switch") this.isOn = data.isOn;
      else this.isOver = true;
    };
  }

  process([input]) {
    if (this.isOn) this.post(input);
    return !this.isOver;
  }

  // An input without channels is silence: nothing is connected.
  post([left = new Float32Array(128), right = left]) {
    const block = [left.slice(), right.slice()];
    this.sink?.postMessage(block, block.map((each) => each.buffer));
  }
}

registerProcessor("capture", Capture);
