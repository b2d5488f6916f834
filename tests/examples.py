"""Numbers of examples of property tests: few in `make test`, all in `make test-all`."""

import math

from hypothesis import settings

THOROUGH = 100
"""Examples of a property test without a number of its own, in the profile "thorough"."""

QUICK_SHARE = 0.05
"""Share of them in the profile "quick"."""


def register_profiles():
    """Register both profiles, without deadlines, for a test must not depend on a clock."""
    quick = max(1, round(THOROUGH * QUICK_SHARE))
    settings.register_profile("thorough", settings(), deadline=None, max_examples=THOROUGH)
    settings.register_profile("quick", settings(), deadline=None, max_examples=quick)


def examples(thorough, **others):
    """Return the settings of a property test with its own number of examples.

    Parameters
    ----------
    thorough : int
        Examples in the thorough profile; the quick profile has `QUICK_SHARE` of them.
    **others
        Further arguments of `hypothesis.settings`.
    """
    share = settings().max_examples / THOROUGH
    return settings(max_examples=math.ceil(thorough * share), **others)
