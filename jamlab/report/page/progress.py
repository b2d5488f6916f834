"""A progress bar for a run in a notebook."""

from types import TracebackType

import ipywidgets  # type: ignore[import-untyped]
from IPython.display import display


class ProgressBar:
    """A context manager and progress callback; the bar disappears when the context ends."""

    def __init__(self) -> None:
        self._bar = ipywidgets.FloatProgress(min=0.0, max=1.0)
        self._words = ipywidgets.Label()
        self._box = ipywidgets.HBox([self._bar, self._words])

    def __enter__(self) -> "ProgressBar":
        display(self._box)  # type: ignore[no-untyped-call]
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for widget in (self._box, self._bar, self._words):
            widget.close()

    def __call__(self, done: float, doing: str) -> None:
        """Show the share done, 0 to 1, and the present activity."""
        self._bar.value = done
        self._words.value = f"{doing} {done:.0%}"
