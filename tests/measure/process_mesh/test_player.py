"""What a player loads: six of them start at once, on two cores."""

import subprocess
import sys

from jamlab.measure.process_mesh import player


def test_a_player_starts_without_the_libraries_of_the_search():
    script = (
        f"import sys, {player.__name__}\n"
        "print({'pandas', 'scipy.signal', 'scipy.stats', 'matplotlib'} & set(sys.modules))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    assert told.strip() == "set()"
