/**
 * Makes this page one end of a call, as `window.jamlabEnd`: a connection for sound, without any.
 *
 * Its candidates go to `window.jamlabCandidate`, which the driver of the browser provides.
 */
(configuration) => {
  const connection = new RTCPeerConnection(configuration);
  connection.onicecandidate = ({ candidate }) => window.jamlabCandidate(candidate?.toJSON() ?? null);
  const described = async () => {
    await connection.setLocalDescription();
    return connection.localDescription.toJSON();
  };

  /** Resolves with whether the connection is there, once that is decided. */
  const ended = new Promise((resolve) => {
    connection.onconnectionstatechange = () => {
      if (connection.connectionState === "connected") resolve(true);
      if (connection.connectionState === "failed") resolve(false);
    };
  });

  /** Returns the types of the selected pair's candidates, local and remote. */
  async function types() {
    const reports = await connection.getStats();
    const transport = [...reports.values()].find(({ type }) => type === "transport");
    const pair = reports.get(transport?.selectedCandidatePairId);
    return [pair?.localCandidateId, pair?.remoteCandidateId].map((id) => reports.get(id)?.candidateType ?? "");
  }

  window.jamlabEnd = {
    types,
    ended: () => ended,
    offer: () => {
      connection.addTransceiver("audio");
      return described();
    },
    answer: async (offer) => {
      await connection.setRemoteDescription(offer);
      return described();
    },
    accept: (answer) => connection.setRemoteDescription(answer),
    add: (candidate) => connection.addIceCandidate(candidate ?? undefined),
  };
};
