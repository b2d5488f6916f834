"""Random damage to a real session description."""

import hypothesis.strategies as st


def _apply(sdp, edits):
    lines = sdp.splitlines(keepends=True)
    for kind, at, other, middle, scribble in edits:
        index = at % len(lines)
        line = lines[index]
        middle %= len(line) + 1
        lines[index] = {
            "drop": "",
            "double": line * 2,
            "replace": lines[other % len(lines)],
            "scribble": line[:middle] + scribble + line[middle + len(scribble) :],
        }[kind]
    return "".join(lines)


damages = st.lists(
    st.tuples(
        st.sampled_from(["drop", "double", "replace", "scribble"]),
        st.integers(0, 40),
        st.integers(0, 40),
        st.integers(0, 80),
        st.text(min_size=1, max_size=6) | st.from_regex(r"[0-9]{1,6}", fullmatch=True),
    ),
    min_size=1,
    max_size=3,
).map(lambda edits: lambda sdp: _apply(sdp, edits))
"""Functions that damage a description: lines dropped, doubled, replaced or written over."""
