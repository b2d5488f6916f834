"""``python -m jamlab`` is ``jamlab``."""

import sys

from jamlab.cli import main

sys.exit(main())
