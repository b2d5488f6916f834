"""Time-limited TURN credentials, made from a secret shared with the server.

The user name has the time of expiry, and the password is a keyed hash of the user name, so a server
with the secret (coturn's ``--use-auth-secret``) needs no list of users
(draft-uberti-behave-turn-rest-00, section 2.2). Leaked credentials work until they expire, a leaked
secret for ever.
"""

import base64
import hmac
import math
import re

LIFETIME_S = 24 * 3600
"""Validity of credentials: the draft's suggestion, and longer than any session."""


def time_limited(secret: str, user: str, now_s: float) -> tuple[str, str]:
    """Return time-limited credentials: a user name and a credential.

    `secret` is the server's ``static-auth-secret``. `user` is a name for the server's log and
    quota, and may be empty. `now_s` is Unix time.
    """
    expiry = str(int(now_s) + LIFETIME_S)
    username = f"{expiry}:{user}" if user else expiry
    digest = hmac.digest(secret.encode(), username.encode(), "sha1")
    return username, base64.b64encode(digest).decode()


def expiry_s(username: str) -> float:
    """Return a user name's time of expiry in Unix time; infinity when it has none."""
    found = re.fullmatch(r"(\d{9,11})(:.*)?", username, re.ASCII | re.DOTALL)
    return float(found[1]) if found else math.inf
