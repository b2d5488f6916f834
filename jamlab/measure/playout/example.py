"""An example of a trace: Wi-Fi with stalls, made by a model, for examples and tests."""

import numpy as np

from jamlab.networks.model.trace import DelayTrace

_INTERVAL_S = 0.01
_STALLS_PER_MINUTE = 12
_MEDIAN_STALL_S, _SPREAD = 0.06, 0.7


def example_trace(duration_s: float = 120.0, seed: int = 1) -> DelayTrace:
    """Return a trace of jitter with stalls, at whose end all packets sent meanwhile arrive.

    Examples
    --------
    >>> trace = example_trace()
    >>> f"{1000 * np.median(trace.delay_s):.1f} ms, at most {1000 * trace.delay_s.max():.0f} ms"
    '3.5 ms, at most 174 ms'
    """
    random = np.random.default_rng(seed)
    sent_s = np.arange(int(duration_s / _INTERVAL_S), dtype=np.float64) * _INTERVAL_S
    arrival_s = sent_s.copy()
    arrival_s += 0.002 + random.gamma(1.5, 0.0013, len(sent_s))
    for begin_s in random.uniform(0, duration_s, int(duration_s / 60 * _STALLS_PER_MINUTE)):
        end_s = begin_s + _MEDIAN_STALL_S * random.lognormal(0, _SPREAD)
        within = (arrival_s > begin_s) & (arrival_s < end_s)
        arrival_s[within] = end_s
    return DelayTrace("example", sent_s, arrival_s - sent_s)
