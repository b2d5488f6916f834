"""Style sheets of the widgets: the shared one, then the widget's own."""

from pathlib import Path

_FOLDER = Path(__file__).parent


def style(name: str) -> str:
    """Return a widget's style sheet for anywidget, by its file's name without ``.css``."""
    return "\n".join((_FOLDER / f"{part}.css").read_text("utf-8") for part in ("theme", name))
