const now = performance.now.bind(performance); // before a page replaces it

/**
 * Notes pairs of readings of an audio context's clock and the page's clock.
 *
 * The context's clock advances in blocks; the largest lead it takes tells when a block is rendered. The times between
 * readings vary, so that they fall everywhere in a block; few of them take a page's time.
 */
function watchClock(context) {
  const readings = [];
  const read = () => {
    if (context.state === "closed") return;
    if (context.state === "running") readings.push([context.currentTime, now()]);
    setTimeout(read, 10 + 10 * Math.random());
  };
  read();
  return { take: () => readings.splice(0) };
}
