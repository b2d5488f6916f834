/**
 * The instrument of a page under test, as `window.jamlabInstrument`.
 *
 * It is put into every frame before the page's own scripts. With `injected`, the microphone plays
 * coded clicks; with `recorded`, everything the page plays is recorded. Statistics are always read.
 * `levers` are changes of the page's calls, see `levers.js`; `microphoneLabel` is the label of the
 * player's own microphone. `born` tells a page from the one that was loaded before it.
 */
function instrument({ injected, recorded, levers, microphoneLabel }) {
  const connections = watchConnections();
  const microphone = injected ? replaceMicrophone() : watchMicrophone(microphoneLabel);
  const ears = recorded ? watchEars() : null;
  const contexts = watchContexts(); // after the instrument's own, which are not the page's
  pullLevers(levers); // last, so that the instrument's own contexts keep their settings
  window.jamlabInstrument = {
    born: performance.timeOrigin,
    secure: () => window.isSecureContext && Boolean(navigator.mediaDevices),
    hasActed: contexts.hasActed,
    now,
    stats: connections.stats,
    asked: () => microphone.asked,
    contexts: contexts.states,
    play: ({ loop, ...track }) => microphone.play(trackOf(track), loop),
    record: (on) => ears.record(on),
    taken: async () => ({ emitted: injected ? microphone.clock() : null, taps: await ears.taken() }),
  };
}
