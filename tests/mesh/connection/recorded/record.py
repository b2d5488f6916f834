"""Records offers and answers of the browsers of this machine: python -m <this module>.

One page makes two connections that negotiate with each other, in each of the situations of
`SITUATIONS`. What both say last is written beside this file, as it was but for the addresses of the
machine, for which addresses of RFC 5737 and RFC 3849 stand.
"""

import asyncio
import ipaddress
import re
from pathlib import Path

from jamlab.browsers.engines import Setting
from jamlab.browsers.installed import BrowserError, installed
from jamlab.browsers.launch import browsers

FOLDER = Path(__file__).parent
ENGINES = ("chromium", "firefox")
SITUATIONS = (
    "plain",
    "data channel",
    "data channel first",
    "video rejected",
    "replaceTrack(null)",
    "renegotiation",
    "restartIce()",
)
SCRIPT = """async (situation) => {
  const maxBundle = situation === "data channel first" ? {bundlePolicy: "max-bundle"} : {};
  const [one, two] = [new RTCPeerConnection(maxBundle), new RTCPeerConnection(maxBundle)];
  const track = () => new AudioContext().createMediaStreamDestination().stream.getAudioTracks()[0];
  const stream = new MediaStream();
  if (situation.startsWith("data channel")) one.createDataChannel("chat");
  const sender = one.addTrack(track(), stream);
  two.addTrack(track(), stream);
  const video = situation === "video rejected" ? one.addTransceiver("video") : null;
  const gathered = async (end) => {
    while (end.iceGatheringState !== "complete") await new Promise((go) => setTimeout(go, 20));
  };
  const negotiate = async () => {
    await one.setLocalDescription();
    await gathered(one);
    await two.setRemoteDescription(one.localDescription);
    await two.setLocalDescription();
    await gathered(two);
    const said = {offer: one.localDescription.sdp, answer: two.localDescription.sdp};
    await one.setRemoteDescription(two.localDescription);
    return said;
  };
  let said = await negotiate();
  if (video) video.stop();
  if (situation === "replaceTrack(null)") await sender.replaceTrack(null);
  if (situation === "renegotiation") one.addTrack(track(), stream);
  if (situation === "restartIce()") one.restartIce();
  if (!["plain", "data channel", "data channel first"].includes(situation)) {
    said = await negotiate();
  }
  one.close(); two.close();
  return said;
}"""


def without_addresses(sdp):
    """Return a description in which addresses of the documentation stand for the machine's."""
    numbers = {}

    def instead(found):
        try:
            address = ipaddress.ip_address(found[0])
        except ValueError:
            return found[0]
        if address.is_unspecified or address.is_loopback:
            return found[0]
        number = numbers.setdefault(found[0], len(numbers) + 1)
        return f"192.0.2.{number}" if address.version == 4 else f"2001:db8::{number:x}"

    def line_without(found):
        return re.sub(r"(?<= )[0-9a-fA-F.:]*[.:][0-9a-fA-F.:]+(?= |\r|$)", instead, found[0])

    return re.sub(r"^(?:c=|a=candidate:|a=rtcp:|o=).*", line_without, sdp, flags=re.MULTILINE)


async def record(engine):
    """Write what a browser says in all situations; return its title."""
    setting = Setting(installed(engine))
    async with browsers(setting, {"one": {}}, lambda _: "") as [player]:
        for situation in SITUATIONS:
            said = await player.page.evaluate(SCRIPT, situation)
            for kind, sdp in said.items():
                name = re.sub(r"\W+", "-", situation).strip("-")
                text = without_addresses(sdp).replace("\r\n", "\n")
                (FOLDER / f"{engine}-{name}.{kind}.sdp").write_text(text, encoding="utf-8")
    return setting.browser.title


async def main():
    """Record every browser that is installed."""
    for engine in ENGINES:
        try:
            print(await record(engine))
        except BrowserError as error:
            print(error)


if __name__ == "__main__":
    asyncio.run(main())
