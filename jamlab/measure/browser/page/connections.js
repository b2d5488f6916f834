/**
 * Keeps every peer connection that the page makes, and reads their statistics.
 *
 * The page's connections are the browser's own: only the constructor is watched.
 *
 * A page that plays sound of its own, e.g. from a data channel, may state the counters of it:
 * `window.jamlabCounters()` returns an object for each connection, with `connection` and counters of
 * the names and meanings of RTCInboundRtpStreamStats. They then stand in place of the browser's.
 */
function watchConnections() {
  const connections = [];
  const Original = window.RTCPeerConnection;
  if (!Original) return { stats: async () => [] };
  window.RTCPeerConnection = new Proxy(Original, {
    construct(target, given, made) {
      const connection = Reflect.construct(target, given, made);
      connections.push(connection);
      return connection;
    },
  });
  if (window.webkitRTCPeerConnection) window.webkitRTCPeerConnection = window.RTCPeerConnection;

  const wanted = (report) =>
    ({ "inbound-rtp": report.kind === "audio", "outbound-rtp": report.kind === "audio",
       "remote-inbound-rtp": report.kind === "audio", "media-playout": true, "transport": true,
       "candidate-pair": report.nominated, "local-candidate": true,
       "remote-candidate": true, codec: true })[report.type];

  /** Returns the user name fragment of a description, by which the two ends are matched. */
  const fragment = (description) =>
    /^a=ice-ufrag:(\S+)/m.exec(description?.sdp ?? "")?.[1] ?? "";

  /** Returns the counters that the page states of a connection, without what is no number; null for none. */
  function countersOf(connection) {
    try {
      const stated = [...(window.jamlabCounters?.() ?? [])].find((each) => each?.connection === connection);
      return stated && Object.fromEntries(Object.entries(stated).filter(([, value]) => Number.isFinite(value)));
    } catch (error) {
      window.reportError?.(error); // an error of the page, whose statistics go on without its own
      return null;
    }
  }

  /** Returns reports with the page's own counters in place of the browser's, where it states some. */
  function withCounters(connection, reports) {
    const counters = countersOf(connection);
    if (!counters) return reports;
    const transportId = reports.find((each) => each.type === "transport")?.id;
    const own = { id: "page", type: "inbound-rtp", kind: "audio", transportId, ...counters };
    return [...reports.filter((each) => each.type !== "inbound-rtp"), own];
  }

  async function statsOf(connection, number) {
    const reports = connection.connectionState === "closed" ? [] : await connection.getStats();
    return {
      number,
      state: connection.connectionState,
      local: fragment(connection.localDescription),
      remote: fragment(connection.remoteDescription),
      atMs: performance.now(),
      reports: withCounters(connection, [...reports.values()].filter(wanted)),
    };
  }
  return { stats: () => Promise.all(connections.map(statsOf)) };
}
