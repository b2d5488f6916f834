"""Errors of the audio service, with one base class."""


class MeshError(Exception):
    """Base class of the errors of `jamlab.mesh`; none of them affects other connections."""


class UnknownPeerError(MeshError, KeyError):
    """No connection to the peer exists."""

    def __str__(self) -> str:
        return str(self.args[0])


class DuplicatePeerError(MeshError):
    """A connection to the peer exists already."""


class PeerClosedError(MeshError):
    """The connection was closed during the call."""


class UnexpectedDescriptionError(MeshError):
    """An offer or answer came that the connection does not expect."""


class MalformedDescriptionError(MeshError, ValueError):
    """A session description cannot be read or used."""


class MalformedCandidateError(MeshError, ValueError):
    """An ICE candidate cannot be read or used."""


class NoLocalAudioError(MeshError):
    """The service has no sound card yet."""
