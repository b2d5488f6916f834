"""A dump of chrome://webrtc-internals, made by a real Chromium of a call between two connections.

``python -m tests.browser.internals data/example_dump.json.gz`` makes the dump that ships.
"""

import gzip
import json
import re
import sys
import tempfile
from pathlib import Path

from tests.browser.notebook import CHROMIUM

PAGE = "<!doctype html><title>Two connections of one page</title>"
CALL = """async () => {
    const context = new AudioContext(), tone = new OscillatorNode(context, {frequency: 220});
    const sound = new MediaStreamAudioDestinationNode(context);
    tone.connect(sound);
    tone.start();
    const ends = [new RTCPeerConnection(), new RTCPeerConnection()];
    ends.forEach((end, n) => {
        const other = ends[1 - n];
        end.addTrack(sound.stream.getAudioTracks()[0], sound.stream);
        end.onicecandidate = event => other.addIceCandidate(event.candidate);
        end.ontrack = event => {
            const player = document.body.appendChild(new Audio());
            player.srcObject = event.streams[0];
            player.play();
        };
    });
    const [one, two] = ends;
    await one.setLocalDescription(await one.createOffer());
    await two.setRemoteDescription(one.localDescription);
    await two.setLocalDescription(await two.createAnswer());
    await one.setRemoteDescription(two.localDescription);
    window.ends = ends;
}"""
HEARD = """async least => {
    const heard = async end => [...(await end.getStats()).values()].some(
        each => each.type === 'inbound-rtp' && each.totalSamplesDuration > least);
    while (!(await Promise.all(window.ends.map(heard))).every(Boolean)) {
        await new Promise(after => setTimeout(after, 200));
    }
}"""
"""Resolves when both ends have heard some seconds."""

_ADDRESS = re.compile(r" (\d{1,3}(?:\.\d{1,3}){3}) \d+ typ ")


def record(folder, seconds):
    """Return a dump of a call that both ends heard for some seconds; later Chromiums pack it.

    The profile is in `folder`, because webrtc-internals leaves out what has none (incognito).
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            folder,
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        try:
            log = browser.new_page()
            log.goto("chrome://webrtc-internals")
            page = browser.new_page()
            page.set_content(PAGE)
            page.evaluate(CALL)
            page.evaluate(HEARD, seconds)
            return _downloaded(log)
        finally:
            browser.close()


def _downloaded(log):
    """Press the button of the page that Chromium itself has, and return the file's content."""
    log.bring_to_front()
    log.evaluate(
        "() => document.querySelectorAll('details').forEach(each => { each.open = true; })"
    )
    with log.expect_download() as download:
        log.locator("#dump-button, button:has-text('webrtc-internals dump')").first.click()
    return Path(download.value.path()).read_bytes()


def unpacked(content):
    """Return the text of a dump, packed or not."""
    return (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode()


def scrubbed(text):
    """Return a dump without the machine's addresses and names."""
    dump = json.loads(text)
    found = sorted({address for address in _ADDRESS.findall(text) if address != "0.0.0.0"})
    written = json.dumps(dump, separators=(",", ":"), ensure_ascii=False)
    for number, address in enumerate(found, start=1):
        written = re.sub(rf"\b{re.escape(address)}\b", f"192.0.2.{number}", written)
    return written


def main(path):
    """Record a call of 90 s, and write its dump without the machine's addresses."""
    with tempfile.TemporaryDirectory() as folder:
        text = scrubbed(unpacked(record(folder, 90)))
    Path(path).write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    main(sys.argv[1])
