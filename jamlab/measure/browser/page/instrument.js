/**
 * The instrument of a page under test, as `window.jamlabInstrument`.
 *
 * It is put into every frame before the page's own scripts. With `injected`, the microphone plays
 * coded clicks and everything the page plays is recorded; otherwise only statistics are read.
 * `levers` are changes of the page's calls, see `levers.js`; `microphoneLabel` is the label of the
 * player's own microphone.
 */
function instrument({ injected, levers, microphoneLabel }) {
  const connections = watchConnections();
  const microphone = injected ? replaceMicrophone() : watchMicrophone(microphoneLabel);
  const ears = injected ? watchEars() : null;
  pullLevers(levers); // last, so that the instrument's own contexts keep their settings
  window.jamlabInstrument = {
    now: () => performance.now(),
    stats: connections.stats,
    asked: () => microphone.asked,
    play: ({ samples, loop }) => microphone.play(samplesOf(samples), loop),
    record: (on) => ears.record(on),
    taken: async () => ({ emitted: microphone.clock(), taps: await ears.taken() }),
  };
}
