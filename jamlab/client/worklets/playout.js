// Plays one peer's stream through `Playout`; its blocks come over the port it is given.

import { Playout } from "../playout.js";

const TOLD_FRAMES = 24_000;

class PlayoutProcessor extends AudioWorkletProcessor {
  constructor() {
    super();
    this.playout = new Playout();
    this.untold = 0;
    this.lost = undefined; // packets, where the sender of the blocks counts them
    this.isOver = false;
    this.port.onmessage = ({ data }) => {
      if (data.kind === "source") data.port.onmessage = (event) => this.take(event.data);
      else this.isOver = true;
    };
  }

  take({ position, channels, lost }) {
    this.lost = lost;
    this.playout.write(position, channels);
  }

  process(_, [[left, right]]) {
    this.playout.pull(left, right);
    this.untold += left.length;
    if (this.untold >= TOLD_FRAMES) {
      this.untold = 0;
      this.port.postMessage({ ...this.playout.counters, rate: this.playout.rate, lost: this.lost });
    }
    return !this.isOver;
  }
}

registerProcessor("playout", PlayoutProcessor);
