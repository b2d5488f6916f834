/**
 * Keeps the connections of one participant from finding any path, while `window.jamlabBlock` is true.
 *
 * They may use relayed candidates alone, and there is no relay: nothing is gathered, as behind a
 * firewall that drops everything. Connections made later, with the block lifted, are the browser's.
 */
(() => {
  if (new URLSearchParams(location.search).get("name") !== BLOCKED) return;
  window.jamlabBlock = true;
  window.RTCPeerConnection = new Proxy(window.RTCPeerConnection, {
    construct: (target, [configuration], made) =>
      Reflect.construct(
        target,
        [window.jamlabBlock ? { ...configuration, iceServers: [], iceTransportPolicy: "relay" } : configuration],
        made,
      ),
  });
})();
