// AudioPermissionModal: says why the microphone is needed before the browser asks, and what to do
// when it was refused. Whatever the answer, the session goes on.

import { TEXTS } from "./notices.js";

/** @typedef {{capture: boolean}} Answer */

export class AudioPermissionModal {
  #dialog;
  #problem;
  #allow;

  /** @param {Node} parent */
  constructor(parent) {
    this.#dialog = document.createElement("dialog");
    this.#dialog.className = "permission";
    this.#dialog.setAttribute("aria-labelledby", "permission-title");
    const title = element("h2", TEXTS["microphone"]);
    title.id = "permission-title";
    const words = element(
      "p",
      "Your browser will ask. The sound goes to the participants of this room, directly and " +
        "encrypted, without echo cancellation or noise suppression: use headphones.",
    );
    this.#problem = element("p", "");
    this.#problem.className = "problem";
    this.#problem.setAttribute("role", "alert");
    this.#allow = button("Allow", "primary");
    const listen = button("Listen only", "");
    const answers = document.createElement("div");
    answers.className = "answers";
    answers.append(this.#allow, listen);
    this.#dialog.append(title, words, this.#problem, answers);
    this.#allow.addEventListener("click", () => this.#dialog.close("allow"));
    listen.addEventListener("click", () => this.#dialog.close("listen"));
    parent.appendChild(this.#dialog);
  }

  /** Ask the user; `problem` says why an earlier attempt failed. Escape means to listen only.
   * @param {string} [problem]
   * @returns {Promise<Answer>} */
  ask(problem = "") {
    this.#problem.textContent = problem && `No microphone: ${problem}.`;
    this.#problem.hidden = !problem;
    this.#allow.textContent = problem ? "Try again" : "Allow";
    this.#dialog.returnValue = "";
    this.#dialog.showModal();
    return new Promise((resolve) => {
      const answer = () => resolve({ capture: this.#dialog.returnValue === "allow" });
      this.#dialog.addEventListener("close", answer, { once: true });
    });
  }

  /** Close the question, if it is open, as if the user had chosen to listen only. */
  takeBack() {
    if (this.#dialog.open) this.#dialog.close("listen");
  }
}

/** The state of the permission; "prompt" where the browser does not tell.
 * @returns {Promise<PermissionState>} */
export async function microphonePermission() {
  try {
    const name = /** @type {PermissionName} */ ("microphone");
    return (await navigator.permissions.query({ name })).state;
  } catch {
    return "prompt";
  }
}

/** @param {string} tag
 * @param {string} text */
function element(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

/** @param {string} text
 * @param {string} className */
function button(text, className) {
  const made = /** @type {HTMLButtonElement} */ (element("button", text));
  made.type = "button";
  made.className = className;
  return made;
}
