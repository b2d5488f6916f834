"""Time-limited TURN credentials, made from a secret shared with the server.

The user name is when they expire, the password a keyed hash of it, so a server that has the secret
(coturn's ``--use-auth-secret``) needs no list of users (draft-uberti-behave-turn-rest-00, section
2.2). Who learns them can use them until they expire; who learns the secret, for ever.
"""

import base64
import hmac
import math
import re

LIFETIME_S = 24 * 3600
"""How long they are good for: the draft's suggestion, and longer than any session."""


def time_limited(secret: str, user: str, now_s: float) -> tuple[str, str]:
    """Make credentials.

    Parameters
    ----------
    secret : str
        What the server has as ``static-auth-secret``.
    user : str
        Who it is, for the server's log and quota; may be empty.
    now_s : float
        Unix time.

    Returns
    -------
    tuple of str
        User name and credential.
    """
    expiry = str(int(now_s) + LIFETIME_S)
    username = f"{expiry}:{user}" if user else expiry
    digest = hmac.digest(secret.encode(), username.encode(), "sha1")
    return username, base64.b64encode(digest).decode()


def expiry_s(username: str) -> float:
    """Return when a user name expires, in Unix time; infinity for one that bears no time."""
    bears = re.fullmatch(r"(\d{9,11})(:.*)?", username, re.ASCII | re.DOTALL)
    return float(bears[1]) if bears else math.inf
