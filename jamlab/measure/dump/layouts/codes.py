"""Numbers that rtcstats writes in place of names, from version 3 of its files on.

The numbers are part of the file format, and are never assigned anew. A name without a number is
written as it is.
"""

_METHODS = {
    1: (
        "getStats createOffer createOfferOnSuccess createAnswer createAnswerOnSuccess "
        "setLocalDescription setLocalDescriptionOnSuccess setRemoteDescription "
        "setRemoteDescriptionOnSuccess addIceCandidate addIceCandidateOnSuccess "
        "createOfferOnFailure createAnswerOnFailure setLocalDescriptionOnFailure "
        "setRemoteDescriptionOnFailure addIceCandidateOnFailure"
    ),
    20: (
        "onicecandidate onicecandidateerror ontrack onsignalingstatechange "
        "oniceconnectionstatechange onconnectionstatechange onicegatheringstatechange "
        "onnegotiationneeded ondatachannel"
    ),
    30: "addTrack addTrackOnSuccess addTransceiver addTransceiverOnSuccess removeTrack",
    35: (
        "createDataChannel close restartIce setConfiguration create constraints "
        "setCodecPreferences setHeaderExtensionsToNegotiate"
    ),
    50: "setParameters replaceTrack",
    60: "getUserMedia getUserMediaOnSuccess",
    63: "getDisplayMedia getDisplayMediaOnSuccess getUserMediaOnFailure enumerateDevices",
    67: "ondevicechange getDisplayMediaOnFailure",
    70: (
        "MediaStreamTrack.stop MediaStreamTrack.applyConstraints MediaStreamTrack.onended "
        "MediaStreamTrack.onmute MediaStreamTrack.onunmute"
    ),
    80: "HTMLMediaElement.resize",
}
METHODS: dict[object, str] = {"g": "getStats"} | {
    first + number: name
    for first, names in _METHODS.items()
    for number, name in enumerate(names.split())
}
"""Methods by their numbers; those of ``navigator.mediaDevices`` by their last names."""

_TYPES = (
    "inbound-rtp outbound-rtp remote-inbound-rtp remote-outbound-rtp transport candidate-pair "
    "local-candidate remote-candidate data-channel peer-connection certificate media-source "
    "media-playout codec"
)
TYPES: dict[object, str] = dict(enumerate(_TYPES.split(), start=1))
"""Types of statistics by their numbers."""

_NUMBERS = {
    "timestamp": "t",
    "transportId": 5,
    "mimeType": 6,
    "sdpFmtpLine": 9,
    "ssrc": 10,
    "kind": 11,
    "codecId": 12,
    "packetsReceived": 14,
    "packetsLost": 15,
    "jitter": 16,
    "remoteId": 19,
    "bytesReceived": 41,
    "totalProcessingDelay": 45,
    "jitterBufferDelay": 47,
    "jitterBufferTargetDelay": 48,
    "jitterBufferEmittedCount": 49,
    "jitterBufferMinimumDelay": 50,
    "totalSamplesReceived": 51,
    "concealedSamples": 52,
    "silentConcealedSamples": 53,
    "insertedSamplesForDeceleration": 55,
    "removedSamplesForAcceleration": 56,
    "audioLevel": 57,
    "playoutId": 62,
    "localId": 74,
    "roundTripTime": 75,
    "packetsSent": 79,
    "bytesSent": 80,
    "mediaSourceId": 81,
    "totalPlayoutDelay": 111,
    "totalSamplesCount": 112,
    "protocol": 116,
    "state": 118,
    "dtlsState": 123,
    "iceState": 124,
    "selectedCandidatePairId": 125,
    "candidateType": 136,
    "relayProtocol": 139,
    "localCandidateId": 148,
    "remoteCandidateId": 149,
    "nominated": 150,
    "currentRoundTripTime": 152,
}
PROPERTIES = {str(number): name for name, number in _NUMBERS.items()}
"""Properties that are read, by their numbers, which are keys of JSON objects."""
