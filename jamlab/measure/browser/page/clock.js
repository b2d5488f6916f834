const now = performance.now.bind(performance); // before a page replaces it

/**
 * Notes pairs of readings of an audio context's clock and the page's clock.
 *
 * The context's clock advances in blocks; the largest lead it takes tells when a block is rendered.
 */
function watchClock(context) {
  const readings = [];
  const timer = setInterval(() => {
    if (context.state === "running") readings.push([context.currentTime, now()]);
    if (context.state === "closed") clearInterval(timer);
  }, 5);
  return { take: () => readings.splice(0) };
}
