// Rate limits: as `jamlab.pace`.

/** Rate limit (token bucket): so many per second on average, and a burst at once. It starts full. */
export class TokenBucket {
  #perS;
  #burst;
  #tokens;
  #atS = -Infinity;

  /** @param {number} perS
   * @param {number} burst */
  constructor(perS, burst) {
    this.#perS = perS;
    this.#burst = burst;
    this.#tokens = burst;
  }

  /** Take one, if permitted; return the seconds until one is, 0 when it was taken.
   * @param {number} nowS */
  take(nowS) {
    this.#fill(nowS);
    if (this.#tokens < 1) return (1 - this.#tokens) / this.#perS;
    this.#tokens -= 1;
    return 0;
  }

  /** Whether a new one would permit the same.
   * @param {number} nowS */
  isFull(nowS) {
    this.#fill(nowS);
    return this.#tokens >= this.#burst;
  }

  /** @param {number} nowS */
  #fill(nowS) {
    const earned = Math.max(0, nowS - this.#atS) * this.#perS;
    this.#tokens = Math.min(this.#burst, this.#tokens + earned);
    this.#atS = nowS;
  }
}
