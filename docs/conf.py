"""The documentation site: Sphinx with MyST-NB. ``make docs`` builds it, offline, into ``site/``.

The sources are the repository's own files, so nothing is copied: README, ``docs/``, ``notebooks/``
and ``data/README.md``, where they are. Notebooks are executed while the site is built.
"""

import re
import sys
from pathlib import Path
from typing import Any

from sphinx.errors import SphinxError

sys.path.insert(0, str(Path(__file__).parent))  # for tutorials.py, the reader of notebooks

ROOT = Path(__file__).parent.parent

project = "jamlab"
author = "the jamlab authors"
root_doc = "docs/index"
include_patterns = [
    "docs/**",
    "notebooks/*.ipynb",
    "data/README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
]
exclude_patterns = [".*", "node_modules", "reports", "site", "tests"]

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
default_role = "py:obj"
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

nb_custom_formats = {".ipynb": "tutorials.read"}
nb_execution_mode = "force"
nb_execution_timeout = 300
# These need browsers or root, which a machine that builds the site may lack.
nb_execution_excludepatterns = [
    *("notebooks/07_*", "notebooks/09_*", "notebooks/10_*", "notebooks/12_*"),
]
nb_execution_raise_on_error = True
nb_ipywidgets_js: dict[
    str, dict[str, str]
] = {}  # a widget is dead without a kernel, and so is its script
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
nb_merge_streams = True
# A masthead hands the report its verdicts as data of a type of its own, with HTML beside it.
suppress_warnings = ["mystnb.unknown_mime_type"]

html_theme = "furo"
html_title = "jamlab"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_show_copyright = False
html_copy_source = False


ENTRY = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>jamlab</title>
<meta http-equiv="refresh" content="0; url={root_doc}.html">
<a href="{root_doc}.html">jamlab</a>
</html>
"""


FETCHED = re.compile(r"""<(?:script|link|img|iframe)\b[^>]*?(?:src|href)="(?:https?:)?//[^"]*""")


def setup(app: Any) -> None:
    """Say where executed notebooks are kept and where the site begins; check its pages."""
    app.connect("builder-inited", _keep_beside_records, priority=900)  # after MyST-NB's own
    app.connect("build-finished", _write_entry)


def _write_entry(app: Any, failure: Exception | None) -> None:
    """Send a reader of the site's folder on to its first page; no page may need a network."""
    if failure is not None:
        return
    site = Path(app.outdir)
    (site / "index.html").write_text(ENTRY, encoding="utf-8")
    for page in site.rglob("*.html"):
        if fetched := FETCHED.search(page.read_text(encoding="utf-8")):
            raise SphinxError(f"{page} fetches from elsewhere: {fetched[0]}")


def _keep_beside_records(app: Any) -> None:
    """Keep executed notebooks where git ignores them, not beside the site."""
    folder = str(ROOT / "reports" / "site")
    app.env.mystnb_config = app.env.mystnb_config.copy(output_folder=folder)
