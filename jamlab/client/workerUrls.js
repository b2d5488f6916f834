// The page's workers, as its policy of trusted types permits them: their addresses are these alone.

/** @type {Record<string, string>} */
const ADDRESSES = { sound: "workers/sound.js", receiver: "workers/receiver.js" };

/** @type {any} */
let policy = null;

/** Start a worker.
 * @param {"sound" | "receiver"} name
 * @returns {Worker} */
export function startWorker(name) {
  const { trustedTypes } = /** @type {any} */ (globalThis);
  policy ??= trustedTypes?.createPolicy("worker", { createScriptURL: (/** @type {string} */ of) => ADDRESSES[of] }) ?? null;
  return new Worker(policy ? policy.createScriptURL(name) : ADDRESSES[name], { type: "module" });
}
