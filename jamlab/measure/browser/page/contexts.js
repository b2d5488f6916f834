/**
 * Keeps the page's audio contexts, and whether the browser of a user would let them run.
 *
 * Browsers suspend a context that is made or resumed before the user has clicked or pressed a key.
 * The browsers under test do not, so this notes the user's actions itself.
 */
function watchContexts() {
  const contexts = new Map();
  let acted = false;
  for (const action of ["pointerdown", "mousedown", "keydown", "touchend"])
    window.addEventListener(action, ({ isTrusted }) => { acted ||= isTrusted; }, { capture: true });

  /** Returns whether the user has acted in this frame, or in one around it. */
  function hasActed() {
    if (acted || window.parent === window) return acted;
    try {
      return Boolean(window.parent.jamlabInstrument?.hasActed());
    } catch {
      return false; // the frame around it is of another origin
    }
  }

  const Original = window.AudioContext;
  if (!Original) return { hasActed, states: () => [] };
  window.AudioContext = new Proxy(Original, {
    construct(target, given, made) {
      const context = Reflect.construct(target, given, made);
      contexts.set(context, { wanted: given[0]?.sampleRate ?? null, allowed: hasActed() });
      return context;
    },
  });
  const resume = Original.prototype.resume;
  Original.prototype.resume = function () {
    const known = contexts.get(this);
    if (known) known.allowed ||= hasActed();
    return resume.call(this);
  };
  // jamlab's own page resumes its context at the user's first action, and has a button that says so.
  const waits = () => document.querySelector("meta[name=application-name]")?.content === "jamlab";
  const states = () =>
    [...contexts].map(([{ state }, { wanted, allowed }]) => ({ state, wanted, allowed: allowed || waits() }));
  return { hasActed, states };
}
