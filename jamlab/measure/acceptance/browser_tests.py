"""Names of the product's acceptance tests played by browsers, and of their figures.

The tests themselves are in `jamlab.measure.browser_acceptance`.
"""

TWO_BROWSERS = "two-browsers-on-one-network"
THREE_BROWSERS = "three-browsers-at-once"
MICROPHONE = "microphone-in-the-browser"
BLOCKED = "blocked-browser"
LOOPBACK = "loopback-of-browsers"
NETWORKS = "browsers-on-different-networks"
BROWSER_TESTS = (MICROPHONE, TWO_BROWSERS, THREE_BROWSERS, BLOCKED, LOOPBACK, NETWORKS)
"""The tests, in the order of the report."""

LATENCY = "one-way latency between browsers, 95th percentile"
ROUND_TRIP = "latency there and back between browsers, 95th percentile"
ACROSS = "one-way latency between browsers across networks, 95th percentile"
CONCEALED = "share of sound concealed by the browser"
CONNECTED = "time from the last arrival until the pages are connected"
METER = "level on a page's meter"
METER_ERROR = "error of the level on a page's meter"
HEARD_OTHERS = "share of the time with exactly the other tones"
CAPTURED = "level on a page's own meter"
CAPTURED_ERROR = "error of the level on a page's own meter"
PROCESSED = "number of processing steps that the page did not turn off"
ASKED = "share of modals that say why the page needs the microphone"
DENIED = "share of modals that say that the microphone was denied"
LISTENS = "level heard without a microphone"
WARNED = "time until the page's first warning"
WITHOUT_AUDIO = "time until the page says that the session goes on without audio"
BLOCKED_HEARS = "peak of the blocked page's playback"
UNFORESEEN = "number of errors of the pages"
RECOVERED = "time from the end of the block until the pages hear each other"
PLANNED_ROUTE = "share of pairs whose packets took the planned route"
HEARD = "share of clicks heard between browsers"
PAUSES = "longest pause of a page's audio"
"""In milliseconds; a test with a longer one than is valid proves nothing."""

FIGURES = frozenset(
    {
        *(LATENCY, ROUND_TRIP, ACROSS, CONCEALED, CONNECTED, METER, METER_ERROR, HEARD_OTHERS),
        *(CAPTURED, CAPTURED_ERROR, PROCESSED, ASKED, DENIED, LISTENS, WARNED, WITHOUT_AUDIO),
        *(BLOCKED_HEARS, UNFORESEEN, RECOVERED, PLANNED_ROUTE, HEARD, PAUSES),
    }
)
"""Names of all these figures."""
