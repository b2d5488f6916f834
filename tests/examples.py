"""How many examples a property test tries: few in `make test`, all in `make test-all`."""

import math

from hypothesis import settings

THOROUGH = 100
"""Examples of a property test that names no number, in the profile of that name."""

QUICK_SHARE = 0.05
"""Which share of them the quick profile tries."""


def register_profiles():
    """Register both profiles; an example's deadline would be a clock's, so there is none."""
    quick = max(1, round(THOROUGH * QUICK_SHARE))
    settings.register_profile("thorough", settings(), deadline=None, max_examples=THOROUGH)
    settings.register_profile("quick", settings(), deadline=None, max_examples=quick)


def examples(thorough, **others):
    """Return the settings of a property test that tries so many examples in the thorough profile.

    Parameters
    ----------
    thorough : int
        Examples in the thorough profile; in the quick one it is the same share as of others.
    **others
        Of `hypothesis.settings`.
    """
    share = settings().max_examples / THOROUGH
    return settings(max_examples=math.ceil(thorough * share), **others)
