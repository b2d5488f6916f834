"""Numbers of examples of property tests: few in `make test`, many in `make test-all`.

All of them are taken by ``pytest --hypothesis-profile all``.
"""

import math

from hypothesis import settings

ALL = 100
"""Examples of a property test without a number of its own, in the profile "all"."""

SHARES = {"quick": 0.05, "thorough": 0.4, "all": 1.0}
"""Share of them in each profile."""


def register_profiles():
    """Register the profiles, without deadlines, for a test must not depend on a clock."""
    for name, share in SHARES.items():
        most = max(1, round(ALL * share))
        settings.register_profile(name, settings(), deadline=None, max_examples=most)


def examples(every, **others):
    """Return the settings of a property test with its own number of examples.

    Parameters
    ----------
    every : int
        Examples in the profile "all"; the others have their `SHARES` of them.
    **others
        Further arguments of `hypothesis.settings`.
    """
    share = settings().max_examples / ALL
    return settings(max_examples=math.ceil(every * share), **others)
