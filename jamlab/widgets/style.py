"""The style of a widget: what all share, and then its own."""

from pathlib import Path

_FOLDER = Path(__file__).parent


def style(name: str) -> str:
    """Return the style sheet of a widget, as anywidget takes it.

    Parameters
    ----------
    name : str
        Of a file beside this one, without ``.css``.
    """
    return "\n".join((_FOLDER / f"{part}.css").read_text("utf-8") for part in ("theme", name))
