"""Sound in blocks of any length, cut into frames in Node."""

from hypothesis import given
from hypothesis import strategies as st

from tests.client.node import run_js
from tests.examples import examples

SCRIPT = """
    import { FrameCutter } from "./frameCutter.js";
    const frames = [];
    const keep = (position, block) => frames.push([position, [...block]]);
    const cutter = new FrameCutter(given.first, keep);
    let at = 0;
    const push = (length) => {
      const left = Float32Array.from({ length }, (_, n) => at + n);
      cutter.push(left, left.map((each) => -each));
      at += length;
    };
    given.before.forEach(push);
    cutter.frameFrames = given.second;
    given.after.forEach(push);
    console.log(JSON.stringify(frames));"""
LENGTHS = st.lists(st.sampled_from([1, 120, 128, 441, 480, 1024]), max_size=6)


@examples(20)
@given(LENGTHS, LENGTHS, st.sampled_from([120, 240]), st.sampled_from([120, 240, 480]))
def test_every_sample_keeps_its_position(before, after, first, second):
    case = {"before": before, "after": after, "first": first, "second": second}
    frames = run_js(SCRIPT, case)
    kept = 0
    for position, block in frames:
        half = len(block) // 2
        assert block[:half] == list(range(position, position + half))
        assert block[half:] == [-each for each in block[:half]]
        kept += half
    dropped = sum(before) % first if second != first else 0
    rest = (sum(before) - dropped + sum(after) - kept) if frames else 0
    assert 0 <= rest < max(first, second)
