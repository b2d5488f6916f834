// The microphone permission: shows the state of `jamlab.widgets.permission`, and sends answers.

const ANSWERS = [
  ["allow", "Allow", "primary"],
  ["listen only", "Listen only", ""],
  ["deny", "Deny", ""],
];

function make(tag, className, attributes = {}, ...children) {
  const made = document.createElement(tag);
  made.className = className;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  // JupyterLab checks only the focused element: keys pressed here are not notebook shortcuts.
  if (["button", "input", "select"].includes(tag)) made.dataset.lmSuppressShortcuts = "true";
  made.append(...children);
  return made;
}

function button(words, className, act) {
  const made = make("button", className, { type: "button" }, words);
  made.addEventListener("click", act);
  return made;
}

// The text of the persistent indicator: a mark, a word in bold, and the rest.
export function indication(state, problem, input, machine) {
  if (state === "granted" && !problem) return ["●", "Microphone on", `${input} of ${machine}`];
  if (state === "granted") return ["⊘", "No microphone", problem];
  if (state === "denied") return ["⊘", "No microphone", "access was denied: you only listen"];
  if (state === "listen only") return ["⊘", "No microphone", "you only listen"];
  return ["?", "No microphone yet", "nothing is captured before you allow it"];
}

function render({ model, el }) {
  const get = (name) => model.get(name);
  let changing = false;

  const root = make("section", "jamlab-permission", { "aria-label": "Microphone" });
  const mark = make("span", "mark", { "aria-hidden": "true" });
  const word = make("strong", "word");
  const rest = make("span", "rest");
  const status = make("div", "status", { role: "status" }, mark, word, " ", rest);
  const change = button("Change…", "change", () => {
    changing = true;
    show();
    form.querySelector("button.primary").focus();
  });
  const bar = make("div", "bar", {}, status, change);

  const input = make("select", "input");
  const again = button("Look again", "again", () => model.send({ kind: "look again" }));
  const listing = make("p", "listing");
  const cancel = button("Keep as it is", "cancel", () => leave());
  const answers = ANSWERS.map(([kind, words, className]) =>
    button(words, className, () => {
      model.send(kind === "allow" ? { kind, input: input.value } : { kind });
      leave();
    }),
  );
  const form = make(
    "fieldset",
    "form",
    {},
    make("legend", "sentence", {}, get("sentence")),
    make(
      "p",
      "machine",
      {},
      "It is the microphone of ",
      make("strong", "", {}, get("machine")),
      ", the machine this notebook’s kernel runs on. That may be a server, not the computer in front of you.",
    ),
    make("div", "choice", {}, make("label", "", {}, "Input ", input), again),
    listing,
    make("div", "answers", {}, ...answers, cancel),
  );
  root.append(bar, form);
  el.append(root);

  function leave() {
    changing = false;
    show();
    if (!change.hidden) change.focus();
  }

  function list() {
    const before = input.value || get("chosen");
    const system = get("inputs").find((each) => each.default);
    const first = make("option", "", { value: "" }, `The system’s: ${system ? system.name : "none"}`);
    input.replaceChildren(
      first,
      ...get("inputs").map((each) =>
        make("option", "", { value: each.key }, `${each.name} (${each.host}, ${each.channels} ch)`),
      ),
    );
    input.value = before;
    if (input.selectedIndex < 0) input.value = "";
    listing.textContent = get("listing").replace(/^./, (letter) => letter.toUpperCase());
    listing.hidden = !get("listing");
  }

  function show() {
    const state = get("state");
    const asking = state === "prompt" || changing;
    const system = get("inputs").find((each) => each.default);
    const name = get("chosen") || (system ? system.name : "the system’s input");
    const [sign, strong, words] = indication(state, get("problem"), name, get("machine"));
    const said = strong + words;
    if (status.dataset.said !== said) {
      status.dataset.said = said; // a screen reader must not read unchanged text again
      mark.textContent = sign;
      word.textContent = strong;
      rest.textContent = words;
    }
    root.dataset.microphone = state === "granted" && !get("problem") ? "on" : "off";
    form.hidden = !asking;
    change.hidden = asking;
    cancel.hidden = state === "prompt";
    again.hidden = get("in_use");
  }

  const listeners = [
    ...["state", "problem", "chosen", "in_use"].map((name) => [`change:${name}`, show]),
    ...["inputs", "listing"].map((name) => [`change:${name}`, () => (list(), show())]),
  ];
  for (const [name, listener] of listeners) model.on(name, listener);
  list();
  show();
  return () => listeners.forEach(([name, listener]) => model.off(name, listener));
}

export default { render };
