"""The ``jamlab`` command: the notebooks' measurements from a terminal or CI.

Imports are deferred until a command runs, so that a process that imports one module of this folder
does not wait for the others.
"""

from collections.abc import Sequence


def main(given: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    from jamlab.cli.commands import main as run

    return run(given)
