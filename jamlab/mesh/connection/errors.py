"""What can be wrong with a call to the audio service: one class a mistake, one base for all."""


class MeshError(Exception):
    """Base of what `jamlab.mesh` raises; whatever it is about, other connections play on."""


class UnknownPeerError(MeshError, KeyError):
    """There is no connection to that peer."""

    def __str__(self) -> str:
        return str(self.args[0])


class DuplicatePeerError(MeshError):
    """There is a connection to that peer already."""


class PeerClosedError(MeshError):
    """The connection was closed while the call was at work on it."""


class UnexpectedDescriptionError(MeshError):
    """An offer or an answer the connection is not waiting for."""


class MalformedDescriptionError(MeshError, ValueError):
    """A session description that cannot be read or used."""


class MalformedCandidateError(MeshError, ValueError):
    """An ICE candidate that cannot be read."""


class NoLocalAudioError(MeshError):
    """The service has no sound card yet."""
