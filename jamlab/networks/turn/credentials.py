"""Long-term credentials and nonces of a TURN server (RFC 8489, section 9.2)."""

import hashlib
import hmac
import random
from collections.abc import Mapping
from dataclasses import dataclass

from aioice.turn import make_integrity_key

from jamlab.networks.model.packet import Address
from jamlab.networks.stun.message import Received


class AuthenticationError(Exception):
    """A request is not authenticated; `code` is 400, 401 or 438."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the request is not authenticated ({code})")
        self.code = code


@dataclass(frozen=True, slots=True)
class Identity:
    """The user of a request, and the key that signs the response."""

    username: str
    key: bytes


class Credentials:
    """The users of a server, and its nonces.

    A nonce consists of its time of creation and a keyed hash of that time and the client's address.
    So the server stores nothing for unauthenticated clients, and each client's nonces differ.

    `users` has passwords by user name. The hash's key comes from `rng`. A nonce is valid for at
    most an hour (RFC 8656, section 5).
    """

    def __init__(
        self, users: Mapping[str, str], realm: str, rng: random.Random, nonce_lifetime_s: float
    ) -> None:
        self.realm = realm
        self._keys = {name: make_integrity_key(name, realm, users[name]) for name in users}
        self._secret = rng.randbytes(32)
        self._nonce_lifetime_ms = round(nonce_lifetime_s * 1e3)

    def nonce(self, client: Address, now_s: float) -> bytes:
        """Return a nonce for a client."""
        return self._nonce_of(client, int(now_s * 1e3))

    def _nonce_of(self, client: Address, made_ms: int) -> bytes:
        text = f"{client[0]}:{client[1]} {made_ms}".encode()
        digest = hashlib.blake2s(text, key=self._secret, digest_size=8).hexdigest()
        return f"{made_ms:x}-{digest}".encode()

    def authenticate(self, received: Received, client: Address, now_s: float) -> Identity:
        """Return the user of a request after the checks of RFC 8489, section 9.2.4, in order.

        Raises `AuthenticationError`: 401 for no or wrong credentials, 400 for incomplete ones, 438
        for a nonce that is stale or belongs to another client.
        """
        attributes = received.message.attributes
        if "MESSAGE-INTEGRITY" not in attributes:
            raise AuthenticationError(401)
        if not {"USERNAME", "REALM", "NONCE"} <= attributes.keys():
            raise AuthenticationError(400)
        key = self._keys.get(attributes["USERNAME"])
        if key is None or attributes["REALM"] != self.realm:
            raise AuthenticationError(401)
        if not received.is_signed_with(key):
            raise AuthenticationError(401)
        if not self._fresh(attributes["NONCE"], client, now_s):
            raise AuthenticationError(438)
        return Identity(attributes["USERNAME"], key)

    def _fresh(self, nonce: bytes, client: Address, now_s: float) -> bool:
        try:
            made_ms = int(nonce.partition(b"-")[0], 16)
        except ValueError:
            return False
        # Only a genuine nonce has a time of this server; a forged one could be any huge number.
        if not hmac.compare_digest(nonce, self._nonce_of(client, made_ms)):
            return False
        return now_s * 1e3 - made_ms < self._nonce_lifetime_ms
