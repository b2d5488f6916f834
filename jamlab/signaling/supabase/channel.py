"""Signalling channel on Supabase Realtime: the hosted service, or jamlab's hub."""

import random
from functools import partial

from jamlab.signaling.endpoint import Endpoint
from jamlab.signaling.messages import MAX_NAME, is_name
from jamlab.signaling.supabase.membership import SupabaseMembership

EVENTS_PER_S = 100.0
"""The hosted service's limit for all members of all rooms together, on its smallest plan."""


class SupabaseChannel:
    """A room on a Realtime service; raises ValueError if room, URL or key is missing or invalid.

    Parameters
    ----------
    url : str, optional
        ``https://PROJECT.supabase.co``, ``wss://…/realtime/v1`` or ``ws://HOST:PORT/…``; by default
        the value of JAMLAB_SUPABASE_URL.
    key : str, optional
        The project's anonymous key, or the hub's key; by default the value of JAMLAB_SUPABASE_KEY.
        It is never printed or logged.
    grace_s : float
        How long a participant that vanished without leaving stays a peer: its socket may be lost,
        or the service may restart, while its sound plays on.
    patience_s : float
        How long to wait for a name that is taken: it may belong to a crashed participant that the
        service still lists.
    events_per_s : float
        The service's limit on messages, in and out, of all participants together.
    randomness : random.Random, optional
        Source of secrets and jitter; by default the system's.
    """

    def __init__(
        self,
        room: str,
        url: str | None = None,
        key: str | None = None,
        *,
        grace_s: float = 20.0,
        patience_s: float = 15.0,
        events_per_s: float = EVENTS_PER_S,
        randomness: random.Random | None = None,
    ) -> None:
        _check_name("a room", room)
        self.room = room
        self._endpoint = Endpoint.find(url, key)
        self._patience_s = patience_s
        self._new_member = partial(
            SupabaseMembership,
            self._endpoint,
            room,
            grace_s=grace_s,
            events_per_s=events_per_s,
            randomness=randomness or random.SystemRandom(),
        )

    def __repr__(self) -> str:
        return f"SupabaseChannel({self.room!r}, {self._endpoint.url!r})"

    async def join(self, peer_id: str) -> SupabaseMembership:
        """Join the room; the other participants get `PeerJoined`.

        Raises
        ------
        ValueError
            When the name is invalid.
        NameTakenError
            When the name is still taken after `patience_s`.
        SignalingError
            When the service cannot be reached, does not answer, or refuses.
        """
        _check_name("a participant", peer_id)
        member = self._new_member(peer_id)
        try:
            await member.enter(self._patience_s)
        except BaseException:
            await member.leave()
            raise
        return member


def _check_name(whose: str, name: str) -> None:
    if not is_name(name):
        raise ValueError(
            f"the name of {whose} has 1 to {MAX_NAME} visible characters: choose another"
        )
