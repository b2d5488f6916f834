// A list of listeners.

/** @template T */
export class Listeners {
  /** @type {Set<(event: T) => void>} */
  #listeners = new Set();

  /** @param {(event: T) => void} listener
   * @returns {() => void} a function that removes it */
  add(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @param {T} event */
  emit(event) {
    for (const listener of [...this.#listeners]) listener(event);
  }
}
