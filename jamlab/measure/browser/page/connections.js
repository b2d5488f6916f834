/**
 * Keeps every peer connection that the page makes, and reads their statistics.
 *
 * The page's connections are the browser's own: only the constructor is watched.
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

  async function statsOf(connection, number) {
    const reports = connection.connectionState === "closed" ? [] : await connection.getStats();
    return {
      number,
      state: connection.connectionState,
      local: fragment(connection.localDescription),
      remote: fragment(connection.remoteDescription),
      atMs: performance.now(),
      reports: [...reports.values()].filter(wanted),
    };
  }
  return { stats: () => Promise.all(connections.map(statsOf)) };
}
