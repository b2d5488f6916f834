"""The ``jamlab`` command: the notebooks' jobs from a terminal or from CI.

What a command needs is imported when the command runs: a process that imports a module of this
folder does not wait for all others.
"""

from collections.abc import Sequence


def main(given: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    from jamlab.cli.commands import main as run

    return run(given)
